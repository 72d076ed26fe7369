"""The probe of the centre: what it can tell, and that it never sees the group of what it predicts."""

import numpy as np
from robustness_helpers import made

from bench.robustness import centre_predictions


def test_a_centre_that_is_in_the_features_is_told_and_one_that_is_not_is_not() -> None:
    plain, marked = made(by_centre=0.0, slides=10, seed=2), made(by_centre=4.0, slides=10, seed=2)
    found = centre_predictions(marked.features, marked.centres, marked.groups)
    assert (found == marked.centres).mean() > 0.95
    found = centre_predictions(plain.features, plain.centres, plain.groups)
    assert abs((found == plain.centres).mean() - 0.5) < 0.2


def test_features_that_say_only_the_group_say_nothing_of_the_centre() -> None:
    groups = np.repeat(np.arange(20), 8)
    centres = groups % 2
    features = np.eye(20)[groups] + np.random.default_rng(0).normal(size=(160, 20)) * 0.01
    assert (centre_predictions(features, centres, groups) == centres).mean() < 0.7
    each_alone = np.arange(160)
    assert (centre_predictions(features, centres, each_alone) == centres).mean() > 0.95


def test_a_centre_of_one_group_cannot_be_predicted() -> None:
    assert centre_predictions(np.eye(4), np.array([0, 0, 1, 1]), np.array([0, 1, 2, 2])) is None


def test_the_seed_decides_the_folds() -> None:
    one = made(by_centre=0.5, slides=8)
    first, again = (centre_predictions(one.features, one.centres, one.groups, 1) for _ in range(2))
    assert (first == again).all()
