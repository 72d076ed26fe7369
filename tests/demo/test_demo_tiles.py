"""The built-in tiles: the same bytes for a seed, a fair split, classes told by structure and not by colour."""

import hashlib
import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage

from bench.demo import folder as folder_module
from bench.demo import make_tiles, tiles
from registry.errors import UserError


def _digests(root: Path) -> dict[str, str]:
    return {
        file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(root.rglob("*"))
        if file.is_file()
    }


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    manifest = make_tiles(tmp_path_factory.mktemp("demo") / "tiles", patients=12, tiles_per_patient=12)
    table = pd.read_csv(manifest)
    table["file"] = [manifest.parent / path for path in table.path]
    return table


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of a sixteenth of the area, for tests of files and seeds."""
    monkeypatch.setattr(tiles, "SIZE", 56)


@pytest.mark.usefixtures("_small")
def test_same_seed_same_bytes_other_seed_other_pixels(tmp_path: Path) -> None:
    one = make_tiles(tmp_path / "a", seed=3, patients=6, tiles_per_patient=6).parent
    two = make_tiles(tmp_path / "elsewhere" / "b", seed=3, patients=6, tiles_per_patient=6).parent
    other = make_tiles(tmp_path / "c", seed=4, patients=6, tiles_per_patient=6).parent
    assert _digests(one) == _digests(two)
    pixels = {name: digest for name, digest in _digests(one).items() if name.endswith(".jpg")}
    assert not set(pixels.values()) & set(_digests(other).values())


@pytest.mark.usefixtures("_small")
def test_a_larger_cohort_keeps_the_tiles_of_a_smaller_one(tmp_path: Path) -> None:
    few = _digests(make_tiles(tmp_path / "few", patients=6, tiles_per_patient=6).parent)
    more = _digests(make_tiles(tmp_path / "more", patients=7, tiles_per_patient=8).parent)
    tiles_of_few = {name: digest for name, digest in few.items() if name.endswith(".jpg")}
    assert tiles_of_few.items() <= more.items()


def test_schema(cohort: pd.DataFrame) -> None:
    assert list(cohort.columns[:6]) == ["id", "path", "label", "group", "split", "centre"]
    assert cohort.id.is_unique
    assert len(cohort) == 144
    assert cohort.synthetic.all()
    assert cohort.label.nunique() == 6
    for path, file in zip(cohort.path, cohort.file, strict=True):
        assert not os.path.isabs(path)
        with Image.open(file) as image:
            assert (image.size, image.mode, image.format) == ((224, 224), "RGB", "JPEG")
            assert b"Synthetic" in image.info["comment"]


def test_split_by_patient_with_every_class_and_scanner_in_each_part(cohort: pd.DataFrame) -> None:
    assert (cohort.groupby("group").split.nunique() == 1).all()
    assert (cohort.groupby("group").centre.nunique() == 1).all()
    assert set(cohort.split) == {"train", "val", "test"}
    for _, part in cohort.groupby("split"):
        assert part.groupby(["centre", "label"]).ngroups == 2 * 6


def _nearest_centroid(features: np.ndarray, table: pd.DataFrame) -> float:
    """Balanced accuracy on the test patients; the features are scaled by their spread in training."""
    train, test = (table.split == "train").to_numpy(), (table.split == "test").to_numpy()
    features = (features - features[train].mean(0)) / features[train].std(0)
    labels = table.label.to_numpy()
    classes = np.unique(labels)
    centroids = np.stack([features[train & (labels == c)].mean(0) for c in classes])
    guess = classes[((features[:, None] - centroids) ** 2).sum(-1).argmin(1)]
    return float(np.mean([(guess[test & (labels == c)] == c).mean() for c in classes]))


@pytest.mark.slow
def test_structure_tells_the_classes_and_colour_does_not(cohort: pd.DataFrame) -> None:
    means, texture = [], []
    for file in cohort.file:
        pixels = np.asarray(Image.open(file), float)
        means.append(pixels.mean((0, 1)))
        density = np.log(pixels.mean(-1) + 1)
        density = (density - density.mean()) / density.std()
        bands = [ndimage.gaussian_filter(density, s) for s in (0.7, 1.4, 2.8, 5.6, 11.2, 22.4)]
        ladder = [np.log((a - b).std()) for a, b in pairwise(bands)]
        texture.append([*ladder, (density**3).mean()])
    colour, structure = (_nearest_centroid(np.array(f), cohort) for f in (means, texture))
    assert colour < 0.6
    assert structure > colour + 0.1


@pytest.mark.usefixtures("_small")
def test_a_whole_folder_is_left_alone_and_a_stale_one_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_tiles(tmp_path / "tiles", patients=6, tiles_per_patient=6).parent
    first = root.stat().st_ino
    make_tiles(root, patients=6, tiles_per_patient=6)
    assert root.stat().st_ino == first
    assert len(pd.read_csv(make_tiles(root, patients=6, tiles_per_patient=7))) == 42
    monkeypatch.setattr(folder_module, "GENERATOR", folder_module.GENERATOR + 1)
    second = root.stat().st_ino
    make_tiles(root, patients=6, tiles_per_patient=7)
    assert root.stat().st_ino != second
    assert [p.name for p in tmp_path.iterdir()] == ["tiles"]


@pytest.mark.usefixtures("_small")
def test_a_build_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = tiles.render, []

    def failing(*args, **kwargs):
        calls.append(1)
        if len(calls) > 20:
            raise OSError(28, "No space left on device")
        return real(*args, **kwargs)

    monkeypatch.setattr(tiles, "render", failing)
    with pytest.raises(UserError, match="full"):
        make_tiles(tmp_path / "tiles", patients=6, tiles_per_patient=6)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_small")
def test_a_killed_build_is_not_taken_for_whole(tmp_path: Path) -> None:
    root = tmp_path / "tiles"
    code = (
        "import sys, time; from pathlib import Path; from bench.demo import tiles\n"
        "real, count = tiles.write, [0]\n"
        "def write(path, content):\n"
        "    real(path, content); count[0] += 1\n"
        "    if count[0] == 10: print('ten', flush=True); time.sleep(600)\n"
        "tiles.write = write\n"
        "tiles.make_tiles(Path(sys.argv[1]), patients=30)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(root)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ten\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not root.exists()
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".partial")
    os.utime(left, (0, 0))
    manifest = make_tiles(root, patients=6, tiles_per_patient=6)
    assert len(pd.read_csv(manifest)) == 36
    assert list(tmp_path.iterdir()) == [root]


@pytest.mark.slow
def test_two_builders_at_once_agree(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from bench.demo import tiles; tiles.SIZE = 56\n"
    code += "tiles.make_tiles(Path(sys.argv[1]), patients=6, tiles_per_patient=6)"
    command = [sys.executable, "-c", code, str(tmp_path / "tiles")]
    children = [subprocess.Popen(command) for _ in range(2)]
    assert [child.wait() for child in children] == [0, 0]
    assert list(tmp_path.iterdir()) == [tmp_path / "tiles"]
    assert (tmp_path / "tiles" / "manifest.csv").is_file()


def test_someone_elses_folder_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="holds something else"):
        make_tiles(tmp_path, patients=6, tiles_per_patient=6)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("size", [{"patients": 5}, {"patients": 0}, {"tiles_per_patient": 5}])
def test_too_small_a_cohort_is_refused(tmp_path: Path, size: dict[str, int]) -> None:
    with pytest.raises(UserError, match="at least 6"):
        make_tiles(tmp_path / "tiles", **size)
