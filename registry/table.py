"""The catalogue in words: the table of all models, one card, and ``docs/MODELS.md``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .card import ModelCard, Preprocessing
from .text_table import aligned

UNPINNED = "none is published: the default branch is taken, and results name the commit and the sha256"
_EVIDENCE = {"stated": "", "inferred": " (inferred)", "unknown": " (?)"}


def millions(params: int) -> str:
    return "-" if params == 0 else f"{params / 1e6:.1f} M" if params < 1e9 else f"{params / 1e9:.2f} B"


def cohorts(card: ModelCard) -> str:
    """Names of public cohorts seen in pretraining; ``none`` only by statement."""
    seen = card.pretraining.cohorts
    if seen:
        return ", ".join(cohort.name + _EVIDENCE[cohort.evidence] for cohort in seen)
    return {"stated": "none", "inferred": "none (inferred)", "unknown": "unknown"}[card.pretraining.evidence]


def recipe(preprocessing: Preprocessing) -> str:
    """The preprocessing in one line."""
    p = preprocessing
    steps = []
    if p.resize is None:
        steps.append(f"multiples of {p.multiple_of} px as they are" if p.multiple_of else f"{p.size} px as they are")
    elif isinstance(p.resize, int):
        steps.append(f"shorter side to {p.resize} px, {p.interpolation}")
    else:
        steps.append(f"to {p.resize[0]} x {p.resize[1]} px, {p.interpolation}")
    if p.crop and p.resize is not None and p.resize != p.size and p.resize != (p.size, p.size):
        steps.append(f"centre {p.size} px")
    steps.append(f"mean {_three(p.mean)}, deviation {_three(p.std)}")
    return "; ".join(steps)


def _three(values: Iterable[float]) -> str:
    numbers = [f"{v:g}" for v in values]
    return numbers[0] if len(set(numbers)) == 1 else " ".join(numbers)


def access(card: ModelCard) -> str:
    if card.weights.layout in ("random", "none"):
        return "no file"
    if card.weights.gated:
        return "gated"
    if card.weights.package:
        return "package"
    if card.weights.hub:
        return "open"
    return "by hand" if card.weights.page else "not public"


def columns(card: ModelCard) -> dict[str, str]:
    """The row of the table."""
    mpp = card.preprocessing.mpp
    return {
        "name": card.name,
        "paper": card.paper,
        "params": millions(card.params),
        "dim": str(card.dim),
        "input": "-" if card.unit == "slide" else f"{card.preprocessing.size} px",
        "mpp": "-" if mpp is None else f"{mpp:g}",
        "licence": card.licence,
        "weights": access(card),
        "cohorts": cohorts(card),
        "unit": card.unit,
    }


def table(cards: Iterable[ModelCard], widest: int = 34) -> str:
    """Aligned columns for a terminal; longer cells are cut."""
    rows = [columns(card) for card in cards]
    heads = list(rows[0])
    lines = [{head: head for head in heads}, *rows]
    cells = [[_cut(line[head], widest) for head in heads] for line in lines]
    return "\n".join(aligned(cells))


def _cut(text: str, widest: int) -> str:
    return text if len(text) <= widest else text[: widest - 3].rstrip(" ,") + "..."


def description(card: ModelCard) -> str:
    """The whole card, for a terminal."""
    return "\n".join(f"{key + ':':22}{value}" for key, value in _facts(card).items() if value)


def _facts(card: ModelCard) -> dict[str, str]:
    weights = card.weights
    files = weights.files or ({weights.file: weights.sha256} if weights.file else {})
    pooling = {
        "none": "by the network itself",
        "cls": "class token",
        "mean": f"mean of the tokens from {card.pooling.patch_start}",
        "cls+mean": f"class token and mean of the tokens from {card.pooling.patch_start}",
    }
    mpp = card.preprocessing.mpp
    tile = "" if card.unit == "slide" else f"{card.preprocessing.tile_size} px" + (f" at {mpp:g} mpp" if mpp else "")
    return {
        "name": card.name,
        "title": card.title,
        "unit": card.unit,
        "features": str(card.dim),
        "parameters": f"{card.params:,}",
        "paper": card.paper,
        "page": card.url,
        "licence": card.licence,
        "network": _call(card.architecture.builder, card.architecture.kwargs),
        "tile to cut": tile,
        "tile encoder": card.tile_encoder,
        "preprocessing": "" if card.unit == "slide" else recipe(card.preprocessing),
        "pooling": "" if card.unit == "slide" else pooling[card.pooling.kind],
        "precision on CUDA": card.precision,
        "weights": access(card),
        "package": weights.package or "",
        "hub": weights.hub or "",
        "revision": weights.revision or ("" if weights.hub is None else UNPINNED),
        "ask or read at": weights.page or "",
        "file": ", ".join(name + (f" (sha256 {sha})" if sha else "") for name, sha in files.items()),
        "local file name": "" if access(card) == "no file" else _local(card),
        "layout": weights.layout,
        "pretraining": f"{card.pretraining.method}; {card.pretraining.data}",
        "cohorts seen": cohorts(card),
        "options": "; ".join(f"{option}={'|'.join(values)}" for option, values in card.options.items()),
        "notes": card.notes,
        "digest": card.digest(),
    }


def _call(builder: str, kwargs: Mapping[str, Any]) -> str:
    return f"{builder}({', '.join(f'{key}={value!r}' for key, value in kwargs.items())})"


def _local(card: ModelCard) -> str:
    """The documented name in a ``weights_dir``."""
    if len(card.weights.files) > 1:
        return f"{card.name}/{{{','.join(card.weights.files)}}} in weights_dir"
    return f"{card.name}.* or {card.name}/{card.weights.file or '*'} in weights_dir"


def as_json(card: ModelCard) -> dict[str, Any]:
    return {**card.as_dict(), "digest": card.digest()}


def document(cards: Iterable[ModelCard]) -> str:
    """``docs/MODELS.md``: what is true of every model, generated from the cards."""
    cards = list(cards)
    heads = list(columns(cards[0]))
    lines = [
        "# Models",
        "",
        "Generated from the cards by `python -m registry docs`; a test fails when it is stale.",
        "",
        "`weights`: *package* comes with an installed package, *open* and *gated* are on the Hugging Face hub,",
        "*by hand* is downloaded from the page, *not public* runs from your `checkpoint=`. `cohorts`: public cohorts",
        "seen in pretraining; (inferred) and (?) where no statement of the authors was found.",
        "",
        _row(heads),
        _row(["---"] * len(heads)),
    ]
    lines += [_row([f"[{name}](#{name})", *rest]) for name, *rest in (list(columns(c).values()) for c in cards)]
    for card in cards:
        lines += ["", f"## {card.name}", "", f"{card.title}. {card.notes}".strip(), ""]
        skipped = ("name", "title", "notes", "digest")
        lines += [
            f"- {key}: {_code(key, value)}" for key, value in _facts(card).items() if value and key not in skipped
        ]
        if card.unit != "slide":
            lines.append(f"- patch tokens: {_tokens(card)}")
    return "\n".join(lines) + "\n"


def _tokens(card: ModelCard) -> str:
    """Whether there are patch tokens and attention; builds the network without its numbers."""
    import torch

    from .build import build
    from .tokens import reader

    with torch.device("meta"):
        found = reader(build(card.architecture))
    if isinstance(found, str):
        return f"none; it {found}"
    return "yes, and attention of the class token" if found.attention is not None else "yes; there is no class token"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _code(key: str, value: str) -> str:
    as_code = ("network", "hub", "revision", "file", "layout", "local file name", "package")
    return f"`{value}`" if key in as_code and value != UNPINNED else value
