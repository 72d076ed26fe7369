import multiprocessing
import os
import random
import resource
import time
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from bench.embedding import Job, embed, feature_folder, read_features, shards, store, write_features
from bench.tiles import TileSource
from registry.errors import UserError

N = 50


class Means:
    """A stand-in for an encoder: channel means, slow enough to be killed."""

    device = torch.device("cpu")
    weights = SimpleNamespace(commit="c0ffee", notes=("not the published file",))

    def __init__(self, scale=1.0, pause=0.0):
        self.scale, self.pause, self.calls = scale, pause, 0

    def __call__(self, tiles):
        self.calls += 1
        time.sleep(self.pause)
        return tiles.float().mean((2, 3)) * self.scale


@pytest.fixture
def source(tmp_path):
    rng = np.random.default_rng(0)
    paths = []
    for i in range(N):
        paths.append(str(tmp_path / f"{i:03d}.png"))
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(paths[-1])
    return TileSource([str(i) for i in range(N)], paths, [-1] * N)


def make_job(cache, extractor, name="m", **key):
    key = {"card": "c", "weights": "w", **key}
    return Job(name, feature_folder(cache, name, key), key, lambda: extractor)


def run(source, *jobs, **changes):
    settings = {"batch_size": 7, "workers": 2, "shard_tiles": 20, **changes}
    return embed(shards(source, settings.pop("shard_tiles")), list(jobs), **settings)


def expected(source):
    return np.stack([np.asarray(Image.open(p), np.float32).mean((0, 1)) for p in source.paths])


def contents(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.glob("*.h5"))}


def test_features_are_those_of_the_tiles_in_order(tmp_path, source):
    made = run(source, make_job(tmp_path, Means()))["m"]
    assert made.error is None
    assert len(made.files) == 3
    np.testing.assert_allclose(made.features(), expected(source), rtol=1e-3)
    assert made.rows.tolist() == list(range(N))
    assert made.tiles_per_s > 0
    assert made.weights == {"sha256": "w", "commit": "c0ffee", "notes": ["not the published file"]}


def test_nothing_is_done_twice(tmp_path, source):
    first, second = Means(), Means()
    run(source, make_job(tmp_path, first))
    again = run(source, make_job(tmp_path, second))["m"]
    assert first.calls > 0
    assert second.calls == 0
    np.testing.assert_allclose(again.features(), expected(source), rtol=1e-3)


def test_a_changed_key_is_another_folder(tmp_path):
    a = feature_folder(tmp_path, "m", {"card": "1", "weights": "w"})
    assert a != feature_folder(tmp_path, "m", {"card": "2", "weights": "w"})
    assert a == feature_folder(tmp_path, "m", {"weights": "w", "card": "1"})
    assert a.name == "7aeeac88914fcfbd", "another rule of digests would orphan all caches and rows"
    assert feature_folder(tmp_path, "hf-hub:a/b", {}).parent.parent == tmp_path / "features"


@pytest.mark.parametrize("change", [{"batch_size": 1}, {"batch_size": 64}, {"workers": 1}, {"shard_tiles": 1000}])
def test_how_it_is_batched_changes_nothing(tmp_path, source, change):
    plain = run(source, make_job(tmp_path / "a", Means()))["m"].features()
    changed = run(source, make_job(tmp_path / "b", Means()), **change)["m"].features()
    np.testing.assert_array_equal(plain, changed)


def test_each_tile_is_decoded_once_for_all_models(tmp_path, source, monkeypatch):
    from bench.tiles import source as module

    decoded = []
    plain = module.decode_tile
    monkeypatch.setattr(module, "decode_tile", lambda path, index: decoded.append(path) or plain(path, index))
    made = run(source, make_job(tmp_path, Means(), "a"), make_job(tmp_path, Means(2.0), "b"))
    assert sorted(decoded) == sorted(source.paths)
    np.testing.assert_allclose(made["b"].features(), 2 * made["a"].features(), rtol=1e-3)


def test_a_failing_model_leaves_the_others_whole(tmp_path, source):
    class Broken(Means):
        def __call__(self, tiles):
            raise RuntimeError("boom")

    def unloadable():
        raise UserError("no weights")

    late = make_job(tmp_path, None, "late")
    gated = Job("gated", late.folder.parent / "gated", late.attributes, unloadable)
    made = run(source, make_job(tmp_path, Broken(), "broken"), gated, make_job(tmp_path, Means(), "good"))
    assert "boom" in str(made["broken"].error)
    assert "no weights" in str(made["gated"].error)
    assert made["good"].error is None
    assert not list(gated.folder.glob("*"))


def test_features_that_are_no_numbers_are_refused(tmp_path, source):
    made = run(source, make_job(tmp_path, Means(float("nan"))))["m"]
    assert "not finite" in str(made.error)
    assert not list(tmp_path.glob("features/**/*.h5"))


def test_large_values_are_kept_in_float32(tmp_path, source):
    made = run(source, make_job(tmp_path, Means(1e6)))["m"]
    np.testing.assert_allclose(made.features(), 1e6 * expected(source), rtol=1e-6)
    with h5py.File(made.files[0]) as file:
        assert file["features"].dtype == np.float32


def test_unreadable_tiles_stop_it_or_are_left_out(tmp_path, source):
    open(source.paths[30], "wb").close()
    job = make_job(tmp_path, Means())
    with pytest.raises(UserError, match=r"030\.png"):
        run(source, job)
    assert len(list(job.folder.glob("*.h5"))) == 1, "the shard before it stays"
    made = run(source, job, on_corrupt="skip")["m"]
    assert made.rows.tolist() == [i for i in range(N) if i != 30]
    np.testing.assert_allclose(made.features(), np.delete(expected_but(source, 30), 30, axis=0), rtol=1e-3)
    assert "position 30" in str(run(source, job)["m"].error), "asked strictly, the gap is an error again"


def expected_but(source, gap):
    rows = [
        np.zeros(3, np.float32) if i == gap else np.asarray(Image.open(p), np.float32).mean((0, 1))
        for i, p in enumerate(source.paths)
    ]
    return np.stack(rows)


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_at_any_moment_and_resumed_it_is_the_same_bit_for_bit(tmp_path, source, kills):
    plain = make_job(tmp_path / "plain", Means(pause=0.004))
    began = time.perf_counter()
    run(source, plain, batch_size=2, shard_tiles=5)
    lasts = time.perf_counter() - began
    job = make_job(tmp_path / "killed", Means(pause=0.004))
    rng = random.Random(kills)
    for _ in range(kills):
        child = multiprocessing.get_context("fork").Process(
            target=run, args=(source, job), kwargs={"batch_size": 2, "shard_tiles": 5}
        )
        child.start()
        time.sleep(rng.uniform(0, lasts / 2))
        child.kill()
        child.join()
    whole = {p.name: p.stat().st_mtime_ns for p in job.folder.glob("*.h5")}
    run(source, job, batch_size=2, shard_tiles=5)
    assert contents(job.folder) == contents(plain.folder)
    assert all((job.folder / name).stat().st_mtime_ns == time_ for name, time_ in whole.items()), "done work was redone"


def test_strays_are_never_read_and_old_ones_go(tmp_path, source):
    job = make_job(tmp_path, Means())
    job.folder.mkdir(parents=True)
    young, old = job.folder / ".000000000-000000020.h5.1.tmp", job.folder / ".x.h5.2.tmp"
    young.write_bytes(b"half")
    old.write_bytes(b"half")
    os.utime(old, (0, 0))
    np.testing.assert_allclose(run(source, job)["m"].features(), expected(source), rtol=1e-3)
    assert young.exists()
    assert not old.exists()


def test_a_file_of_another_key_is_not_taken(tmp_path, source):
    job = make_job(tmp_path, Means())
    write_features(
        job.folder / "000000000-000000020.h5", np.zeros((20, 3), np.float32), {"card": "other", "skipped": "[]"}
    )
    np.testing.assert_allclose(run(source, job)["m"].features(), expected(source), rtol=1e-3)


def test_files_read_as_the_field_reads_them(tmp_path):
    features, coords = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32), np.arange(12).reshape(6, 2)
    write_features(tmp_path / "s.h5", features, {"model": "m"}, coords)
    with h5py.File(tmp_path / "s.h5") as file:
        np.testing.assert_allclose(file["features"][:], features, rtol=1e-3)
        np.testing.assert_array_equal(file["coords"][:], coords)
        assert file["features"].chunks is None
    stored, attributes = read_features(tmp_path / "s.h5")
    np.testing.assert_array_equal(stored, features.astype(np.float16))
    assert attributes["model"] == "m"


@pytest.mark.parametrize("largest", [1.0, 1e6])
def test_stored_features_are_indexed_as_an_array_is(tmp_path, largest):
    features = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32) * largest
    write_features(tmp_path / "s.h5", features, {})
    stored, _ = read_features(tmp_path / "s.h5")
    kept = features if largest > 1 else features.astype(np.float16)
    assert (stored.shape, len(stored), stored.dtype) == ((9, 4), 9, kept.dtype)
    places = (slice(2, 7, 2), np.array([8, 0, 3]), np.arange(9) % 2 == 0, slice(0, 0), np.array([], int), -1, slice(9))
    for rows in places:
        got = stored[rows]
        assert type(got) is np.ndarray
        np.testing.assert_array_equal(got, kept[rows])
        got += 1  # a copy: the file cannot be written
    for dtype in (kept.dtype, np.float32, np.float64):
        whole = np.asarray(stored, dtype)
        assert (whole.dtype, type(whole)) == (dtype, np.ndarray)
        np.testing.assert_array_equal(whole, kept.astype(dtype))
    with pytest.raises(IndexError):
        stored[9]


def test_a_cohort_is_held_with_few_files_open(tmp_path):
    write_features(tmp_path / "s.h5", np.ones((3, 2), np.float32), {})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        held = [read_features(tmp_path / "s.h5")[0] for _ in range(300)]
        read = [features[:2] for features in held] + [np.asarray(features, np.float32) for features in held]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert all((rows == 1).all() for rows in read)


def test_stored_features_that_are_gone_or_cut_are_said_plainly(tmp_path):
    write_features(tmp_path / "s.h5", np.ones((300, 20), np.float32), {})
    stored, _ = read_features(tmp_path / "s.h5")
    os.truncate(tmp_path / "s.h5", 5000)
    with pytest.raises(UserError, match=r"s\.h5 .* run again"):
        np.asarray(stored)
    (tmp_path / "s.h5").unlink()
    with pytest.raises(UserError, match=r"s\.h5 .* run again"):
        stored[:2]


def test_a_full_disk_and_a_closed_folder_are_said_plainly(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be written .*cache=DIR"):
        write_features(tmp_path / "file" / "s.h5", np.zeros((1, 2), np.float32), {})
    monkeypatch.setattr(store.h5py, "File", full)
    with pytest.raises(UserError, match=r"full.*cache=DIR"):
        write_features(tmp_path / "s.h5", np.zeros((1, 2), np.float32), {})
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
