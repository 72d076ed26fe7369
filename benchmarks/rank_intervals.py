"""How often the intervals of ranks cover what they are intervals of, on simulated tasks whose truth is known.

    python -m benchmarks.rank_intervals [repeats]

Patients have scores of all models, alike within a patient; the score of a model on a task is its mean over patients.
The true value of a model on a task is its skill, and what is its own on that task (`interaction`); the truth of an
interval of a task is the rank of the true value, of `of_patients` the mean of these ranks over these tasks, and of
`of_tasks` the mean rank that observed values have over 4,000 such tasks. Each repeat has new tasks.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np

from bench.statistics import Bounds, TaskRanks, best_first_ranks, mean_ranks, task_ranks

MODELS, PATIENTS, DRAWS = 6, 40, 400
SETTINGS = {  # differences of skill between neighbours, and sd of the interaction, in sd of the mean over patients
    "all alike": (0.0, 0.0),
    "close": (0.5, 0.5),
    "apart": (2.0, 0.5),
    "far apart": (6.0, 0.0),
    "by task": (0.3, 3.0),
}


def simulated(rng: np.random.Generator, n_tasks: int, step: float, interaction: float) -> tuple[np.ndarray, np.ndarray]:
    """True values [task, model], and scores [task, patient, model] around them."""
    unit = 1 / np.sqrt(PATIENTS)
    true = -unit * (step * np.arange(MODELS) + interaction * rng.normal(size=(n_tasks, MODELS)))
    return true, true[:, None] + rng.normal(size=(n_tasks, PATIENTS, MODELS)) + rng.normal(size=(n_tasks, PATIENTS, 1))


def ranks_of(values: np.ndarray) -> np.ndarray:
    return np.stack([best_first_ranks(one, lower_is_better=False) for one in values])


def t_alone(found: list[TaskRanks]) -> Bounds:
    """The interval over tasks as it is without resamples; no wider than a point where all tasks agree."""
    over = mean_ranks([replace(one, draws=one.draws[:, :0]) for one in found])
    low, high = (np.where(np.isnan(bound), over.mean, bound) for bound in (over.of_tasks.low, over.of_tasks.high))
    return Bounds(low, high)


def main(repeats: int) -> None:
    """Print coverage and mean width, settings by numbers of tasks."""
    print(f"{'setting':>10} {'tasks':>5}   a task's rank      of_patients         of_tasks         t alone")
    for name, (step, interaction) in SETTINGS.items():
        long_run = ranks_of(simulated(np.random.default_rng(99), 4000, step, interaction)[1].mean(axis=1)).mean(axis=0)
        for n_tasks in (5, 10, 30):
            rng = np.random.default_rng(n_tasks)
            inside: list[list[float]] = [[], [], [], []]
            widths: list[list[float]] = [[], [], [], []]
            for _ in range(repeats):
                true, scores = simulated(rng, n_tasks, step, interaction)
                weights = rng.multinomial(PATIENTS, np.full(PATIENTS, 1 / PATIENTS), DRAWS) / PATIENTS
                found = [
                    task_ranks(own.mean(axis=0), (weights[rng.permutation(DRAWS)] @ own).T, lower_is_better=False)
                    for own in scores
                ]
                over = mean_ranks(found, n_draws=DRAWS, seed=int(rng.integers(2**31)))
                truth = ranks_of(true)
                here = truth.mean(axis=0)
                own = [(one.interval, rank, 0) for one, rank in zip(found, truth, strict=True)]
                means = [(over.of_patients, here, 1), (over.of_tasks, long_run, 2), (t_alone(found), long_run, 3)]
                for bounds, rank, column in own + means:
                    inside[column] += ((bounds.low <= rank + 1e-9) & (rank <= bounds.high + 1e-9)).tolist()
                    widths[column] += (bounds.high - bounds.low).tolist()
            cells = [f"{100 * np.mean(i):5.1f} % ({np.mean(w):4.2f})" for i, w in zip(inside, widths, strict=True)]
            print(f"{name:>10} {n_tasks:>5}  {'  '.join(cells)}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
