"""A plan of several models and tasks from a folder of the user's own YAML files: nothing is written or loaded."""

import subprocess
import sys

import pytest
from command_helpers import REPO


@pytest.mark.slow
def test_a_plan_writes_nothing_and_loads_no_network():
    arguments = ["--models", "3", "--tasks", "2", "--rows", "400"]

    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.plan", *arguments], cwd=REPO, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    total, cost = done.stdout.splitlines()
    assert total.startswith("total: 4000 tiles to embed")  # three models and two baselines on two tasks of 400 tiles
    assert "20 rows to fit, 0 up to date" in total  # by two heads each
    assert "13 lines; nothing written, no network loaded" in cost  # a line a task, a line a model, the total
