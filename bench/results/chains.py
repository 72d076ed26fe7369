"""Which tasks are of the robustness track, and the front-ends of their rows: corruption, severity, restorer."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bench.results.aggregated_result import AggregatedResult
from bench.targets import UNTOUCHED

SIMILARITY = "feature_similarity"
JOINT = "+"
_CORRUPTION = re.compile(r"(?P<kind>.+)_(?P<severity>[1-5])")


def parse(frontend: str) -> tuple[str, int, str] | None:
    """Corruption, severity and restorer of a front-end, such as ``jpeg_3+median``; None for any other chain.

    A corruption, a restorer, and a corruption before a restorer have such a form. What restores before it degrades,
    degrades or restores twice has none.
    """
    parts = [part for part in frontend.split(JOINT) if part not in ("", UNTOUCHED)]
    kind, severity = "", 0
    if parts and (found := _CORRUPTION.fullmatch(parts[0])):
        kind, severity, parts = found["kind"], int(found["severity"]), parts[1:]
    if len(parts) > 1 or any(_CORRUPTION.fullmatch(part) for part in parts):
        return None
    return kind, severity, parts[0] if parts else UNTOUCHED


def starts_with(chain: str, start: str) -> bool:
    """Whether a chain is another and further front-ends behind it; every chain is clean tiles and front-ends."""
    return chain != start and (not start or chain.startswith(start + JOINT))


def robustness_tasks(entries: Iterable[AggregatedResult]) -> set[tuple[str, str]]:
    """(task, cohort) of those that have rows of feature similarity, failed ones too."""
    return {(entry.key.task, entry.key.cohort) for entry in entries if entry.rows[0].kind == SIMILARITY}
