"""Patho-Bench's retrieval: our preset against what its own code gave."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from few_shot_presets import preset, samples
from official_helpers import read

from bench.protocols import Head

GOLDEN = read("pathobench_retrieval")


@pytest.mark.parametrize(
    ("golden", "metric", "centre"),
    [
        ("l2", "l2", False),
        ("cosine", "cosine", False),
        ("l2_centred", "cosine", True),  # Patho-Bench compares unit vectors wherever it centres
        ("cosine_centred", "cosine", True),
    ],
)
def test_every_score_is_the_same(golden: str, metric: str, centre: bool) -> None:
    head = preset("retrieval_pathobench")
    if golden == "l2":
        assert (head.config.metric, head.config.centre) == (metric, centre)
    own = Head(head.head_type, replace(head.config, metric=metric, centre=centre))
    made = own.fit_predict(samples("train"), samples("val"), samples("test"), 0).metrics
    scores = [[made[f"{name}_{k}"]["value"] for name in ("top", "majority", "map_at")] for k in head.config.k]
    np.testing.assert_allclose(scores, GOLDEN[golden], rtol=0, atol=1e-7)  # the authors' are in float32
