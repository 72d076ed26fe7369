"""What the command line says of arguments that it does not understand, and when nobody reads what it prints."""

import os
import sys
from pathlib import Path

import pytest
from command_helpers import bench, refused

from bench import __main__ as command
from bench.runs.plan_text import Todo

HELP = Path(command.__file__).parents[1] / "conf/hydra/help/bench.yaml"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("reprot",), "Is report meant?"),
        (("plan", "bogus"), "bogus is no command"),
        (("plan", "protocol=[knn,knn_un]"), "Is knn_uni meant?"),
        (("plan", "seeds=3"), "seeds=3 must be a list in brackets: seeds=[3]."),
        (("plan", "plugins=mine.py"), "plugins=[mine.py]"),
        (("plan", "seeds=[1,1]"), "names a seed twice"),
        (
            ("plan", "tasks.demo_slides.mpp_default=0,5"),
            "pfmbench: tasks.demo_slides.mpp_default=0,5: a number has a decimal",
        ),
        (("plan", "tasks.demo.split={a"), "tasks.demo.split={a cannot be read"),
    ],
)
def test_an_argument_that_is_not_understood_is_answered_with_what_to_type(tmp_path, arguments, sentence):
    refused(bench(tmp_path, *arguments), sentence)


def test_every_command_is_in_the_help():
    words = set(HELP.read_text().replace(",", " ").split())

    assert not set(command.COMMANDS) - words


def test_the_help_of_sweeps_is_the_help(tmp_path):
    shown = bench(tmp_path, "sweep", "--help")

    assert shown.returncode == 0, shown.stderr
    assert "jobs_at_once=N" in shown.stdout


def test_a_reader_that_stops_reading_is_no_fault(tmp_path, monkeypatch, capsys):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed, monkeypatch.context() as changed:
        changed.setattr(sys, "stdout", closed)
        changed.setattr(sys, "argv", ["pfmbench", "remove", "--help"])
        with pytest.raises(SystemExit) as stop:
            command.main()

    assert stop.value.code == command.CLOSED_PIPE
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("tiles", "words"), [(2, "about 2 s"), (900, "about 15 minutes"), (36000, "about 10 hours")])
def test_a_plan_tells_times_in_units_of_their_size(tiles, words):
    todo = Todo(model="uni", tiles=tiles, slides=0, rate=1.0, rows=1, pending=1, precomputed=False)

    assert words in str(todo)
