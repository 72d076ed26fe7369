"""What an audit takes from results and split: rows of the same heads, and the first pass of folds."""

import dataclasses

import numpy as np
import pytest

from bench import rows, runs, targets
from bench.protocols import Predictions, configured
from bench.runs.audited_task import _first_pass, _models
from bench.runs.fit import head_config_hash

HEADS = {"linear": configured({"kind": "linear"})}
DIGEST = head_config_hash(HEADS["linear"])


def add(results, model, seed=0, fold=0, **changes):
    """A row and its predictions of the samples of one fold, whose scores tell the seed."""
    ids = np.array([f"t{fold}-{number}" for number in range(12)])
    scores = np.eye(2)[np.arange(12) % 2] * (0.5 + seed / 10) + 0.2
    predicted = Predictions(ids, ids, np.arange(12) % 2, scores)
    row = rows.Row(
        task="t",
        model=model,
        frontend="",
        protocol="linear",
        seed=seed,
        status="ok",
        kind="classes",
        fold=fold,
        primary_metric="auroc",
        cohort_hash="c0",
        head_config_hash=DIGEST,
        metrics=runs.scored(predicted, None, targets.get("classes"), 20).metrics,
        n_test=12,
        n_groups=12,
        classes=["a", "b"],
    )
    return rows.write(results, dataclasses.replace(row, **changes), predicted)


def test_models_are_those_with_rows_of_this_head_on_this_cohort_of_all_folds_by_their_first_seed(tmp_path):
    for fold in (1, 0, 2):  # the third is of a second pass
        add(tmp_path, "uni", seed=2, fold=fold)
        add(tmp_path, "uni", seed=1, fold=fold)
        add(tmp_path, "other_head", fold=fold, head_config_hash="00000000")
        add(tmp_path, "other_cohort", fold=fold, cohort_hash="c1")
        add(tmp_path, "colour", fold=fold, baseline=True)
        add(tmp_path, "uni", fold=fold, frontend="jpeg_3")
        row = add(tmp_path, "unreadable", fold=fold)
        (tmp_path / row.predictions).write_bytes(b"")
    add(tmp_path, "one_fold", fold=1)

    (found,) = _models(tmp_path, "t", "c0", HEADS, 2)

    assert (found.model, found.head) == ("uni", "linear")
    assert found.predicted.ids.tolist() == [f"t{fold}-{number}" for fold in (0, 1) for number in range(12)]
    assert found.predicted.scores.max() == pytest.approx(0.8), "of seed 1"
    assert _models(tmp_path / "none", "t", "c0", HEADS, 2) == []


def test_folds_count_until_a_sample_is_tested_again():
    first, second, again = (np.array(side) for side in (["test", "train"], ["train", "test"], ["test", "train"]))

    assert len(_first_pass([first, second, again, second])) == 2
    assert len(_first_pass([first])) == 1


def test_the_digest_of_a_head_holds_its_kind_and_each_setting():
    of = HEADS["linear"]
    other = [{"c_max": 10.0}, {"n_strengths": 3}, {"class_weight": "balanced"}]

    changed = [dataclasses.replace(of, config=dataclasses.replace(of.config, **one)) for one in other]

    assert len({DIGEST, *map(head_config_hash, [dataclasses.replace(of, head_type="knn"), *changed])}) == 5
