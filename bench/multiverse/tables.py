"""The tables of a multiverse as records: numbers with four digits, and an empty cell where none is known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from bench.multiverse.analysis import Multiverse
from bench.multiverse.paragraph import REFERENCE
from registry.text_table import aligned

Record = dict[str, str]
WIDTH = 120
"""Columns of the terminal."""


def score_records(found: Multiverse) -> Iterator[Record]:
    """A line a protocol and model: the score, its rank, and what the protocol agrees and costs."""
    scores = found.scores
    of_linear = sum(scores.seconds.get(REFERENCE, ()))
    for row, protocol in enumerate(scores.protocols):
        seconds, ranks = scores.seconds[protocol], found.ranks[row]
        for column, model in enumerate(scores.models):
            interval, runs = scores.intervals[protocol, model], scores.runs[row][column]
            yield {
                "task": scores.task,
                "cohort": scores.cohort,
                "protocol": protocol,
                "model": model,
                "metric": scores.metric,
                "value": _number(interval.value),
                "ci_low": _number(interval.ci_low),
                "ci_high": _number(interval.ci_high),
                "sd_runs": _number(float(runs.std(ddof=1)) if len(runs) > 1 else math.nan),
                "n_runs": str(len(runs)),
                "rank": _number(ranks.ranks[column]),
                "p_best": _number(ranks.p_best[column]),
                "mean_tau": _number(found.mean_tau_of(protocol)),
                "tau_redrawn": _number(found.redrawn.get(protocol, math.nan)),
                "seconds": _number(sum(seconds) if seconds else math.nan),
                "times_linear": _number(sum(seconds) / of_linear if seconds and of_linear else math.nan),
                "n_test": str(scores.n_test),
                "n_groups": str(scores.n_groups),
            }


def tau_records(found: Multiverse) -> Iterator[Record]:
    """A line a pair of protocols."""
    for (a, b), one in found.agreements.items():
        yield {
            "protocol_a": a,
            "protocol_b": b,
            "tau": _number(one.tau),
            "ci_low": _number(one.low),
            "ci_high": _number(one.high),
            "concordant": str(one.concordant),
            "discordant": str(one.discordant),
            "n_models": str(len(found.scores.models)),
        }


def variance_records(found: Multiverse) -> Iterator[Record]:
    """A line a component."""
    shares = found.parts.shares if found.parts else {}
    for name, share in shares.items():
        variance = getattr(found.parts, name)
        sd = math.sqrt(variance) if not math.isnan(variance) else math.nan
        yield {
            "component": name,
            "variance": f"{variance:.4g}" if not math.isnan(variance) else "",
            "sd": _number(sd),
        } | {"share": _number(share)}


def pair_records(found: Multiverse) -> Iterator[Record]:
    """A line a protocol and pair of models: the difference, and whether it is beyond chance."""
    scores = found.scores
    for (protocol, first, second), one in scores.differences.items():
        row, pair = scores.protocols.index(protocol), _pair(scores.models, first, second)
        low, high = one.interval
        yield {
            "protocol": protocol,
            "model_a": first,
            "model_b": second,
            "difference": _number(one.difference),
            "ci_low": _number(low),
            "ci_high": _number(high),
            "p": _p_value(found.p[row, pair]),
            "p_holm": _p_value(found.adjusted[row, pair]),
        }


def matrix_text(found: Multiverse) -> Iterator[str]:
    """Tau of any two protocols as a table for a terminal, the columns numbered as the lines are."""
    protocols = found.scores.protocols
    yield "Kendall's tau of the rankings under two protocols: 1 is the same order of all models, -1 the opposite one."
    yield "seconds: what fitting and scoring all runs of the protocol took."
    lines = [["protocol", "seconds", *(f"[{number}]" for number in range(1, len(protocols) + 1))]]
    for number, a in enumerate(protocols, start=1):
        seconds = found.scores.seconds[a]
        cells = [_short(found.tau(a, b)) for b in protocols]
        lines.append([f"[{number}] {a}", f"{sum(seconds):.1f}" if seconds else "-", *cells])
    yield from _within(lines)


def scores_text(found: Multiverse) -> Iterator[str]:
    """Scores by protocol and model as a table for a terminal, with ranks in brackets."""
    scores = found.scores
    yield (
        f"{scores.metric} on {scores.n_test:,} test samples, and in brackets the rank of the model under the protocol, "
        "1 for the best."
    )
    lines = [["protocol", *scores.models]]
    for row, protocol in enumerate(scores.protocols):
        ranks = found.ranks[row].ranks
        cells = [
            f"{_short(scores.intervals[protocol, model].value, 3)} ({_rank(ranks[column])})"
            for column, model in enumerate(scores.models)
        ]
        lines.append([protocol, *cells])
    yield from _within(lines)


def _within(lines: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table of `WIDTH` columns of the terminal at most: of a wider one the columns that do not fit are put below."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    start, count = 1, len(widths)
    while start < count:
        end = start + 1
        while end < count and widths[0] + sum(2 + width for width in widths[start : end + 1]) <= WIDTH:
            end += 1
        if start > 1:
            yield ""
        yield from aligned([[line[0], *line[start:end]] for line in lines], left=1)
        start = end


def _pair(models: tuple[str, ...], first: str, second: str) -> int:
    a, b, n = models.index(first), models.index(second), len(models)
    return a * n - a * (a + 1) // 2 + b - a - 1


def _rank(rank: float) -> str:
    return "-" if np.isnan(rank) else f"{rank:g}"


def _short(value: float, digits: int = 2) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}".rstrip("0").rstrip(".")


def _p_value(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4g}"
