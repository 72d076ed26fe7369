"""The Cox head against what Patho-Bench's own experiment predicted (make_cox.py)."""

from __future__ import annotations

import numpy as np
import pytest
from cox_inputs import CASES, survivors
from official_helpers import read

from bench.protocols import Samples, cox


@pytest.mark.parametrize("case", CASES)
def test_log_risks_are_theirs(case: str) -> None:
    (fitted, *_), alpha, l1_ratio = CASES[case]
    if l1_ratio:
        pytest.importorskip("sksurv")
    features, labels = survivors(case)
    ids = np.array([f"{i:05d}" for i in range(len(labels))])
    train, test = (
        Samples(ids[rows], ids[rows], features[rows], labels[rows], kind="survival")
        for rows in (slice(fitted), slice(fitted, None))
    )
    own = cox.fit_predict(train, None, test, cox.Config(alphas=[alpha], l1_ratio=l1_ratio), 0)
    assert "notes" not in own.info
    np.testing.assert_allclose(own.scores[:, 0], read("cox")[case], rtol=1e-6, atol=1e-7)
