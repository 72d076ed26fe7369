"""What is no slide, not a whole one, or not one to embed: one sentence each, and never a white patch in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from bench.slides import SlideTiles, UnreadableRegion, find_tissue, open_slide, plan
from bench.tiles import read_batches
from registry.errors import UserError


def damage(path: Path, tile: int, kind: str, page: int = 0) -> None:
    """Spoil one compressed tile of a page in place."""
    with tifffile.TiffFile(path) as tiff:
        offset, count = tiff.pages[page].dataoffsets[tile], tiff.pages[page].databytecounts[tile]
    noise = np.random.default_rng(0).bytes(200)
    start, junk = {
        "zeros": (offset, bytes(count)),
        "noise": (offset + count // 2, b"\xff\xd9" + noise[: count // 4]),  # ends the picture too early
        "half": (offset + count // 2, bytes(count - count // 2)),
    }[kind]
    with open(path, "r+b") as file:
        file.seek(start)
        file.write(junk)


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "openslide"])
@pytest.mark.parametrize("kind", ["zeros", "noise", "half"])
def test_corrupt_tile_is_named_or_left_out(tmp_path, tissue, write_pyramid, kind, direct) -> None:
    base = tissue[1000:2280, :1280]
    sound = write_pyramid(tmp_path / "sound.tif", base)
    path = write_pyramid(tmp_path / "corrupt.tif", base)
    damage(path, 7, kind)  # row 1, column 2
    with open_slide(path, direct=direct) as slide, open_slide(sound) as expected:
        grid = plan(slide, 256, 0.25)
        assert len(grid) == 25
        tiles = SlideTiles(slide, grid)
        batches = list(read_batches([tiles], 8, workers=2))
        rows = np.concatenate([b.rows for b in batches])
        [(row, error)] = [pair for b in batches for pair in b.unreadable.items()]
        assert row == (0, 7)
        assert isinstance(error, UnreadableRegion)
        assert "corrupt.tif is corrupt at pixel (512, 256) of level 0" in str(error)
        assert rows.tolist() == [r for r in range(25) if r != 7]
        for batch in batches:
            for row, tile in zip(batch.rows, batch.tiles, strict=True):
                x, y = grid.coords[row]
                np.testing.assert_array_equal(tile.permute(1, 2, 0), expected.read_region(x, y, 0, 256, 256))


def test_corrupt_tile_of_j2k(tmp_path, tissue, write_pyramid) -> None:
    path = write_pyramid(tmp_path / "a.tif", tissue[:768, :768], compression="jpeg2000", quality=40)
    damage(path, 4, "zeros")
    with open_slide(path) as slide, pytest.raises(UnreadableRegion, match=r"\(256, 256\)"):
        slide.read_region(0, 0, 0, 768, 768)


def test_corrupt_thumbnail_is_no_background(tmp_path, tissue, write_pyramid) -> None:
    """What cannot be seen counts as tissue when corrupt tiles are skipped, so that they are tried and counted."""
    path = write_pyramid(tmp_path / "a.tif", tissue[1000:2280, :1280])
    damage(path, 7, "zeros")
    with open_slide(path) as slide:
        with pytest.raises(UnreadableRegion):
            find_tissue(slide)
        found = find_tissue(slide, segmenter=lambda image, mpp: np.zeros(image.shape[:2], bool), on_corrupt="skip")
        grid = plan(slide, 256, 0.25, tissue=found)
        assert grid.coords.tolist() == [[512, 256]]


def test_one_failure_does_not_poison_openslide(tmp_path, tissue, write_pyramid) -> None:
    path = write_pyramid(tmp_path / "a.tif", tissue[:1024, :1024])
    damage(path, 0, "zeros")
    with open_slide(path, direct=False) as slide:
        for _ in range(2):
            with pytest.raises(UnreadableRegion):
                slide.read_region(0, 0, 0, 10, 10)
            assert slide.read_region(600, 600, 0, 64, 64).mean() < 255


def test_no_such_file(tmp_path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        open_slide(tmp_path / "none.svs")


@pytest.mark.parametrize("name", ["a.svs", "a.tif", "a.ndpi", "a.png", "a.txt"])
def test_no_slide(tmp_path, name) -> None:
    path = tmp_path / name
    path.write_bytes(b"this is no slide" * 100)
    with pytest.raises(UserError, match=r"\(1,600 bytes\) is no slide"):
        open_slide(path, 0.5)


def test_folder_and_empty_file(tmp_path) -> None:
    with pytest.raises(UserError, match="is a folder"):
        open_slide(tmp_path, 0.5)
    (tmp_path / "a.svs").touch()
    with pytest.raises(UserError, match=r"\(0 bytes\) is no slide"):
        open_slide(tmp_path / "a.svs", 0.5)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated(tmp_path, tissue, write_pyramid, share) -> None:
    whole = write_pyramid(tmp_path / "a.tif", tissue[:1500, :1500], (1, 4)).read_bytes()
    path = tmp_path / "cut.tif"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UserError, match=r"truncated|only a part|damaged"):
        open_slide(path, 0.5)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_truncated_real_slide(tmp_path, shared, share) -> None:
    whole = (shared / "data/slides/CMU-1-Small-Region.svs").read_bytes()
    path = tmp_path / "cut.svs"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UserError, match=r"truncated|only a part|damaged"):
        open_slide(path, 0.5)


def test_missing_level(tmp_path, tissue, write_pyramid) -> None:
    with open_slide(write_pyramid(tmp_path / "a.tif", tissue[:600, :600])) as slide:
        for level in (1, -1):
            with pytest.raises(UserError, match=f"has no level {level}: its levels are 0 to 0"):
                slide.read_region(0, 0, level, 10, 10)


def test_z_stack(tmp_path, tissue) -> None:
    planes = np.stack([tissue[:512, :512]] * 3)
    options = {"tile": (256, 256), "photometric": "rgb", "compression": "deflate"}
    tifffile.imwrite(tmp_path / "z.ome.tif", planes, ome=True, metadata={"axes": "ZYXS"}, **options)
    with pytest.raises(UserError, match="Z-stack of 3 focal planes"):
        open_slide(tmp_path / "z.ome.tif", 0.25)
    tifffile.imwrite(tmp_path / "z.tif", planes, metadata=None, **options)
    with pytest.raises(UserError, match="3 pictures of the same size"):
        open_slide(tmp_path / "z.tif", 0.25)


@pytest.mark.parametrize(
    ("shape", "dtype", "axes", "said"),
    [
        ((4, 512, 512), np.uint16, "CYX", "4 channels of 16 bits"),
        ((512, 512), np.uint8, "YX", "1 channel of 8 bits"),
        ((5, 512, 512), np.uint8, "CYX", "5 channels of 8 bits"),
    ],
)
def test_fluorescence(tmp_path, shape, dtype, axes, said) -> None:
    pixels = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    path = tmp_path / "f.ome.tif"
    tifffile.imwrite(path, pixels, ome=True, tile=(256, 256), photometric="minisblack", metadata={"axes": axes})
    with pytest.raises(UserError, match=f"{said}, as fluorescence"):
        open_slide(path, 0.25)


@pytest.mark.parametrize("title", ["label 387x463", "Aperio Image Library v11.2.1\r\nmacro 1280x431"])
def test_label_or_macro(tmp_path, tissue, title) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, tissue[:463, :387], photometric="rgb", description=title, metadata=None)
    with pytest.raises(UserError, match=r"is the (label|macro) image of a slide, not the slide"):
        open_slide(path, 0.5)


def test_huge_picture_in_one_block(tmp_path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as out:
        out.write(
            iter([b"\0" * 100]), shape=(12000, 12000, 3), dtype=np.uint8, compression="jpeg", photometric="rgb",
            rowsperstrip=12000, subsampling=(1, 1),
        )  # fmt: skip
    with pytest.raises(UserError, match="one block of 12000 x 12000 px"):
        open_slide(path, 0.5)


def test_plain_picture_is_no_slide(tmp_path, tissue) -> None:
    Image.fromarray(tissue[:300, :300]).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="is no slide"):
        open_slide(tmp_path / "a.png", 0.5)


def test_slide_smaller_than_a_tile_gives_none(tmp_path, tissue, write_pyramid) -> None:
    with open_slide(write_pyramid(tmp_path / "a.tif", tissue[:300, :100])) as slide:
        grid = plan(slide, 256, 0.25)
        assert (len(grid), grid.candidates) == (0, 0)
        assert list(read_batches([SlideTiles(slide, grid)], 8, workers=1)) == []
