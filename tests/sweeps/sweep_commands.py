"""The command of a sweep in this process, and what it leaves without times and job ids."""

import contextlib
import io
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

import bench.__main__ as command
from bench.jobs import read_records
from bench.rows import TIMES


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str

    @property
    def sentences(self):
        """The lines for the user, without their prefix."""
        return [line.removeprefix("pfmbench: ") for line in self.stderr.splitlines() if line.startswith("pfmbench: ")]


def bench(folder, *arguments):
    """The command, as it is in a process of its own: exit code and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    before = Path.cwd(), sys.argv
    try:
        os.chdir(folder)
        sys.argv = ["pfmbench", *arguments]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as stop:
            command.main()
    finally:
        os.chdir(before[0])
        sys.argv = before[1]
    return Done(stop.value.code or 0, out.getvalue(), err.getvalue())


def refused(done, *parts):
    """The one sentence of a command that was refused, which has these parts."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    [sentence] = done.sentences
    for part in parts:
        assert part in sentence
    return sentence


def left_in(results):
    """Rows and tables of a results folder without times, speeds and jobs, and its predictions."""
    rows = {}
    for path in sorted((results / "rows").rglob("*.json")):
        row = json.loads(path.read_text())
        row.pop("tiles_per_s")
        row["info"] = {name: value for name, value in row["info"].items() if name not in TIMES}
        row["info"]["command"] = row["info"]["command"].replace(f" {results.name}/", " ")
        row.pop("written_crc32")
        rows[str(path.relative_to(results))] = row
    predictions = {path.name: path.read_bytes() for path in sorted((results / "predictions").rglob("*.parquet"))}
    tables = {
        path.name: pd.read_csv(path, dtype=str).drop(columns="tiles_per_s", errors="ignore").to_csv()
        for path in sorted(results.glob("*.csv"))
    }
    return rows, predictions, tables


def records(results):
    """The records of all jobs of a results folder, by what they do."""
    found, damaged = read_records(results)
    assert damaged == []
    return {(*record.models, record.task, *([record.part] if record.part else [])): record for record in found}
