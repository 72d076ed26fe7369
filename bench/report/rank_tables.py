"""The tables of ranks: a line an entry of a block, and a line a model of a suite. A cell without a number says why."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from bench.plots import diagram
from bench.results import FEWEST_TASKS, Contamination, RankedBlock, ResultKey, SuiteRanks
from bench.statistics import TaskRanks
from registry.errors import first_few

FEWEST_DEFINED = 0.5  # share of the resamples that must leave all models defined, for an interval
Record = dict[str, str]


def rank_records(
    blocks: Iterable[RankedBlock],
    contaminated: Mapping[ResultKey, Contamination] | None = None,
    audits: Mapping[tuple[str, str], str] = MappingProxyType({}),
) -> list[Record]:
    """A line an entry, baselines too, with its rank among all entries of the block.

    The columns are `bench.report.leaderboard_columns.RANKS`.

    `why` says why an entry has no rank, or why the ranks have no intervals.

    Parameters
    ----------
    contaminated : mapping of ResultKey -> Contamination, optional
        Whether each model saw the task's cohorts in pretraining (`LeaderboardData.contaminated`).
    audits : mapping of (task, cohort hash) -> str
        The badges of audited tasks (`LeaderboardData.audits`).
    """
    levels = {key: found.level for key, found in (contaminated or {}).items()}
    return [
        record for block in sorted(blocks, key=lambda block: block.block) for record in _block(block, levels, audits)
    ]


def suite_records(suites: Iterable[SuiteRanks]) -> list[Record]:
    """A line a model of each head, baselines not; the columns are `bench.report.leaderboard_columns.SUITES`.

    `ci_low` and `ci_high` are of the mean rank over other tasks of the same sort (`bench.statistics.MeanRanks`). Models
    that share a number in `groups` do not differ. `missing` are the tasks that the model lacks, `n_blocked` how many
    of the tasks it keeps out of the suite by itself, `n_left_out` how many tasks of the head are not in the suite.
    """
    return [record for suite in suites for record in _suite(suite)]


def suite_diagram(suite: SuiteRanks) -> str | None:
    """The critical-difference diagram of a suite as SVG; None where its models could not be compared over tasks."""
    found = suite.comparisons
    if found.mean is None or (found.adjusted is None and math.isnan(found.critical_difference)):
        return None
    title = f"Mean ranks over {len(suite.tasks)} tasks, {suite.protocol}"
    groups = None if found.adjusted is None else found.groups
    ranks = found.mean.mean.tolist()
    return diagram([str(model) for model in suite.models], ranks, groups, found.critical_difference, title)


def _block(block: RankedBlock, levels: Mapping[ResultKey, str], audits: Mapping[tuple[str, str], str]) -> list[Record]:
    keys = sorted(block.replicates)
    found = block.ranks(keys)
    why = _why_no_interval(block, keys, found)
    lines = {}
    for place, key in enumerate(keys):
        bounds = (found.interval.low[place], found.interval.high[place])
        lines[key] = {
            "rank": _number(found.ranks[place], 1),
            "ci_low": "" if why else _number(bounds[0], 1),
            "ci_high": "" if why else _number(bounds[1], 1),
            "p_best": "" if why else _number(found.p_best[place]),
            "n_models": str(len(keys)),
            "why": why,
        }
    empty = dict.fromkeys(("rank", "ci_low", "ci_high", "p_best"), "")
    for key, reason in block.left_out.items():
        lines[key] = {**empty, "n_models": str(len(keys)), "why": f"not ranked: it {reason}"}
    return [
        {
            "task": key.task,
            "protocol": key.protocol,
            "metric": block.metric,
            "model": key.model,
            "frontend": key.frontend,
            "baseline": "1" if key in block.baselines else "0",
            **lines[key],
            "cohort_hash": key.cohort,
            "head_config_hash": key.head,
            "contaminated": levels.get(key, ""),
            "audit": audits.get(key.block[:2], ""),
        }
        for key in sorted(lines)
    ]


def _why_no_interval(block: RankedBlock, keys: Sequence[ResultKey], found: TaskRanks) -> str:
    if len(keys) < 2:
        return "not ranked: there is no other entry with a value on the same samples"
    n_draws = max(len(block.replicates[key].draws) for key in keys)
    if not n_draws:
        return "no interval: the test samples are of one group, which cannot be resampled"
    defined = found.draws.shape[1]
    if defined < FEWEST_DEFINED * n_draws:
        return f"no interval: {block.metric} of all entries is defined in {defined} of {n_draws} resamples only"
    if np.all(found.ranks == found.ranks[0]) and np.all(found.draws == found.draws[0, 0]):
        return "no interval: all entries are tied in every resample"
    return ""


def _suite(suite: SuiteRanks) -> list[Record]:
    found = suite.comparisons
    places = {model: place for place, model in enumerate(suite.models)}
    memberships = {
        place: " ".join(str(number) for number, group in enumerate(found.groups, 1) if place in group)
        for place in places.values()
    }
    left_out = [f"{task} {why}" for task, why in suite.left_out.items()]
    shared = [*found.notes, *([f"tasks left out: {first_few(left_out, 3, '; ')}"] if left_out else [])]
    lines = []
    for model, missing in suite.missing.items():
        place = places.get(model)
        mean, low, high, own = math.nan, math.nan, math.nan, []
        if place is None:
            own = [_why_not_ranked(suite, missing)]
        elif found.mean is not None:
            mean = found.mean.mean[place]
            if len(suite.tasks) >= FEWEST_TASKS:
                low, high = found.mean.of_tasks.low[place], found.mean.of_tasks.high[place]
                own = ["no interval: all tasks rank it alike and cannot be resampled"] if math.isnan(low) else []
        lines.append(
            {
                "protocol": suite.protocol,
                "metric": suite.metric,
                "n_tasks": str(len(suite.tasks)),
                "n_models": str(len(suite.models)),
                "model": model.model,
                "frontend": model.frontend,
                "mean_rank": _number(mean),
                "ci_low": _number(low),
                "ci_high": _number(high),
                "groups": "" if place is None else memberships[place],
                "friedman_p": _number(found.friedman.p),
                "iman_davenport_p": _number(found.friedman.f_p),
                "critical_difference": _number(found.critical_difference),
                "missing": " ".join(missing),
                "n_blocked": str(suite.blocked[model]),
                "n_left_out": str(len(suite.left_out)),
                "why": "; ".join([*own, *shared]),
                "head_config_hash": suite.head,
            }
        )
    return lines


def _why_not_ranked(suite: SuiteRanks, missing: Sequence[str]) -> str:
    if len(missing) == suite.n_tasks:
        return "not ranked: it has no value on any task"
    if suite.tasks:
        return f"not ranked: it lacks {len(missing)} of {suite.n_tasks} tasks"
    return "not ranked: no task has a value of all models"


def _number(value: float, digits: int = 6) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"
