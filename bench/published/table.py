"""The comparison as text of 120 columns and as a CSV file."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.files import atomic_write
from bench.published.boards import Board
from bench.published.comparison import Comparison, Measured, of_figures
from bench.published.tolerance import RULE
from bench.report import safe_cell
from registry.text_table import aligned, wrapped

INDENT = " " * 4  # of the lines after the first of a sentence
TITLES = ("model", "head", "published", "here", "95 %", "differ", "tol.", "within", "like", "why")
LEGEND = (
    "here: the score of the row, beside it its 95 % interval over test patients; differ: here less published; tol.: "
    "the largest difference that is within tolerance; like: whether the row is the run that the figure is of (yes, "
    "nearly, no); why: the reasons by their numbers below the table; -: not known, or nothing to judge."
)
CSV_COLUMNS = (
    *(
        "board",
        "dataset",
        "split",
        "metric",
        "task",
        "cohort_hash",
        "model",
        "frontend",
        "protocol",
        "head_config_hash",
    ),
    *("published_as", "published_protocol", "published", "published_spread", "published_lowest", "published_highest"),
    *("value", "runs", "sd", "ci_low", "ci_high", "difference", "like_for_like", "reasons", "remarks"),
    *("tolerance", "tolerance_from", "within_tolerance", "in_interval", "source", "version", "date"),
)


def comparison_text(comparisons: Sequence[Comparison], boards: Mapping[str, Board], everything: bool = False) -> str:
    """A table a board, dataset and metric, with what is not like for like named below it, and the counts.

    Parameters
    ----------
    everything : bool
        Whether to print every head of a model; else the one that is nearest to the figure.
    """
    shown = sorted(comparisons if everything else of_figures(comparisons), key=_order)
    parts = [_table(list(own), boards) for _, own in itertools.groupby(shown, key=lambda one: _order(one)[:6])]
    parts += ["\n".join(wrapped(LEGEND, INDENT)), "\n".join(wrapped(RULE, INDENT))]
    parts.append("\n".join(wrapped(_counts(shown), INDENT)))
    return "\n\n".join(parts)


def write_comparisons(path: Path, comparisons: Sequence[Comparison]) -> None:
    """All comparisons as CSV, a line each, with no cell that a spreadsheet would execute."""
    with atomic_write(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, CSV_COLUMNS, lineterminator="\n")
        writer.writeheader()
        for one in sorted(comparisons, key=_order):
            writer.writerow({name: safe_cell(text) for name, text in _record(one).items()})


def _order(one: Comparison) -> tuple[str, ...]:
    figure, key = one.figure, one.measured.result.key
    of_group = (figure.board, figure.dataset, figure.metric, figure.protocol, figure.split, figure.version)
    return (*of_group, key.model, key.frontend, key.protocol, key.cohort, key.head)


def _table(own: Sequence[Comparison], boards: Mapping[str, Board]) -> str:
    figure = own[0].figure
    samples = f", {figure.samples:,} samples" if figure.samples else ""
    head = (
        f"{figure.board}, {figure.dataset}: {figure.metric or 'metric not named'}, {figure.split}{samples}, protocol "
        f"{figure.protocol or 'none here'} ({figure.citation})"
    )
    notes: dict[str, int] = {}
    lines = [list(TITLES)]
    for one in own:
        texts = one.reasons if one.like == "no" else one.remarks
        numbers = [notes.setdefault(text, len(notes) + 1) for text in texts]
        lines.append(_cells(one, _ranges(numbers)))
    text = [*wrapped(head, INDENT), *(f"  {line}" for line in aligned(lines))]
    for note, number in notes.items():
        text += wrapped(f"  [{number}] {note}", INDENT)
    if any(one.tolerance and one.tolerance.origin == "board" for one in own):
        text += wrapped(f"  tolerance of {figure.board}: {boards[figure.board].tolerance_from}", INDENT)
    return "\n".join(text)


def _cells(one: Comparison, notes: str) -> list[str]:
    measured, key = one.measured, one.measured.result.key
    model = f"{key.model}+{key.frontend}" if key.frontend else key.model
    return [
        _cut(model, 20),
        _cut(key.protocol, 16),
        _published(one),
        _number(measured.value),
        _interval(measured),
        _number(one.difference, "+"),
        _number(one.tolerance.value if one.tolerance else None),
        _yes(one.within),
        one.like,
        _cut(notes, 12),
    ]


def _interval(measured: Measured) -> str:
    if measured.low is None or measured.high is None:
        return "-"
    return f"{_number(measured.low)} to {_number(measured.high)}"


def _published(one: Comparison) -> str:
    if one.of_board:
        low, high = map(_number, one.of_board[:2])
        return f"({low})" if low == high else f"({low}-{high})"
    spread = "" if one.figure.spread is None else f" +- {_number(one.figure.spread)}"
    return f"{_number(one.figure.value)}{spread}"


def _counts(shown: Sequence[Comparison]) -> str:
    like = [one for one in shown if one.like != "no"]
    verdicts = [one.within for one in like if one.within is not None]
    nearly = sum(one.like == "nearly" for one in like)
    others = sum(one.like == "no" for one in shown)
    ranges = sum(one.of_board is not None for one in shown)
    text = (
        f"Like for like: {len(like)} of {len(shown)} ({nearly} of them nearly, but for what the tables name); "
        f"within tolerance: {sum(verdicts)} of {len(verdicts)}. Not like for like, and without a verdict: {others}"
    )
    without = f", {ranges} of them of models without a published figure (in brackets the range of the board)"
    return f"{text}{without if ranges else ''}."


def _record(one: Comparison) -> dict[str, str]:
    figure, measured, key = one.figure, one.measured, one.measured.result.key
    lowest, highest = one.of_board[:2] if one.of_board else (None, None)
    own = one.of_board is None
    return {
        **{"board": figure.board, "dataset": figure.dataset, "split": figure.split, "metric": figure.metric},
        **{"task": key.task, "cohort_hash": key.cohort, "model": key.model, "frontend": key.frontend},
        **{"protocol": key.protocol, "head_config_hash": key.head, "published_protocol": figure.protocol},
        "published_as": figure.published_as if own else "",
        "published": figure.printed if own else "",
        "published_spread": _exact(figure.spread if own else None),
        "published_lowest": _exact(lowest),
        "published_highest": _exact(highest),
        **{"value": _exact(measured.value), "runs": str(measured.runs), "sd": _exact(measured.sd)},
        **{"ci_low": _exact(measured.low), "ci_high": _exact(measured.high), "difference": _exact(one.difference)},
        **{"like_for_like": one.like, "reasons": "; ".join(one.reasons), "remarks": "; ".join(one.remarks)},
        "tolerance": _exact(one.tolerance.value if one.tolerance else None),
        "tolerance_from": one.tolerance.origin if one.tolerance else "",
        **{"within_tolerance": _yes(one.within, ""), "in_interval": _yes(one.in_interval, "")},
        **{"source": figure.source, "version": figure.version, "date": figure.date},
    }


def _exact(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _number(value: float | None, sign: str = "") -> str:
    """Three decimals without the leading zero."""
    return "-" if value is None else f"{value:{sign}.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3f}"


def _ranges(numbers: Sequence[int]) -> str:
    """Numbers with those that follow each other as one range: "1-3,5"."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _yes(value: bool | None, unknown: str = "-") -> str:
    return unknown if value is None else "yes" if value else "no"


def _cut(name: str, width: int) -> str:
    return name if len(name) <= width else f"{name[: width - 3]}..."
