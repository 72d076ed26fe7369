"""PLISM's consistency: cases worked by hand, plain loops, and a collapse that a cosine alone would reward."""

from __future__ import annotations

import numpy as np
import pytest

from bench.metrics import replicate
from bench.robustness import consistency_estimators, paired_views


def values(features: np.ndarray, scanners: list[str], stainings: list[str], k: int = 10) -> dict[str, float]:
    pairs = paired_views(features, np.array(scanners), np.array(stainings), k)
    groups = np.arange(features.shape[1])
    estimators = consistency_estimators(pairs, groups, k)
    found = replicate(estimators, len(groups), len(groups), n_boot=1, seed=0)
    return {name: of.value for name, of in found.items()}


def test_cosines_worked_by_hand() -> None:
    # The example of plism-benchmark's own test: (1 + 1 - 1 + 1 / sqrt 2) / 4.
    a = np.array([[0, 1], [1, 0], [1, 1], [1, 1]], float)
    b = np.array([[0, 2], [2, 0], [-1, -1], [0, 1]], float)
    found = values(np.stack([a, b]), ["s", "t"], ["h", "h"])
    assert found["cosine_all"] == pytest.approx((1 + 2**-0.5) / 4)


def test_retrieval_worked_by_hand() -> None:
    # The example of plism-benchmark's own test: of eight searches one finds its region first, all within seven.
    a = np.array([[0, 1], [1, 0], [0, -1], [-1, 0]], float)
    b = np.array([[0.1, 1.1], [0.2, 1.1], [0.3, 1.1], [0.4, 1.1]])
    assert values(np.stack([a, b]), ["s", "t"], ["h", "h"], 1)["top1_scanner"] == 0.125
    assert values(np.stack([a, b]), ["s", "t"], ["h", "h"], 7)["top7_scanner"] == 1.0


@pytest.mark.parametrize("k", [1, 3, 50])
def test_plain_loops_give_the_same(k: int) -> None:
    rng = np.random.default_rng(0)
    regions = rng.normal(size=(9, 5))
    features = regions + 0.7 * rng.normal(size=(4, 9, 5))
    scanners, stainings = ["s", "t", "s", "t"], ["h", "h", "g", "g"]
    of_kind: dict[str, list[float]] = {"scanner": [], "staining": [], "both": []}
    cosines = []
    for a in range(4):
        for b in range(a + 1, 4):
            both = np.concatenate([features[a], features[b]])
            both = both / np.linalg.norm(both, axis=1, keepdims=True)
            cosines.append(np.mean([both[i] @ both[9 + i] for i in range(9)]))
            hits = 0
            for i in range(18):
                others = sorted((j for j in range(18) if j != i), key=lambda j: -float(both[i] @ both[j]))
                hits += (i + 9) % 18 in others[:k]
            same = scanners[a] == scanners[b], stainings[a] == stainings[b]
            of_kind["staining" if same[0] else "scanner" if same[1] else "both"].append(hits / 18)
    found = values(features, scanners, stainings, k)
    assert found["cosine_all"] == pytest.approx(np.median(cosines))
    for kind, accuracies in of_kind.items():
        assert found[f"top{k}_{kind}"] == pytest.approx(np.median(accuracies))
    expected = np.mean([np.median(cosines), *(np.median(of) for of in of_kind.values())])
    assert found["consistency"] == pytest.approx(expected)


def test_features_that_are_all_the_same_find_nothing() -> None:
    found = values(np.ones((3, 30, 4)), ["s", "t", "u"], ["h"] * 3)
    assert found["cosine_all"] == pytest.approx(1)
    assert found["top10_scanner"] == 0
    assert found["consistency"] == pytest.approx(0.5)
    assert "top10_both" not in found


def test_intervals_are_over_groups_of_regions() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(8), 3)
    features = rng.normal(size=(24, 6)) + rng.normal(size=(3, 24, 6))
    pairs = paired_views(features, np.array(["s", "t", "u"]), np.array(["h"] * 3), 5)
    estimators = consistency_estimators(pairs, groups, 5)
    weights = rng.integers(0, 3, (8, 5))
    for column, value in zip(weights.T, estimators["top5_scanner"].statistic(weights), strict=True):
        drawn = np.repeat(np.arange(24), column[groups])
        assert value == pytest.approx(np.median(pairs.found[:, drawn].mean(axis=1)))
    of = replicate(estimators, 8, 24, n_boot=1, seed=0)["consistency"].interval()
    assert of.ci_low < of.value < of.ci_high


def test_two_views_of_one_scanner_and_staining_are_refused() -> None:
    with pytest.raises(ValueError, match="same scanner and staining"):
        paired_views(np.ones((2, 2, 2)), np.array(["s", "s"]), np.array(["h", "h"]))
