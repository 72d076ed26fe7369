"""Point estimates against scikit-learn."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, roc_auc_score

from bench.metrics import score


def sklearn_scores(y: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    predicted, n_classes = scores.argmax(axis=1), scores.shape[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        auroc = (
            roc_auc_score(y, scores[:, 1])
            if n_classes == 2
            else roc_auc_score(
                y, scores / scores.sum(axis=1, keepdims=True), multi_class="ovr", labels=range(n_classes)
            )
        )
        return {
            "accuracy": accuracy_score(y, predicted),
            "balanced_accuracy": balanced_accuracy_score(y, predicted),
            "f1_macro": f1_score(y, predicted, average="macro"),
            "auroc": auroc,
        }


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores with many ties and, at times, absent classes; the rows of the scores sum to a power of two."""
    n_classes, n = draw(st.integers(2, 5)), draw(st.integers(1, 40))
    y = draw(hnp.arrays(np.int64, n, elements=st.integers(0, n_classes - 1)))
    votes = draw(hnp.arrays(np.int64, (n, 4), elements=st.integers(0, n_classes - 1)))
    return y, (votes[:, :, None] == np.arange(n_classes)).sum(axis=1) / 4


@pytest.mark.slow
@settings(max_examples=200)
@given(cases())
def test_equal_to_sklearn(case: tuple[np.ndarray, np.ndarray]) -> None:
    y, scores = case
    ours = score(y, scores, np.arange(len(y)), n_boot=0)
    for metric, expected in sklearn_scores(y, scores).items():
        assert ours[metric].value == pytest.approx(expected, abs=1e-12, nan_ok=True), metric


@pytest.mark.parametrize("n_classes", [2, 9])
def test_equal_to_sklearn_without_ties(n_classes: int) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, n_classes, 3000)
    scores = rng.dirichlet(np.ones(n_classes), len(y))
    scores[np.arange(len(y)), y] += 0.3
    scores /= scores.sum(axis=1, keepdims=True)
    ours = score(y, scores, y, n_boot=0)
    assert {m: i.value for m, i in ours.items()} == pytest.approx(sklearn_scores(y, scores), abs=1e-12)


def test_names_are_the_documented_ones() -> None:
    assert list(score(np.array([0, 1]), np.eye(2), np.array(["a", "b"]), n_boot=1)) == [
        "accuracy",
        "balanced_accuracy",
        "f1_macro",
        "auroc",
    ]


@pytest.mark.parametrize(
    ("y", "scores", "words"),
    [
        ([0, 2], np.eye(2), "Labels must be integers from 0 to 1"),
        ([0, -1], np.eye(2), "Labels must be integers"),
        ([0.0, 1.0], np.eye(2), "Labels must be integers"),
        ([0, 1], np.array([[0.5, np.nan], [0, 1]]), "1 of 2 samples have a score that is not a finite number"),
        ([0, 1], np.ones((2, 1)), "two or more"),
        ([0, 1], np.ones((3, 2)), "3 rows of scores"),
    ],
)
def test_refuses_what_it_cannot_score(y: list, scores: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        score(np.array(y), scores, np.arange(2))


def test_refuses_a_missing_group() -> None:
    with pytest.raises(ValueError, match="1 groups for 2 labels"):
        score(np.array([0, 1]), np.eye(2), np.array(["a"]))
