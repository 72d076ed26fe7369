"""JPEG on a GPU: pixels near those of libjpeg, and a sentence where it cannot be done."""

import io
import types

import numpy as np
import pytest
import torch
from PIL import Image

from bench.tiles import nvjpeg
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
    with pytest.raises(UserError, match=r"finds no CUDA device here; leave the decoding to the processor\.$"):
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
