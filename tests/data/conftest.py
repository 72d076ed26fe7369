"""A cohort of made-up slides."""

import pandas as pd
import pytest


@pytest.fixture(scope="session")
def table(phantom_slides):
    """The manifest of four slides with absolute paths."""
    frame = pd.read_csv(phantom_slides).iloc[:4]
    return frame.assign(slide=[str(phantom_slides.parent / s) for s in frame.slide])
