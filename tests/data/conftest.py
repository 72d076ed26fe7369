"""A cohort of made-up slides."""

import pandas as pd
import pytest

from bench.demo import make_slides


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    """The manifest of four slides with absolute paths."""
    cohort = make_slides(tmp_path_factory.mktemp("slides") / "cohort", patients=12, sides=(900, 1500))
    frame = pd.read_csv(cohort).iloc[:4]
    return frame.assign(slide=[str(cohort.parent / s) for s in frame.slide])
