"""The answer that the printed report begins with: which model is best, and whether that is more than chance."""

from pathlib import Path

import numpy as np
import pytest
from leaderboard_runs import AddRun, Predicted, lines, rebuild, text

from bench.report import table_text
from bench.report.answer import p_text
from bench.results import read_leaderboard, standings


def of_share(share: float, groups: int = 20) -> Predicted:
    """Predictions of 60 tiles that are right in this share of each patient's tiles, in the same ones of every model."""
    truth = np.arange(60) % 3
    number_of_group = np.arange(60) // groups
    wrong = number_of_group >= share * (60 / groups)
    scores = np.full((60, 3), 0.1)
    scores[np.arange(60), np.where(wrong, (truth + 1) % 3, truth)] = 0.8
    return Predicted(
        ids=np.array([f"tile-{i}" for i in range(60)]),
        groups=np.array([f"patient-{i % groups}" for i in range(60)]),
        y_true=truth,
        scores=scores,
    )


def answer(results: Path) -> str:
    """The answer of the one task, its lines joined."""
    return " ".join(text(results).split("\n\n")[0].split())


def test_a_clear_winner(add_run: AddRun, results: Path) -> None:
    for model, share in (("uni", 1.0), ("virchow2", 0.6), ("dino", 0.3), ("colour", 0.3)):
        add_run(model, of_share(share))
    found = answer(results)
    assert found.startswith("demo, balanced_accuracy, 60 test samples, 20 groups uni is best with 1.000 [")
    assert "], ahead of virchow2 0.667 (p<0.001) and of 1 other model. " in found
    assert found.endswith("It is better than the baseline colour 0.333 (p<0.001).")
    assert "Warning" not in found


def test_a_tie(add_run: AddRun, results: Path) -> None:
    add_run("uni", of_share(1.0))
    add_run("virchow2", of_share(1.0))
    add_run("dino", of_share(0.3))
    add_run("colour", of_share(0.3))
    add_run("random_vit_s16", of_share(0.6))
    found = answer(results)
    assert "uni has the best score, 1.000 [" in found
    assert "], but cannot be told apart from virchow2 1.000 [" in found
    assert "] (p=1). It is ahead of 1 other model. " in found
    assert found.endswith("It is better than both baselines; the nearest is random_vit_s16 0.667 (p<0.001).")


def test_a_model_below_the_baseline(add_run: AddRun, results: Path) -> None:
    add_run("uni", of_share(0.3))
    add_run("virchow2", of_share(0.3))
    add_run("colour", of_share(0.6))
    add_run("random_vit_s16", of_share(0.3))
    found = answer(results)
    assert "Warning: the best model is below the baseline colour 0.667 beyond chance (-0.333 [" in found
    assert "better than" not in found


def test_a_single_model(add_run: AddRun, results: Path) -> None:
    add_run("uni", of_share(1.0))
    found = answer(results)
    assert "uni, the only model, has 1.000 [" in found
    assert found.endswith("]. No baseline was run beside it.")
    add_run("colour", of_share(1.0))
    assert answer(results).endswith(
        "Warning: it is no better than the baseline colour 1.000, which has the same score."
    )


def test_the_p_of_the_answer_are_the_adjusted_ones_of_the_tables(filled: Path) -> None:
    rebuild(filled)
    (pair,) = lines(
        filled / "leaderboard_paired.csv", task="demo", metric="balanced_accuracy", model_a="resnet50", model_b="uni"
    )
    assert f"resnet50 {p_text(float(pair['p_holm']))}".split()[1] in answer(filled)
    data = read_leaderboard(filled)
    standing = next(iter(standings(data, data.entries)))
    assert standing.best is not None
    over = data.over_baselines[standing.best.key]
    assert standing.over_baselines is over
    assert f"({p_text(over.p_holm)})" in answer(filled)


def test_a_model_that_lacks_runs_is_not_best(add_run: AddRun, results: Path) -> None:
    for fold in (1, 2):
        add_run("uni", of_share(0.6), fold=fold)
    add_run("killed", of_share(1.0), fold=1)
    found = answer(results)
    assert "uni, the only model with all runs, has 0.667 [" in found
    assert "Not considered: killed (1 of 2 runs)." in found


def test_without_predictions_nothing_is_claimed(add_run: AddRun, results: Path) -> None:
    for model, value in (("uni", 0.9), ("dino", 0.8), ("colour", 0.5)):
        add_run(model, values={"balanced_accuracy": value})
    found = answer(results)
    assert "Whether it differs from dino 0.800 is not known: there are no predictions to compare." in found
    assert "Warning: whether it is better than the baseline colour 0.500 is not known" in found


@pytest.mark.parametrize(
    ("model", "status", "found"),
    [("uni", "failed", "No model has a value of balanced_accuracy: 1 failed."), ("colour", "ok", "Only baselines")],
)
def test_without_a_model_the_answer_says_so(
    add_run: AddRun, results: Path, model: str, status: str, found: str
) -> None:
    add_run(model, of_share(0.3) if status == "ok" else None, status=status)
    assert found in answer(results)


def test_a_model_that_saw_the_images_is_named(add_run: AddRun, results: Path) -> None:
    add_run("uni", of_share(1.0), info={"contamination": {"level": "stated", "evidence": "its paper"}})
    assert "Warning: uni saw images of this task in its pretraining" in answer(results)
    add_run("uni", of_share(1.0), info={"contamination": {"level": "none", "evidence": ""}})
    assert "pretraining" not in answer(results)


def test_the_best_error_is_the_smallest(add_run: AddRun, results: Path) -> None:
    for model, error in (("a", 2.0), ("b", 1.0)):
        add_run(model, values={"mae": error}, kind="regression", primary_metric="mae", classes=["x"])
    assert "b has the best score, 1.000. " in answer(results)


def test_each_head_has_its_own_answer_and_all_answers_come_first(add_run: AddRun, results: Path) -> None:
    for task in ("demo", "other"):
        for head in ("linear", "knn"):
            add_run("uni", of_share(1.0), task=task, protocol=head)
    shown = table_text(read_leaderboard(results))
    assert shown.index("other, balanced_accuracy") < shown.index("demo  primary metric")
    assert [line.split(":")[0] for line in shown.splitlines()[1:3]] == ["  knn", "  linear"]


def test_p_values_are_short() -> None:
    assert [p_text(p) for p in (0.0, 0.0124, 0.312, 1.0, float("nan"))] == [
        *("p<0.001", "p=0.012", "p=0.31", "p=1", "p not known"),
    ]
