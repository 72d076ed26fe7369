"""Variances of scores by model, protocol, both together, seed and patients."""

import itertools

import numpy as np
import pytest

from bench.statistics import variance_parts
from bench.statistics.variance_shares import split

EFFECTS = np.array([[0.1, 0.4, 0.7], [0.3, 0.2, 0.7]])
"""Protocols by models."""


def test_the_parts_of_a_table_are_orthogonal_and_sum_to_its_variance() -> None:
    model, protocol, left = split(EFFECTS)

    assert model == pytest.approx(np.var(EFFECTS.mean(axis=0)))
    assert protocol == pytest.approx(np.var(EFFECTS.mean(axis=1)))
    assert model + protocol + left == pytest.approx(np.var(EFFECTS))


def test_without_scatter_the_parts_are_those_of_the_table() -> None:
    runs, draws = np.repeat(EFFECTS[..., None], 2, axis=2), np.repeat(EFFECTS[..., None], 9, axis=2)
    found = variance_parts(runs, draws, 50)

    assert (found.model, found.protocol, found.interaction) == pytest.approx(tuple(split(EFFECTS)))
    assert (found.seed, found.patient) == pytest.approx((0.0, 0.0))
    assert sum(found.shares.values()) == pytest.approx(1.0)


def test_scatter_of_seeds_and_patients_is_taken_off_the_effects() -> None:
    """Over many simulated tables the mean of each part is the variance that it was made with."""
    rng = np.random.default_rng(2)
    found = []
    for _ in range(400):
        seeds = rng.normal(0, 0.2, (2, 3, 2))
        patients = rng.normal(0, 1.0, (30, 2, 3)) + rng.normal(0, 1.0, (30, 1, 1))
        runs = EFFECTS[..., None] * 2 + seeds + patients.mean(axis=0)[..., None]
        weights = rng.multinomial(30, np.full(30, 1 / 30), 60) / 30
        drawn = np.einsum("rn,npm->pmr", weights, patients)
        draws = (runs.mean(axis=2) - patients.mean(axis=0))[..., None] + drawn
        part = variance_parts(runs, draws, 30)
        found.append([part.seed, part.patient, *split(runs.mean(axis=2))])
    seed, patient, *raw = np.mean(found, axis=0)

    assert seed == pytest.approx(0.04, rel=0.05)
    assert patient == pytest.approx(2 / 30, rel=0.05)
    scatter = np.array([1 / 30 / 2 * 2 / 3, 1 / 30 / 3 / 2, 1 / 30 * 2 / 3 / 2])  # of patients, by the part's freedom
    scatter += 0.02 * np.array([2 / 3 / 2, 1 / 2 / 3, 2 / 3 / 2])
    assert np.array(raw) - scatter == pytest.approx(split(2 * EFFECTS), abs=0.01)


def test_the_parts_are_those_of_an_analysis_of_variance_and_of_the_covariance_of_patients() -> None:
    """Against mean squares in plain sums (seeds crossed with both factors), and against the patients themselves."""
    rng = np.random.default_rng(3)
    n_protocols, n_models, n_seeds, n_patients = 3, 4, 5, 4
    runs = rng.normal(size=(n_protocols, n_models, 1)) * 3 + rng.normal(size=(n_protocols, n_models, n_seeds))
    found = variance_parts(runs, np.empty((n_protocols, n_models, 0)), n_patients)

    of_cell, of_model, of_protocol = runs.mean(axis=2), runs.mean(axis=(0, 2)), runs.mean(axis=(1, 2))
    square_m = square_ms = square_i = square_is = 0.0
    for m in range(n_models):
        square_m += n_protocols * n_seeds * (of_model[m] - runs.mean()) ** 2 / (n_models - 1)
        for s in range(n_seeds):
            effect = runs[:, m, s].mean() - of_model[m] - runs[:, :, s].mean() + runs.mean()
            square_ms += n_protocols * effect**2 / (n_models - 1) / (n_seeds - 1)
        for p in range(n_protocols):
            both = of_cell[p, m] - of_model[m] - of_protocol[p] + runs.mean()
            square_i += n_seeds * both**2 / (n_models - 1) / (n_protocols - 1)
            for s in range(n_seeds):
                left = runs[p, m, s] - runs[p, :, s].mean() - runs[:, m, s].mean() + runs[:, :, s].mean() - both
                square_is += left**2 / (n_models - 1) / (n_protocols - 1) / (n_seeds - 1)
    assert found.model == pytest.approx((square_m - square_ms) / (n_protocols * n_seeds) * (n_models - 1) / n_models)
    free = (n_models - 1) * (n_protocols - 1) / (n_models * n_protocols)
    assert found.interaction == pytest.approx((square_i - square_is) / n_seeds * free)
    assert found.seed == pytest.approx(runs.var(axis=2, ddof=1).mean())

    patients = rng.normal(size=(n_patients, n_protocols, n_models)) + 5 * EFFECTS.mean() * np.arange(n_models)
    every = np.array(list(itertools.product(range(n_patients), repeat=n_patients)))  # all resamples, alike often
    draws = np.moveaxis(patients[every].mean(axis=1), 0, 2)
    undefined = np.full((n_protocols, n_models, 1), np.nan)
    undefined[0] = 0
    of_patients = variance_parts(patients.mean(axis=0)[..., None], np.dstack([draws, undefined]), n_patients)
    of_one = np.moveaxis(patients - patients.mean(axis=0), 0, 2)
    more = len(every) / (len(every) - 1)
    scatter = split(of_one).sum(axis=1) / (n_patients - 1) / n_patients * more
    assert of_patients.patient == pytest.approx(patients.var(axis=0, ddof=1).mean() / n_patients * more)
    assert of_patients.model == pytest.approx(split(patients.mean(axis=0))[0] - scatter[0])


def test_no_variance_is_below_zero() -> None:
    runs = np.random.default_rng(4).normal(size=(2, 2, 2))
    runs -= runs.mean(axis=2, keepdims=True)

    found = variance_parts(runs, np.empty((2, 2, 0)), 10)

    assert (found.model, found.protocol, found.interaction) == (0, 0, 0)


def test_what_is_not_known_is_no_zero() -> None:
    one_seed = variance_parts(EFFECTS[..., None], np.empty((2, 3, 0)), 10)
    assert np.isnan([one_seed.seed, one_seed.patient]).all()
    assert one_seed.shares["model"] + one_seed.shares["protocol"] + one_seed.shares["interaction"] == pytest.approx(1)
    assert np.isnan(variance_parts(EFFECTS[:1, :, None], np.empty((1, 3, 0)), 10).interaction)
    assert np.isnan(variance_parts(np.ones((2, 3, 2)), np.ones((2, 3, 5)), 10).shares["model"])
    with pytest.raises(ValueError, match="complete table"):
        variance_parts(np.full((2, 3, 1), np.nan), np.empty((2, 3, 0)), 10)
