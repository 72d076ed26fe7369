"""Garbage is collected once a command has started, and not before."""

import gc
import subprocess
import sys

import pytest

from bench.starting import collected_later


@pytest.fixture(autouse=True)
def _collection_as_before():
    was_on = gc.isenabled()
    yield
    (gc.enable if was_on else gc.disable)()


def test_garbage_is_collected_from_the_call_on():
    gc.enable()
    with collected_later() as collect:
        assert not gc.isenabled()
        collect()
        assert gc.isenabled()
    assert gc.isenabled()


def test_garbage_is_collected_after_an_error():
    gc.enable()
    with pytest.raises(ValueError, match="a fault"), collected_later():
        raise ValueError("a fault")
    assert gc.isenabled()


def test_collection_that_was_off_stays_off():
    gc.disable()
    with collected_later() as collect:
        collect()
        assert not gc.isenabled()
    assert not gc.isenabled()


def test_only_the_first_command_of_a_process_sets_objects_aside():
    code = (
        "import gc; from bench.starting import collected_later as later\n"
        "for _ in range(2):\n"
        "    with later() as collect: collect()\n"
        "    print(gc.get_freeze_count()); made = [[] for _ in range(1000)]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = map(int, done.stdout.split())
    assert 0 < second <= first
