"""Synthetic samples for the tests of the heads, and scikit-learn's logistic regression."""

from __future__ import annotations

import warnings
from dataclasses import fields
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from bench.protocols import Samples, networks


def cohort(
    n: int,
    *,
    classes: int = 3,
    dim: int = 24,
    seed: int = 0,
    separation: float = 1.0,
    per_group: int = 3,
    prefix: str = "",
) -> Samples:
    """Gaussian classes about means that depend on the number of classes and the dimension only."""
    means = np.random.default_rng(classes * 1000 + dim).normal(size=(classes, dim)) * separation
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    rng.shuffle(labels)
    spread = 1 / np.sqrt(1 + np.arange(dim))
    features = (means[labels] * spread + rng.normal(size=(n, dim)) * spread * 2 + 3).astype(np.float32)
    ids = np.array([f"{prefix}{seed}-{i:05d}" for i in range(n)])
    groups = np.array([f"{prefix}{seed}-g{i // per_group:04d}" for i in range(n)])
    centre = np.array(["x", "y", "z"])[np.arange(n) % 3]
    return Samples(ids, groups, features, labels.astype(np.int64), acquisition={"centre": centre, "region": groups})


def logistic_oracle(
    features: np.ndarray,
    labels: np.ndarray,
    c: float,
    weights: np.ndarray | None = None,
    class_weight: str | None = None,
) -> LogisticRegression:
    """Scikit-learn's fit in float64, to a gradient of 1e-8."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(C=c, tol=1e-8, max_iter=20_000, class_weight=class_weight)
        return model.fit(features.astype(np.float64), labels, weights)


def mil(network: str, **settings: Any) -> networks.NetworkSettings:
    """The settings of a network: of these the ones that it has."""
    schema = networks.get(network)
    own = {field.name for field in fields(schema)}
    return schema(**{name: value for name, value in settings.items() if name in own})
