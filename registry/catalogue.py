"""The only list of models: cards of the package, of installed plugins, and of files that the user names."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import importlib.metadata
import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from . import models, plugins
from .card import ModelCard, Pretraining, Weights
from .errors import UserError
from .source import Source
from .validation import check

RANDOM = "@random"  # NAME@random is the same network with seeded random weights
_OUTSIDE = ("timm:", "hf-hub:")
_left_out: list[str] = []  # what is wrong with installed plugins, found when the cards are first read


@cache
def _cards() -> dict[str, ModelCard]:
    cards: dict[str, ModelCard] = {}
    for module in sorted(m.name for m in pkgutil.iter_modules(models.__path__)):
        found = importlib.import_module(f"{models.__name__}.{module}")
        _enter(cards, getattr(found, "CARDS", ()), f"registry/models/{module}.py", own=True)
    for entry in importlib.metadata.entry_points(group="pfmbench.models"):
        source = f"the installed plugin '{entry.name}' ({entry.value})"
        try:
            found = entry.load()
            every = getattr(found, "CARDS", found)
            for one in every if isinstance(every, list | tuple) else [every]:
                try:
                    _enter(cards, [one], source)
                except UserError as problem:
                    _left_out.append(f"{problem}; it is left out")
        except (Exception, SystemExit) as problem:
            _left_out.append(f"{source} cannot be imported and is left out: {_reason(problem)}; mend or uninstall it")
    return cards


def _reason(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {' '.join(str(problem).split())}"


def left_out() -> list[str]:
    """A sentence for each card of an installed plugin that cannot be worked with; the others are there."""
    _cards()
    return list(_left_out)


def _enter(cards: dict[str, ModelCard], new: Any, source: str, *, own: bool = False) -> None:
    """Add cards, or none of them if one cannot be worked with; the package's own are built by the tests."""
    if not isinstance(new, Iterable):
        raise UserError(f"{source}: CARDS is {new!r}; make it a tuple of registry.ModelCard")
    entered: dict[str, ModelCard] = {}
    for card in new:
        check(card, source, functions=not own)
        if (cards | entered).get(card.name, card) != card:
            raise UserError(f"{source}: a model named '{card.name}' exists already; give the card another name")
        entered[card.name] = card
    cards.update(entered)


def add(card: ModelCard) -> None:
    """Make a card known to `names`, `card` and `load` for the rest of this process."""
    _enter(_cards(), [card], "registry.add")


def load_plugins(paths: Iterable[str | Path]) -> None:
    """Add the ``CARDS`` of Python files. Each runs as a module named by its stem: ``"stem:function"`` is a builder."""
    for path in map(Path, paths):
        cards = plugins.read(path)
        try:
            _enter(_cards(), cards, str(path))
        except UserError:
            plugins.forget(path)
            raise


def names() -> list[str]:
    """Names of all models in the registry, sorted. Imports no torch."""
    return sorted(_cards())


def card(
    name: str,
    options: Mapping[str, Any] | None = None,
    *,
    revision: str | None = None,
    offline: bool = False,
    token: str | None = None,
) -> ModelCard:
    """The card of a model.

    Parameters
    ----------
    name : str
        A name of `names`, ``"timm:NAME"``, ``"hf-hub:OWNER/REPOSITORY"``, or any of these with ``"@random"``: the same
        network with seeded random weights.
    options : mapping, optional
        Named choices of the card, ``{option: value}``; the card is returned with the choice made.
    revision, offline, token
        For ``hf-hub:`` names, whose card is made from the repository's configuration.

    Raises
    ------
    UserError
        If the name, an option or a value is unknown; near matches are listed.
    """
    return find(name, options, Source(revision=revision, offline=offline, token=token))


def find(name: str, options: Mapping[str, Any] | None, source: Source) -> ModelCard:
    """As `card`, of the revision that `source` names."""
    base = name.removesuffix(RANDOM)
    if base.startswith(_OUTSIDE):
        from . import outside

        found = outside.card(base, source)
    else:
        try:
            found = _cards()[base]
        except KeyError:
            raise UserError(_unknown(base)) from None
    found = _choose(found, options or {})
    return random_init_baseline(found) if name.endswith(RANDOM) else found


def random_init_baseline(card: ModelCard) -> ModelCard:
    """The card of the same network with seeded random weights."""
    return dataclasses.replace(
        card,
        name=card.name + RANDOM,
        title=f"{card.title}, random weights",
        weights=Weights(layout="random" if card.params else "none"),
        pretraining=Pretraining(method="none: seeded random weights", data="none", evidence="stated"),
    )


def _choose(card: ModelCard, options: Mapping[str, Any]) -> ModelCard:
    for option, wanted in options.items():
        values = card.options.get(option)
        if values is None:
            known = f"its options are {', '.join(card.options)}" if card.options else "it has none"
            raise UserError(f"{card.name} has no option '{option}'; {known}")
        value = str(wanted).lower() if isinstance(wanted, bool) else str(wanted)
        if value not in values:
            raise UserError(f"{card.name} has no {option}={value}; choose one of {', '.join(values)}")
        card = dataclasses.replace(card, **values[value])
    return card


def _unknown(name: str) -> str:
    known = {n.lower(): n for n in names()}
    lowered = name.lower().replace("-", "_")
    near = difflib.get_close_matches(lowered, known, n=4, cutoff=0.6)
    near += [n for n in known if (lowered in n or n in lowered) and n not in near]
    hint = f"did you mean {', '.join(known[n] for n in near[:6])}?" if near and lowered else ""
    tail = "`python -m registry` lists all; timm:NAME and hf-hub:OWNER/REPOSITORY name models outside the registry"
    broken = "".join(f"; {sentence}" for sentence in _left_out)
    return f"there is no model '{name}'" + (f"; {hint} ({tail})" if hint else f"; {tail}") + broken
