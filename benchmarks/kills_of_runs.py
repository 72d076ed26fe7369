"""Whole runs on one cache and one results folder that are killed at random: files that are not as they should be.

    OMP_NUM_THREADS=1 python -m benchmarks.kills_of_runs [--kills 100] [--processes 2] [--seed 0] [--what slides tables]

`slides` are runs that find tissue, lay grids, embed slides, fit heads and make the tables; `tables` are runs whose
features are in the cache, so that most of the time rows, predictions and tables are written. At random moments one of
two processes gets SIGKILL and another is started in its place, until all have ended; then the next folder follows.
After each kill every file under its final name is compared with that of a run that nobody disturbed: features, grids,
tissue, predictions and rows (without their times) are the same, and a table is complete. At the end all tables are the
same too.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import multiprocessing
import random
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import pandas as pd

from bench import api
from bench.demo import make_slides, make_tiles
from bench.report import write_tables
from bench.results import read_leaderboard

IMPORTED = ("bench.runs", "registry.loading", "sklearn.model_selection", "timm", "torch", "pyarrow.parquet", "h5py")
SEEDS = [0, 1, 2]
SAME = {".h5", ".npz", ".parquet"}  # endings of files that are the same, byte for byte
TIMED = ("tiles_per_s", "written_crc32")  # of rows


@dataclass
class Outcome:
    """What a number of kills left.

    Attributes
    ----------
    kills, folders, files : int
        `files` are those that were compared at the end of a folder.
    bad : list of str
        Files under their final names that are not as they should be.
    """

    kills: int = 0
    folders: int = 0
    files: int = 0
    bad: list[str] = field(default_factory=list)


def run_on_slides(data: Path, folder: Path) -> None:
    """A run from the slides to the tables."""
    _run({"slides": {"min_groups": 1}}, data, folder)


def run_on_tiles(data: Path, folder: Path) -> None:
    """A run from the tiles to the tables."""
    _run("tiles", data, folder)


def _run(task: Any, data: Path, folder: Path) -> None:
    settings: dict[str, Any] = {"seeds": SEEDS, "bootstrap": 50, "null": "none", "device": "cpu", "shard_tiles": 12}
    folders = {"cache": folder / "cache", "results": folder / "results"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        api.evaluate("colour", task, {"knn": {}, "simpleshot": {}}, data=data, **folders, **settings)
    write_tables(folder / "results", read_leaderboard(folder / "results"))


def few_slides(folder: Path) -> Path:
    """The manifest of a slide of each side and class."""
    made = make_slides(folder, patients=12, sides=(900, 1500))
    frame = pd.read_csv(made)
    frame["slide"] = [str(folder / slide) for slide in frame["slide"]]
    frame.groupby(["split", "label"]).head(1).to_csv(folder / "few.csv", index=False)
    return folder / "few.csv"


def measure(
    folder: Path, work: Callable[[Path], None], kills: int, processes: int = 2, seed: int = 0, *, cache: bool = False
) -> Outcome:
    """Kill processes that do some work in a folder as often as is wanted, in as many folders as that takes.

    Parameters
    ----------
    work : callable
        Takes the folder in which it has its cache and its results.
    cache : bool
        Whether each folder starts with the cache of the run that nobody disturbed.
    """
    for module in IMPORTED:  # here, and not in every process
        importlib.import_module(module)
    rng, outcome = random.Random(seed), Outcome()
    alone = folder / "alone"
    began = time.monotonic()
    _ended_well(_started(work, alone))
    lasts = time.monotonic() - began
    if cache:
        shutil.rmtree(alone / "results")
        began = time.monotonic()
        _ended_well(_started(work, alone))
        lasts = time.monotonic() - began
    while outcome.kills < kills:
        own = folder / str(outcome.folders)
        if cache:
            shutil.copytree(alone / "cache", own / "cache")
        running = [_started(work, own) for _ in range(processes)]
        try:
            while outcome.kills < kills and any(one.is_alive() for one in running):
                time.sleep(rng.uniform(0, lasts))
                if not (alive := [one for one in running if one.is_alive()]):
                    continue
                victim = rng.choice(alive)
                victim.kill()
                victim.join()
                outcome.kills += 1
                outcome.bad += faults(own, alone)
                running[running.index(victim)] = _started(work, own)
            for one in running:
                _ended_well(one)
        finally:
            for one in running:
                one.kill()
                one.join()
        outcome.bad += faults(own, alone, complete=True)
        outcome.files += len(_files(own))
        outcome.folders += 1
        shutil.rmtree(own)
    return outcome


def faults(own: Path, alone: Path, *, complete: bool = False) -> list[str]:
    """The files of a folder that are not those of a run that nobody disturbed, or, at its end, are not there."""
    files, expected = _files(own), _files(alone)
    found = [f"{own / name}: nobody else has it" for name in sorted(files.keys() - expected.keys())]
    found += [f"{own / name}: missing" for name in sorted(expected.keys() - files.keys())] if complete else []
    for name in sorted(files.keys() & expected.keys()):
        wrong = _fault(files[name], expected[name], complete)
        found += [f"{own / name}: {wrong}"] if wrong else []
    return found


def _files(folder: Path) -> dict[str, Path]:
    """By name those under `folder` that have their final names and that others read."""
    every = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    kinds = {*SAME, ".json", ".csv"}
    own = (path for path in every if path.suffix in kinds and path.name not in ("verified.json", "batch_sizes.json"))
    return {path.relative_to(folder).as_posix(): path for path in own}


ENDS = {".html": "</html>\n", ".md": "\n"}


def _fault(path: Path, expected: Path, complete: bool) -> str:
    try:
        if path.suffix in SAME:
            return "" if path.read_bytes() == expected.read_bytes() else "other bytes"
        if path.suffix in (".html", ".md"):
            return "" if path.read_text(encoding="utf-8").endswith(ENDS[path.suffix]) else "an incomplete page"
        if path.name == "leaderboard_schema.json":
            return "" if path.read_bytes() == expected.read_bytes() or not complete else "another schema"
        if path.suffix == ".json":
            return "" if _row(path) == _row(expected) else "another row"
        if complete:
            return "" if _table(path) == _table(expected) else "another table"
        with path.open(newline="") as file:
            widths = {len(line) for line in csv.reader(file)}
        return "" if len(widths) <= 1 and path.read_bytes().endswith(b"\n") else "an incomplete table"
    except (OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


def _row(path: Path) -> dict[str, Any]:
    row = {name: value for name, value in json.loads(path.read_text()).items() if name not in TIMED}
    info = {name: value for name, value in row["info"].items() if name not in ("stages", "seconds", "finished")}
    return {**row, "info": info}


def _table(path: Path) -> str:
    return str(pd.read_csv(path, dtype=str).drop(columns="tiles_per_s", errors="ignore").to_csv())


def _started(work: Callable[[Path], None], folder: Path) -> ForkProcess:
    started = multiprocessing.get_context("fork").Process(target=work, args=(folder,))
    started.start()
    return started


def _ended_well(process: ForkProcess) -> None:
    process.join()
    assert process.exitcode == 0, "a process that was not killed failed"


def main() -> None:
    """Kill and print what it left."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--kills", type=int, default=100)
    arguments.add_argument("--processes", type=int, default=2)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--what", nargs="+", choices=["slides", "tables"], default=["slides", "tables"])
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for what in options.what:
            if what == "slides":
                work = partial(run_on_slides, few_slides(folder / "slides-data"))
            else:
                work = partial(run_on_tiles, make_tiles(folder / "tiles-data", patients=8, tiles_per_patient=6))
            found = measure(folder / what, work, options.kills, options.processes, options.seed, cache=what == "tables")
            print(f"{what}: {found.kills} kills over {found.folders} folders")
            print("\n".join([f"bad files: {len(found.bad)} of {found.files}", *found.bad[:20]]), flush=True)


if __name__ == "__main__":
    main()
