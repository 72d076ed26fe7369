"""Arrays one after another, read as if they were one."""

from __future__ import annotations

import numpy as np
import pytest

from bench.data.stacked import Stacked


@pytest.mark.parametrize("rows", [0, 4, -1, slice(2, 6), [5, 0, 3, 3], np.array([True, False] * 4)])
def test_rows_are_those_of_the_joined_array(rows: object) -> None:
    parts = [np.arange(6.0).reshape(3, 2), np.zeros((0, 2)), 10 + np.arange(10.0).reshape(5, 2)]
    assert np.array_equal(Stacked(parts)[rows], np.concatenate(parts)[rows])


@pytest.mark.parametrize("rows", [3, slice(1, 7), np.array([False, True] * 4)])
def test_rows_may_have_any_number_of_axes(rows: object) -> None:
    whole = np.arange(48.0, dtype=np.float32).reshape(8, 3, 2)
    stacked = Stacked([whole[:2].astype(np.float16), whole[2:]])
    assert stacked.shape == (8, 3, 2)
    assert np.array_equal(stacked[rows], whole[rows])
    assert stacked[rows].dtype == np.float32
    assert np.array_equal(np.asarray(stacked), whole)
