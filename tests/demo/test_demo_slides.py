"""The built-in slides: the same bytes for a seed, pyramids of true scale, masks that match the pixels."""

import hashlib
from pathlib import Path

import numpy as np
import openslide
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from bench.demo import make_slides, slides
from bench.demo.anatomy import lay_out
from bench.demo.cohort import enrol
from bench.demo.textures import Tissue
from registry.errors import UserError

SMALL = (900, 1500)


def _digests(root: Path) -> dict[str, str]:
    return {
        file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(root.rglob("*"))
        if file.is_file()
    }


@pytest.fixture(scope="module")
def cohort(phantom_slides: Path) -> pd.DataFrame:
    table = pd.read_csv(phantom_slides)
    table["file"] = [phantom_slides.parent / path for path in table.slide]
    table["mask"] = [np.asarray(Image.open(phantom_slides.parent / path)) for path in table.truth]
    return table


def _pixels(file: Path) -> np.ndarray:
    with openslide.OpenSlide(file) as slide:
        return np.asarray(slide.read_region((0, 0), 0, slide.dimensions).convert("RGB"))


@pytest.mark.slow
def test_same_seed_same_bytes(tmp_path: Path) -> None:
    one, two = (make_slides(tmp_path / name, patients=12, sides=(600, 650)).parent for name in ("one", "two"))
    assert _digests(one) == _digests(two)


def test_schema_and_split(cohort: pd.DataFrame) -> None:
    assert list(cohort.columns[:6]) == ["slide", "label", "patient", "split", "centre", "mpp"]
    assert cohort.slide.is_unique
    assert cohort.synthetic.all()
    assert cohort.patient.nunique() == 12
    assert (cohort.patient.value_counts() == 2).sum() == 1
    assert (cohort.groupby("patient")[["split", "label", "centre"]].nunique() == 1).all(axis=None)
    for _, part in cohort.groupby("split"):
        assert part.groupby(["centre", "label"]).ngroups == 2 * 2
    assert 0.2526 in set(cohort.mpp)
    assert len(set(cohort.mpp)) == 3


def test_openslide_sees_a_pyramid_of_true_scale(cohort: pd.DataFrame) -> None:
    sizes = []
    for row in cohort.itertuples():
        with openslide.OpenSlide(row.file) as slide:
            assert slide.properties["openslide.vendor"] == "generic-tiff"
            assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(row.mpp, rel=1e-6)
            assert float(slide.properties["openslide.mpp-y"]) == pytest.approx(row.mpp, rel=1e-6)
            assert "Synthetic" in slide.properties["tiff.ImageDescription"]
            assert slide.properties["openslide.level[0].tile-width"] == "256"
            assert slide.level_downsamples == pytest.approx((1, 4, 16), rel=0.02)
            assert all(SMALL[0] <= side <= SMALL[1] for side in slide.dimensions)
            small = np.asarray(slide.get_thumbnail((64, 64)).convert("L"), float)
            large = np.asarray(slide.read_region((0, 0), 0, slide.dimensions).convert("L").resize(small.shape[::-1]))
            assert np.corrcoef(small.ravel(), large.ravel())[0, 1] > 0.9
            sizes.append(slide.dimensions)
    assert any(side % 2 for size in sizes for side in size)
    assert any(high != wide for wide, high in sizes)


def test_label_is_what_the_mask_shows(cohort: pd.DataFrame) -> None:
    for row in cohort.itertuples():
        with openslide.OpenSlide(row.file) as slide:
            wide, high = slide.dimensions
        assert row.mask.shape == (-(-high // row.truth_downsample), -(-wide // row.truth_downsample))
        share = np.mean(row.mask[row.mask > 0] == Tissue.TUMOUR)
        assert share == pytest.approx(row.tumour_share, abs=1e-4)
        assert (share > 0) == (row.label == "tumour")


def test_glass_is_bright_and_tumour_holds_more_haematoxylin_than_stroma(cohort: pd.DataFrame) -> None:
    for row in cohort.itertuples():
        pixels = _pixels(row.file)
        mask = np.asarray(Image.fromarray(row.mask).resize(np.array(row.mask.shape[::-1]) * row.truth_downsample, 0))
        mask = mask[: pixels.shape[0], : pixels.shape[1]]
        inner = {
            tissue: ndimage.binary_erosion(mask == tissue, iterations=12)
            for tissue in (Tissue.GLASS, Tissue.STROMA, Tissue.TUMOUR)
        }
        assert pixels[inner[Tissue.GLASS]].mean() > 225
        red = {tissue: pixels[..., 0][where].mean() for tissue, where in inner.items() if where.sum() > 2000}
        assert red.get(Tissue.STROMA, 0) < 225
        if {Tissue.STROMA, Tissue.TUMOUR} <= red.keys():
            assert red[Tissue.TUMOUR] < red[Tissue.STROMA] - 10


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), share=st.sampled_from([0.0, 0.03, 0.1, 0.35]), high=st.integers(150, 500))
def test_every_layout_has_its_tumour_and_keeps_off_the_border(seed: int, share: float, high: int) -> None:
    regions = lay_out((high, 300), 4.0, share, np.random.default_rng(seed))
    tumour = np.count_nonzero(regions == Tissue.TUMOUR) * 16.0
    assert tumour == 0 if share == 0 else tumour > 112.0**2 / 2
    border = np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])
    assert (border == Tissue.GLASS).all()
    assert 0.1 < np.mean(regions > 0) < 0.9


def test_a_build_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(slides, "_mask", failing)
    with pytest.raises(UserError, match="full"):
        make_slides(tmp_path / "slides", patients=12, sides=(600, 700))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [{"patients": 10}, {"sides": (100, 900)}, {"sides": (900, 800)}])
def test_a_cohort_that_cannot_be_made_is_refused(tmp_path: Path, wrong: dict) -> None:
    with pytest.raises(UserError, match="at least 6"):
        make_slides(tmp_path / "slides", **wrong)


def test_slides_of_equal_area_have_more_pixels_where_these_are_finer(tmp_path: Path) -> None:
    person = enrol(0, slides._PATIENTS, "slidephantom", ["tumour"] * 6)[0]
    sides = {}
    for fine_share, equal_area in ((0.0, True), (1.0, True), (1.0, False)):
        sizes = slides.Sizes((600, 600), fine_share, equal_area)
        row = slides._write_slide(tmp_path, 0, sizes, person, 0)
        with openslide.OpenSlide(tmp_path / row["slide"]) as slide:
            sides[row["mpp"], equal_area] = slide.dimensions
        assert float(row["tumour_share"]) > 0
    assert sides == {("0.5", True): (600, 600), ("0.2526", True): (1200, 1200), ("0.2526", False): (600, 600)}
