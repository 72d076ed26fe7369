"""The feature store: files as the field reads them, few of them open, and what is said where they cannot be had."""

import os
import resource

import h5py
import numpy as np
import pytest

from bench.embedding import read_features, store, write_features
from registry.errors import UserError


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


def test_missing_or_truncated_features_are_one_plain_sentence(tmp_path):
    write_features(tmp_path / "s.h5", np.ones((300, 20), np.float32), {})
    stored, _ = read_features(tmp_path / "s.h5")
    os.truncate(tmp_path / "s.h5", 5000)
    with pytest.raises(UserError, match=r"s\.h5 .* run again"):
        np.asarray(stored)
    (tmp_path / "s.h5").unlink()
    with pytest.raises(UserError, match=r"s\.h5 .* run again"):
        stored[:2]


def test_a_full_disk_and_a_closed_folder_are_one_plain_sentence(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be written .*cache=DIR"):
        write_features(tmp_path / "file" / "s.h5", np.zeros((1, 2), np.float32), {})
    monkeypatch.setattr(store.h5py, "File", full)
    with pytest.raises(UserError, match=r"full.*cache=DIR"):
        write_features(tmp_path / "s.h5", np.zeros((1, 2), np.float32), {})
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
