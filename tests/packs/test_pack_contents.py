"""Rows and predictions of a pack whose record lists them rightly, and that are not what they say."""

import dataclasses
import hashlib
import json
import zipfile

import numpy as np
import pytest
import sklearn.metrics
from packed_runs import CLASSES, add_run, fill, predictions, rewrite, row_of

from bench import frozen, rows
from bench.packs.archive import write_pack
from bench.packs.content import PackedRun
from bench.packs.layout import PackRecord
from bench.packs.pseudonyms import Pseudonyms, hashed
from bench.packs.reuse import reused_predictions
from bench.packs.scores import _scores
from bench.packs.submit import submit
from bench.packs.verify import verify, verify_command


@pytest.fixture
def results(tmp_path):
    return fill(tmp_path / "results", ("uni", "gpfm"))


@pytest.fixture
def rewritten(results, tmp_path):
    """Packs the results, changes the content by a function, and writes it with a record that agrees with the files."""

    def write(change, **of_record):
        submit(results, tmp_path / "a.zip")
        with zipfile.ZipFile(tmp_path / "a.zip") as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
        record = PackRecord(**json.loads(content.pop("pack.json")))
        change(content)
        files = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
        write_pack(tmp_path / "b.zip", dataclasses.replace(record, files=files, **of_record), content)
        return [finding.text for finding in verify(tmp_path / "b.zip").findings]

    return write


def of_uni(content, folder):
    (name,) = (name for name in content if name.startswith(f"{folder}/") and "/uni/" in name)
    return name


def row_changed(content, **fields):
    name = of_uni(content, "rows")
    record = json.loads(rows.without_checksum(content[name].decode())) | fields
    content[name] = (json.dumps(record, indent=1) + "\n").encode()


def test_a_row_without_predictions_is_a_finding_whether_it_names_them_or_not(rewritten):
    (lacking,) = rewritten(lambda content: content.pop(of_uni(content, "predictions")))
    assert lacking.startswith("missing predictions: the row mine/c0ffee00/uni/")

    def unnamed(content):
        content.pop(of_uni(content, "predictions"))
        row_changed(content, predictions="")

    (without,) = rewritten(unnamed)
    assert without.startswith("missing predictions: ")


def test_rows_fewer_than_the_pack_says_to_have_are_a_finding(rewritten):
    assert rewritten(lambda content: None, rows=3) == ["missing row: the pack says to have 3 rows and has 2."]


def test_predictions_of_other_samples_than_the_rows_are_a_finding(rewritten):
    (finding,) = rewritten(lambda content: row_changed(content, n_test=61))
    assert finding.startswith("predictions of other samples: the file of mine/c0ffee00/uni/")


@pytest.mark.parametrize(("end", "change"), [("ci_low", None), ("ci_high", 0.0002)])
def test_each_end_of_an_interval_is_computed_again_and_none_is_unknown(results, rewritten, end, change):
    row = row_of(results, "uni")
    auroc = row.metrics["auroc"]
    forged = auroc | {end: change and auroc[end] - change}
    rewrite(results, dataclasses.replace(row, metrics=row.metrics | {"auroc": forged}))

    (finding,) = rewritten(lambda content: None)

    assert finding.startswith("forged value: ")
    assert f"auroc {end} is " in finding


def test_a_row_without_its_primary_metric_is_forged(results, rewritten):
    row = row_of(results, "uni")
    rewrite(results, dataclasses.replace(row, metrics={"auroc": row.metrics["auroc"]}))
    assert "it lacks its primary metric balanced_accuracy" in rewritten(lambda content: None)[0]


def test_a_class_of_another_name_or_a_sample_of_another_patient_is_another_side(results, rewritten):
    for model in ("a", "b", "c"):
        add_run(results, predictions("mine", model), model)
    own = predictions("mine", "uni")
    moved = own.groups.copy()
    moved[0] = own.groups[1]
    add_run(results, dataclasses.replace(own, groups=moved), "uni")
    add_run(results, predictions("mine", "gpfm"), "gpfm", classes=[*CLASSES[:2], "other"])

    classes, groups = sorted(rewritten(lambda content: None), key=lambda text: "/uni/" in text)

    assert "/gpfm/" in classes
    assert classes.startswith("swapped labels: ")
    assert groups.startswith("another test side: 1 samples of mine/c0ffee00/uni/")


def test_the_exit_code_says_whether_something_is_found(results, tmp_path):
    row = row_of(results, "uni")
    forged = {name: of | {"value": 0.01} for name, of in row.metrics.items()}
    rewrite(results, dataclasses.replace(row, metrics=forged))
    submit(results, tmp_path / "a.zip")

    assert verify_command([str(tmp_path / "a.zip")]) == 1


def test_a_copy_is_known_in_another_order_and_beside_a_constant_column(results, tmp_path):
    own = predictions("mine", "uni")
    order = np.random.default_rng(0).permutation(len(own.ids))
    turned = {name: getattr(own, name)[order] for name in ("ids", "groups", "y_true", "scores")}
    shares = np.column_stack([own.scores[order][:, :2], np.zeros(len(order))])
    add_run(tmp_path / "a", dataclasses.replace(own, scores=np.column_stack([own.scores[:, :2], 0 * order])), "uni")
    add_run(tmp_path / "a", dataclasses.replace(own, **(turned | {"scores": shares})), "ours")
    submit(tmp_path / "a", tmp_path / "a.zip")

    (finding,) = verify(tmp_path / "a.zip").findings

    assert finding.text.startswith("reused predictions: ")
    assert list(reused_predictions([])) == []


def test_hashed_samples_keep_their_labels_scores_and_the_order_of_their_patients():
    own = dataclasses.replace(predictions("mine", "uni"), calibrated=np.arange(60.0)[:, None] * np.ones(3))
    saved = rows.SavedPredictions(own.ids, own.groups, own.y_true, own.scores, list(CLASSES), "classes", own.calibrated)
    names = Pseudonyms("correct horse battery")

    found = hashed(saved, names)

    place = {names.of(str(name)): number for number, name in enumerate(own.ids)}
    rows_of = [place[name] for name in found.ids]
    assert sorted(rows_of) == list(range(60))
    assert np.array_equal(found.y_true, own.y_true[rows_of])
    assert np.array_equal(found.scores, own.scores[rows_of])
    assert np.array_equal(found.calibrated, own.calibrated[rows_of])
    assert own.groups[rows_of].tolist() == sorted(own.groups)


def test_each_digest_of_a_test_side_holds_what_it_names_and_no_order():
    ids, groups = np.array(["a", "b", "c", "d"]), np.array(["p", "p", "q", "q"])
    labels, classes = np.array([0, 0, 1, 1]), ("x", "y")
    side = frozen.side_of(ids, groups, labels, classes)

    def changed(**new):
        other = frozen.side_of(**({"ids": ids, "groups": groups, "labels": labels, "classes": classes} | new))
        before, after = dataclasses.asdict(side), dataclasses.asdict(other)
        return {name for name in before if before[name] != after[name]}

    turned = np.array([2, 0, 3, 1])
    assert changed(ids=ids[turned], groups=groups[turned], labels=labels[turned]) == set()
    assert changed(ids=np.array(["a", "b", "c", "e"])) == {"samples", "labels"}
    assert changed(groups=np.array(["p", "q", "q", "p"])) == {"samples", "labels", "group_labels"}
    assert changed(groups=np.array(["p", "p", "p", "q"])) == {"samples", "labels", "group_sizes", "group_labels"}
    assert changed(labels=np.array([0, 1, 0, 1])) == {"labels", "group_labels"}
    assert changed(classes=("x", "z")) == {"labels", "group_labels"}


def of_two_classes():
    own = predictions("mine", "uni")
    positive = own.scores[:, 2]
    scores, sharper = np.stack([1 - positive, positive], 1), np.stack([1 - positive**0.5, positive**0.5], 1)
    y_true = (own.y_true == 2).astype(int)
    info = {"thresholds": {"sensitivity_at_95_specificity": 0.3}}
    return dataclasses.replace(own, y_true=y_true, scores=scores, calibrated=sharper, info=info)


def test_scores_that_are_computed_again_are_those_of_scikit_learn():
    own = predictions("mine", "uni")
    for of, classes in ((own, CLASSES), (of_two_classes(), ("other", "tumour"))):
        saved = rows.SavedPredictions(of.ids, of.groups, of.y_true, of.scores, list(classes), "classes", of.calibrated)
        row = rows.Row("mine", "uni", "", "linear", 0, "ok", kind="classes", primary_metric="accuracy")
        found = {
            name: value["value"]
            for name, value in _scores(PackedRun(row, saved, of.groups)).items()
            if "value" in value
        }
        chosen, one_hot = of.scores.argmax(axis=1), np.eye(len(classes))[of.y_true]
        expected = {
            "accuracy": sklearn.metrics.accuracy_score(of.y_true, chosen),
            "balanced_accuracy": sklearn.metrics.balanced_accuracy_score(of.y_true, chosen),
            "f1_macro": sklearn.metrics.f1_score(of.y_true, chosen, average="macro"),
            "auroc": sklearn.metrics.roc_auc_score(one_hot, of.scores, average="macro"),
            "brier": np.square(of.scores - one_hot).sum(axis=1).mean(),
        }
        assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_calibrated_scores_and_those_in_the_info_are_computed_again(tmp_path):
    row = add_run(tmp_path / "honest", of_two_classes(), "uni", protocol="mine", classes=["other", "tumour"])
    row = dataclasses.replace(row, info=row.info | of_two_classes().info)
    of_info = row.info["auroc_obuchowski"]
    forged = row.info | {"auroc_obuchowski": of_info | {"ci_low": of_info["ci_low"] + 0.01}}
    found = []
    for name, changed in (("honest", row), ("forged", dataclasses.replace(row, info=forged))):
        rows.write(tmp_path / name, changed, of_two_classes())
        submit(tmp_path / name, tmp_path / f"{name}.zip")
        verified = verify(tmp_path / f"{name}.zip")
        found.append([finding.text for finding in verified.findings])

    assert "sensitivity_at_95_specificity" in row.metrics
    assert verified.n_same == len(row.metrics)
    assert found[0] == []
    assert "auroc_obuchowski ci_low is" in found[1][0]
