"""Memory that a network frees is kept inside the block and given back after it."""

import contextlib
import platform
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from bench.embedding import host_memory
from bench.embedding.host_memory import reuse_freed_memory

REPO = Path(__file__).parents[2]

COUNT = """
import resource, torch
from bench.embedding.host_memory import reuse_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def layers():
    before = faults()
    for _ in range(20):
        torch.zeros(64 * 2**20, dtype=torch.uint8)
    return faults() - before

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20

layers()
usual, start = layers(), resident()
with reuse_freed_memory():
    layers(), layers()
    kept, inside = layers(), resident()
print(usual, kept, inside - start, resident() - start)
"""

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library than glibc")


@pytest.mark.slow
@glibc
def test_freed_memory_is_reused_inside_and_released_afterwards():
    done = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True, cwd=REPO)
    usual, kept, inside, after = map(float, done.stdout.split())
    pages = 20 * 64 * 2**20 / resource.getpagesize()
    if usual < pages / 2:
        pytest.skip("this system gives large pages, and few of them")
    assert kept < usual / 4
    assert inside > 50
    assert after < 20


def test_elsewhere_nothing_changes(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(host_memory.ctypes, "CDLL", lambda name: pytest.fail("no setting of glibc is there"))
    with reuse_freed_memory():
        pass


@glibc
def test_settings_are_as_usual_after_an_error(monkeypatch):
    calls = []

    class Library:
        def mallopt(self, setting, value):
            calls.append((setting, value))

        def malloc_trim(self, pad):
            calls.append("trim")

    monkeypatch.setattr(host_memory.ctypes, "CDLL", lambda name: Library())
    with contextlib.suppress(ZeroDivisionError), reuse_freed_memory():
        calls.clear()
        raise ZeroDivisionError
    assert calls == [(-3, 32 * 2**20), (-1, 64 * 2**20), "trim"]
