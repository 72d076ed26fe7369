"""Many jobs of a sweep against one results folder: what each reads of it, and how long each is there at its end.

    OMP_NUM_THREADS=1 python -m benchmarks.many_jobs [--folder DIR]

The folder is that of `benchmarks.many_rows`, made where it is not there. First ``python -m bench steps=[embed,fit]`` of
one model on one task, whose rows all stand, is run alone: the files of the results folder that it opens and the folders
that it lists are counted by Python's audit hook, with few rows in the results folder and with all. Then 200 processes
end at once: each decides what of its own rows is up to date, writes these rows anew, and writes its record. Printed is
the time that each spends on that, and for comparison the time of one alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np

from bench.jobs import JobRecord, write_record
from bench.protocols import Predictions
from bench.rows import Row, read_row, write
from bench.runs.fit import Run
from benchmarks.many_rows import BASELINES, SWEEP, Folder, fill, made_up, make_folder, planned_runs

ROOT = Path(__file__).resolve().parents[1]
CHILD = """
import json, os, sys
opened, listed = [], []
here = os.path.abspath(sys.argv.pop(1)) + os.sep

def count(event, arguments):
    if event in ("open", "os.scandir", "os.listdir") and arguments and isinstance(arguments[0], (str, os.PathLike)):
        path = os.path.abspath(os.fspath(arguments[0])) + os.sep
        if path.startswith(here):
            (opened if event == "open" else listed).append(path)

from bench.__main__ import main
sys.addaudithook(count)
try:
    main()
finally:
    rows = [path for path in opened if path.startswith(os.path.join(here, "rows"))]
    predictions = [path for path in opened if path.startswith(os.path.join(here, "predictions"))]
    others = len(opened) - len(rows) - len(predictions)
    print(json.dumps({"rows": len(set(rows)), "predictions": len(set(predictions)), "others": others,
                      "listed": len(listed)}), file=sys.stderr)
"""


def counted(folder: Folder, results: Path) -> dict[str, int]:
    """What one job of one model and task, whose rows stand, reads of the results folder."""
    task, model = next(iter(folder.config.tasks)), folder.config.model[0]
    program = folder.path / "counting.py"
    program.write_text(CHILD)
    changed = {"model": f"[{model}]", "task": task, "results": str(results)}
    unchanged = [one for one in folder.arguments if one.partition("=")[0] not in changed]
    arguments = [*unchanged, *(f"{name}={value}" for name, value in changed.items()), "null=none", "steps=[embed,fit]"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(program), str(results), *arguments]
    done = subprocess.run(command, cwd=folder.path, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return dict(json.loads(done.stderr.splitlines()[-1]))


def part_of_rows(folder: Folder, results: Path) -> int:
    """A results folder with the rows of one model on one task alone; gives their number."""
    task, model = next(iter(folder.config.tasks)), folder.config.model[0]
    for room in ("rows", "predictions"):
        for there in (folder.results / room / task).glob(f"*/{model}"):
            shutil.copytree(there, results / there.relative_to(folder.results))
    return sum(1 for _ in results.glob("rows/*/*/*/*.json"))


def end(barrier: Barrier, folder: Folder, number: int, runs: Sequence[tuple[Run, str]]) -> dict[str, float]:
    """What a job does in the results folder when it begins and ends, with the seconds of each part."""
    fitted = [_fitted(folder, number, run) for run, _ in runs]
    barrier.wait()
    clock = [time.perf_counter()]
    done = sum(run.is_done(features) for run, features in runs)
    clock.append(time.perf_counter())
    for row, predictions in fitted:
        write(folder.results, row, predictions)
    clock.append(time.perf_counter())
    record = JobRecord(SWEEP, number, runs[0][0].task.name, (runs[0][0].model.name,), None, "slurm", (), "settings")
    write_record(folder.results, JobRecord(**{**vars(record), "state": "done"}))
    clock.append(time.perf_counter())
    decided, written, recorded = np.diff(clock).tolist()
    return {"rows": done, "decided": decided, "written": written, "recorded": recorded, "all": clock[-1] - clock[0]}


def _fitted(folder: Folder, number: int, run: Run) -> tuple[Row, Predictions | None]:
    """The row that stands, and predictions as of another fit."""
    row = read_row(folder.results, run.key)
    assert row is not None
    return row, made_up(run, np.random.default_rng([number, 1]), row.n_test or 0)[1]


def together(folder: Folder, jobs: Sequence[Sequence[tuple[Run, str]]]) -> list[dict[str, float]]:
    """The seconds that jobs spend which end at once, each in a process of its own."""
    context = multiprocessing.get_context("fork")  # what a job imports before is not what is measured
    barrier, found = context.Barrier(len(jobs) + 1), context.SimpleQueue()
    processes = [
        context.Process(target=_wait_and_end, args=(barrier, found, folder, number, job))
        for number, job in enumerate(jobs)
    ]
    for process in processes:
        process.start()
    barrier.wait()
    seconds = [found.get() for _ in processes]
    for process in processes:
        process.join()
    return seconds


def _wait_and_end(barrier: Barrier, found: Any, folder: Folder, number: int, job: Sequence[tuple[Run, str]]) -> None:
    found.put(end(barrier, folder, number, job))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what one job reads, and how long 200 spend on their ends."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", type=int, default=30)
    parser.add_argument("--tasks", type=int, default=10)
    parser.add_argument("--samples", type=int, default=30)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        place = options.folder or Path(name)
        filled = (place / "results").is_dir()
        folder = make_folder(place, options.models, options.tasks, 5, 5, max(options.samples, 20))
        if not filled:
            fill(folder, options.samples)
        alone = Path(name) / "alone"
        few = part_of_rows(folder, alone)
        print(f"a job whose rows stand, {few} rows in the folder: {counted(folder, alone)}")
        n_rows = sum(1 for _ in folder.results.glob("rows/*/*/*/*.json"))
        print(f"the same, {n_rows} rows in the folder: {counted(folder, folder.results)}")
        runs = planned_runs(folder)
        own = [run for run in runs if run[0].model.name not in BASELINES]
        pairs = itertools.groupby(own, key=lambda run: (run[0].task.name, run[0].model.name))
        jobs = [list(group) for _, group in pairs][: options.jobs]
        for number in (1, len(jobs)):
            seconds = together(folder, jobs[:number])
            rows = int(seconds[0]["rows"])
            print(f"{number} jobs of {rows} rows each, seconds a job")
            for part in ("decided", "written", "recorded", "all"):
                own = [one[part] for one in seconds]
                print(f"  {part}: median {np.median(own):.3f}, at most {max(own):.3f}")
        shutil.rmtree(folder.results / "sweeps")


if __name__ == "__main__":
    main()
