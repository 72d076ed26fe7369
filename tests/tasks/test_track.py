"""What a track names is checked when the task is configured, and its tiles are drawn and read without labels."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from task_helpers import composed, tile

from bench import frontends, tasks
from bench.tasks import TaskConfig, Track, draw_tiles, read_track_tiles
from registry.errors import UserError

FILTERS = frontends.classical_names()


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few names, whatever front-ends there are."""
    monkeypatch.setattr(frontends, "corruption_kinds", lambda: ("jpeg", "gaussian_noise", "lpfm_chain"))
    monkeypatch.setattr(frontends, "restorer_names", lambda: ("median", "unsharp", "lpfm"))


def of(**track: Any) -> TaskConfig:
    return tasks.configured({"name": "mine", "track": {"name": "restoration", **track}})


def test_empty_lists_are_completed() -> None:
    track = of().track
    assert track == Track("restoration", ["jpeg", "gaussian_noise", "lpfm_chain"], [1, 2, 3, 4, 5], ["none"], 0)
    track = of(corruptions=["lpfm_chain", "jpeg", "jpeg"], severities=[5, 1, 1], restorers=["lpfm", "none"]).track
    assert track == Track("restoration", ["lpfm_chain", "jpeg"], [1, 5], ["none", "lpfm"], 0)
    assert tasks.configured({"name": "mine"}).track is None
    assert tasks.configured({"name": "mine", "track": None}).track is None


@pytest.mark.parametrize(
    ("track", "says"),
    [
        ({"name": "restoraton"}, "tasks.mine.track.name is restoraton and must be one of .* Is restoration meant?"),
        ({"name": "", "tiles": 3}, "tasks.mine.track.name is empty and must be one of restoration, robustness."),
        ({"corruptions": ["jpg"]}, "track.corruptions names jpg, which there is not: .* Is jpeg meant?"),
        (
            {"corruptions": ["jpeg_3"]},
            "names jpeg_3 with a severity: name the kind, jpeg, and the severities in tasks.mine.track.severities.",
        ),
        ({"restorers": ["medain"]}, "track.restorers names medain, which there is not: .* Is median meant?"),
        ({"restorers": ["jpeg_3"]}, "track.restorers names jpeg_3, which there is not: choose from none, median, "),
        ({"severities": [0, 1]}, r"track.severities is \[0, 1\] and must name one or more from 1 to 5."),
        ({"severities": [6]}, r"track.severities is \[6\]"),
        ({"severities": []}, r"track.severities is \[\] and must name one or more"),
        ({"tiles": -1}, "track.tiles is -1 and must be 1 or more, or 0 for all tiles."),
        ({"severity": [1]}, "tasks.mine.track has no setting severity: .* Is severities meant?"),
        ({"severities": ["mild"]}, "The task mine is not well described"),
    ],
)
def test_what_is_wrong_is_one_sentence(track: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says) as error:
        of(**track)
    assert "\n" not in str(error.value)


def test_a_track_is_of_tiles() -> None:
    with pytest.raises(UserError, match=r"tasks.mine.unit is slide, and the track restoration is of single tiles."):
        tasks.configured({"name": "mine", "unit": "slide", "reader": "slides", "track": {"name": "restoration"}})


def test_tiles_are_drawn_in_the_shares_of_the_classes_over_as_many_groups_as_there_are() -> None:
    labels = np.array(["a"] * 60 + ["b"] * 30 + ["c"] * 10)
    groups = np.array([f"p{i % 12}" for i in range(100)])
    ids = np.array([f"tile {i}" for i in range(100)])
    drawn = draw_tiles(ids, groups, labels, 20, seed=0)
    assert Counter(labels[drawn]) == {"a": 12, "b": 6, "c": 2}
    of_a = groups[drawn][labels[drawn] == "a"]
    assert len(set(of_a)) == 12, "every group has one tile before any has two"
    assert (np.diff(drawn) > 0).all()
    order = np.random.default_rng(1).permutation(100)
    again = draw_tiles(ids[order], groups[order], labels[order], 20, seed=0)
    assert set(ids[order][again]) == set(ids[drawn])
    assert set(draw_tiles(ids, groups, labels, 20, seed=1)) != set(drawn)


@pytest.mark.parametrize("most", [1, 3, 7, 99])
def test_as_many_are_drawn_as_wanted(most: int) -> None:
    labels = np.array(list("abc") * 33 + ["d"])
    ids = np.arange(100).astype(str)
    assert len(draw_tiles(ids, ids, labels, most, seed=0)) == most


@pytest.mark.parametrize("most", [0, 100, 1000])
def test_all_are_taken_where_no_fewer_are_wanted(most: int) -> None:
    ids = np.arange(100).astype(str)
    assert draw_tiles(ids, ids, ids, most, seed=0).tolist() == list(range(100))


def ids_of(folder: Path, **settings: Any) -> tuple[list[str], list[str]]:
    task = tasks.configured({"name": "mine", "track": {"name": "restoration"}, "reader": "tiles", **settings})
    found = read_track_tiles(task, folder, folder)
    return found.frame["id"].tolist(), found.notes


def test_a_folder_without_classes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "deeper/c.png"):
        tile(tmp_path / name)
    ids, notes = ids_of(tmp_path)
    assert ids == ["a.png", "b.png", "deeper/c.png"]
    assert notes == ["no patient is known: every tile is its own group"]


def test_a_class_of_one_tile_and_a_single_class_are_no_obstacle(tmp_path: Path) -> None:
    tile(tmp_path / "only" / "a.png")
    assert ids_of(tmp_path)[0] == ["only/a.png"]


def test_of_data_with_a_split_the_test_tiles_are_measured_on(tmp_path: Path) -> None:
    for name in ("train/x/a.png", "test/x/b.png", "val/x/c.png", "test/y/d.png"):
        tile(tmp_path / name)
    ids, notes = ids_of(tmp_path)
    assert ids == ["test/x/b.png", "test/y/d.png"]
    assert "measured on the test tiles of the data" in notes
    for name in ("test/x/b.png", "test/y/d.png"):
        (tmp_path / name).unlink()
    with pytest.raises(UserError, match=r"names its split .* but no test tiles"):
        ids_of(tmp_path)


def test_a_table_without_labels(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        tile(tmp_path / name)
    (tmp_path / "manifest.csv").write_text("path,patient\na.png,p1\nb.png,p1\nc.png,p2\n")
    task = tasks.configured({"name": "mine", "track": {"name": "restoration", "tiles": 2}, "reader": "tiles"})
    found = read_track_tiles(task, tmp_path, tmp_path)
    assert sorted(found.frame["group"]) == ["p1", "p2"]
    assert found.notes == ["2 of 3 tiles were drawn, seed 0"]


def test_the_cohort_is_known_by_its_tiles_and_groups(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        tile(tmp_path / name)
    task = tasks.configured({"name": "mine", "track": {"name": "restoration"}, "reader": "tiles"})
    found = read_track_tiles(task, tmp_path, tmp_path).cohort_hash
    assert found == read_track_tiles(task, tmp_path, tmp_path).cohort_hash
    (tmp_path / "manifest.csv").write_text("path,patient\na.png,p1\nb.png,p1\nc.png,p2\n")
    assert found != read_track_tiles(task, tmp_path, tmp_path).cohort_hash


def test_an_empty_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(UserError, match="holds no tiles of the task mine"):
        ids_of(tmp_path)


def test_a_task_of_predictions_needs_labels_as_before(tmp_path: Path) -> None:
    tile(tmp_path / "a.png")
    with pytest.raises(UserError, match="holds no tiles"):
        tasks.read(tasks.configured({"name": "mine", "reader": "tiles"}), tmp_path, tmp_path)


def test_the_restoration_task_is_of_all_corruptions_and_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    track = composed("restoration").track
    assert track is not None
    assert track.corruptions == list(frontends.corruption_kinds())
    assert track.restorers == ["none", *FILTERS]
