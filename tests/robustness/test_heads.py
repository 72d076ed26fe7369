"""The heads on samples with centres and regions: what they measure, what they say, what they refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from robustness_helpers import made

from bench import protocols, robustness
from bench.protocols import Samples
from registry.errors import UserError

QUICK = {"kind": "centre_robustness", "k": 5, "m": 3, "repeats": 2, "device": "cpu"}
METRICS = {"robustness_index", "mari", "croma", "croma_ltm10", "apd_in", "apd_out", "centre_accuracy"}


def sides(centres: int = 3, **more: Any) -> tuple[Samples, Samples]:
    """Training and test samples, slides apart."""
    one = made(classes=2, centres=centres, slides=12, tiles=2, **more)
    n = len(one.labels)
    samples = Samples(
        np.array([f"t{i:04d}" for i in range(n)]),
        np.array([f"s{g:03d}" for g in one.groups]),
        one.features.astype(np.float32),
        one.labels.astype(np.int64),
        ("normal", "tumour"),
        acquisition={"centre": np.array(["x", "y", "z", "w"])[one.centres]},
    )
    tested = one.groups % 12 > 8
    return samples.take(~tested), samples.take(tested)


def measured(train: Samples, test: Samples, **settings: Any) -> protocols.Predictions:
    return protocols.configured(QUICK | settings).fit_predict(train, None, test, 0)


def test_all_measures_have_values_and_intervals_over_groups() -> None:
    train, test = sides()
    found = measured(train, test)
    assert set(found.metrics) == METRICS
    for name, of in found.metrics.items():
        assert of["ci_low"] <= of["value"] <= of["ci_high"], name
        assert "interval" not in of
    assert found.scores.shape == (len(test), 2)
    info = found.info
    assert (info["k"], info["m"], info["centres"], info["centres_outside"]) == (5, 3, ["x", "y", "z"], [])
    assert "its group" in info["excluded_neighbours"]
    assert len(info["apd_centres"]) == 2, "of three centres one is another domain"
    assert info["chance_centre_accuracy"] == pytest.approx(1 / 3)


def test_the_index_is_of_all_sides_together() -> None:
    train, test = sides()
    both = np.concatenate([train.features, test.features])
    labels, groups = (np.concatenate([getattr(train, n), getattr(test, n)]) for n in ("labels", "groups"))
    centre = np.concatenate([side.acquisition["centre"] for side in (train, test)])
    near = robustness.typed_neighbours(both, labels, np.unique(centre, return_inverse=True)[1], groups, k=5, m=3)
    so, os = robustness.types_of(near.rows, labels, np.unique(centre, return_inverse=True)[1])
    found = measured(train, test).metrics
    assert found["robustness_index"]["value"] == pytest.approx(robustness.robustness_index(so, os))
    assert found["croma"]["value"] == pytest.approx(robustness.median(robustness.margins(near)))


def test_named_centres_are_measured_and_the_others_are_the_other_domain() -> None:
    train, test = sides()
    found = measured(train, test, centres=["x", "z"])
    assert (found.info["centres"], found.info["centres_outside"]) == (["x", "z"], ["y"])
    assert found.info["apd_centres"] == ["x", "z"]
    assert found.info["measured_samples"] == (len(train) + len(test)) * 2 // 3
    with pytest.raises(UserError, match=r"centres of the centre_robustness head names q, which is no centre"):
        measured(train, test, centres=["q"])


def test_of_two_centres_there_is_no_other_domain_and_k_is_chosen() -> None:
    found = measured(*sides(centres=2), k=None)
    assert set(found.metrics) == METRICS - {"apd_out"}
    assert found.info["k_chosen_by"].startswith("balanced accuracy")
    assert found.info["k"] in found.info["k_accuracies"]


def test_a_model_that_sees_only_the_centre_does_worse_in_all() -> None:
    good = measured(*sides(by_class=3.0, by_centre=0.1)).metrics
    bad = measured(*sides(by_class=0.6, by_centre=4.0)).metrics
    for name in ("robustness_index", "croma", "croma_ltm10", "apd_in"):
        assert bad[name]["value"] < good[name]["value"], name
    assert bad["centre_accuracy"]["value"] > good["centre_accuracy"]["value"]


def changed(side: Samples, centre: np.ndarray) -> Samples:
    return replace(side, acquisition={"centre": centre})


def test_samples_that_say_no_comparable_centres_are_refused_in_one_sentence() -> None:
    train, test = sides(centres=2)
    head = protocols.configured(QUICK)
    with pytest.raises(UserError, match=r"by their centre, and the data have no column centre: add it"):
        head.fit_predict(replace(train, acquisition={}), None, replace(test, acquisition={}), 0)
    one = [changed(side, np.full(len(side), "x")) for side in (train, test)]
    with pytest.raises(UserError, match=r"one centre only \(x\), and centre_robustness compares centres"):
        head.fit_predict(one[0], None, one[1], 0)
    # z has both classes, x only the first, and y as well
    lone = [
        changed(side, np.where(side.labels == 1, "z", np.where(side.acquisition["centre"] == "x", "x", "z")))
        for side in (train, test)
    ]
    with pytest.raises(UserError, match=r"of 2 centres, of which 1 have two classes"):
        head.fit_predict(lone[0], None, lone[1], 0)
    with pytest.raises(UserError, match=r"The samples of class 'tumour' are of the centre z only"):
        protocols.configured(QUICK | {"centres": ["x", "z"]}).fit_predict(lone[0], None, lone[1], 0)
    with pytest.raises(UserError, match=r"k=999 of the centre_robustness head needs as many samples"):
        measured(train, test, k=999)


def test_what_is_left_out_is_noted() -> None:
    train, test = sides()
    spoilt = []
    for side in (train, test):
        centre = side.acquisition["centre"].astype("<U5").copy()
        centre[:3] = ""
        centre[(centre == "y") & (side.labels == 0)] = "lone"
        spoilt.append(changed(side, centre))
    notes = measured(*spoilt).info["notes"]
    assert any(note.startswith("6 samples without a centre") for note in notes)
    assert any("one class only are not measured: lone, y" in note for note in notes)
    few = [side.take(np.isin(side.groups, np.unique(side.groups)[::4])) for side in sides()]
    found = measured(*few, k=1, m=30)
    assert any("neighbours of each type, and no part in CRoMa" in note for note in found.info["notes"])
    assert any("no average performance drop" in note for note in found.info["notes"])
    assert "apd_in" not in found.metrics


def test_the_average_performance_drop_can_be_left_out() -> None:
    found = measured(*sides(), repeats=0)
    assert set(found.metrics) == METRICS - {"apd_in", "apd_out"}


def views(n: int = 12) -> tuple[Samples, Samples]:
    """Regions under two scanners and two stainings, the staining being what is predicted."""
    rng = np.random.default_rng(0)
    regions = rng.normal(size=(n, 6))
    parts = []
    for scanner in ("a", "b"):
        for number, staining in enumerate(("h", "g")):
            ids = np.array([f"{scanner}{staining}{i:02d}" for i in range(n)])
            place = np.array([f"r{i:02d}" for i in range(n)])
            acquisition = {"centre": np.full(n, scanner), "staining": np.full(n, staining), "region": place}
            features = (regions + 0.3 * rng.normal(size=(n, 6))).astype(np.float32)
            parts.append((ids, place, features, np.full(n, number), acquisition))
    ids, groups, features, labels = (np.concatenate([part[i] for part in parts]) for i in range(4))
    acquisition = {name: np.concatenate([part[4][name] for part in parts]) for name in parts[0][4]}
    samples = Samples(ids, groups, features, labels, ("g", "h"), acquisition=acquisition)
    tested = np.isin(groups, groups[: n // 3])
    return samples.take(~tested), samples.take(tested)


def test_consistency_of_views() -> None:
    train, test = views()
    found = protocols.configured({"kind": "consistency", "k": 3, "device": "cpu"}).fit_predict(train, None, test, 0)
    assert set(found.metrics) == {"consistency", "cosine_all", "top3_scanner", "top3_staining", "top3_both"}
    assert found.info["views"] == ["a g", "a h", "b g", "b h"]
    assert found.info["pairs"] == {"scanner": 2, "staining": 2, "both": 2}
    assert found.info["regions"] == 12
    assert found.metrics["top3_scanner"]["value"] > 0.5
    assert found.metrics["consistency"]["ci_low"] < found.metrics["consistency"]["value"]


def test_consistency_refuses_samples_that_are_no_views_of_the_same() -> None:
    train, test = views()
    head = protocols.configured({"kind": "consistency", "device": "cpu"})

    def with_(name: str, of: Any) -> tuple[Samples, None, Samples, int]:
        one, two = (replace(side, acquisition={**side.acquisition, name: of(side)}) for side in (train, test))
        return one, None, two, 0

    twice = with_("region", lambda side: np.full(len(side), "r0"))
    with pytest.raises(UserError, match="The region r0 is more than once in one view"):
        head.fit_predict(*twice)
    apart = with_("region", lambda side: side.ids)
    with pytest.raises(UserError, match="Of 48 regions 0 are in all 4 views"):
        head.fit_predict(*apart)
    alone = [side.take((side.acquisition["centre"] == "a") & (side.acquisition["staining"] == "h")) for side in views()]
    labels = [replace(side, labels=np.arange(len(side)) % 2) for side in alone]
    with pytest.raises(UserError, match="one scanner and one staining"):
        protocols.configured({"kind": "consistency", "k": 2}).fit_predict(labels[0], None, labels[1], 0)
