"""Ranks over the tasks of a suite: all tasks on which one head, with the same settings, was fitted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from bench.metrics import Replicates
from bench.results.aggregated_result import ResultKey
from bench.results.rank_blocks import RankedBlock
from bench.statistics import (
    Friedman,
    MeanRanks,
    complete,
    critical_difference,
    friedman,
    groups,
    least_p,
    mean_ranks,
    wilcoxon_holm,
)
from registry.errors import first_few

FEWEST_TASKS = 5
ALPHA = 0.05
Drop = Literal["tasks", "models"]


class Entrant(NamedTuple):
    """A model, with what stands between tile and encoder ("" for nothing)."""

    model: str
    frontend: str

    def __str__(self) -> str:
        return f"{self.model}+{self.frontend}" if self.frontend else self.model


@dataclass(frozen=True)
class Comparisons:
    """What the complete part of a suite says about its models.

    Attributes
    ----------
    mean : MeanRanks or None
        None where ranks say nothing: below two models or two tasks, or if all models are tied throughout.
    friedman : Friedman
        NaN below three models or `FEWEST_TASKS` tasks.
    critical_difference : float
        Nemenyi's, of mean ranks; NaN likewise.
    adjusted : float [model, model] or None
        Holm's p of the signed ranks of each pair; None where they cannot tell anything.
    groups : list of tuple of int
        Models that do not differ by `adjusted`; none where that is None.
    notes : list of str
        Clauses that say why something is not there.
    """

    mean: MeanRanks | None
    friedman: Friedman
    critical_difference: float
    adjusted: Float[np.ndarray, "model model"] | None
    groups: list[tuple[int, ...]]
    notes: list[str]


@dataclass(frozen=True)
class SuiteRanks:
    """Models ranked over the tasks of one head. Baselines do not take part: the tests are of models.

    Attributes
    ----------
    metric : str
        The primary metric of all `tasks`; "" where they differ in it.
    tasks : list of str
        On which every model of `models` has a value.
    models : list of Entrant
        Ranked on all of `tasks`, in the order of the arrays.
    missing : dict of Entrant -> list of str
        Tasks on which it has no value; of all models and all tasks of the head that are on one cohort.
    blocked : dict of Entrant -> int
        How many tasks are left out because this model alone lacks them.
    left_out : dict of str -> str
        Tasks that are not in `tasks`, and why, as the end of a sentence.
    n_tasks : int
        Of the head, those on one cohort: what `missing` is counted of.
    """

    protocol: str
    head: str
    metric: str
    tasks: list[str]
    models: list[Entrant]
    comparisons: Comparisons
    missing: dict[Entrant, list[str]]
    blocked: dict[Entrant, int]
    left_out: dict[str, str]
    n_tasks: int


def suite_ranks(blocks: Iterable[RankedBlock], drop: Drop = "tasks") -> list[SuiteRanks]:
    """The ranks of each head (protocol and digest of its settings) over its tasks, in the order of their names.

    Parameters
    ----------
    blocks : iterable of RankedBlock
        A task that is there on several cohorts is left out, as its results would count twice.
    drop : str
        What to leave out where a model has no value on a task: the task for all models, or the model.
    """
    heads: dict[tuple[str, str], dict[str, list[RankedBlock]]] = {}
    for block in sorted(blocks, key=lambda block: block.block):
        task, _, *head = block.block
        heads.setdefault((head[0], head[1]), {}).setdefault(task, []).append(block)
    return [_suite(protocol, head, tasks, drop) for (protocol, head), tasks in sorted(heads.items())]


def _suite(protocol: str, head: str, by_task: Mapping[str, Sequence[RankedBlock]], drop: Drop) -> SuiteRanks:
    left_out = {
        task: f"is there on {len(own)} cohorts ({first_few([block.block[1] for block in own])})"
        for task, own in by_task.items()
        if len(own) > 1
    }
    names = [task for task, own in by_task.items() if len(own) == 1]
    cells = [_models(by_task[task][0]) for task in names]
    entrants = sorted({entrant for own in by_task.values() for block in own for entrant in _models(block)})
    values = np.array([[_value(found.get(entrant)) for entrant in entrants] for found in cells]).reshape(
        len(names), len(entrants)
    )
    gaps = np.isnan(values)
    part = complete(values, drop=drop)
    counted = gaps & ~gaps.all(axis=0)  # a model without any value keeps no task out
    for task in np.setdiff1d(np.arange(len(names)), part.tasks):
        lacking = [entrant for entrant, gap in zip(entrants, counted[task], strict=True) if gap]
        left_out[names[task]] = f"has no value of {first_few(lacking)}"
    alone = counted & (counted.sum(axis=1, keepdims=True) == 1) & (drop == "tasks")
    blocks = [by_task[names[task]][0] for task in part.tasks]
    metrics = sorted({block.metric for block in blocks})
    models = [entrants[model] for model in part.models]
    return SuiteRanks(
        protocol=protocol,
        head=head,
        metric=metrics[0] if len(metrics) == 1 else "",
        tasks=[block.block[0] for block in blocks],
        models=models,
        comparisons=_compared(blocks, models, values[np.ix_(part.tasks, part.models)], metrics),
        missing={entrant: [names[task] for task in np.flatnonzero(gaps[:, i])] for i, entrant in enumerate(entrants)},
        blocked={entrant: int(alone[:, i].sum()) for i, entrant in enumerate(entrants)},
        left_out=left_out,
        n_tasks=len(names),
    )


def _value(replicates: Replicates | None) -> float:
    return np.nan if replicates is None else replicates.value


def _models(block: RankedBlock) -> dict[Entrant, Replicates | None]:
    """The models of a block, those without a value too."""
    keys = [key for key in (*block.replicates, *block.left_out) if key not in block.baselines]
    return {Entrant(key.model, key.frontend): block.replicates.get(key) for key in keys}


def _compared(
    blocks: Sequence[RankedBlock], models: Sequence[Entrant], values: np.ndarray, metrics: Sequence[str]
) -> Comparisons:
    n_tasks, n_models = len(blocks), len(models)
    if n_models < 2:
        return _nothing("fewer than 2 models have a value on the same tasks")
    if n_tasks < 2:
        return _nothing("fewer than 2 tasks have a value of all models")
    of_tasks = [block.ranks([ResultKey(*block.block, *entrant) for entrant in models]) for block in blocks]
    ranks = np.stack([one.ranks for one in of_tasks])
    if np.all(ranks == ranks[0, 0]):
        return _nothing("all models have the same value on every task")
    mean = mean_ranks(of_tasks)
    if n_tasks < FEWEST_TASKS:
        note = f"{n_tasks} tasks are too few for an interval or a test, which take {FEWEST_TASKS}"
        return Comparisons(mean, _UNDEFINED, np.nan, None, [], [note])
    notes = []
    if n_models < 3:
        notes.append("Friedman's test and the critical difference take 3 models")
    adjusted = None
    if len(metrics) > 1:
        notes.append(f"no signed ranks, as the tasks have different metrics ({first_few(metrics)})")
    elif least_p(n_tasks, n_models) > ALPHA:
        notes.append(
            f"no signed ranks, as {n_tasks} tasks cannot show a difference between any two of {n_models} models"
        )
    else:
        adjusted = wilcoxon_holm(values)
    return Comparisons(
        mean,
        friedman(ranks),
        critical_difference(n_tasks, n_models, ALPHA) if n_models > 2 else np.nan,
        adjusted,
        [] if adjusted is None else groups(adjusted, mean.mean, ALPHA),
        notes,
    )


_UNDEFINED = Friedman(np.nan, np.nan, np.nan, np.nan)


def _nothing(why: str) -> Comparisons:
    return Comparisons(None, _UNDEFINED, np.nan, None, [], [why])
