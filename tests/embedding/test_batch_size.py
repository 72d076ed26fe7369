"""How a batch size is found and remembered, with a stand-in for the GPU: memory for N tiles, and a clock."""

import json
from types import SimpleNamespace

import pytest
import torch

from bench.embedding import batch_size
from bench.embedding.batch_size import BatchKey, BatchSizes, find_batch_size, largest_batch
from registry.errors import UserError

KEY = BatchKey("uni", "c0ffee", "NVIDIA H200 140 GiB", "bfloat16", 224, 224)


class Device:
    """Runs out of memory above `memory` tiles; a batch takes `seconds(n)` of its own clock."""

    def __init__(self, memory, seconds=lambda n: 1 + n):
        self.memory, self.seconds = memory, seconds
        self.now, self.ran = 0.0, []

    def clock(self):
        return self.now

    def forward(self, n):
        self.ran.append(n)
        if n > self.memory:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        self.now += self.seconds(n)

    def largest(self, start, limit=4096):
        return largest_batch(self.forward, start, limit, "uni on a GPU", clock=self.clock)


def latency_bound(n):
    return 1.0  # twice the tiles in the same time: the rate doubles each time


@pytest.mark.parametrize(("memory", "expected"), [(64, 64), (100, 64), (127, 64), (128, 128), (5000, 4096)])
def test_the_batch_is_doubled_as_long_as_it_fits(memory, expected):
    assert Device(memory, latency_bound).largest(32) == expected


@pytest.mark.parametrize(("memory", "expected"), [(31, 16), (3, 2), (1, 1)])
def test_a_first_batch_that_does_not_fit_is_halved(memory, expected):
    device = Device(memory, latency_bound)
    assert device.largest(32) == expected
    assert max(device.ran) == 32, "what is larger than a batch that does not fit is not tried"


def test_a_batch_that_gains_less_than_a_twentieth_is_not_doubled():
    rates = {32: 100.0, 64: 106.0, 128: 111.0, 256: 1000.0}  # 128 gains 4.7 %
    device = Device(10_000, lambda n: n / rates[n])
    assert device.largest(32) == 64
    assert 256 not in device.ran


def test_the_limit_is_not_exceeded():
    device = Device(10_000, latency_bound)
    assert device.largest(32, limit=100) == 64
    assert device.largest(32, limit=20) == 20
    assert max(device.ran) <= 64


def test_the_first_forward_pass_of_a_size_is_not_timed():
    seen = set()

    def slow_at_first(n):
        first, _ = n not in seen, seen.add(n)
        return 1000.0 if first else 1.0

    assert Device(64, slow_at_first).largest(32) == 64


def test_memory_of_a_failed_batch_is_freed(monkeypatch):
    emptied = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(True))
    Device(40, latency_bound).largest(32)
    assert len(emptied) == 1


def test_no_memory_for_one_tile_is_a_sentence():
    with pytest.raises(UserError, match="uni on a GPU does not fit the memory even with one tile"):
        Device(0).largest(32)


def test_other_errors_of_a_network_are_its_own():
    def broken(n):
        raise RuntimeError("a layer is broken")

    with pytest.raises(RuntimeError, match="a layer is broken"):
        largest_batch(broken, 32, 64, "uni")


def test_sizes_are_remembered_by_all_of_the_key(tmp_path):
    BatchSizes(tmp_path / "cache").put(KEY, 512)
    sizes = BatchSizes(tmp_path / "cache")
    assert sizes.get(KEY) == 512
    others = {"model": "uni2_h", "card": "x", "device": "A100", "precision": "float32", "height": 256, "width": 256}
    for name, value in others.items():
        assert sizes.get(BatchKey(**{**vars(KEY), name: value})) is None, name


def test_a_size_that_was_halved_takes_the_place_of_the_one_before(tmp_path):
    sizes = BatchSizes(tmp_path)
    sizes.put(KEY, 512)
    sizes.put(KEY, 256)
    assert BatchSizes(tmp_path).get(KEY) == 256


def test_what_another_process_wrote_in_between_stays(tmp_path):
    ours, theirs = BatchSizes(tmp_path), BatchSizes(tmp_path)
    other = BatchKey(**{**vars(KEY), "model": "virchow2"})
    assert ours.get(KEY) is None
    theirs.put(other, 64)
    ours.put(KEY, 512)
    assert BatchSizes(tmp_path).get(other) == 64
    assert BatchSizes(tmp_path).get(KEY) == 512


@pytest.mark.parametrize("damage", ["", "{", "[1, 2]", '{"KEY": "many"}', '{"KEY": 0}', '{"KEY": true}', "\0\0"])
def test_a_damaged_file_counts_as_empty_and_is_mended(tmp_path, damage):
    sizes = BatchSizes(tmp_path)
    sizes.path.write_text(damage.replace("KEY", str(KEY)))
    assert sizes.get(KEY) is None
    sizes.put(KEY, 128)
    assert json.loads(sizes.path.read_text()).keys() == {str(KEY), "crc32"}
    assert sizes.get(KEY) == 128


def test_a_changed_digit_and_a_missing_checksum_are_found(tmp_path):
    sizes = BatchSizes(tmp_path)
    sizes.put(KEY, 128)
    text = sizes.path.read_text()
    for damaged in (text.replace(": 128", ": 129"), text.replace("crc32", "crc33"), text.replace("H200", "H201")):
        assert damaged != text
        sizes.path.write_text(damaged)
        assert sizes.get(KEY) is None
    sizes.path.write_text(text)
    assert sizes.get(KEY) == 128


def test_a_folder_that_cannot_be_written_remembers_nothing(tmp_path):
    (tmp_path / "cache").write_text("a file, and no folder")
    sizes = BatchSizes(tmp_path / "cache")
    sizes.put(KEY, 128)
    assert sizes.get(KEY) is None


@pytest.fixture
def gpu(monkeypatch):
    """CUDA is pretended: tiles lie on the CPU, and the clock is a stand-in's."""
    properties = SimpleNamespace(total_memory=16 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Stand-in")
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)


class Model:
    """A network whose batches take memory for `memory` tiles."""

    device = torch.device("cpu")
    card = SimpleNamespace(name="uni", digest=lambda: "c0ffee")

    def __init__(self, memory):
        self.memory, self.shapes = memory, []

    def precision_on(self, device):
        return "bfloat16"

    def __call__(self, tiles):
        self.shapes.append(tuple(tiles.shape))
        assert tiles.dtype == torch.uint8
        if len(tiles) > self.memory:
            raise torch.OutOfMemoryError("CUDA out of memory.")


def test_a_size_is_found_once_and_then_remembered(gpu, tmp_path, monkeypatch):
    monkeypatch.setattr(batch_size, "LEAST_GAIN", 0.0)  # the pretended device has no true rate
    model, sizes = Model(memory=70), BatchSizes(tmp_path)
    assert find_batch_size(model, 96, 128, sizes, 16, 256) == 64
    assert set(model.shapes) == {(n, 3, 96, 128) for n in (16, 32, 64, 128)}
    assert sizes.get(BatchKey("uni", "c0ffee", "Stand-in 16 GiB", "bfloat16", 96, 128)) == 64
    model.shapes.clear()
    assert find_batch_size(model, 96, 128, sizes, 16, 256) == 64
    assert find_batch_size(model, 96, 128, sizes, 16, 48) == 48
    assert model.shapes == []
