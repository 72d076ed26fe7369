"""The presets of neighbours, few shots and retrieval, and their inputs as samples and bags."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from few_shot_inputs import side, tile_bags
from omegaconf import OmegaConf

import bench
from bench import protocols
from bench.protocols import Bags, Predictions, Samples

PRESETS = Path(bench.__file__).parent.parent / "conf/protocol"


def preset(name: str) -> protocols.Head:
    """The head of conf/protocol/NAME.yaml."""
    settings = OmegaConf.to_container(OmegaConf.load(PRESETS / f"{name}.yaml"))
    assert isinstance(settings, dict)
    return protocols.configured({str(key): value for key, value in settings.items()})


def samples(name: str) -> Samples:
    """One side, its samples in the order of their ids."""
    features, labels = side(name)
    ids = np.array([f"{name}{i:04d}" for i in range(len(labels))])
    return Samples(ids, ids, features, labels)


def slides(name: str) -> Bags:
    """One side of bags."""
    bags, labels = tile_bags(name)
    ids = np.array([f"{name}{i:04d}" for i in range(len(labels))])
    return Bags(ids, ids, bags, labels)


def classes_of(predictions: Predictions) -> np.ndarray:
    """The predicted class of each test sample."""
    return np.asarray(predictions.scores.argmax(axis=1))
