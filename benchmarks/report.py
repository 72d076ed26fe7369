"""What the tables of many models on many tasks cost: ``OMP_NUM_THREADS=1 python -m benchmarks.report``.

Rows and predictions of made-up runs are written to a temporary folder (``$TMPDIR``), and ``python -m bench report`` is
called on it as a user would: first with nothing computed before, again with nothing changed, and after one further run.
Each call has its processor time and its peak memory, start of Python included; ``--profile`` says where the time goes.
"""

from __future__ import annotations

import argparse
import cProfile
import hashlib
import os
import pstats
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from bench.metrics import score
from bench.protocols import Predictions
from bench.report import table_text, write_tables
from bench.results import read_leaderboard
from bench.rows import Row, write

BASELINES = ("colour", "random_vit_s16")
CLASSES = ["normal", "tumour"]
ROOT = Path(__file__).resolve().parents[1]


def fill(
    results: Path, models: int, tasks: int, heads: int, samples: int, patients: int, seeds: int = 1, further: int = 0
) -> int:
    """Write the runs; gives their number.

    Parameters
    ----------
    models : int
        Of these, two are the baselines.
    samples, patients : int
        Of the test set of a task.
    further : int
        Of this many further models the runs on the first task with the first head are written, and no others.
    """
    names = [*BASELINES, *(f"model_{number}" for number in range(models - len(BASELINES)))]
    rng = np.random.default_rng(further)
    ids = np.array([f"sample-{number}" for number in range(samples)])
    groups = np.array([f"patient-{number % patients}" for number in range(samples)])
    if further:
        names, tasks, heads = [f"further_{number}" for number in range(further)], 1, 1
    for task in range(tasks):
        y_true = np.random.default_rng([1, task]).integers(0, len(CLASSES), samples)
        for place, model in enumerate(names):
            for head in range(heads):
                for seed in range(seeds):
                    positive = 1 / (1 + np.exp(-rng.normal(2 * y_true - 1 + place / models, 1.5)))
                    scores = np.stack([1 - positive, positive], axis=1)
                    found = score(y_true, scores, groups, n_boot=20)
                    row = Row(
                        task=f"task_{task:02d}",
                        model=model,
                        frontend="",
                        protocol=f"head_{head}",
                        seed=seed,
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
    return len(names) * tasks * heads * seeds


def report(results: Path, what: str) -> str:
    """Call ``python -m bench report`` and print what it took; gives the digest of all files that it left."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    began = time.perf_counter()
    with open(results / ".printed", "w+", encoding="utf-8") as printed:
        command = [sys.executable, "-m", "bench", "report", f"results={results}"]
        child = subprocess.Popen(command, stdout=printed, env=environment)
        _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} ended with the status {status}")
    lines = len((results / ".printed").read_text(encoding="utf-8").splitlines())
    files = [path for path in sorted(results.rglob("*")) if path.is_file() and not _is_input(path.relative_to(results))]
    size = sum(path.stat().st_size for path in files)
    print(
        f"{what}: {usage.ru_utime + usage.ru_stime:.1f} s of processor time ({time.perf_counter() - began:.1f} s by "
        f"the clock), peak memory {usage.ru_maxrss / 2**10:.0f} MiB; {len(files)} files of {size / 2**20:.1f} MiB, "
        f"{lines} lines printed",
        flush=True,
    )
    found = hashlib.sha256()
    for path in files:
        found.update(f"{path.relative_to(results)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()


def profile(results: Path) -> None:
    """Print what a report spends its time in; what was computed before is read."""
    profiler = cProfile.Profile()
    profiler.enable()
    data = read_leaderboard(results)
    write_tables(results, data)
    table_text(data)
    profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(40)


def main() -> None:
    """Make the tables and print what they cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", type=int, default=30)
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--heads", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument(
        "--profile", action="store_true", help="also the functions that a second report spends most time in"
    )
    options = parser.parse_args()
    sizes = (options.models, options.tasks, options.heads, options.samples, options.patients, options.seeds)
    with tempfile.TemporaryDirectory() as name:
        results = Path(name)
        print(f"{fill(results, *sizes)} runs")
        made = report(results, "first")
        if options.profile:
            profile(results)
        again = report(results, "nothing changed")
        print("the files are the same, byte for byte" if made == again else "the files DIFFER")
        fill(results, *sizes, further=1)
        report(results, "one further model with one head on one task")


def _is_input(path: Path) -> bool:
    return path.parts[0] in ("rows", "predictions", "computed", ".printed")


if __name__ == "__main__":
    main()
