"""The plots of the page: parts of it within a budget, and links to their files beyond."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from bench.plots import Plot

BUDGET = 8 * 2**20
"""Bytes of all plots that are part of the page, as base64."""
LARGEST_SVG = 256 * 2**10
"""Bytes of a plot from which on the smaller of its forms is taken: curves of many points draw faster as pixels."""
TYPES = {"svg": "image/svg+xml", "png": "image/png"}


def figures(
    plots: Iterable[Plot], tasks: Mapping[tuple[str, str], str], heads: Mapping[tuple[str, str], str]
) -> tuple[list[dict[str, Any]], int]:
    """A record for each plot, and how many of them are links.

    Parameters
    ----------
    tasks : mapping of (task, cohort) -> str
        What a task is called.
    heads : mapping of (protocol, head) -> str
        Likewise.
    """
    found, spent, linked = [], 0, 0
    for plot in plots:
        forms = {ending: content for ending, content in plot.forms.items() if ending in TYPES}
        if not forms:
            continue
        ending = min(forms, key=lambda ending: (len(forms[ending]) > LARGEST_SVG, ending != "svg"))
        if len(forms[ending]) > LARGEST_SVG:
            ending = min(forms, key=lambda ending: len(forms[ending]))
        size = -(-len(forms[ending]) // 3) * 4
        record = {
            "kind": plot.kind,
            "title": plot.title,
            "alt": plot.alt,
            "task": tasks.get((plot.task, plot.cohort), plot.task),
            "head": heads.get((plot.protocol, plot.head), plot.protocol),
            "model": plot.model,
            "file": f"plots/{plot.name}.{'svg' if 'svg' in forms else ending}",
        }
        if spent + size <= BUDGET:
            spent += size
            record |= {"type": TYPES[ending], "content": base64.b64encode(forms[ending]).decode()}
        else:
            linked += 1
        found.append(record)
    return found, linked
