"""Means over the cases of a robustness task with intervals: what is lost, and what a restorer changes.

The cases are of the same tiles, so their scores are dependent. A mean is therefore resampled as one quantity: each
group of tiles moves all cases at once, and the interval follows from how much it moves the mean.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench import targets
from bench.metrics import Replicates, degrees_of_freedom, standard_error
from bench.results.aggregated_result import AggregatedResult, Block
from bench.results.chains import parse
from bench.results.estimates import averaged, definition
from bench.results.resampling import Passes
from bench.statistics import Studentised, difference_inflation
from bench.targets import UNTOUCHED

CLASSICAL = ("bicubic", "unsharp", "median", "median5", "nlm", "wiener", "wiener2")
BEST_CLASSICAL = "best classical"
CLEAN = ("", 0)

Case = tuple[str, int]
"""Corruption and severity; ("", 0) of clean tiles."""
Scores = dict[Case, Replicates]
ContrastKey = tuple[Block, str, str]
"""The block, the model and the restorer, `BEST_CLASSICAL` for the best filter of each case."""


@dataclass(frozen=True)
class Contrast:
    """The primary metric of an encoder, head and restorer over all cases that it has; corruptions weigh alike.

    Attributes
    ----------
    n_cases : int
        Corruptions at a severity.
    loss : Studentised
        The value on clean tiles that nothing restored, less the mean over the cases.
    relative_loss : Studentised
        The loss as a share of the value on clean tiles.
    over_none : Studentised or None
        The mean behind the restorer, less that of the same cases without it; None where nothing restores.
    over_classical : Studentised or None
        The mean behind the restorer, less that of the best filter of each case, over the cases that have one; None for
        filters.
    on_clean : Studentised or None
        The value on clean tiles behind the restorer, less that without it; None where it was not measured.
    """

    n_cases: int
    loss: Studentised
    relative_loss: Studentised
    over_none: Studentised | None = None
    over_classical: Studentised | None = None
    on_clean: Studentised | None = None


def contrasts(entries: Sequence[AggregatedResult], passes: Passes) -> dict[ContrastKey, Contrast]:
    """The contrasts of one block of a robustness task; those of an encoder without clean tiles are none.

    A case that was tested on other tiles than the clean ones, as a run may have failed, is left out.

    Parameters
    ----------
    passes : Passes
        Of these entries.
    """
    of_model: dict[str, list[AggregatedResult]] = defaultdict(list)
    for entry in entries:
        of_model[entry.key.model].append(entry)
    found: dict[ContrastKey, Contrast] = {}
    for model, own in of_model.items():
        clean = next((entry for entry in own if entry.key.frontend == "" and entry.successful), None)
        if clean is not None:
            scores = _scores(own, clean, passes)
            of_filters = [scores[name] for name in CLASSICAL if name in scores]
            metrics = targets.get(clean.rows[0].kind).metrics
            best = _best(of_filters, lower=metrics.lower_is_better(clean.rows[0].primary_metric))
            made = _contrasts(scores | ({BEST_CLASSICAL: best} if best else {}), best)
            found |= {(clean.key.block, model, name): one for name, one in made.items()}
    return found


def _scores(own: Sequence[AggregatedResult], clean: AggregatedResult, passes: Passes) -> dict[str, Scores]:
    """The primary metric of each case by restorer, as replicates on the same resamples."""
    metric, like = clean.rows[0].primary_metric, _tested(clean, passes)
    found: dict[str, Scores] = defaultdict(dict)
    for entry in own:
        parsed = parse(entry.key.frontend)
        of_passes = [passes.replicates(one).get(metric) for one in passes.of[entry.key].values()]
        valued = [one for one in of_passes if one is not None and not math.isnan(one.value)]
        if parsed is None or not like or _tested(entry, passes) != like or len(valued) < len(of_passes):
            continue
        n_folds = max(n for _, _, n in like)
        if n_folds > 1 and not definition(entry, metric).pooled:
            continue
        factor = math.sqrt(difference_inflation(n_folds)) if n_folds > 1 else 1.0
        mean = averaged(valued)
        found[parsed[2]][parsed[:2]] = replace(mean, influence=mean.influence * factor)
    return dict(found)


def _tested(entry: AggregatedResult, passes: Passes) -> list[tuple[object, str, int]]:
    """Seeds and repeats, the samples of each, and its folds."""
    return [(one.number, one.samples, len(one.runs)) for one in passes.of[entry.key].values()]


def _best(of_filters: Sequence[Scores], *, lower: bool) -> Scores:
    """The best value of each case, the first among equals."""
    cases = dict.fromkeys(case for scores in of_filters for case in scores if case != CLEAN)
    best = min if lower else max
    return {case: best((s[case] for s in of_filters if case in s), key=lambda one: one.value) for case in cases}


def _contrasts(scores: Mapping[str, Scores], best: Scores) -> dict[str, Contrast]:
    none = scores.get(UNTOUCHED, {})
    clean, found = none.get(CLEAN), {}
    for name, own in scores.items():
        cases = [case for case in own if case != CLEAN]
        if clean is None or not cases:
            continue
        mean = _mean(own, cases)
        loss, restores = clean - mean, name != UNTOUCHED
        ranked = name not in (UNTOUCHED, BEST_CLASSICAL, *CLASSICAL)
        found[name] = Contrast(
            n_cases=len(cases),
            loss=_studentised(loss),
            relative_loss=_studentised(_as_share(loss, clean)),
            over_none=_over(own, none, cases) if restores else None,
            over_classical=_over(own, best, cases) if ranked else None,
            on_clean=_studentised(own[CLEAN] - clean) if restores and CLEAN in own else None,
        )
    return found


def _over(own: Scores, other: Scores, cases: Sequence[Case]) -> Studentised | None:
    both = [case for case in cases if case in other]
    return _studentised(_mean(own, both) - _mean(other, both)) if both else None


def _mean(scores: Scores, cases: Sequence[Case]) -> Replicates:
    """Over corruptions, of the means over their severities."""
    by_kind: dict[str, list[Replicates]] = defaultdict(list)
    for case in sorted(cases):
        by_kind[case[0]].append(scores[case])
    return averaged([averaged(own) for own in by_kind.values()])


def _as_share(loss: Replicates, clean: Replicates) -> Replicates:
    """Loss / clean; its influence is that of the quotient, to first order."""
    if clean.value == 0:
        return replace(loss, value=math.nan, influence=np.full_like(loss.influence, math.nan))
    share = loss.value / clean.value
    return replace(loss, value=share, influence=(loss.influence - share * clean.influence) / clean.value)


def _studentised(difference: Replicates) -> Studentised:
    influence = difference.influence
    return Studentised(difference.value, standard_error(influence), degrees_of_freedom(influence, difference.n_added))
