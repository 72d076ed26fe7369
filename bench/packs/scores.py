"""Scores and intervals of a row, computed again from its predictions with the metrics of this package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench import runs, targets
from bench.packs.content import Finding, PackedRun
from bench.protocols import Predictions
from bench.rows import ROUNDING

ENDS = ("value", "ci_low", "ci_high")
MOST_NAMED = 3  # metrics of a row
OF_DRAWS = ("simpleshot", "label_efficiency")
"""Kinds of head whose scores are means over draws, which predictions do not tell."""
IN_INFO = ("auroc_obuchowski", "risk_groups")
"""Scores that a row has in `info`."""


@dataclass(frozen=True)
class Recomputed:
    """What of a row was computed again.

    Attributes
    ----------
    n_same : int
        Metrics that are as the row has them, value and interval.
    by_heads : list of str
        Metrics that the predictions do not tell.
    findings : list of Finding
    """

    n_same: int
    by_heads: list[str]
    findings: list[Finding]


def recompute(run: PackedRun) -> Recomputed:
    """Compute all metrics of a row that its predictions tell, and compare them with those of the row."""
    row, name = run.row, run.name
    drawn = [metric for metric in row.metrics if row.interval_of(metric) != "patients"]
    if drawn and not _averages_draws(run):
        why = f"{', '.join(drawn[:MOST_NAMED])} of {name} claim to be means over draws, which this head does not make"
        return Recomputed(0, [], [Finding("forged value", f"{why}.")])
    if drawn:
        return Recomputed(0, list(row.metrics), [])
    found = _scores(run)
    repeated = {metric: value for metric, value in row.metrics.items() if metric in found}
    wrong = [text for metric, value in repeated.items() for text in _differences(metric, value, found[metric])]
    if row.primary_metric in found and row.primary_metric not in repeated:
        wrong.append(f"it lacks its primary metric {row.primary_metric}")
    wrong += _differing_info(run, found)
    findings = []
    if wrong:
        more = f", and {len(wrong) - MOST_NAMED} more" if len(wrong) > MOST_NAMED else ""
        findings.append(Finding("forged value", f"of {name} {'; '.join(wrong[:MOST_NAMED])}{more}."))
    differing = {text.split(" ", 1)[0] for text in wrong}
    by_heads = [metric for metric in row.metrics if metric not in found]
    return Recomputed(len(repeated.keys() - differing), by_heads, findings)


def _averages_draws(run: PackedRun) -> bool:
    """Whether the row is of a head that averages draws, by the settings that it states or by its name."""
    config = run.row.info.get("config")
    stated = config.get("protocols") if isinstance(config, dict) else None
    kinds = [own.get("kind") for own in stated.values() if isinstance(own, dict)] if isinstance(stated, dict) else []
    return any(kind in OF_DRAWS for kind in kinds) or run.row.protocol.startswith(OF_DRAWS)


def _scores(run: PackedRun) -> dict[str, Any]:
    """The metrics by name, and the scores of `info`; their intervals need one resample, as they are of a jackknife."""
    saved, row = run.predictions, run.row
    target = targets.get(row.kind)
    known = {name: value for name, value in _record(row.info, "thresholds").items() if _is_threshold(value)}
    predictions = Predictions(
        saved.ids, run.groups, saved.y_true, saved.scores, {"thresholds": known}, saved.kind, saved.calibrated
    )
    found = runs.scored(predictions, None, target, n_boot=1)
    return {**found.metrics, **{name: found.info[name] for name in IN_INFO if name in found.info}}


def _differing_info(run: PackedRun, found: Mapping[str, Any]) -> Iterator[str]:
    for name in IN_INFO:
        own, again = _record(run.row.info, name), _record(found, name)
        yield from (
            f"{name} {key} is {_text(own[key])} and its predictions give {_text(again[key])}"
            for key in sorted(again.keys() & own.keys())
            if not _same(own[key], again[key])
        )


def _differences(metric: str, row: Mapping[str, Any], again: Mapping[str, Any]) -> Iterator[str]:
    for end in ENDS:
        if not _same(row[end], again[end]):
            label = metric if end == "value" else f"{metric} {end}"
            yield f"{label} is {_text(row[end])} and its predictions give {_text(again[end])}"
            return


def _same(value: Any, again: Any) -> bool:
    """Whether two numbers are the same but for rounding; None and NaN are one."""
    known = [one for one in (value, again) if isinstance(one, int | float) and one == one]
    if len(known) < 2:
        return not known and (value is None or value != value) == (again is None or again != again)
    return bool(abs(known[0] - known[1]) <= ROUNDING * max(1.0, abs(known[0]), abs(known[1])))


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, int | float) and value == value else "undefined"


def _record(info: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = info.get(name)
    return value if isinstance(value, dict) else {}


def _is_threshold(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
