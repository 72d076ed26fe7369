"""What a plot is, whatever it shows: its files, its place among the results, and what it says in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


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
