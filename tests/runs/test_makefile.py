"""The targets and what their variables become."""

import shutil
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(*arguments):
    return subprocess.run(["make", *arguments], cwd=REPO, capture_output=True, text=True, check=True).stdout


def test_plain_make_lists_every_target_with_a_line():
    listed = make()
    for target in ("bench", "test", "leaderboard", "lint", "types"):
        assert f"  {target} " in listed


def test_variables_become_overrides():
    said = make(
        "-n", "bench", "MODEL=uni,virchow2", "TASK=pcam", "SUITE=demo", "DATA=/d", "RESULTS=r", "CACHE=c", "SITE=local",
        "ARGS=null=same batch_size=8",
    )  # fmt: skip
    command = next(line for line in said.splitlines() if "-m bench" in line)
    expected = "model=[uni,virchow2] task=pcam suite=demo data=/d results=r cache=c site=local null=same batch_size=8"
    assert command.replace("'", "").split("-m bench ")[1].split() == expected.split()


def test_without_variables_nothing_is_overridden():
    command = next(line for line in make("-n", "bench").splitlines() if "-m bench" in line)
    assert command.split("-m bench")[1].strip() == ""
