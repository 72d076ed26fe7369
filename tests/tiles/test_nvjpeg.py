"""JPEG on a GPU: pixels near those of libjpeg, and a sentence where it cannot be done."""

import io
import types

import numpy as np
import pytest
import torch
from PIL import Image

import bench
from bench.tiles import TileSource, nvjpeg, read_batches
from registry.errors import UserError

on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def encoded(seed, height=64, width=80, mode="RGB"):
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([np.sin(x / 9 + seed), np.cos(y / 7), np.sin((x + y) / 13)], axis=2) * 100 + 128
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).convert(mode).save(file, "JPEG", quality=90)
    return file.getvalue()


def by_pillow(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


@on_cuda
def test_cuda_pixels_are_near_those_of_libjpeg():
    files = [*(encoded(seed) for seed in range(7)), encoded(7, mode="L")]
    tiles = nvjpeg.decode_jpegs(files, "cuda")
    assert tiles.device.type == "cuda"
    assert tiles.dtype == torch.uint8
    assert tiles.shape == (8, 3, 64, 80)
    found = tiles.permute(0, 2, 3, 1).cpu().numpy().astype(int)
    difference = np.abs(found - np.stack([by_pillow(data) for data in files]))
    assert difference.mean() < 1
    assert np.percentile(difference, 99) <= 6


@on_cuda
def test_cuda_refuses_a_damaged_tile():
    with pytest.raises(UserError, match="cannot be decoded by nvJPEG"):
        nvjpeg.decode_jpegs([encoded(0), b"\xff\xd8\xff not an image"], "cuda")


@on_cuda
def test_cuda_refuses_tiles_of_several_sizes():
    with pytest.raises(ValueError, match="2 sizes"):
        nvjpeg.decode_jpegs([encoded(0), encoded(0, height=32)], "cuda")


def test_a_processor_is_refused():
    with pytest.raises(UserError, match="on CUDA devices alone, not on cpu"):
        nvjpeg.decode_jpegs([encoded(0)], "cpu")


def test_a_machine_without_a_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"finds no CUDA device here; set decode=cpu\.$"):
        nvjpeg.check_available("cuda:1")


def test_a_torchvision_without_nvjpeg_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.ops, "image", types.SimpleNamespace(), raising=False)
    with pytest.raises(UserError, match="this torchvision has no nvJPEG"):
        nvjpeg.check_available("cuda")


def test_a_batch_is_one_call(monkeypatch):
    """The call itself, with the operator of torchvision replaced by Pillow."""
    from torchvision import io as torchvision_io

    calls = []

    def decode_jpeg(files, mode, device):
        calls.append((len(files), mode, device))
        return [torch.from_numpy(by_pillow(file.numpy().tobytes()).astype(np.uint8)).permute(2, 0, 1) for file in files]

    monkeypatch.setattr(nvjpeg, "check_available", lambda device: None)
    monkeypatch.setattr(torchvision_io, "decode_jpeg", decode_jpeg)
    files = [encoded(seed) for seed in range(3)]
    tiles = nvjpeg.decode_jpegs(files, "cuda")
    assert calls == [(3, torchvision_io.ImageReadMode.RGB, "cuda")]
    np.testing.assert_array_equal(tiles.permute(0, 2, 3, 1).numpy(), [by_pillow(data) for data in files])
    with pytest.raises(ValueError, match="2 sizes"):
        nvjpeg.decode_jpegs([*files, encoded(0, height=32)], "cuda")


def decoded_by_processor(refuse=()):
    """A stand-in for the GPU's decoder, whose pixels are one level brighter, and which refuses some files."""
    calls = []

    def decode(files, device):
        calls.append(len(files))
        if any(data in refuse for data in files):
            raise UserError("nvJPEG refuses one of them")
        tiles = np.stack([np.minimum(by_pillow(data) + 1, 255) for data in files]).astype(np.uint8)
        return torch.from_numpy(tiles).permute(0, 3, 1, 2)

    return decode, calls


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setattr(nvjpeg, "check_available", lambda device: None)
    contents = [encoded(i) for i in range(20)]
    contents[3] = encoded(3, height=32)
    contents[5] = b"no image"
    contents[7] = encoded(7, mode="CMYK")
    paths = [str(tmp_path / f"{i}.jpg") for i in range(20)]
    for path, data in zip(paths, contents, strict=True):
        with open(path, "wb") as file:
            file.write(data)
    return TileSource([str(i) for i in range(20)], paths, [-1] * 20), contents


@pytest.mark.parametrize("batch_size", [1, 7, 20])
def test_runs_are_decoded_in_one_call_and_what_is_refused_by_the_processor(source, monkeypatch, batch_size):
    tiles, contents = source
    decode, calls = decoded_by_processor(refuse={contents[11]})
    monkeypatch.setattr(nvjpeg, "decode_jpegs", decode)
    found, unreadable = {}, set()
    for batch in read_batches([tiles.decoded_on("cuda")], batch_size, workers=2):
        found |= dict(zip(batch.rows.tolist(), batch.tiles.permute(0, 2, 3, 1).numpy(), strict=True))
        unreadable |= {row for _, row in batch.unreadable}
    assert unreadable == {5}
    for row, pixels in found.items():
        brighter = 0 if row in (3, 7, 11) else 1
        np.testing.assert_array_equal(pixels, np.minimum(by_pillow(contents[row]) + brighter, 255))
    assert len(found) == 19
    assert batch_size == 1 or max(calls) > 1


def test_parts_and_packs_are_decoded_there_too(source, monkeypatch, tmp_path):
    tiles, contents = source
    decode, calls = decoded_by_processor()
    monkeypatch.setattr(nvjpeg, "decode_jpegs", decode)
    packed = tiles.packed(tmp_path / "packed", tiles.digest()).decoded_on("cuda").part(12, 16)
    (batch,) = read_batches([packed], 8, workers=1)
    assert calls == [4]
    np.testing.assert_array_equal(batch.tiles[0].permute(1, 2, 0), np.minimum(by_pillow(contents[12]) + 1, 255))


def test_such_features_have_a_key_of_their_own_and_a_processor_is_refused_when_it_is_planned(tmp_path, monkeypatch):
    for i in range(4):
        Image.fromarray(np.full((32, 32, 3), 50 * i, np.uint8)).save(tmp_path / f"{i}.jpg")
    lines = [f"{i}.jpg,{'ab'[i % 2]},{'train' if i < 2 else 'test'}" for i in range(4)]
    (tmp_path / "t.csv").write_text("\n".join(["path,label,split", *lines]))
    where = {"data": tmp_path / "t.csv", "cache": tmp_path / "cache"}
    task = {"tiles": {"min_groups": 1}}
    with pytest.raises(UserError, match="set decode=cpu"):
        bench.embed("colour", task, decode="gpu", device="cpu", **where)
    monkeypatch.setattr(nvjpeg, "check_available", lambda device: None)
    decode, calls = decoded_by_processor()
    monkeypatch.setattr(nvjpeg, "decode_jpegs", decode)
    vectors = [bench.embed("colour", task, decode=by, device="cpu", **where).vectors for by in ("gpu", "cpu", "gpu")]
    assert calls
    assert not np.array_equal(vectors[0], vectors[1])
    np.testing.assert_array_equal(vectors[0], vectors[2])
    assert len(list((tmp_path / "cache/features/colour").iterdir())) == 2
