"""What the tables of many models on many tasks cost: ``OMP_NUM_THREADS=1 python -m benchmarks.report``.

Rows and predictions of made-up runs are written to a temporary folder (``$TMPDIR``). Then the tables are made of them:
processor time of reading with all comparisons, of writing and of the text for a terminal, and the peak memory. The
time of the swaps, which the p values of pairs are made by, is told beside.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bench.metrics import score
from bench.protocols import Predictions
from bench.report import table_text, write_tables
from bench.results import comparisons, read_leaderboard
from bench.rows import Row, write

BASELINES = ("colour", "random_vit_s16")
CLASSES = ["normal", "tumour"]


def fill(results: Path, models: int, tasks: int, heads: int, samples: int, patients: int) -> int:
    """Write the runs; gives their number. Of the models, two are the baselines."""
    names = [*BASELINES, *(f"model_{number}" for number in range(models - len(BASELINES)))]
    rng = np.random.default_rng(0)
    ids = np.array([f"sample-{number}" for number in range(samples)])
    groups = np.array([f"patient-{number % patients}" for number in range(samples)])
    for task in range(tasks):
        y_true = rng.integers(0, len(CLASSES), samples)
        for place, model in enumerate(names):
            for head in range(heads):
                positive = 1 / (1 + np.exp(-rng.normal(2 * y_true - 1 + place / models, 1.5)))
                scores = np.stack([1 - positive, positive], axis=1)
                found = score(y_true, scores, groups, n_boot=20)
                row = Row(
                    task=f"task_{task:02d}",
                    model=model,
                    frontend="",
                    protocol=f"head_{head}",
                    seed=0,
                    status="ok",
                    primary_metric="balanced_accuracy",
                    cohort_hash=f"cohort_{task:02d}",
                    head_config_hash=f"settings_{head}",
                    metrics={name: asdict(interval) for name, interval in found.items()},
                    n_test=samples,
                    n_groups=patients,
                    baseline=model in BASELINES,
                    classes=CLASSES,
                )
                write(results, row, Predictions(ids, groups, y_true, scores))
    return len(names) * tasks * heads


class Timer:
    """A function that adds up the processor time of its calls."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.seconds, self.calls = function, 0.0, 0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function."""
        began = time.process_time()
        try:
            return self.function(*arguments, **named)
        finally:
            self.seconds += time.process_time() - began
            self.calls += 1


def main() -> None:
    """Make the tables once and print what they cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", type=int, default=30)
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--heads", type=int, default=3)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument("--profile", action="store_true", help="also the functions that most time is spent in")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        results = Path(name)
        n_runs = fill(results, options.models, options.tasks, options.heads, options.samples, options.patients)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        swaps = Timer(comparisons.swapped_differences)
        comparisons.swapped_differences = swaps  # type: ignore[assignment]
        profile = cProfile.Profile()
        if options.profile:
            profile.enable()
        times = [time.process_time()]
        data = read_leaderboard(results)
        times.append(time.process_time())
        write_tables(results, data)
        times.append(time.process_time())
        text = table_text(data)
        times.append(time.process_time())
        profile.disable()
        read, written, shown = np.diff(times)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        size = sum(path.stat().st_size for path in results.glob("*.*"))
    print(
        f"{n_runs} runs, {len(data.differences)} differences: {times[-1] - times[0]:.1f} s of processor time: read "
        f"{read:.1f} s (of these {swaps.seconds:.1f} s in {swaps.calls} sets of swaps), written {written:.1f} s, text "
        f"{shown:.1f} s of {len(text.splitlines())} lines; peak memory {peak / 2**20:.2f} GB ({before / 2**20:.2f} GB "
        f"before), tables of {size / 2**20:.0f} MiB"
    )
    if options.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)


if __name__ == "__main__":
    main()
