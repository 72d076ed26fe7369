"""Sweeps over a small cohort: their command in a process of its own, and what they leave without times and job ids."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import watched_models
from private_slurm import PrivateSlurm
from slurm_keeper import wait_for

from bench.demo import make_tiles
from bench.jobs import JobRecord, read_records
from bench.rows import TIMES

REPO = Path(__file__).resolve().parents[2]
TASKS = ("one", "two")
TILES = 64  # of each task
SHARD = 16  # tiles of a shard and of a batch: four of each
LIMIT_S = 1200.0
SLURM = (
    "site=slurm",
    "hydra.launcher.partition=ci",
    "hydra.launcher.gpus_per_node=0",
    "hydra.launcher.cpus_per_task=1",
    "hydra.launcher.mem_gb=null",
)


def make_cohorts(folder: Path) -> tuple[str, ...]:
    """Two tasks on tiles of the built-in cohort; gives what every command of these tests says of data and heads."""
    (folder / "conf" / "task").mkdir(parents=True)
    for seed, name in enumerate(TASKS):
        manifest = make_tiles(folder / name, seed=seed, patients=8, tiles_per_patient=TILES // 8)
        text = f"# @package tasks.{name}\ndefaults: [tiles@_here_, _self_]\nname: {name}\ndata: {manifest}\n"
        (folder / "conf" / "task" / f"{name}.yaml").write_text(text)
    return (
        f"--config-dir={folder / 'conf'}",
        f"plugins=[{watched_models.PATH}]",
        "protocol=[linear,knn]",
        "protocols.linear.n_strengths=5",
        "null=none",
        "bootstrap=20",
        f"shard_tiles={SHARD}",
        f"batch_size={SHARD}",
        "workers=1",
        "device=cpu",
    )


@dataclass(frozen=True)
class Done:
    """The exit code and the output of a command that has ended."""

    returncode: int
    stdout: str
    stderr: str


class Running:
    """A command of the harness in a process of its own, which is killed at the latest when the context is left."""

    def __init__(self, slurm: PrivateSlurm, folder: Path, *arguments: str):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench", *arguments],
            cwd=folder,
            env=slurm.environment
            | {"PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1", watched_models.FOLDER: str(folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something that happens while the command runs."""

        def ended_or_true() -> bool:
            assert self._process.poll() is None, f"{what}: the command has ended, {self.finish()}"
            return condition()

        wait_for(ended_or_true, what)

    def finish(self, limit_s: float = LIMIT_S) -> Done:
        """Wait for its end."""
        out, err = self._process.communicate(timeout=limit_s)
        return Done(self._process.returncode, out, err)

    def interrupt(self) -> None:
        """Ctrl-C."""
        self._process.send_signal(signal.SIGINT)


def bench(slurm: PrivateSlurm, folder: Path, *arguments: str) -> Done:
    """A command of the harness from its start to its end."""
    with Running(slurm, folder, *arguments) as command:
        return command.finish()


@dataclass(frozen=True)
class Left:
    """What a run left, without times, speeds and jobs: by file name the text or bytes."""

    rows: dict[str, str]
    predictions: dict[str, bytes]
    features: dict[str, bytes]
    tables: dict[str, str]


def left_in(folder: Path, results: str = "results", cache: str = "cache") -> Left:
    """Everything that another run on the same cohorts must leave alike."""

    def data(root: Path, pattern: str) -> dict[str, bytes]:
        return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.glob(pattern))}

    tables = {path.name: pd.read_csv(path, dtype=str) for path in sorted((folder / results).glob("*.csv"))}
    return Left(
        {
            name: _untimed(json.loads(text)).replace(f"reproduce {results}/", "reproduce ")
            for name, text in data(folder / results / "rows", "**/*.json").items()
        },
        data(folder / results / "predictions", "**/*.*"),
        data(folder / cache / "features", "**/*.h5"),
        {name: table.drop(columns="tiles_per_s", errors="ignore").to_csv() for name, table in tables.items()},
    )


def _untimed(row: dict) -> str:
    assert row.pop("tiles_per_s") > 0
    assert row["info"].pop("stages")
    row["info"] = {name: value for name, value in row["info"].items() if name not in TIMES}
    row.pop("written_crc32")
    return json.dumps(row, indent=1)


def same(one: Left, other: Left) -> None:
    """Assert that two runs left the same, naming the files that differ."""
    for part in ("features", "predictions", "rows", "tables"):
        ours, theirs = getattr(one, part), getattr(other, part)
        assert ours.keys() == theirs.keys(), part
        assert [name for name in ours if ours[name] != theirs[name]] == [], part


def repeated(folder: Path, names: Iterable[str], needed: int = TILES) -> dict[str, int]:
    """By model, how many tiles were embedded beyond those that one undisturbed run embeds."""
    return {name: watched_models.embedded(folder, name) - needed for name in names}


def alive(pid: int) -> bool:
    try:
        return not re.search(r"\) [ZX] ", Path(f"/proc/{pid}/stat").read_text())
    except OSError:
        return False


def records(folder: Path, results: str = "results") -> list[JobRecord]:
    """The records of all jobs of a results folder."""
    found, damaged = read_records(folder / results)
    assert damaged == []
    return found
