"""Near-duplicates of tiles and of features: planted ones are found, in any orientation, and clean tasks have none."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
from audited import audited
from PIL import Image

from bench.audit import duplicates


def tiles_of(n, seed=0):
    """Tiles of 48 px with structure at every scale, as tissue has."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        layers = [np.kron(rng.normal(size=(size, size, 3)), np.ones((48 // size, 48 // size, 1))) for size in (3, 12)]
        found.append(np.clip(150 + 30 * sum(layers), 0, 255).astype(np.uint8))
    return found


def with_tiles(found, **more):
    return audited(n_groups=len(found) // 4, tiles=lambda rows: [found[row] for row in rows], **more)


def of_sides(task):
    (side,) = task.sides
    return int(np.flatnonzero(side == "test")[0]), int(np.flatnonzero(side == "train")[0])


def test_no_pair_among_tiles_and_features_that_were_drawn_apart():
    rng = np.random.default_rng(1)
    for seed in range(5):
        task = with_tiles(tiles_of(80, seed), nulls={"random network": [rng.normal(size=(80, 16))]})
        assert [one.verdict for one in duplicates.findings(task)] == ["clear", "clear"]


@pytest.mark.parametrize("turns", [0, 3])
def test_a_tile_of_the_test_side_is_found_again_in_training_whatever_its_orientation(turns):
    found = tiles_of(80)
    task = with_tiles(found)
    tested, learned = of_sides(task)
    copy = np.rot90(found[tested], turns)[:, ::-1]
    found[learned] = np.asarray(Image.fromarray(copy).resize((96, 96)).resize((48, 48)))
    one = next(iter(duplicates.findings(task)))
    assert one.verdict == "warning"
    assert one.badge == "duplicates across sides"
    assert one.numbers["n_pairs_across"] == one.numbers["n_test_samples"] == 1
    assert [one.numbers["test sample 1"], one.numbers["near-duplicate 1"]] == [task.ids[tested], task.ids[learned]]
    [(caption, shown)] = duplicates.pictures(task, [one])
    assert task.ids[learned] in caption
    assert np.array_equal(shown[0], found[tested])


def test_a_pair_within_a_side_is_a_note_and_empty_tiles_are_no_pair():
    found = tiles_of(80)
    task = with_tiles(found)
    (side,) = task.sides
    a, b, c, d = np.flatnonzero(side == "train")[:4]
    found[b] = found[a]
    found[c] = found[d] = np.full((48, 48, 3), 240, np.uint8)
    one = next(iter(duplicates.findings(task)))
    assert one.verdict == "note"
    assert not one.is_alarm
    assert (one.numbers["n_pairs_within"], one.numbers["n_looked_at"]) == (1, 78)


def test_tiles_with_one_hash_and_other_details_are_no_pair():
    rng = np.random.default_rng(5)
    low, found = rng.choice([-70.0, 70.0], (8, 8)), tiles_of(80)
    task = with_tiles(found)
    for place in of_sides(task):
        waves = rng.normal(0, 35, (32, 32))
        waves[:8, :8] = low
        waves[0, 0] = 32 * 128
        grey = np.clip(scipy.fft.idctn(waves, norm="ortho"), 0, 255).astype(np.uint8)
        found[place] = np.repeat(grey[..., None], 3, axis=2)
    signs = duplicates._signs(np.stack([duplicates._small(found[place]) for place in of_sides(task)]))
    assert (signs[0] != signs[1]).sum() <= duplicates.MOST_BITS
    assert next(iter(duplicates.findings(task))).verdict == "clear"


def test_a_pair_across_sides_in_one_fold_is_no_pair_within_a_side():
    folds = [np.array(["test", "test", "train", ""]), np.array(["train", "test", "train", "test"])]
    pairs = duplicates._sorted(audited(sides=folds), [(0, 1), (2, 0), (2, 3), (0, 3)], 4)
    assert pairs.across.tolist() == [[1, 0], [0, 2], [3, 2], [3, 0]]
    assert len(pairs.within) == 0


def test_features_find_slides_that_are_the_same_and_say_whose_labels_differ():
    rng = np.random.default_rng(3)
    bags = [rng.normal(size=(5, 12)).astype(np.float32) + rng.normal(size=12) for _ in range(80)]
    task = audited(n_groups=20, nulls={"random network": [bags]})
    (side,) = task.sides
    tested = int(np.flatnonzero(side == "test")[0])
    learned = int(np.flatnonzero((side == "train") & (task.labels != task.labels[tested]))[0])
    bags[learned] = bags[tested] + np.float32(1e-4)
    of_tiles, of_features = duplicates.findings(task)
    assert of_tiles.verdict == "absent"
    assert of_features.verdict == "warning"
    assert of_features.numbers["n_pairs_across"] == 1
    assert "1 of the 1 pairs have different labels" in of_features.sentence


def test_a_copy_in_training_is_found_beside_copies_on_the_same_side_and_among_copies_alone():
    rng = np.random.default_rng(4)
    features = rng.normal(size=(80, 16))
    task = audited(n_groups=20, nulls={"random network": [features]})
    (side,) = task.sides
    (a, b), (c, d) = (np.flatnonzero(side == name)[:2] for name in ("test", "train"))
    features[b], features[c] = features[a], features[a] + 0.05
    features[d] = features[c]
    pairs = duplicates.by_features(task, features)
    assert {tuple(pair) for pair in pairs.across.tolist()} == {(a, c), (b, c)}
    assert {tuple(pair) for pair in pairs.within.tolist()} == {(a, b), tuple(sorted((c, d)))}

    features[side == "train"] = features[side == "test"][0]
    features[side == "test"] = features[side == "test"][0]
    assert len(duplicates.by_features(task, features).across) == (side == "test").sum()
