"""The benchmarks of the embedding stage run at their smallest, and print a row for each of what they measure."""

import importlib
import re
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
ROUND = ("--rounds", "1", "--batch-size", "16")


@pytest.fixture
def command(shared, monkeypatch, capsys):
    """Runs a benchmark with arguments and gives the rows below its header, as lists of cells."""

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, str(shared / "data"), *ROUND, *arguments])
        importlib.import_module(f"benchmarks.{name}").main()
        lines = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if " | " in line]
        assert {len(line) for line in lines} == {len(lines[0])}, "a row has other cells than the header"
        return lines[1:]

    return run


def times(cell):
    """The median of a cell such as "1.50 (1.20 to 1.80) times as long"."""
    return float(re.match(r"[\d.]+", cell).group())


@pytest.mark.slow
def test_end_to_end_against_the_pure_forward(command):
    rows = command("embedding", "--models", "colour", "--sources", "pcam", "small", "--tiles", "40", "--slides", "4")

    assert [row[0] for row in rows] == ["files of 96 px (pcam)", "4 small slides"]
    assert int(rows[0][2]) == 40
    assert int(rows[1][2]) >= 4 * 20
    assert all(times(row[4]) > 0 and times(row[5]) > 0 for row in rows)


@pytest.mark.slow
def test_waiting_of_two_checkouts(command):
    [row] = command("waiting", "--sources", "pcam", "--tiles", "64", "--tree", str(REPO))

    assert int(row[1]) == 64
    assert 0 < times(row[7]) < 20, "the other checkout is this one"
    assert all(0 < float(row[cell].rstrip("%")) < 100 for cell in (5, 8))


@pytest.mark.slow
def test_one_pass_against_four(command):
    """The command itself ends with an error where a model's features differ between both."""
    rows = command("one_pass", "--cases", "device", "tiny", "--sources", "pcam", "--tiles", "48")

    assert [row[1] for row in rows] == ["1 ms a batch", "one convolution"]
    assert all(times(row[4]) > 0 for row in rows)


@pytest.mark.slow
def test_loops_of_other_harnesses_give_the_same_features(command):
    rows = command("peers", "--models", "timm:test_vit@random", "--tiles", "12", "--slides", "4")

    assert [row[0] for row in rows] == [*["slide"] * 3, *["file a sample"] * 2, "dataset a sample", "plain"]
    assert all(float(row[7]) < 0.01 for row in rows), "features are stored as float16"


@pytest.mark.slow
def test_flop_utilisation(command):
    [row] = command("mfu", "--device", "cpu", "--models", "timm:test_vit", "--tiles", "16")

    assert 0 < float(row[2]) < 1, "GFLOP of a network of 0.4 M parameters"
    assert 0 < int(row[6].rstrip("%")) <= 110


def test_memory_is_noted_at_each_tenth_of_the_tiles(command):
    rows = command("soak", "--tiles", "320")

    assert len(rows) == 10
    assert all(float(row[1]) > 10 for row in rows)
