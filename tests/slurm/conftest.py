"""One private Slurm for all tests of a process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from private_slurm import PrivateSlurm, why_not
from sweep_helpers import make_cohorts


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder need Slurm and take long."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.slurm)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateSlurm]:
    if reason := why_not():
        pytest.skip(reason)
    with PrivateSlurm(tmp_path_factory.mktemp("slurm")) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_jobs_are_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that fails may leave jobs, which would be in the way of the next."""
    yield
    if "slurm" in request.fixturenames:
        running = request.getfixturevalue("slurm")
        for job in running.run("squeue", "--noheader", "--format=%A").split():
            running.run("scancel", "--signal=KILL", "--full", job, check=False)
            running.run("scancel", job, check=False)


@pytest.fixture(scope="session")
def cohorts(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Arguments that name two small tasks and what every run on them has in common."""
    return make_cohorts(tmp_path_factory.mktemp("cohorts"))
