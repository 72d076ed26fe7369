"""Progress: a bar on a terminal, lines without carriage returns in a log."""

import contextlib
import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from bench.progress import EVERY_S, LogLines, duration, progress_bar

REPO = Path(__file__).resolve().parents[1]
BAR = (
    "from bench.progress import progress_bar\nwith progress_bar('pcam', 'tiles', 4) as bar:\n"
    "    for _ in range(4): bar.update()\n"
)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_a_log_gets_a_line_at_most_every_half_minute_and_a_last_one(capsys):
    clock = Clock()
    with LogLines("pcam", "tiles", 98_304, clock=clock) as bar:
        for _ in range(98_304 // 64):
            clock.now += 64 / 410
            bar.update(64)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert "\r" not in err
    assert len(lines) == 98_304 // 410 // 30 + 1
    assert lines[0] == "pcam: 12,352 of 98,304 tiles, 410 tiles/s, 3 min 30 s left"
    assert lines[-1] == "pcam: 98,304 of 98,304 tiles, 410 tiles/s, after 4 min 0 s"


def test_the_rate_in_a_log_follows_the_last_minutes(capsys):
    clock = Clock()
    with LogLines("d", "tiles", 10_000, clock=clock) as bar:
        for step in range(40):
            clock.now += EVERY_S
            bar.update(30 if step < 20 else 300)
    lines = capsys.readouterr().err.splitlines()
    assert "1.0 tiles/s" in lines[19]
    assert "10 tiles/s" in lines[39]
    assert "tiles/s, 5 min 40 s left" in lines[39], "by the rate of the last five minutes"
    assert "5.5 tiles/s, after 20 min 0 s" in lines[40]


@pytest.mark.parametrize(
    ("unit", "n", "total", "seconds", "line"),
    [
        ("tiles", 30, None, 30, "d: 30 tiles, 1.0 tiles/s"),
        ("slides", 1, 9, 90, "d: 1 of 9 slides, 40 slides/h, 12 min 0 s left"),
        ("B", 3 << 29, 3 << 30, 60, "d: 1.5 GiB of 3.0 GiB, 25.6 MiB/s, 1 min 0 s left"),
        ("tiles", 60, 30, 30, "d: 60 of 30 tiles, 2.0 tiles/s"),
    ],
)
def test_units_and_totals(unit, n, total, seconds, line, capsys):
    clock = Clock()
    bar = LogLines("d", unit, total, clock=clock)
    clock.now += seconds
    bar.update(n)
    assert capsys.readouterr().err.splitlines() == [line]


def test_short_work_that_leaves_no_bar_and_hidden_work_write_nothing(capsys):
    clock = Clock()
    with LogLines("opening", "slides", 3, leave=False, clock=clock) as bar:
        bar.update(3)
    with LogLines("hidden", "slides", 3, shown=False, clock=clock) as bar:
        clock.now += 100
        bar.update(3)
    with LogLines("empty", "slides", 0, clock=clock):
        pass
    assert capsys.readouterr() == ("", "")
    with LogLines("opening", "slides", 9, leave=False, clock=clock) as bar:
        clock.now += 31
        bar.update(3)
        bar.set_postfix_str("file 3 of 9")
        bar.update(6)
    assert capsys.readouterr().err.splitlines() == [
        "opening: 3 of 9 slides, 348 slides/h, 1 min 2 s left",
        "opening: 9 of 9 slides, file 3 of 9, 0.3 slides/s, after 31 s",
    ]


def test_work_that_was_begun_before_counts_what_is_new_in_its_rate(capsys):
    clock = Clock()
    with LogLines("training", "steps", 1000, initial=400, clock=clock) as bar:
        clock.now += 30
        bar.update(300)
    assert capsys.readouterr().err.splitlines()[0] == "training: 700 of 1,000 steps, 10 steps/s, 30 s left"


def test_durations():
    assert [duration(seconds) for seconds in (0, 59.4, 60, 210, 3600, 9000, 86_400, 100_000)] == [
        *("0 s", "59 s", "1 min 0 s", "3 min 30 s", "1 h 0 min", "2 h 30 min", "1 d 0 h", "1 d 3 h")
    ]


def all_of(terminal):
    """What was written to a terminal that nobody has open any more; a read gives a part of it."""
    found = b""
    with contextlib.suppress(OSError):  # which is its end
        while part := os.read(terminal, 10_000):
            found += part
    return found.decode()


def test_a_file_gets_lines_and_a_terminal_a_bar(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(REPO), "COLUMNS": "80"}
    with open(tmp_path / "log", "w") as log:
        subprocess.run([sys.executable, "-c", BAR], env=environment, stderr=log, check=True)
    assert re.fullmatch(r"pcam: 4 of 4 tiles, [\d,.]+ tiles/s, after \d+ s\n", (tmp_path / "log").read_text())

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    subprocess.run([sys.executable, "-c", BAR], env=environment, stderr=theirs, check=True)
    os.close(theirs)
    shown = all_of(ours)
    os.close(ours)
    assert "\r" in shown
    assert "4/4" in shown


def test_without_a_stderr_nothing_fails(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with progress_bar("d", "tiles", 2, shown=True) as bar:
        bar.update(2)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress_bar("d", "tiles", 2, shown=False) as bar:
        bar.update(2)
    assert sys.stderr.getvalue() == ""


def test_no_other_module_draws_bars_of_its_own():
    """A bar of tqdm in a log is one line of carriage returns."""
    using = [
        path.name
        for path in (REPO / "bench").rglob("*.py")
        if re.search(r"^\s*(from|import) tqdm", path.read_text(), re.M)
    ]
    assert using == ["progress.py"]
