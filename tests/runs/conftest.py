"""A cohort of made-up slides, and a finished run on it."""

import json
import shutil
import subprocess
from dataclasses import asdict

import pandas as pd
import pytest
from command_helpers import Done
from processes import one_process_at_a_time
from slide_command_helpers import on_slides


@pytest.fixture(scope="session")
def cohort(phantom_slides):
    return phantom_slides


@pytest.fixture(scope="session")
def table(cohort):
    """The manifest with absolute paths."""
    frame = pd.read_csv(cohort)
    return frame.assign(slide=[str(cohort.parent / s) for s in frame.slide])


@pytest.fixture(scope="session")
def few_slides(table, tmp_path_factory):
    """The manifest of one slide of each side and class, for a run with `tasks.slides.min_groups=1`."""
    path = tmp_path_factory.mktemp("few") / "few.csv"
    table.groupby(["split", "label"]).head(1).to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def finished(cohort, shared_by_processes):
    """Two models on the cohort with heads of both kinds and two seeds, run once for all processes."""
    folder = shared_by_processes / "finished_run"
    printed = folder / "printed.json"
    with one_process_at_a_time(folder):
        if not printed.exists():
            folder.mkdir(exist_ok=True)
            arguments = ("model=[efficientnet_lite0,colour]", "protocol=[linear,pooled,abmil]", "seeds=[0,1]")
            done = on_slides(folder, cohort, *arguments, "protocols.abmil.epochs=3")
            assert done.returncode == 0, done.stderr
            printed.write_text(json.dumps(asdict(done)))
    return folder, Done(**json.loads(printed.read_text()))


@pytest.fixture
def quickly(finished, tmp_path):
    """Arguments of a run that finds the sound slides done, in a copy of the cache: the finished run stays as it is."""
    folder, _ = finished
    shutil.copytree(folder / "cache", tmp_path / "cache")
    return ("model=colour", "protocol=linear")


@pytest.fixture
def small_disk(tmp_path):
    """Makes a file system of so many bytes in memory, and gives its folder; `small_disk(n, "ro")` is read-only."""
    mounted = []

    def make(size, *options):
        place = tmp_path / f"disk{len(mounted)}"
        place.mkdir()
        how = ",".join([f"size={size}", *options])
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", how, "tmpfs", place], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"a file system of its own cannot be mounted here ({done.stderr.strip()})")
        mounted.append(place)
        return place

    yield make
    for place in mounted:
        subprocess.run(["umount", "--lazy", place], check=True)
