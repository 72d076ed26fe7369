"""A results folder of many rows: what it costs to plan over it, to tell the status of its jobs, and to make the tables.

    OMP_NUM_THREADS=1 python -m benchmarks.many_rows

Makes the rows of 30 models x 60 tasks x 5 heads x 5 seeds with small predictions, the rows that a real plan lists, so
that `python -m bench plan` finds every one up to date. Then runs the commands in processes of their own and prints the
time and the peak memory of each. `--samples 0` makes rows without predictions, `--profile` prints where the time goes.
`--again` runs the report a second time, and a third time after one row has changed. `--folder DIR` leaves the folder
there, and takes it as it is where it is filled; without it files lie in the folder for temporary files (``TMPDIR``).
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import hashlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.config import BenchConfig
from bench.jobs import JobRecord, Sweep, write_record, write_sweep
from bench.metrics import METRIC_SETS, score
from bench.protocols import Predictions
from bench.rows import Row, write
from bench.runs import RunContext, make_config, prepare
from bench.runs.fit import Run
from benchmarks.manifest import make_files
from benchmarks.plan import PLUGIN, TASK

ROOT = Path(__file__).resolve().parents[1]
HEADS = ("linear", "knn", "linear_pathobench", "prototype", "linear_uni")
CLASSES = (2, 3, 9)  # of the tasks in turn
TRAINING_TILES = 90
BASELINES = ("colour", "random_vit_s16")
SWEEP = "2026-11-22_00-00-00"
RATED = [*METRIC_SETS["classes"].metrics, "average_precision", "mcc", "brier", "nll"]
CHILD = """
import re, resource, sys
from bench.__main__ import main
try:
    main()
finally:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    peak = re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]  # ru_maxrss would be the parent's too
    print(peak, usage.ru_utime + usage.ru_stime, file=sys.stderr)
"""


@dataclasses.dataclass(frozen=True)
class Folder:
    """A folder of made-up data, cards, YAML files and results.

    Attributes
    ----------
    arguments : list of str
        Of the command that plans them.
    config : BenchConfig
        The same for a plan in this process.
    """

    path: Path
    arguments: list[str]
    config: BenchConfig

    @property
    def results(self) -> Path:
        return self.path / "results"


def make_folder(folder: Path, models: int, tasks: int, heads: int, seeds: int, samples: int) -> Folder:
    """Small files, a table a task, YAML files and cards, unless they are there; two of the models are the baselines."""
    plugin, there = folder / "plugin.py", (folder / "conf").is_dir()
    (folder / "conf" / "task").mkdir(parents=True, exist_ok=True)
    plugin.write_text(PLUGIN.format(models=models - len(BASELINES)))
    of_tasks = {}
    for task in range(tasks):
        name, classes = f"made_up_{task:02d}", CLASSES[task % len(CLASSES)]
        table = folder / name / "manifest.csv"
        of_tasks[name] = {"reader": "tiles", "data": str(table)}
        if there:
            continue
        (folder / name).mkdir()
        with open(table, "w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, ["path", "label", "patient", "split"])
            writer.writeheader()
            for number, row in enumerate(make_files(folder / name, TRAINING_TILES + samples)):
                side = "train" if number < TRAINING_TILES else "test"
                label = f"class {number % classes}"
                writer.writerow({**row, "label": label, "patient": f"{side} {number // 2}", "split": side})
        (folder / "conf" / "task" / f"{name}.yaml").write_text(TASK.format(name=name, table=table))
    chosen = [f"made_up_{number}" for number in range(models - len(BASELINES))]
    own = HEADS[:heads]
    arguments = [
        "--config-dir",
        str(folder / "conf"),
        f"model=[{','.join(chosen)}]",
        f"task=[{','.join(of_tasks)}]",
        f"protocol=[{','.join(own)}]",
        f"seeds=[{','.join(map(str, range(seeds)))}]",
        f"plugins=[{plugin}]",
        f"results={folder / 'results'}",
        f"cache={folder / 'cache'}",
    ]
    settings = {"plugins": [str(plugin)], "seeds": list(range(seeds)), "device": "cpu"}
    config = make_config(chosen, of_tasks, own, None, folder / "results", folder / "cache", settings)
    return Folder(folder, arguments, config)


def planned_runs(folder: Folder) -> list[tuple[Run, str]]:
    """The runs of a plan over the folder, each with the digest of its features."""
    plan = prepare(RunContext(folder.config, "cpu", progress=False, pictures=False))
    if plan.sentences:
        sys.exit("\n".join(plan.sentences))
    return [(run, own.features) for task in plan.tasks for _, work in task.passes for own in work for run in own.runs]


def fill(folder: Folder, samples: int) -> int:
    """Write a row for each run of the plan, as if it had been fitted; gives their number.

    Parameters
    ----------
    samples : int
        Test samples in the predictions, two a patient; 0 writes no predictions.
    """
    runs = planned_runs(folder)
    for number, (run, features) in enumerate(runs):
        rng = np.random.default_rng([number, samples])
        row, predictions = made_up(run, rng, samples)
        write(folder.results, dataclasses.replace(row, run_hash=run.run_hash(features)), predictions)
    expected = len(folder.config.tasks) * (len(folder.config.model) + len(BASELINES)) * len(folder.config.seeds)
    if len(runs) != expected * len(folder.config.protocols):
        sys.exit(f"The plan has {len(runs)} rows, and not every model, task, head and seed.")
    return len(runs)


def made_up(run: Run, rng: np.random.Generator, samples: int) -> tuple[Row, Predictions | None]:
    """A row of plausible scores and, of some samples, the predictions that they are of."""
    classes = list(run.cohort.manifest.classes)
    skill = 1 + 2 * (hash_of(run.model.name) % 100) / 100
    if samples:
        y_true = np.arange(samples) % len(classes)
        logits = rng.normal(size=(samples, len(classes)))
        logits[np.arange(samples), y_true] += skill
        scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        groups = np.array([f"test {sample // 2}" for sample in range(samples)])
        ids = np.array([f"tile-{sample}" for sample in range(samples)])
        found = {name: of.value for name, of in score(y_true, scores, groups, metrics=RATED, n_boot=0).items()}
        predictions = Predictions(ids, groups, y_true, scores)
    else:
        found = {name: float(value) for name, value in zip(RATED, rng.random(len(RATED)), strict=True)}
        predictions = None
    row = dataclasses.replace(
        run.empty_row(),
        status="ok",
        metrics={name: {"value": v, "ci_low": 0.9 * v, "ci_high": min(1.0, 1.1 * v)} for name, v in found.items()},
        n_train=TRAINING_TILES,
        n_val=0,
        n_test=samples,
        n_groups=samples // 2,
        n_skipped=0,
        tiles_per_s=None,
        info={
            "strength": 1.0,
            "chosen_on": "5 group folds",
            "held_out": {str(strength): float(value) for strength, value in enumerate(rng.random(45))},
            "weights": {"file": "made up", "sha256": "0" * 64, "source": "made up"},
            "stages": {"read": 0.1, "decode": 0.4, "forward": 0.4, "write": 0.1},
        },
    )
    return row, predictions


def hash_of(name: str) -> int:
    """A number that a name always has, which Python's own hash is not."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)


def measured(what: str, folder: Folder, arguments: Sequence[str], *, profile: bool) -> None:
    """Run a command of the harness in a process of its own and print what it cost."""
    program = folder.path / "child.py"
    program.write_text(CHILD)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    profiled = ["-m", "cProfile", "-s", "tottime"] if profile else []
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *profiled, str(program), *arguments],
        cwd=folder.path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    usage = done.stderr.splitlines()[-1:]
    if done.returncode or not usage:
        sys.exit(f"{what} failed: {done.stderr[-2000:]}")
    peak_kib, cpu = map(float, usage[0].split())
    summary, _, table = done.stdout.partition(" function calls")
    lines = summary.splitlines()
    print(f"{what}: {seconds:.1f} s, {cpu:.1f} s of processor time, peak {peak_kib / 2**20:.2f} GB, {len(lines)} lines")
    if what == "plan":
        print(f"  {lines[-1]}")
    if profile:
        print("\n".join(table.splitlines()[:45]))
    sys.stdout.flush()


def measured_here(folder: Folder) -> None:
    """The time of the decision what is up to date alone: `Run.is_done` of every run."""
    runs = planned_runs(folder)
    began, cpu = time.perf_counter(), time.process_time()
    done = sum(run.is_done(features) for run, features in runs)
    print(
        f"up to date: {done} of {len(runs)} rows in {time.perf_counter() - began:.1f} s, "
        f"{time.process_time() - cpu:.1f} s of processor time"
    )


def add_jobs(folder: Folder) -> int:
    """Write the record of a job a model and task, as an unfinished sweep leaves them; gives their number."""
    write_sweep(folder.results, Sweep(SWEEP, "python -m bench sweep", "slurm", "settings"))
    pairs = list(itertools.product(folder.config.tasks, [*folder.config.model, *BASELINES]))
    for number, (task, model) in enumerate(pairs):
        state = ("done", "done", "done", "done", "running", "failed", "queued")[number % 7]
        failures = (f"{model}: the file of its weights is missing.",) if state == "failed" else ()
        write_record(
            folder.results,
            JobRecord(
                sweep=SWEEP,
                number=number,
                task=task,
                models=(model,),
                part=None,
                engine="slurm",
                overrides=(f"model={model}", f"task={task}"),
                settings="settings",
                state=state,
                job_id=f"1_{number}",
                failures=failures,
                starts=int(state != "queued"),
            ),
        )
    return len(pairs)


def change_a_row(folder: Folder, samples: int) -> None:
    """Write one row anew, as a further run would."""
    ((run, features), *_) = planned_runs(folder)
    row, predictions = made_up(run, np.random.default_rng(1), samples)
    write(folder.results, dataclasses.replace(row, run_hash=run.run_hash(features)), predictions)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the folder once and print what each command costs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", type=int, default=30)
    parser.add_argument("--tasks", type=int, default=60)
    parser.add_argument("--heads", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=30, help="of the predictions of a row; 0 for none")
    parser.add_argument("--only", choices=("plan", "status", "report"))
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args(arguments)
    sizes = (options.models, options.tasks, options.heads, options.seeds, max(options.samples, 20))
    with tempfile.TemporaryDirectory() as name:
        place = options.folder or Path(name)
        filled = (place / "results").is_dir()
        folder = make_folder(place, *sizes)
        if not filled:
            began = time.perf_counter()
            print(f"{fill(folder, options.samples)} rows made in {time.perf_counter() - began:.0f} s")
        for room in ("rows", "predictions"):
            files = [path.stat() for path in (folder.results / room).rglob("*") if path.is_file()]
            print(f"{room}: {len(files)} files of {sum(found.st_size for found in files) / 2**20:.0f} MiB")
        sys.stdout.flush()
        report = ["report", f"results={folder.results}"]
        if options.only in (None, "plan"):
            measured_here(folder)
            measured("plan", folder, ["plan", *folder.arguments], profile=options.profile)
        if options.only in (None, "status"):
            print(f"{add_jobs(folder)} records of jobs")
            measured("status", folder, ["status", f"results={folder.results}"], profile=options.profile)
            shutil.rmtree(folder.results / "sweeps")  # the report would tell of lost jobs
        if options.only in (None, "report"):
            measured("report", folder, report, profile=options.profile)
            if options.again:
                measured("report again", folder, report, profile=options.profile)
                change_a_row(folder, options.samples)
                measured("report after one row changed", folder, report, profile=options.profile)


if __name__ == "__main__":
    main()
