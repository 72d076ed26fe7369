"""Fixtures shared by all tests."""

from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("pfmbench", deadline=None)  # a timing is no test
hypothesis.settings.load_profile("pfmbench")

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The project's shared facts and real data; present in CI and for developers only."""
    folder = REPO.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("the shared real data is not beside this checkout")
    return folder
