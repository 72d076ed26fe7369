"""mean_of_slides against Patho-Bench's pooling of slides and its linear probe (make_pathobench_pooling.py)."""

from __future__ import annotations

import numpy as np
from mil_helpers import golden
from official_helpers import preset
from omegaconf import OmegaConf
from pooling_inputs import TRAIN, patients

from bench.config import conf_folder
from bench.protocols import Bags

GOLDEN = golden("pathobench_pooling")


def sides() -> tuple[Bags, Bags]:
    """The training and the test patients; a bag has the tiles of all slides of a patient."""
    slides, labels = patients()
    ids = np.array([f"{row:03d}" for row in range(len(slides))])
    ends = [np.cumsum([len(tiles) for tiles in own]) for own in slides]
    every = Bags(ids, ids, [np.concatenate(own) for own in slides], labels, ends=ends)
    return every.take(np.arange(TRAIN)), every.take(np.arange(TRAIN, len(slides)))


def test_a_patient_is_the_mean_of_the_slides_as_theirs_is_without_combining() -> None:
    train, test = sides()
    for pool, name in (("mean_of_slides", "means"), ("mean", "combined")):
        found = np.concatenate([train.pooled(pool).features, test.pooled(pool).features])
        np.testing.assert_allclose(found, GOLDEN[name], rtol=0, atol=2e-6)
    assert np.abs(GOLDEN["means"] - GOLDEN["combined"]).max() > 0.5


def test_with_their_linear_probe_the_probabilities_are_theirs() -> None:
    train, test = sides()
    probe = OmegaConf.load(conf_folder() / "protocol" / "linear_pathobench.yaml")
    assert probe.kind == "linear_sklearn"
    del probe["kind"]
    found = preset("mean_of_slides", train, None, test, head="linear_sklearn", settings=probe)
    np.testing.assert_allclose(found.scores, GOLDEN["scores"], rtol=0, atol=2e-6)
    without = preset("pooled", train, None, test, head="linear_sklearn", settings=probe)
    assert np.abs(without.scores - GOLDEN["scores"]).max() > 0.1
