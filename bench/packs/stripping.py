"""A row without what is of the machine or of the data that it was made on: paths, jobs and, on request, names."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.frozen import frozen_tasks
from bench.packs.pseudonyms import Pseudonyms
from bench.rows import Row, RowInfo

OF_MACHINE = ("command", "attention", "job", "stages", "peak_memory_mib")
"""Fields of `info` that are left out: of paths, files that no pack has, jobs, and the speed of a machine."""
PATH_SETTINGS = frozenset(
    ("data", "features", "coords", "results", "cache", "scratch", "checkpoint", "checkpoints", "weights_dir", "plugins")
)
"""Settings of a run that are paths; a test holds them against `bench.config`."""
PATHS = re.compile(
    r"""(?<![\w./])(?!//)~?/[^\s'"(),;:]+"""  # /a/b and ~/a, not the slashes of a URL or of tiles/s
    r"""|(?<![\w./])\.\.?/[^\s'"(),;:]+"""
    r"""|(?<!\w)[A-Za-z]:[\\/][^\s'"(),;:]+"""
    r"""|(?<!\w)\\\\[^\s'"(),;:]+"""
    r"""|file://[^\s'"(),;]+"""
)
PATH, NAME = "(path)", "(name)"
WORD = re.compile(r"""[^\s'"(),;:=]+""")
PLAIN_WORD = re.compile(r"[^\W\d_]+(?:[-/'][^\W\d_]+)*|[-+]?\d{1,4}(?:\.\d{1,4})?%?|\W+")
"""A word of letters, or a number of few digits: names of samples that a text may hold mostly are neither."""


def stripped(row: Row, results: Path, names: Collection[str], pseudonyms: Pseudonyms | None) -> Row:
    """The row as it stands in a pack.

    Parameters
    ----------
    results : Path
        The results folder that it is of.
    names : collection of str
        Ids, groups and slides of the task, of which none is left in the texts where ids are hashed.
    pseudonyms : Pseudonyms or None
        None where ids stand as they are.
    """
    info = {name: value for name, value in row.info.items() if name not in OF_MACHINE}
    known = _known_paths(row, results)
    info["config"] = _without_paths(RowInfo(row).config)
    published = frozen_tasks().get(row.task)
    public = _strings(published.definition) if published else ()
    text = _Texts(known, names if pseudonyms else (), pseudonyms, public)
    notes, errors = text.of(row.notes), [text.of(row.error), text.of(row.stale_error)]
    if pseudonyms:  # they may name training samples, which no predictions tell
        own = {row.task, row.model, row.frontend, row.protocol, *row.metrics, *row.classes, PATH, NAME}
        notes, errors = ([_plain_words(one, own) for one in texts] for texts in (notes, errors))
    return replace(
        row,
        info={name: value for name, value in text.of(info).items() if name != "config" or value},
        notes=notes,
        error=errors[0],
        stale_error=errors[1],
        tiles_per_s=None,
    )


def _plain_words(text: str, known: Collection[str]) -> str:
    """The text with every word replaced that is neither plain, a small number, nor one of the known ones."""

    def shown(found: re.Match[str]) -> str:
        word = found[0].rstrip(".")
        plain = PLAIN_WORD.fullmatch(word) or word in known or f"({word})" in known or not word
        return found[0] if plain else NAME[1:-1] + found[0][len(word) :]

    return WORD.sub(shown, text)


def _without_paths(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a run without those that are paths, of the run and of its tasks."""
    found = {name: value for name, value in config.items() if name not in PATH_SETTINGS}
    tasks = found.get("tasks")
    if isinstance(tasks, dict):
        found["tasks"] = {
            name: {key: value for key, value in own.items() if key != "data"} if isinstance(own, dict) else own
            for name, own in tasks.items()
        }
    return found


def _known_paths(row: Row, results: Path) -> list[str]:
    """Paths of this machine that texts of the row may hold, the longest first, as paths may have spaces."""
    config = RowInfo(row).config
    tasks = config.get("tasks")
    of_tasks = [own.get("data") for own in tasks.values() if isinstance(own, dict)] if isinstance(tasks, dict) else []
    found = {str(results.absolute()), os.getcwd(), str(Path.home())}
    for value in [*(config.get(name) for name in PATH_SETTINGS), *of_tasks]:
        found |= set(_strings(value))
    return sorted((path for path in found if len(path) > 1), key=lambda path: (-len(path), path))


def _strings(value: Any) -> Sequence[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    return [text for one in value for text in _strings(one)] if isinstance(value, list) else []


class _Texts:
    """Values of JSON whose texts have no paths and, of hashed ids, no names.

    Texts of the definition of a published task stand as they are: its patterns of file names look like paths.
    """

    def __init__(
        self, paths: Sequence[str], names: Collection[str], pseudonyms: Pseudonyms | None, public: Collection[str]
    ) -> None:
        self._paths, self._names, self._pseudonyms, self._public = paths, set(names), pseudonyms, set(public)
        # a name with blanks is no word of a text, so such names are looked for one by one
        self._long = sorted((name for name in self._names if not WORD.fullmatch(name)), key=lambda name: -len(name))

    def of(self, value: Any) -> Any:
        """The value without them."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return {self._text(name): self.of(one) for name, one in value.items()}
        return [self.of(one) for one in value] if isinstance(value, list) else value

    def _text(self, text: str) -> str:
        if text in self._public:
            return text
        if text in self._names and self._pseudonyms:
            return self._pseudonyms.of(text)
        for path in self._paths:
            if path in text:
                text = re.sub(rf"(?<![\w.-]){re.escape(path)}(?![\w-])[^\s'\"(),;:]*", PATH, text)
        for name in self._long:
            text = text.replace(name, NAME)
        text = PATHS.sub(PATH, text)
        return WORD.sub(self._word, text) if self._names else text

    def _word(self, found: re.Match[str]) -> str:
        word = found[0].rstrip(".")
        if self._pseudonyms and word in self._names:
            return self._pseudonyms.of(word) + found[0][len(word) :]
        return found[0]
