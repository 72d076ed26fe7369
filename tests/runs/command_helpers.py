"""What the tests of the command share: the command in this process, and what a run leaves behind."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import bench.__main__ as command

REPO = Path(__file__).resolve().parents[2]

HALTING = """
import sys, time
from pathlib import Path
from bench.embedding.forward import Forward

most, plain = int(sys.argv.pop(1)), Forward.__call__

def halting(self, *arguments, **keywords):
    began = time.monotonic()
    while len(list(Path("cache/features").rglob("*.h5"))) >= most and time.monotonic() - began < 600:
        time.sleep(0.05)
    return plain(self, *arguments, **keywords)

Forward.__call__ = halting
from bench.__main__ import main
main()
"""


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def without_plots(arguments):
    """The arguments of a run, a step or a report, without plots: they take seconds, and have tests of their own."""
    first = arguments[:1] if arguments[:1] in ((name,) for name in ("plan", "embed", "fit", "report")) else ()
    rest = arguments[len(first) :]
    if not arguments or not all("=" in argument for argument in rest):
        return arguments
    settings = ["plots=none"] if first == ("report",) else ["plots=none", "projection=none"]
    return (*first, *settings, *rest)


def bench(folder, *arguments, entry=command.main):
    """The command in this process, as it is in one of its own: exit code and what it printed."""
    arguments = without_plots(arguments)
    out, err = io.StringIO(), io.StringIO()
    before = Path.cwd(), sys.argv
    try:
        os.chdir(folder)
        sys.argv = ["pfmbench", *arguments]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as stop:
            entry()
    finally:
        os.chdir(before[0])
        sys.argv = before[1]
    return Done(stop.value.code or 0, out.getvalue(), err.getvalue())


def halting(most):
    """The beginning of a command that stands still before the next batch once so many feature files are in its cache.

    So it is not at its end when a signal is sent, however long the test that sends it stood still. A few files more
    may come, of batches that are on their way to the disk.
    """
    return [sys.executable, "-c", HALTING, str(most)]


def killed(folder, arguments, wait, most):
    """The command in a process of its own, `halting`, killed when `wait` of it returns; gives its exit code."""
    child = subprocess.Popen(
        [*halting(most), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPO)},
        stderr=subprocess.DEVNULL,
    )
    wait(child)
    child.send_signal(signal.SIGKILL)
    return child.wait()


def refused(done, *parts):
    """Exit code 2, one sentence or more on stderr, no traceback."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("pfmbench: ")]
    assert said
    for part in parts:
        assert part in " ".join(said)


def files(folder, pattern):
    return {p.relative_to(folder): (p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(folder.glob(pattern))}


def row_files(folder, results="results", **fields):
    """Of each row with these fields its file and what it holds but for its checksum, the one written first in front."""
    paths = sorted((folder / results / "rows").rglob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    found = {path: json.loads(path.read_text()) for path in paths}
    for record in found.values():
        record.pop("written_crc32", None)  # which depends on times
    return {path: row for path, row in found.items() if all(row[name] == value for name, value in fields.items())}


def rows(folder, results="results", **fields):
    """The rows with these fields by model, protocol, seed and fold, which must tell them apart."""
    found = row_files(folder, results, **fields).values()
    by_name = {(row["model"], row["protocol"], row["seed"], row["fold"]): row for row in found}
    assert len(by_name) == len(found), "rows of several cohorts or head settings stand side by side"
    return by_name


def row(folder, results="results", **fields):
    """The only row with these fields."""
    [found] = row_files(folder, results, **fields).values()
    return found


def last_row(folder, results="results", **fields):
    """The row with these fields that was written last: rows of other samples and settings stand beside it."""
    return list(row_files(folder, results, **fields).values())[-1]
