"""The command that rebuilds the tables and prints them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.report.__main__ import main


def test_command_rebuilds_and_prints(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"results={filled}", "plots=none"]) == 0
    out = capsys.readouterr().out
    assert "virchow2 is gated" in out
    assert f"\nFiles in {filled}:\n" in out
    for name in ("leaderboard.csv", "leaderboard_mean.csv", "leaderboard_wide.csv", "leaderboard_paired.csv"):
        assert f"\n  {name}  " in out
        assert (filled / name).is_file()


def test_command_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "results=DIR" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["results=nowhere"], ["result=x"], ["results="], ["--verbose"]])
def test_command_says_one_sentence_and_exits_with_two(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "results=DIR" in captured.err


def test_no_torch_for_a_table() -> None:
    code = "import bench.report, sys; sys.exit(bool({'torch', 'sklearn', 'pandas', 'pyarrow'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).resolve().parents[2])
