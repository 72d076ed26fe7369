"""The store of patch tokens: written in any order and in parts, read by slices, the same bytes for the same tiles."""

import errno
import resource
import tracemalloc

import h5py
import numpy as np
import pytest
from embedding_helpers import Means, make_job
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.embedding import Shard, is_cached, token_store
from bench.embedding.store import write_features
from bench.embedding.token_store import TokenWriter, grid_of, read_tokens, tokens_path
from registry.errors import UserError

N, T, C = 23, 6, 5
GRID = (2, 3)
ATTRIBUTES = {"model": "m", "skipped": "[]"}


@pytest.fixture
def tokens():
    return np.random.default_rng(0).normal(size=(N, T, C)).astype(np.float32)


def write(path, tokens, batches, attributes=ATTRIBUTES, tiles=None):
    writer = TokenWriter(path, len(tokens) if tiles is None else tiles)
    for rows in batches:
        rows = np.asarray(rows, np.int64)
        writer.put(rows, tokens[rows], GRID)
    writer.finish(attributes)
    return path


def test_what_is_put_is_read(tmp_path, tokens):
    path = write(tokens_path(tmp_path / "m" / "key" / "s.h5"), tokens, np.array_split(np.arange(N), 4))
    assert path.name == "s.tokens.h5"
    stored, attributes = read_tokens(path)
    assert stored.shape == (N, T, C)
    assert stored.dtype == np.float16
    np.testing.assert_array_equal(stored[:], tokens.astype(np.float16))
    np.testing.assert_array_equal(stored[3], tokens[3].astype(np.float16))
    np.testing.assert_array_equal(stored[[7, 2]], tokens[[7, 2]].astype(np.float16))
    assert grid_of(attributes) == GRID
    with h5py.File(path) as file:
        assert file["tokens"].chunks is None
        assert file["tokens"].compression is None
        np.testing.assert_array_equal(file["tokens"][:], tokens.astype(np.float16))
    assert is_cached(path, ATTRIBUTES)
    assert not is_cached(path, {"model": "another"})
    assert [p.name for p in path.parent.iterdir()] == [path.name], "no temporary file stays"


@settings(max_examples=30)
@given(data=st.data())
def test_any_order_skipped_tiles_and_large_numbers_give_the_same_bytes(data, tmp_path_factory):
    tokens = np.random.default_rng(1).normal(size=(N, T, C)).astype(np.float32)
    present = sorted(data.draw(st.sets(st.integers(0, N - 1), min_size=1)))
    for row in data.draw(st.sets(st.sampled_from(present), max_size=2)):
        tokens[row, 1, 2] = data.draw(st.sampled_from([1e6, -1e5, 65504.0]))
    folder = tmp_path_factory.mktemp("any")
    order = np.array(data.draw(st.permutations(present)))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(order)), max_size=4)))
    one = write(folder / "one.h5", tokens, [present], tiles=N)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(token_store, "COPIED_BYTES", 3 * T * C * 2)
        other = write(folder / "other.h5", tokens, np.split(order, cuts), tiles=N)
    assert one.read_bytes() == other.read_bytes()
    large = np.abs(tokens) > 65504
    rounded = np.where(large, tokens, np.where(large, 0, tokens).astype(np.float16))[present]
    stored = read_tokens(one)[0]
    assert stored.dtype == (np.float32 if large[present].any() else np.float16)
    np.testing.assert_array_equal(stored[:], rounded)


def test_half_precision_is_the_same_as_single(tmp_path, tokens):
    one = write(tmp_path / "one.h5", tokens, [range(N)])
    assert write(tmp_path / "two.h5", tokens.astype(np.float16), [range(N)]).read_bytes() == one.read_bytes()
    mixed = TokenWriter(tmp_path / "mixed.h5", N)
    tokens[-1, 0, 0] = 1e5
    mixed.put(np.arange(N - 1), tokens[:-1].astype(np.float16), GRID)
    mixed.put(np.array([N - 1]), tokens[-1:], GRID)
    mixed.finish(ATTRIBUTES)
    assert (tmp_path / "mixed.h5").read_bytes() == write(tmp_path / "single.h5", tokens, [range(N)]).read_bytes()


@pytest.mark.parametrize("tiles", [0, 4])
def test_a_shard_of_which_no_tile_can_be_read(tmp_path, tiles):
    writer = TokenWriter(tmp_path / "s.h5", tiles)
    writer.finish(ATTRIBUTES)
    stored, attributes = read_tokens(tmp_path / "s.h5")
    assert len(stored) == 0
    assert attributes["model"] == "m"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_numbers_that_are_not_finite_are_refused(tmp_path, tokens, value, dtype):
    tokens[5, 1, 1] = value
    writer = TokenWriter(tmp_path / "s.tokens.h5", 2 * N)
    with pytest.raises(UserError, match="patch tokens of tile 28 of s are not finite"):
        writer.put(np.arange(N, 2 * N), tokens.astype(dtype), GRID)
    writer.abandon()
    assert not list(tmp_path.iterdir())


def test_tiles_of_several_sizes_are_refused(tmp_path, tokens):
    writer = TokenWriter(tmp_path / "s.h5", N)
    writer.put(np.arange(2), tokens[:2], GRID)
    with pytest.raises(UserError, match="2 x 3 and 1 x 6; features=tokens takes tiles of one size"):
        writer.put(np.arange(2, 4), tokens[2:4], (1, 6))
    writer.abandon()
    assert not list(tmp_path.iterdir())


def test_abandoned_it_leaves_nothing_and_what_was_there_stays(tmp_path, tokens):
    path = write(tmp_path / "s.h5", tokens, [range(N)])
    before = path.read_bytes()
    writer = TokenWriter(path, N)
    writer.put(np.arange(4), tokens[:4] + 1, GRID)
    writer.abandon()
    writer.abandon()
    assert [p.name for p in tmp_path.iterdir()] == ["s.h5"]
    assert path.read_bytes() == before


def test_a_full_disk_is_a_sentence_and_leaves_nothing(tmp_path, tokens, monkeypatch):
    full = OSError(errno.ENOSPC, "No space left on device")

    def fail(*_):
        raise full

    monkeypatch.setattr(token_store._RawFile, "write", fail)
    writer = TokenWriter(tmp_path / "s.h5", N)
    with pytest.raises(UserError, match="is full: make room"):
        writer.put(np.arange(N), tokens, GRID)
    writer.abandon()
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    writer = TokenWriter(tmp_path / "s.h5", N)
    writer.put(np.arange(N), tokens, GRID)
    monkeypatch.setattr(token_store, "put_in_place", fail)
    with pytest.raises(UserError, match="is full: make room"):
        writer.finish(ATTRIBUTES)
    assert not list(tmp_path.iterdir()), "finish cleans up after itself"


def test_a_real_limit_of_the_file_system_is_met(tmp_path, tokens):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    big = np.zeros((64, 64, 64), np.float32)
    writer = TokenWriter(tmp_path / "s.h5", 64)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, limits[1]))
        with pytest.raises(UserError, match="cannot be written"):
            writer.put(np.arange(64), big, (8, 8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    writer.abandon()
    assert not list(tmp_path.iterdir())


def test_a_shard_is_never_in_memory(tmp_path):
    """64 MB of tokens in batches of 1 MB, with tiles left out so that the file is copied too, take a few batches."""
    batch = np.ones((16, 64, 256), np.float32)
    writer = TokenWriter(tmp_path / "s.h5", 2048)
    writer.put(np.arange(16), batch, (8, 8))
    tracemalloc.start()
    for start in range(16, 2048 - 16, 16):
        writer.put(np.arange(start, start + 16), batch, (8, 8))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(token_store, "COPIED_BYTES", 2**20)
        writer.finish(ATTRIBUTES)
    stored = read_tokens(tmp_path / "s.h5")[0]
    assert stored[2000].sum() == 64 * 256
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert stored.shape[0] == 2048 - 16
    assert (tmp_path / "s.h5").stat().st_size > 60 * 2**20
    assert peak < 8 * 2**20


def test_a_job_that_wants_tokens_lacks_a_shard_without_them(tmp_path, tokens):
    job = make_job(tmp_path, Means())
    wanting = make_job(tmp_path, Means(), tokens=True)
    assert wanting.key == job.key, "the vectors are the same"
    shard = Shard("s", range(N))
    assert not job.is_cached(shard)
    write_features(job.path("s"), np.zeros((N, 3), np.float32), job.attributes_of(shard))
    assert job.is_cached(shard)
    assert not wanting.is_cached(shard)
    write(wanting.tokens_path("s"), tokens, [range(N)], {**job.attributes_of(shard), "key_card": "another"})
    assert not wanting.is_cached(shard), "tokens of another card are none"
    write(wanting.tokens_path("s"), tokens, [range(N)], job.attributes_of(shard))
    assert wanting.is_cached(shard)
    job.path("s").unlink()
    assert not wanting.is_cached(shard)
