"""A sample may be a patient: one bag of all slides, one answer, one side."""

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from bench import tasks
from bench.api import evaluate
from bench.data.stacked import Stacked
from registry.errors import UserError

DIM, PATIENTS = 5, 12


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.data())
def test_stacked_slides_are_their_concatenation(sizes: list[int], data: st.DataObject) -> None:
    rng = np.random.default_rng(sum(sizes))
    parts = [rng.normal(size=(n, 3)).astype(np.float32) for n in sizes]
    stacked, expected = Stacked(parts), np.concatenate(parts)
    rows = np.array(data.draw(st.lists(st.integers(0, len(expected) - 1), max_size=8)), dtype=np.int64)
    np.testing.assert_array_equal(stacked[rows], expected[rows])
    np.testing.assert_array_equal(stacked[1:4], expected[1:4])
    np.testing.assert_array_equal(stacked[expected[:, 0] > 0], expected[expected[:, 0] > 0])
    np.testing.assert_array_equal(np.asarray(stacked), expected)
    assert (len(stacked), stacked.shape) == (len(expected), expected.shape)


@pytest.fixture
def cohort(tmp_path):
    """Patients with one to three slides, whose features are given; the manifest is not in the order of patients."""
    rng = np.random.default_rng(0)
    (tmp_path / "given/h5_files").mkdir(parents=True)
    records, features = [], {}
    for patient in range(PATIENTS):
        label = patient % 2
        for number in range(1 + patient % 3):
            slide = f"s{patient}_{number}"
            features[slide] = (rng.normal(size=(3 + number * 4, DIM)) + label).astype(np.float32)
            with h5py.File(tmp_path / f"given/h5_files/{slide}.h5", "w") as file:
                file["features"] = features[slide]
            side = "test" if patient >= 8 else "train"
            records.append((slide, f"nowhere/{slide}.svs", f"class{label}", f"P{patient:02d}", side))
    frame = pd.DataFrame(records, columns=["id", "slide", "label", "patient", "split"])
    frame = frame.sample(frac=1, random_state=1)
    frame.to_csv(tmp_path / "slides.csv", index=False)
    return tmp_path, frame, features


def run(folder, heads, **changes):
    return evaluate(
        "precomputed",
        {"slides": {"unit": "patient", **changes}},
        heads,
        data=folder / "slides.csv",
        features=str(folder / "given"),
        results=folder / "results",
        cache=folder / "cache",
        null="none",
    )


def test_a_patient_is_the_mean_over_all_tiles_of_the_slides(cohort) -> None:
    folder, frame, features = cohort
    found = run(folder, {"knn": {"k": [1]}}).predictions("precomputed")
    by_patient = frame.groupby("patient", sort=False)
    means = {
        p: np.concatenate([features[s] for s in own.id]).astype(np.float16).mean(0, np.float64) for p, own in by_patient
    }
    train = [p for p, own in by_patient if own.split.iloc[0] == "train"]
    test = [p for p, own in by_patient if own.split.iloc[0] == "test"]
    label = {p: own.label.iloc[0] for p, own in by_patient}
    oracle = KNeighborsClassifier(1, metric="cosine").fit([means[p] for p in train], [label[p] for p in train])
    assert sorted(found["id"]) == sorted(test)
    for row in found.itertuples():
        assert f"class{int(row.score_1 > row.score_0)}" == oracle.predict([means[row.id]])[0]
        assert list(row.slides) == frame[frame.patient == row.id].id.tolist()
        assert row.group == row.id


def test_the_mean_of_slides_weighs_the_slides_of_a_patient_alike(cohort) -> None:
    folder, frame, features = cohort
    one = {"n_strengths": 1, "c_min": 1.0, "c_max": 1.0}
    settings = {"kind": "pooled", "pool": "mean_of_slides", "head": "linear", "settings": one}
    found = run(folder, {"mean_of_slides": settings}).predictions("precomputed").set_index("id")
    means, label = {}, {}
    for patient, own in frame.groupby("patient"):
        stored = [features[slide].astype(np.float16).astype(np.float64) for slide in own.id]
        means[patient] = np.mean([tiles.mean(0) for tiles in stored], axis=0).astype(np.float32)
        label[patient] = own.label.iloc[0]
    train = [patient for patient in means if patient not in found.index]
    linear = LogisticRegression(C=1.0, tol=1e-8).fit([means[p] for p in train], [label[p] for p in train])
    expected = linear.predict_proba([means[p] for p in found.index])[:, 1]
    np.testing.assert_allclose(found.score_1, expected, atol=1e-4)


def test_attention_is_saved_by_slide(cohort) -> None:
    folder, frame, features = cohort
    run(folder, {"abmil": {"epochs": 2, "dim": 8, "attention_dim": 4, "precision": "float32", "keep": "last"}})
    (path,) = (folder / "results/predictions").rglob("*.attention.h5")
    with h5py.File(path) as file:
        sizes = {group.attrs["slide"]: len(group["attention"]) for group in file.values()}
        sums = {group.attrs["slide"]: group["attention"][:].sum() for group in file.values()}
    tested = frame[frame.split == "test"]
    assert sizes == {slide: len(features[slide]) for slide in tested.id}
    for _, own in tested.groupby("patient"):
        assert sum(sums[slide] for slide in own.id) == pytest.approx(1, abs=1e-5)


def test_patients_by_their_slides(cohort) -> None:
    folder, frame, _ = cohort
    abmil = {"epochs": 2, "dim": 8, "attention_dim": 4, "precision": "float32", "keep": "last"}
    by_slide = {"kind": "by_slide", "head": "abmil", "settings": abmil}
    found = run(folder, {"by_slide": by_slide}).predictions("precomputed").set_index("id")
    assert set(found.index) == set(frame[frame.split == "test"].patient)
    (path,) = (folder / "results/predictions").rglob("*.attention.h5")
    with h5py.File(path) as file:
        sums = {group.attrs["slide"]: group["attention"][:].sum() for group in file.values()}
    for patient, own in frame[frame.split == "test"].groupby("patient"):
        assert [sums[slide] for slide in own.id] == pytest.approx([1 / len(own)] * len(own), abs=1e-5), patient


def test_the_slides_of_a_patient_are_part_of_the_cohort(cohort) -> None:
    folder, frame, _ = cohort
    hashes = set()
    for moved in (False, True):
        if moved:  # a slide changes its patient, the patients and their answers stay
            frame.loc[frame.id == "s2_2", "patient"] = "P04"
        frame.to_csv(folder / "slides.csv", index=False)
        task = tasks.configured(
            {"name": "slides", "reader": "slides", "unit": "patient", "options": {"check_files": False}}
        )
        hashes.add(tasks.read(task, folder / "slides.csv", folder).cohort_hash)
    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("label", "class1", r"The slides of the patient P02 of .* have different values of label \(class0 for s2_\d, "),
        ("split", "test", r"P02 .*(different values of split|is in test and train)"),
    ],
)
def test_slides_that_disagree_are_refused(cohort, column: str, value: str, says: str) -> None:
    folder, frame, _ = cohort
    frame.loc[frame.id == "s2_1", column] = value
    frame.to_csv(folder / "slides.csv", index=False)
    with pytest.raises(UserError, match=says):
        run(folder, "knn")


def test_patients_must_be_known(cohort) -> None:
    folder, frame, _ = cohort
    frame.drop(columns="patient").to_csv(folder / "slides.csv", index=False)
    with pytest.raises(UserError, match=r"unit is patient and .* names no patients: add a column patient"):
        run(folder, "knn")


def test_folds_are_drawn_of_patients(cohort) -> None:
    folder, _, _ = cohort
    found = run(folder, {"knn": {"k": [1]}}, split={"folds": 3})
    tested = [found.predictions("precomputed", fold=fold)["id"] for fold in (1, 2, 3)]
    assert sorted(pd.concat(tested)) == [f"P{p:02d}" for p in range(PATIENTS)]
    assert set(found.rows["n_groups"]) == {4}
