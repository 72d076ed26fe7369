"""Survival of which nothing can be compared chooses nothing, and Cox's likelihood is for survival alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench import protocols
from bench.protocols import Bags, Samples, cox
from registry.errors import UserError


def slides(n: int, seed: int, last_only: bool = False) -> Bags:
    """Survivors with an event each; with `last_only` none but the longest has one."""
    rng = np.random.default_rng(seed)
    time = rng.permutation(n) + 1.0
    event = time == n if last_only else np.ones(n, dtype=bool)
    ids = np.array([f"{seed}-{i:03d}" for i in range(n)])
    tiles = [rng.normal(size=(4, 5)).astype(np.float32) for _ in range(n)]
    return Bags(ids, ids, tiles, np.stack([time, event], axis=1), kind="survival")


def vectors(bags: Bags) -> Samples:
    return replace(bags.table(), features=np.stack([np.asarray(f).mean(0) for f in bags.features]))


ABMIL = {"kind": "abmil", "dim": 8, "attention_dim": 4, "epochs": 1, "batch": 10}


def test_an_epoch_is_not_chosen_by_a_cox_loss_that_is_always_0() -> None:
    train, val, test = slides(20, 0), slides(10, 1, last_only=True), slides(10, 2)
    with pytest.raises(UserError, match=r"The epoch is chosen by validation, where no two.*or set keep=last") as raised:
        protocols.configured({**ABMIL, "survival_loss": "cox"}).fit_predict(train, val, test, 0)
    assert "\n" not in str(raised.value)
    for change in ({"survival_loss": "cox", "keep": "last"}, {"survival_loss": "discrete"}):
        made = protocols.configured({**ABMIL, **change}).fit_predict(train, val, test, 0)
        assert np.isfinite(made.scores).all()


def test_no_strength_is_chosen_where_nothing_can_be_compared() -> None:
    pytest.importorskip("sksurv")
    train, val, test = (vectors(bags) for bags in (slides(20, 0), slides(10, 1, last_only=True), slides(10, 2)))
    with pytest.raises(UserError, match="Alpha is chosen by validation, where no two samples' survival"):
        cox.fit_predict(train, val, test, cox.Config(), 0)


def test_coxs_likelihood_is_for_survival_alone() -> None:
    head = protocols.configured({**ABMIL, "survival_loss": "cox"})
    assert head.kinds == ("survival",)
    train, test = (replace(slides(20, seed), labels=np.arange(20) % 2, kind="classes") for seed in (0, 1))
    with pytest.raises(UserError, match="takes targets of the kind survival, but the task's are of the kind classes"):
        head.fit_predict(train, None, test, 0)
    with pytest.raises(UserError, match="no setting 'survival_loss' with network=clam_sb"):
        protocols.configured({**ABMIL, "network": "clam_sb", "survival_loss": "cox"})
