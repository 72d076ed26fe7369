"""The linear probe on several labels a sample, against scikit-learn's regression of each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from protocol_helpers import cohort, logistic_oracle
from sklearn.metrics import log_loss, roc_auc_score

from bench.protocols import Samples, linear
from bench.protocols.logistic import Design, solve
from bench.protocols.selection import inner_cv
from benchmarks.linear import objective
from registry.errors import UserError

NAMES = ("necrosis", "mitosis", "invasion", "artefact")


def labelled(n: int, seed: int = 0) -> Samples:
    """Four labels, the first rare, the last a mixture of the others and noise."""
    samples = cohort(n, seed=seed)
    x = samples.features - 3
    drawn = np.random.default_rng(seed + 70)
    mix = np.random.default_rng(5).normal(size=(24, 4))
    logits = x @ mix * [1.5, 1, 0.7, 0.3] - [3, 0, 0.5, 0]
    labels = (logits + drawn.logistic(size=logits.shape) > 0).astype(np.int64)
    return replace(samples, labels=labels, classes=NAMES, kind="multilabel")


@pytest.mark.slow
def test_each_labelling_reaches_sklearns_objective_in_every_fold() -> None:
    data = labelled(240)
    strengths = np.logspace(-6, 5, 12)
    fold = np.random.default_rng(0).random(240) < 0.7
    weightings = np.stack([np.ones(240), fold.astype(float)])
    each = [(f, label, i) for f in range(2) for label in range(4) for i in range(12)]
    which, whose, strength = (np.array(column) for column in zip(*each, strict=True))
    for memory in (2**30, 1):
        solution = solve(
            Design.of(data.features),
            data.labels.T,
            2,
            strengths[strength],
            weightings,
            which,
            whose,
            memory_bytes=memory,
        )
        assert solution.gradient_norm.max() <= 1e-6
        for p in range(0, len(each), 1 if memory > 1 else 7):
            weights, y, c = weightings[which[p]], data.labels[:, whose[p]], strengths[strength[p]]
            fitted = logistic_oracle(data.features[weights > 0], y[weights > 0], c)
            own, best = (
                objective(w, b, c, data.features, y, weights)
                for w, b in (
                    (solution.weights[p].numpy(), solution.bias[p].numpy()),
                    (fitted.coef_, fitted.intercept_),
                )
            )
            assert own <= best * (1 + 1e-6)
            assert solution.objective[p] == pytest.approx(own, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_c_of_each_label_is_the_one_sklearn_would_choose(class_weight: str | None) -> None:
    train, test = labelled(240), labelled(400, seed=1)
    config = linear.Config(c_min=1e-5, c_max=1e3, n_strengths=5, class_weight=class_weight)
    predictions = linear.fit_predict(train, None, test, config, 3)
    choice = inner_cv(train, None, 3)
    x, labels = choice.samples.features, choice.samples.labels
    strengths = np.logspace(-5, 3, 5)
    for label in range(4):
        y = labels[:, label]
        share = np.bincount(y) / len(y)
        weights = 0.5 / share[y] if class_weight else np.ones(len(y))
        losses = []
        for c in strengths:
            logits = np.zeros(len(y))
            for fit, rows in zip(choice.fit, choice.held_out, strict=True):
                model = logistic_oracle(x[fit], y[fit], c, class_weight=class_weight)
                logits[rows] = model.decision_function(x[rows].astype(np.float64))
            losses.append(np.average(np.logaddexp(0, np.where(y == 1, -logits, logits)), weights=weights))
        np.testing.assert_allclose(predictions.info["validation_log_loss"][label], losses, rtol=1e-3)
        c = strengths[int(np.argmin(losses))]
        assert predictions.info["c"][label] == pytest.approx(c)
        fitted = logistic_oracle(x, y, c, class_weight=class_weight).predict_proba(test.features)[:, 1]
        own = predictions.scores[:, label]
        np.testing.assert_allclose(own, fitted, atol=1e-3)
        clear = np.abs(fitted - 0.5) > 1e-3
        np.testing.assert_array_equal((own > 0.5)[clear], (fitted > 0.5)[clear])
        assert roc_auc_score(test.labels[:, label], own) > 0.6
    assert len(set(predictions.info["c"])) > 1
    assert predictions.kind == "multilabel"
    assert predictions.calibrated is None


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_a_label_is_what_two_classes_are(class_weight: str | None) -> None:
    train, val, test = labelled(120), labelled(60, seed=2), labelled(60, seed=1)
    config = linear.Config(c_min=0.3, c_max=0.3, n_strengths=1, standardise=True, class_weight=class_weight)
    together = linear.fit_predict(train, val, test, config, 0)
    for label in range(4):
        sides = [replace(s, labels=s.labels[:, label], kind="classes", classes=()) for s in (train, val, test)]
        alone = linear.fit_predict(*sides, config, 0)
        np.testing.assert_allclose(together.scores[:, label], alone.scores[:, 1], atol=1e-5)


def test_validation_side_chooses() -> None:
    train, val, test = labelled(150), labelled(90, seed=2), labelled(60, seed=1)
    config = linear.Config(c_min=1e-3, c_max=1e1, n_strengths=5)
    predictions = linear.fit_predict(train, val, test, config, 0)
    losses = [
        log_loss(val.labels[:, 1], logistic_oracle(train.features, train.labels[:, 1], c).predict_proba(val.features))
        for c in np.logspace(-3, 1, 5)
    ]
    np.testing.assert_allclose(predictions.info["validation_log_loss"][1], losses, rtol=1e-4)
    assert predictions.info["chosen_by"] == "validation"


def test_deterministic_blind_to_test_labels_and_to_row_order() -> None:
    train, test = labelled(200), labelled(80, seed=1)
    config = linear.Config(n_strengths=6)
    first = linear.fit_predict(train, None, test, config, 5)
    again = linear.fit_predict(train, None, replace(test, labels=test.labels[::-1].copy()), config, 5)
    assert first.scores.tobytes() == again.scores.tobytes()
    assert first.info == again.info
    order = np.random.default_rng(1).permutation(len(train))
    np.testing.assert_allclose(
        linear.fit_predict(train.take(order), None, test, config, 5).scores, first.scores, atol=1e-9
    )


def test_inner_folds_have_every_label_in_every_part_that_is_fitted() -> None:
    train = labelled(60)
    labels = train.labels.copy()
    labels[:, 0] = 0
    labels[[3, 30], 0] = 1  # two samples of two groups: few draws of the groups part them
    for seed in range(10):
        choice = inner_cv(replace(train, labels=labels), None, seed)
        for fit, held_out in zip(choice.fit, choice.held_out, strict=True):
            assert choice.samples.labels[fit].any(axis=0).all()
            assert not choice.samples.labels[fit].all(axis=0).any()
            assert not set(choice.samples.groups[fit]) & set(choice.samples.groups[held_out])
        assert (choice.held_out.sum(axis=0) == 1).all()


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("two", "1 training samples have labels that are not 0 or 1 \\(0-00005\\)"),
        ("none", "In the training set no sample has the label 'mitosis'"),
        ("all", "In the test set every sample has the label 'invasion'"),
        ("flat", "not a column for each"),
        ("narrow", "not a column for each"),
        ("one_group", "with, or all without, the label 'necrosis' come from one group"),
        ("groups", "come from one group"),
        ("nan", "1 of 60 test samples are not finite"),
        ("empty", "The test set is empty"),
    ],
)
def test_labels_that_cannot_be_learned_are_named(case: str, says: str) -> None:
    train, test = labelled(90), labelled(60, seed=1)
    labels, of_test = train.labels.copy(), test.labels.copy()
    if case == "two":
        labels[5, 1] = 2
    elif case == "none":
        labels[:, 1] = 0
    elif case == "all":
        of_test[:, 2] = 1
    elif case == "flat":
        labels = labels[:, 0]
    elif case == "narrow":
        of_test = of_test[:, :3]
    elif case == "one_group":
        labels[:, 0] = np.arange(90) < 3
    train, test = replace(train, labels=labels), replace(test, labels=of_test)
    if case == "groups":
        train = replace(train, groups=np.full(90, "g"))
    elif case == "nan":
        features = test.features.copy()
        features[7, 0] = np.inf
        test = replace(test, features=features)
    elif case == "empty":
        test = test.take(np.zeros(60, dtype=bool))
    with pytest.raises(UserError, match=says) as raised:
        linear.fit_predict(train, None, test, linear.Config(n_strengths=3), 0)
    assert "\n" not in str(raised.value)
