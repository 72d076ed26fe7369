"""Attention-based regression in any unit of the numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.protocols import Bags, abmil
from registry.errors import UserError

SETTINGS = abmil.Config(dim=8, attention_dim=4, epochs=3, batch=4, dropout=0.0, precision="float32", keep="last")


def slides(n: int, seed: int) -> Bags:
    rng = np.random.default_rng(seed)
    ids = np.array([f"{seed}-{i:03d}" for i in range(n)])
    tiles = [rng.normal(size=(5, 6)).astype(np.float32) for _ in range(n)]
    values = np.array([[t.mean() + 3, t[0, 0]] for t in tiles], dtype=np.float64)
    return Bags(ids, ids, tiles, values, kind="regression")


@pytest.mark.parametrize("power", [-700, 700])
def test_the_unit_of_the_numbers_changes_nothing(power: int) -> None:
    train, test = slides(20, 0), slides(10, 1)
    plain = abmil.fit_predict(train, None, test, SETTINGS, 0)
    moved = [replace(side, labels=side.labels * 2.0**power) for side in (train, test)]
    scores = abmil.fit_predict(moved[0], None, moved[1], SETTINGS, 0).scores
    np.testing.assert_allclose(scores / 2.0**power, plain.scores, rtol=1e-6)


def test_numbers_beyond_all_sums_are_named() -> None:
    train, test = slides(20, 0), slides(10, 1)
    huge = replace(train, labels=np.sign(train.labels - np.median(train.labels, axis=0)) * 1.7e308)
    with pytest.raises(UserError, match="regression overflows"), np.errstate(all="ignore"):
        abmil.fit_predict(huge, None, test, SETTINGS, 0)
