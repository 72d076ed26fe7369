"""The targets and what their variables become."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


# what `make test NAME=VALUE` hands on to a make that it starts
OF_A_MAKE_ABOVE = {"MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS", "GNUMAKEFLAGS"}


def started(*arguments):
    environment = {name: value for name, value in os.environ.items() if name not in OF_A_MAKE_ABOVE}
    return subprocess.run(["make", *arguments], cwd=REPO, capture_output=True, text=True, env=environment)


def make(*arguments):
    done = started(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_plain_make_lists_every_target_with_a_line():
    listed = make()
    for target in ("bench", "sweep", "status", "test", "leaderboard", "lint", "types"):
        assert f"  {target} " in listed


def test_variables_become_overrides():
    said = make(
        "-n", "bench", "MODEL=uni,virchow2", "TASK=pcam", "SUITE=demo", "DATA=/d", "RESULTS=r", "CACHE=c", "SITE=local",
        "MARGIN=0.03", "ARGS=null=same batch_size=8",
    )  # fmt: skip
    command = next(line for line in said.splitlines() if "-m bench" in line)
    expected = "model=[uni,virchow2] task=pcam suite=demo data=/d results=r cache=c site=local margin=0.03"
    expected += " null=same batch_size=8"
    assert command.replace("'", "").split("-m bench ")[1].split() == expected.split()


def test_without_variables_nothing_is_overridden():
    command = next(line for line in make("-n", "bench").splitlines() if "-m bench" in line)
    assert command.split("-m bench")[1].strip() == ""


@pytest.mark.parametrize(
    ("variable", "near"),
    [("MODLE", "MODEL"), ("TAKS", "TASK"), ("model", "MODEL"), ("Results", "RESULTS"), ("PIPARGS", "PIP_ARGS")],
)
@pytest.mark.parametrize("target", ["bench", "plan", "test"])
def test_a_misspelt_variable_starts_nothing(tmp_path, target, variable, near):
    done = started(target, f"{variable}=uni", f"VENV={tmp_path / 'venv'}")
    assert done.returncode != 0
    assert f"There is no variable {variable}: is {near} meant?" in done.stderr
    assert "Those there are: MODEL TASK SUITE DATA" in done.stderr
    assert done.stdout == ""
    assert not list(tmp_path.iterdir())


def test_a_variable_like_no_other_has_no_near_match(tmp_path):
    done = started("bench", "ZZZZZZ=1", f"VENV={tmp_path / 'venv'}")
    assert done.returncode != 0
    assert "There is no variable ZZZZZZ Those" not in done.stderr, "two sentences"
    assert "There is no variable ZZZZZZ. Those there are:" in done.stderr
    assert not list(tmp_path.iterdir())


def test_variables_of_the_environment_are_not_refused(monkeypatch):
    monkeypatch.setenv("MODLE", "uni")
    assert "-m bench" in make("-n", "bench")


def test_a_board_is_reproduced_and_without_one_the_boards_are_listed():
    said = make("-n", "reproduce", "BOARD=thunder", "MODEL=uni,resnet50", "TASK=pcam", "DATA=/d", "ARGS=device=cuda")
    command = said.replace("\\\n", " ").replace("'", "").split("-m bench ")[1]
    expected = ["reproduce", "board=thunder", "model=[uni,resnet50]", "task=pcam", "data=/d", "device=cuda"]
    assert command.splitlines()[0].split() == expected
    assert "-m bench published list" in make("-n", "reproduce")


def test_the_margin_reaches_the_tables_too():
    command = next(
        line for line in make("-n", "leaderboard", "RESULTS=r", "MARGIN=0.03").splitlines() if "report" in line
    )
    assert command.replace("'", "").split("-m bench report ")[1].split() == ["results=r", "margin=0.03"]


def test_a_sweep_takes_the_grid_as_it_is_written():
    said = make(
        "-n", "sweep", "MODEL=uni,[gpfm,virchow]", "TASK=pcam,mhist", "SITE=slurm", "SHARDS=4", "ARGS=seeds=[0,1]"
    )
    command = next(line for line in said.splitlines() if "-m bench" in line).replace("'", "")
    expected = "model=uni,[gpfm,virchow] task=pcam,mhist site=slurm shards=4 seeds=[0,1]"
    assert command.split("-m bench sweep ")[1].split() == expected.split()


def test_the_passport_takes_the_model_the_results_and_the_tiles():
    said = make("-n", "passport", "MODEL=uni", "RESULTS=r", "DATA=/d", "CACHE=c", "ARGS=weights_dir=w")
    command = " ".join(line.rstrip("\\") for line in said.splitlines() if "passport" in line or "data=" in line)
    expected = "model=uni results=r data=/d cache=c weights_dir=w"
    assert command.replace("'", "").split("-m bench passport ")[1].split() == expected.split()


@pytest.mark.parametrize("target", ["setup", "bench", "test", "clean"])
def test_the_install_of_another_checkout_is_not_repointed(tmp_path, target):
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    [packages] = environment.glob("lib/python*/site-packages")
    own = packages / "pfmbench-1.dist-info"
    own.mkdir()
    (own / "METADATA").write_text("Metadata-Version: 2.1\nName: pfmbench\nVersion: 1\n")
    (own / "direct_url.json").write_text(
        f'{{"url": "file://{tmp_path}/another%20one", "dir_info": {{"editable": true}}}}'
    )
    done = started(target, f"VENV={environment}", "PIP_ARGS=--no-index")
    assert done.returncode != 0
    assert f"is that of the checkout {tmp_path}/another one, which this would repoint" in done.stderr
    assert own.is_dir()
    assert not list(environment.glob(".installed*"))


def test_an_installation_that_fails_says_what_to_do_and_is_tried_again(tmp_path):
    """An interrupted one leaves packages in the environment that pip itself cannot read."""
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho 'ERROR: of pip' >&2\nexit 1\n")
    python.chmod(0o755)
    done = started("setup", f"VENV={tmp_path / 'venv'}")
    assert done.returncode != 0
    assert "ERROR: of pip" in done.stderr
    assert f"pip could not install into {tmp_path / 'venv'}" in done.stderr
    assert "remove that folder and try again" in done.stderr
    assert not (tmp_path / "venv" / ".installed").exists()
