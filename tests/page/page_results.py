"""Results to make pages of: a folder of rows and predictions, and results of thousands of rows without predictions."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bench.metrics import Interval, score
from bench.protocols import Predictions
from bench.results import LeaderboardData, aggregated
from bench.rows import Row, write

BASELINES = ("colour", "random_vit_s16")
CLASSES = ["normal", "tumour"]
HOSTILE = "</script><img src=x onerror=\"document.title='broken'\">"


def row_of(task: str, model: str, head: str, seed: int = 0, **changes: Any) -> Row:
    """A row without scores, whose `info` has what a run records of itself."""
    seen = model == "model_1" and task == "task_01"
    level = ("stated", "It was pretrained on task_01, as its authors say.") if seen else ("none", "")
    fields: dict[str, Any] = {
        "task": task,
        "model": model,
        "frontend": "",
        "protocol": head,
        "seed": seed,
        "status": "ok",
        "primary_metric": "balanced_accuracy",
        "cohort_hash": f"cohort-{task}",
        "head_config_hash": f"settings-{head}",
        "n_train": 400,
        "n_val": 50,
        "feature_dim": 384,
        "params_m": 21.67,
        "tiles_per_s": 41.3,
        "baseline": model in BASELINES,
        "run_hash": "0123456789abcdef",
        "version": "0.1.0",
        "classes": CLASSES,
        "notes": ["the tiles are made up: scores say nothing about tissue"] if task == "task_00" else [],
        "info": {
            "command": f"python -m bench model={model} task={task} protocol={head} seed={seed}",
            "config": {"protocol": {"name": head, "strengths": [0.01, 1, 100]}, "seed": seed},
            "versions": {"torch": "2.13.0", "numpy": "2.4.6"},
            "device": "cpu",
            "seconds": {"fit": 1.25},
            "digests": {"weights": "5f3a", "features": "99ab"},
            "finished": "2026-11-22T07:00:00Z",
            "contamination": {"level": level[0], "evidence": level[1]},
            "model_card": {
                "title": f"The model {model}",
                "licence": "CC-BY-NC-4.0",
                "gated": True,
                "url": "https://example.org/model",
                "paper": "javascript:alert(1)",
                "params_m": 21.67,
                "dim": 384,
                "cohorts": [{"name": "TCGA", "evidence": "paper"}],
                "cohorts_evidence": "stated",
            },
        },
    }
    return Row(**fields | changes)


def fill(
    results: Path, models: int = 4, tasks: int = 2, heads: int = 2, seeds: int = 1, samples: int = 120, n_boot: int = 20
) -> Path:
    """Write runs of models and two baselines; later models are the better ones."""
    names = [*BASELINES, *(f"model_{number}" for number in range(models - len(BASELINES)))]
    rng = np.random.default_rng(0)
    ids = np.array([f"sample-{number}" for number in range(samples)])
    groups = np.array([f"patient-{number % 40}" for number in range(samples)])
    for task in range(tasks):
        y_true = rng.integers(0, len(CLASSES), samples)
        for place, model in enumerate(names):
            for head in range(heads):
                for seed in range(seeds):
                    skill = 1.6 * (2 * y_true - 1) * (0.3 + place / len(names)) + 0.1 * head
                    positive = 1 / (1 + np.exp(-rng.normal(skill, 1.5)))
                    scores = np.stack([1 - positive, positive], axis=1)
                    found = score(y_true, scores, groups, n_boot=n_boot)
                    row = row_of(
                        f"task_{task:02d}",
                        model,
                        f"head_{head}",
                        seed,
                        metrics={name: asdict(interval) for name, interval in found.items()},
                        n_test=samples,
                        n_groups=40,
                    )
                    write(results, row, Predictions(ids, groups, y_true, scores))
    return results


def many_results(rows: int) -> LeaderboardData:
    """Results of this many rows, each with an interval of its primary metric; nothing is compared."""
    rng = np.random.default_rng(1)
    made = []
    for number in range(rows):
        value = float(rng.uniform(0.5, 0.95))
        metrics = {"balanced_accuracy": {"value": value, "ci_low": value - 0.04, "ci_high": value + 0.03}}
        task, head, model = number % 20, number // 20 % 5, number // 100
        name = BASELINES[model] if model < 2 else f"model_{model}"
        row = row_of(f"task_{task:02d}", name, f"head_{head}", metrics=metrics, n_test=1000, n_groups=50)
        made.append(row)
    entries = aggregated(made)
    intervals = {(e.key, "balanced_accuracy"): Interval(**e.rows[0].metrics["balanced_accuracy"]) for e in entries}
    return LeaderboardData(entries, intervals, {}, {}, {}, [], {})
