"""What a plot is, whatever it shows: its files, its place among the results, and what it says in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Plot:
    """One figure of results.

    Attributes
    ----------
    name : str
        Of its files in ``results/plots/``, without the ending.
    kind : str
        What sort of plot it is, such as ``forest``; plots of a kind stand together on the page.
    title : str
    alt : str
        What it shows, in one or two full sentences, for readers who do not see it.
    forms : mapping of str -> bytes
        Its content by ending: ``svg``, ``png``.
    task, cohort, protocol, head, model : str
        What it is of; empty where it is of several.
    inputs : str
        Digest of all that the figure follows from: one of the same digest needs not be drawn again.
    """

    name: str
    kind: str
    title: str
    alt: str
    forms: Mapping[str, bytes]
    task: str = ""
    cohort: str = ""
    protocol: str = ""
    head: str = ""
    model: str = ""
    inputs: str = ""


class Drawing(NamedTuple):
    """What drawing a figure gives: its title, what it shows in words, and its files by ending."""

    title: str
    alt: str
    forms: Mapping[str, bytes]


@dataclass(frozen=True)
class Sketch:
    """A figure that can be drawn, known by its inputs, so that one that is there already is not drawn again.

    Attributes
    ----------
    name, kind, task, cohort, protocol, head, model : str
        As of `Plot`.
    inputs : JSON value
        All that the figure follows from, but for the code of this package.
    draw : callable
        Gives the figure, or None where there is nothing to show.
    """

    name: str
    kind: str
    inputs: Any
    draw: Callable[[], Drawing | None]
    task: str = ""
    cohort: str = ""
    protocol: str = ""
    head: str = ""
    model: str = ""
