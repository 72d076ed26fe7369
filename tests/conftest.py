"""Fixtures shared by all tests."""

import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest
from processes import one_process_at_a_time

from bench.demo import make_slides
from registry import catalogue

# a timing is no test, and what fails fails again; `--hypothesis-profile=search` tries other inputs at each run
TIMELESS = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("repeatable", **TIMELESS, derandomize=True, max_examples=40)
hypothesis.settings.register_profile("search", **TIMELESS)
hypothesis.settings.load_profile("repeatable")

REPO = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of whole runs go first: processes that take a file each then end at about the same time."""
    items.sort(key=lambda item: item.path.parent.name not in ("runs", "api"))


def pytest_collection_finish() -> None:
    """The modules of all tests are in memory for good: a collection of garbage no longer looks at them."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """torch's numbers are those of the test, whichever tests its process has run before."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def _interrupts_arrive() -> None:
    """A shell without job control starts what it runs in the background deaf to SIGINT, and processes inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The project's shared facts and real data; present in CI and for developers only."""
    folder = REPO.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("the shared real data is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def shared_by_processes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of one run of the tests have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def phantom_slides(shared_by_processes: Path) -> Path:
    """The manifest of thirteen slides of twelve patients, made once for all processes; no test writes there."""
    folder = shared_by_processes / "phantom_slides"
    with one_process_at_a_time(folder):
        return make_slides(folder, patients=12, sides=(900, 1500))


@contextmanager
def _forgetting(folder: Path) -> Iterator[None]:
    """Cards added within are gone afterwards, and so are the modules of plugins in `folder`."""
    cards, modules = dict(catalogue._cards()), set(sys.modules)
    yield
    catalogue._cards().clear()
    catalogue._cards().update(cards)
    for name in sys.modules.keys() - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def forget(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Models and plugins of a test are gone after it."""
    with _forgetting(tmp_path_factory.getbasetemp()):
        yield


@pytest.fixture(scope="module", autouse=True)
def _forget_between_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Those of a file's tests and of its own fixtures are gone after it."""
    with _forgetting(tmp_path_factory.getbasetemp()):
        yield
