"""Signals that come while a job loads a plugin or fits a head are not called faults of these."""

import os
import signal
import sys

import pytest

from bench.sweeps.signals import uncaught_signals
from registry import catalogue
from registry.errors import UserError

PLUGIN = "import os, signal\nos.kill(os.getpid(), signal.SIGUSR2)\nCARDS = ()\n"


@pytest.fixture
def requeue():
    """As submitit's handler, which ends the process after it has requeued the job."""
    before = signal.signal(signal.SIGUSR2, lambda number, frame: sys.exit(-1))
    yield signal.getsignal(signal.SIGUSR2)
    signal.signal(signal.SIGUSR2, before)


def test_a_signal_while_a_plugin_loads_ends_the_job_and_not_the_plugin(requeue, tmp_path):
    (tmp_path / "signalled_plugin.py").write_text(PLUGIN)

    with pytest.raises(UserError, match="stops with SystemExit"):
        catalogue.load_plugins([tmp_path / "signalled_plugin.py"])
    with pytest.raises(SystemExit) as left, uncaught_signals():
        catalogue.load_plugins([tmp_path / "signalled_plugin.py"])

    assert left.value.code == -1
    assert signal.getsignal(signal.SIGUSR2) is requeue


def test_an_exception_of_the_handler_is_no_exception_of_the_work():
    def no_requeues_left(number, frame):
        raise ValueError("timed-out too many times")

    caught = []

    def work():
        try:
            os.kill(os.getpid(), signal.SIGUSR2)
        except Exception as error:
            caught.append(error)

    before = signal.signal(signal.SIGUSR2, no_requeues_left)
    try:
        with pytest.raises(ValueError, match="too many times"), uncaught_signals():
            work()
    finally:
        signal.signal(signal.SIGUSR2, before)

    assert caught == []
