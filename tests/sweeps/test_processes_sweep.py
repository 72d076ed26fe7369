"""Sweeps in processes of this machine, by submitit's local executor."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sweep_commands import bench, left_in, records

from bench.jobs import log_path

REPO = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.usefixtures("forget"), pytest.mark.slow]


def command(folder, *arguments):
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_two_processes_leave_what_one_leaves_and_a_fault_in_one_is_a_line(common, tmp_path):
    grid = (*common, "model=tiny_a,tiny_faulty", "task=one", "null=none")
    done = command(tmp_path, "sweep", *grid, "site=local", "jobs_at_once=2", "shards=2", "results=ours", "cache=a")
    plain = bench(tmp_path, "sweep", *grid, "results=theirs", "cache=b")

    assert (done.returncode, plain.returncode) == (2, 2)
    assert left_in(tmp_path / "ours") == left_in(tmp_path / "theirs")
    found = records(tmp_path / "ours")
    assert {name: record.state for name, record in found.items() if len(name) == 2} == {
        ("tiny_a", "one"): "done",
        ("tiny_faulty", "one"): "failed",
    }
    assert len({record.pid for record in found.values()}) == len(found) == 2 + 2 * 2
    log = log_path(tmp_path / "ours", found["tiny_a", "one"]).read_text()
    assert "one · tiny_a · knn" in log
    said = [line for line in done.stderr.splitlines() if line.startswith("pfmbench: Job ")]
    assert sum("tiny_faulty on one): " in line for line in said) == 1
    assert "tiny_a" in done.stdout, "the tables"


def test_a_process_that_is_killed_is_a_lost_job(common, tmp_path, monkeypatch):
    plugin = tmp_path / "deadly.py"
    text = Path(REPO / "tests/sweeps/tiny_models.py").read_text()
    dying = text.replace('raise ZeroDivisionError("a fault of the network")', "import os; os.kill(os.getpid(), 9)")
    plugin.write_text(dying)
    own = [text if not text.startswith("plugins=") else f"plugins=[{plugin}]" for text in common]
    done = command(tmp_path, "sweep", *own, "site=local", "model=tiny_faulty,tiny_a", "task=one", "null=none")

    assert done.returncode == 2
    [said] = [line for line in done.stderr.splitlines() if line.startswith("pfmbench: ")]
    assert "Job 0 (tiny_faulty on one): it was lost" in said
    assert "jobs/00000.log" in said
    assert "lost" in done.stdout, "its row"
    assert {name[0]: record.state for name, record in records(tmp_path / "results").items()} == {
        "tiny_faulty": "running",
        "tiny_a": "done",
    }
