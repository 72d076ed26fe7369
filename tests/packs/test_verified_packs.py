"""Honest packs pass; forged ones are named for what was forged."""

import dataclasses

import numpy as np
import pytest
from packed_runs import CLASSES, COHORT, add_run, fill, predictions, rewrite, row_of
from PIL import Image

from bench import frozen, rows, runs, tasks
from bench.frozen import FrozenTask
from bench.packs import sides, verify_command
from bench.packs.submit import submit
from bench.packs.verify import verify
from bench.protocols import Predictions

SALT = "correct horse battery"


@pytest.fixture
def results(tmp_path):
    return fill(tmp_path / "results")


def _found(results, folder, salt):
    """Packs a results folder and verifies it; gives the findings as text."""
    submit(results, folder / "a.zip", salt)
    return [finding.text for finding in verify(folder / "a.zip").findings]


@pytest.fixture
def found_in(tmp_path):
    return lambda results: _found(results, tmp_path, "")


@pytest.fixture(params=["", SALT], ids=["plain", "hashed"])
def found_in_both(request, tmp_path):
    """The same, with ids as they are and hashed."""
    return lambda results: _found(results, tmp_path, request.param)


def test_an_honest_pack_passes_with_every_score_computed_again(tmp_path, results, capsys):
    of_many_groups = predictions("many", "uni", n=1100, n_groups=550)  # whose intervals rest on blocks of groups
    add_run(results, of_many_groups, "uni", "many")
    for salt in ("", SALT):
        submit(results, tmp_path / "a.zip", salt)
        found = verify(tmp_path / "a.zip")

        assert found.findings == []
        assert (found.n_rows, found.n_runs) == (4, 4)
        assert found.n_same == sum(len(row_of(results, m).metrics) for m in ("uni", "gpfm", "colour", "uni"))
    assert verify_command([str(tmp_path / "a.zip")]) == 0
    assert "Nothing is found" in capsys.readouterr().out


def test_honest_rows_of_every_kind_of_target_pass_and_forged_ones_do_not(tmp_path, found_in):
    rng = np.random.default_rng(0)
    values, events = rng.exponential(size=(40, 2)), rng.integers(0, 2, 40)
    similar = ["cosine", "top1", "top10", "cosine_unrestored"]
    of_kinds = {
        "regression": (values, values + rng.normal(size=(40, 2)), ["a", "b"]),
        "survival": (np.stack([values[:, 0], events], axis=1), rng.normal(size=(40, 1)), ["risk"]),
        "multilabel": (rng.integers(0, 2, (40, 2)), rng.random((40, 2)), ["a", "b"]),
        "feature_similarity": (np.empty((40, 0)), rng.random((40, 4)), similar),
    }
    for kind, (y_true, scores, classes) in of_kinds.items():
        groups = np.array([f"p{i % 10}" for i in range(40)])
        predicted = Predictions(np.array([f"t{i}" for i in range(40)]), groups, y_true, scores, kind=kind)
        row = add_run(tmp_path / "results", predicted, "uni", kind, protocol="mine", classes=classes)
        forged = {name: {**of, "value": of["value"] + 0.01} for name, of in row.metrics.items()}
        rows.write(tmp_path / "forged", dataclasses.replace(row, metrics=forged), predicted)

    assert found_in(tmp_path / "results") == []
    assert [text.split(":")[0] for text in found_in(tmp_path / "forged")] == ["forged value"] * len(of_kinds)


@pytest.mark.parametrize("end", ["value", "ci_low"])
def test_a_forged_value_or_interval_is_named(results, found_in, end):
    row = row_of(results, "uni")
    forged = {**row.metrics["auroc"], end: row.metrics["auroc"][end] + 0.001}
    rewrite(results, dataclasses.replace(row, metrics={**row.metrics, "auroc": forged}))

    (finding,) = found_in(results)

    assert finding.startswith("forged value: of mine/c0ffee00/uni/linear")
    assert "auroc" in finding
    assert f"{row.metrics['auroc'][end]:.6g}" in finding


def test_a_value_that_claims_to_be_of_draws_is_not_believed_of_a_head_that_draws_nothing(results, found_in):
    row = row_of(results, "uni")
    claimed = {name: {**of, "value": 0.99, "interval": "episodes"} for name, of in row.metrics.items()}
    rewrite(results, dataclasses.replace(row, metrics=claimed))

    (finding,) = found_in(results)

    assert finding.startswith("forged value")
    assert "means over draws" in finding


def test_labels_that_were_swapped_in_one_row_are_named_though_its_scores_fit_them(results, found_in_both):
    of_uni = predictions("mine", "uni")
    y_true = of_uni.y_true.copy()
    wrong = of_uni.scores.argmax(axis=1) != y_true
    y_true[wrong] = of_uni.scores.argmax(axis=1)[wrong]
    add_run(results, dataclasses.replace(of_uni, y_true=y_true), "uni")

    (finding,) = found_in_both(results)

    assert finding.startswith(f"swapped labels: {wrong.sum()} of 60 labels of mine/c0ffee00/uni/")


@pytest.mark.parametrize("disguise", [lambda s: s, lambda s: s**2 / (s**2).sum(axis=1, keepdims=True)[:1]])
def test_predictions_under_the_name_of_another_model_are_named(results, found_in_both, disguise):
    of_uni = predictions("mine", "uni")
    add_run(results, dataclasses.replace(of_uni, scores=disguise(of_uni.scores)), "ours")

    (finding,) = found_in_both(results)

    assert finding.startswith("reused predictions: ")
    assert "/ours/" in finding
    assert "/uni/" in finding


def test_models_that_agree_in_few_different_scores_reuse_nothing(results, found_in):
    of_uni = predictions("mine", "uni")
    votes = np.eye(3)[of_uni.scores.argmax(axis=1)]
    for model in ("a", "b"):
        add_run(results, dataclasses.replace(of_uni, scores=votes), model, protocol="knn")

    assert found_in(results) == []


def test_a_row_on_fewer_test_samples_is_named_unless_it_says_that_they_were_left_out(results, found_in):
    of_uni = predictions("mine", "uni")
    fewer = {name: getattr(of_uni, name)[5:] for name in ("ids", "groups", "y_true", "scores")}
    add_run(results, dataclasses.replace(of_uni, **fewer), "uni")

    (finding,) = found_in(results)

    assert finding.startswith("another test side: mine/c0ffee00/uni/")
    assert finding.endswith("lacks 5 of these.")
    rewrite(results, dataclasses.replace(row_of(results, "uni"), n_skipped=5))
    assert found_in(results) == []


def test_another_protocol_under_the_name_of_a_preset_is_named(results, found_in):
    of_row = row_of(results, "uni")
    settings = {"kind": "linear", "n_strengths": 3}
    info = {**of_row.info, "config": {"protocols": {"linear": settings}}}
    add_run(results, predictions("mine", "b"), "b", head_config_hash="00000000")
    rewrite(results, dataclasses.replace(of_row, info=info))

    other, stated = sorted(found_in(results))

    assert other.startswith(
        "another protocol: the head of mine/c0ffee00/b/linear-00000000-seed0 has the digest 00000000"
    )
    assert stated.startswith("another protocol: the settings of the head in mine/c0ffee00/uni/")


def test_settings_that_ask_for_the_environment_are_not_resolved(results, found_in):
    info = {"config": {"protocols": {"linear": {"kind": "linear", "c_min": "${oc.env:HOME}"}}}}
    rewrite(results, dataclasses.replace(row_of(results, "uni"), info=info))

    (finding,) = found_in(results)

    assert "${...}" in finding


@pytest.fixture
def published(monkeypatch):
    """Makes the task ``mine`` a frozen one, with the side of `predictions`."""
    side = predictions("mine", "uni")
    of = frozen.side_of(side.ids, side.groups, side.y_true, CLASSES)
    task = tasks.configured({"name": "mine", "tile_size": 96})
    record = FrozenTask("mine", tasks.definition(task), tasks.settings_digest(task), COHORT, "d1", {"0": of})
    monkeypatch.setattr(frozen, "frozen_tasks", lambda: {"mine": record})


@pytest.mark.usefixtures("published")
def test_labels_that_were_swapped_in_every_row_are_those_of_no_frozen_task(tmp_path, found_in_both):
    results = tmp_path / "results"
    for model in ("uni", "gpfm"):
        own = predictions("mine", model)
        add_run(results, dataclasses.replace(own, y_true=(own.y_true + 1) % 3), model)

    assert [text.split(":")[0].split(" or ")[0] for text in found_in_both(results)] == ["swapped labels"] * 2
    fill(results, ("uni", "gpfm"))
    assert found_in_both(results) == []


@pytest.mark.usefixtures("published")
def test_another_split_of_a_frozen_task_is_named(tmp_path, found_in_both):
    other = {}
    drawn = predictions("mine", "uni", n=80)
    for name in ("ids", "groups", "y_true", "scores"):
        other[name] = getattr(drawn, name)[20:]
    add_run(tmp_path / "one", dataclasses.replace(drawn, **other), "uni")
    add_run(tmp_path / "two", predictions("mine", "uni"), "uni", cohort_hash="0ther000")

    assert [text.split(":")[0].split(" or ")[-1] for text in found_in_both(tmp_path / "one")] == ["another test side"]
    assert [text.split(":")[0] for text in found_in_both(tmp_path / "two")] == ["another task"]


@pytest.mark.usefixtures("published")
def test_a_row_of_a_frozen_task_may_lack_as_many_samples_as_it_names_and_no_more(tmp_path, found_in):
    drawn = predictions("mine", "uni")
    fewer = {name: getattr(drawn, name)[5:] for name in ("ids", "groups", "y_true", "scores")}
    for n_skipped in (1, 5):
        add_run(tmp_path / str(n_skipped), dataclasses.replace(drawn, **fewer), "uni", n_skipped=n_skipped)

    (finding,) = found_in(tmp_path / "1")
    assert finding.startswith("another test side: ")
    assert found_in(tmp_path / "5") == []


@pytest.mark.usefixtures("published")
def test_a_fold_that_a_frozen_task_has_not_and_a_task_digest_of_other_settings_are_named(tmp_path, found_in):
    add_run(tmp_path / "fold", predictions("mine", "uni"), "uni", fold=3)
    info = {"config": {"tasks": {"mine": {"name": "mine", "tile_size": 96}}}, "task_digests": {"task": "00000000"}}
    row = add_run(tmp_path / "digest", predictions("mine", "uni"), "uni")
    rewrite(tmp_path / "digest", dataclasses.replace(row, info=row.info | info))

    (of_fold,) = found_in(tmp_path / "fold")
    assert of_fold.endswith("is of fold 3, which the published task mine has not.")
    (of_digest,) = found_in(tmp_path / "digest")
    assert of_digest.startswith("another task: the task digest 00000000 of mine/")


@pytest.mark.usefixtures("published")
def test_a_row_of_a_frozen_task_by_another_metric_is_named(tmp_path, found_in):
    add_run(tmp_path / "results", predictions("mine", "uni"), "uni", primary_metric="accuracy")

    (finding,) = found_in(tmp_path / "results")

    assert finding.startswith("another task: ")
    assert finding.endswith("the primary metric accuracy, and the published task balanced_accuracy.")


@pytest.mark.usefixtures("published")
def test_a_frozen_task_seen_in_other_tiles_is_another_task(results, found_in):
    def stating(tile_size):
        info = {"config": {"tasks": {"mine": {"name": "mine", "tile_size": tile_size}}}}
        rewrite(results, dataclasses.replace(row_of(results, "uni"), info=info))
        return found_in(results)

    (finding,) = stating(48)
    assert finding.startswith("another task: ")
    assert "tile_size 48 and not 96" in finding
    assert stating(96) == []


def test_a_users_own_data_show_a_split_that_is_not_theirs(tmp_path):
    data = tmp_path / "data"
    for place, i in [(f"{side}/{label}", i) for side in ("train", "test") for label in "01" for i in range(12)]:
        (data / place).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2), (i, 0, 0)).save(data / place / f"{i}.png")
    manifest = tasks.read(runs.published_task("tiles"), data, tmp_path)
    test = np.array(manifest.split_labels_of(0)) == "test"
    ids, groups = (manifest.frame[column].to_numpy(str)[test] for column in ("id", "group"))
    own = predictions("tiles", "uni", n=int(test.sum()))
    of_data = {"ids": ids, "groups": groups, "y_true": manifest.labels[test], "scores": own.scores[:, :2]}
    honest = dataclasses.replace(own, **of_data)
    classes = {"classes": list(manifest.classes), "task": "tiles", "cohort_hash": manifest.cohort_hash}
    swapped = dataclasses.replace(honest, y_true=1 - honest.y_true)
    add_run(tmp_path / "results", honest, "uni", **classes)
    add_run(tmp_path / "forged", swapped, "uni", **classes)
    for salt in ("", SALT):
        submit(tmp_path / "results", tmp_path / "a.zip", salt)
        submit(tmp_path / "forged", tmp_path / "b.zip", salt)

        compared = verify(tmp_path / "a.zip", str(data), salt)
        assert compared.findings == []
        assert not any("data=DIR" in note for note in compared.notes)
        (finding,) = verify(tmp_path / "b.zip", str(data), salt).findings
        assert finding.text.startswith("swapped labels: 24 of 24 labels of tiles/")
    add_run(tmp_path / "other_fold", swapped, "uni", **classes, fold=3)
    submit(tmp_path / "other_fold", tmp_path / "c.zip")
    (finding,) = verify(tmp_path / "c.zip", str(data)).findings
    assert finding.text.endswith("is of fold 3, which your data have not.")
    of_folds = tasks.read(runs.published_task("tiles", ["split.folds=2"]), data, tmp_path)
    for fold in of_folds.folds:
        test = np.array(of_folds.split_labels_of(fold)) == "test"
        ids, groups = (of_folds.frame[column].to_numpy(str)[test] for column in ("id", "group"))
        own = predictions("tiles", "uni", n=int(test.sum()))
        of_data = {"ids": ids, "groups": groups, "y_true": of_folds.labels[test], "scores": own.scores[:, :2]}
        of_task = classes | {"cohort_hash": of_folds.cohort_hash, "fold": fold}
        add_run(tmp_path / "folds", dataclasses.replace(own, **of_data), "uni", **of_task)
    submit(tmp_path / "folds", tmp_path / "d.zip")
    assert verify(tmp_path / "d.zip", str(data), changes={"tiles": ["split.folds=2"]}).findings == []
    other_split = verify(tmp_path / "a.zip", str(data), SALT, changes={"tiles": ["split.folds=2"]}).findings
    assert {finding.kind for finding in other_split} == {sides.OTHER_SIDE}
