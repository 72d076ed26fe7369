"""A cohort of made-up slides, and a finished run on it."""

import shutil

import pandas as pd
import pytest
from slide_command_helpers import on_slides

from bench.demo import make_slides


@pytest.fixture(scope="session")
def cohort(tmp_path_factory):
    return make_slides(tmp_path_factory.mktemp("slides") / "cohort", patients=12, sides=(900, 1500))


@pytest.fixture(scope="session")
def table(cohort):
    """The manifest with absolute paths."""
    frame = pd.read_csv(cohort)
    return frame.assign(slide=[str(cohort.parent / s) for s in frame.slide])


@pytest.fixture(scope="session")
def finished(cohort, tmp_path_factory):
    """Two models on the cohort with heads of both kinds and two seeds."""
    folder = tmp_path_factory.mktemp("run")
    arguments = ("model=[efficientnet_lite0,colour]", "protocol=[linear,pooled,abmil]", "seeds=[0,1]")
    done = on_slides(folder, cohort, *arguments, "protocols.abmil.epochs=3")
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.fixture
def quickly(finished, tmp_path):
    """Arguments of a run that finds the sound slides done, in a copy of the cache: the finished run stays as it is."""
    folder, _ = finished
    shutil.copytree(folder / "cache", tmp_path / "cache")
    return ("model=colour", "protocol=linear")
