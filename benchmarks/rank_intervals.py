"""How often the intervals of ranks cover what they are intervals of, on simulated tasks whose truth is known.

    python -m benchmarks.rank_intervals [repeats]

Patients have scores of all models, alike within a patient; the score of a model on a task is its mean over patients.
The true value of a model on a task is its skill, and what is its own on that task (`interaction`); the truth of an
interval of a task is the rank of the true value, of `of_patients` the mean of these ranks over these tasks, and of
`of_tasks` the mean rank that observed values have over 4,000 such tasks. Each repeat has new tasks.
"""

from __future__ import annotations

import sys

import numpy as np

from bench.statistics import best_first_ranks, mean_ranks, task_ranks

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


def main(repeats: int) -> None:
    """Print coverage and mean width, settings by numbers of tasks."""
    print(f"{'setting':>10} {'tasks':>5}  a task's rank    mean rank, of_patients    mean rank, of_tasks")
    for name, (step, interaction) in SETTINGS.items():
        long_run = ranks_of(simulated(np.random.default_rng(99), 4000, step, interaction)[1].mean(axis=1)).mean(axis=0)
        for n_tasks in (5, 10, 30):
            rng = np.random.default_rng(n_tasks)
            covered, width = np.zeros(3), np.zeros(3)
            for _ in range(repeats):
                true, scores = simulated(rng, n_tasks, step, interaction)
                weights = rng.multinomial(PATIENTS, np.full(PATIENTS, 1 / PATIENTS), DRAWS) / PATIENTS
                found = [
                    task_ranks(own.mean(axis=0), (weights[rng.permutation(DRAWS)] @ own).T, lower_is_better=False)
                    for own in scores
                ]
                over = mean_ranks(found, n_draws=DRAWS, seed=int(rng.integers(2**31)))
                truth = ranks_of(true)
                intervals = [(one.interval, truth[task]) for task, one in enumerate(found)]
                inside = [np.mean([np.mean((i.low <= t) & (t <= i.high)) for i, t in intervals])]
                inside += [np.mean((over.of_patients.low <= truth.mean(0)) & (truth.mean(0) <= over.of_patients.high))]
                inside += [np.mean((over.of_tasks.low <= long_run) & (long_run <= over.of_tasks.high))]
                covered += inside
                own_width = np.mean([np.mean(i.high - i.low) for i, _ in intervals])
                width += [own_width, *(np.mean(b.high - b.low) for b in (over.of_patients, over.of_tasks))]
            cells = [f"{100 * c / repeats:5.1f} % ({w / repeats:4.2f})" for c, w in zip(covered, width, strict=True)]
            print(f"{name:>10} {n_tasks:>5}  {cells[0]:>14} {cells[1]:>22} {cells[2]:>22}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
