"""HDF5 files are read and written where locks do not work, as on NFS and Lustre."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.embedding import write_features

REPO = Path(__file__).resolve().parents[1]
VARIABLE = "HDF5_USE_FILE_LOCKING"
READ = (
    "import sys; from bench.embedding import is_cached; print(is_cached(__import__('pathlib').Path(sys.argv[1]), {}))"
)
ROOMS = ["bench.embedding", "bench.tiles", "bench.slides", "bench.data", "bench.tasks.readers.pcam", "bench.runs"]


def child(code, *arguments, **environment):
    own = {name: value for name, value in os.environ.items() if name != VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**own, "PYTHONPATH": str(REPO), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.slow
def test_locking_is_off_before_h5py_is_imported_by_any_room():
    code = (
        "import sys, importlib, os, importlib.abc\n"
        "class Watch(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name == 'h5py': print(os.environ.get('{VARIABLE}'))\n"
        "sys.meta_path.insert(0, Watch())\n"
        f"for room in {ROOMS}: importlib.import_module(room)\n"
    )
    assert child(code) == "FALSE"
    assert child(code, **{VARIABLE: "BEST_EFFORT"}) == "BEST_EFFORT", "what the user set stays"


def test_a_file_that_is_locked_elsewhere_can_be_read(tmp_path):
    path = tmp_path / "s.h5"
    write_features(path, np.ones((3, 2), np.float32), {})
    with open(path, "rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        locked = child(READ, str(path), **{VARIABLE: "TRUE"})
        if locked == "True":
            pytest.skip("this HDF5 library locks no files")
        assert child(READ, str(path)) == "True"


def test_nothing_of_the_project_locks_files():
    words = ("flock", "lockf", "filelock", "LOCK_EX")
    folders = [REPO / "bench", REPO / "registry"]
    found = [
        (path.name, word)
        for folder in folders
        for path in folder.rglob("*.py")
        for line in path.read_text().splitlines()
        for word in words
        if word in line.partition("#")[0]
    ]
    assert found == []
