"""Embedding: what is made of tiles, what is never made twice, and what failing models and tiles leave behind."""

import dataclasses
import os

import h5py
import numpy as np
import pytest
from embedding_helpers import KEY, Means, N, contents, expected, killed_and_resumed, make_job, run
from PIL import Image

from bench.embedding import (
    FeatureKey,
    write_features,
)
from bench.tiles import reading
from registry.errors import UserError


def test_features_are_those_of_the_tiles_in_order(tmp_path, source):
    [made] = run(source, make_job(tmp_path, Means()))
    assert made.error is None
    assert len(made.files) == 3
    np.testing.assert_allclose(made.features(), expected(source), rtol=1e-3)
    assert made.rows.tolist() == list(range(N))
    assert made.tiles_per_s > 0
    assert made.weights == {"sha256": "w", "commit": "c0ffee", "notes": ["not the published file"]}


def test_nothing_is_done_twice(tmp_path, source):
    first, second = Means(), Means()
    run(source, make_job(tmp_path, first))
    [again] = run(source, make_job(tmp_path, second))
    assert first.calls > 0
    assert second.calls == 0
    np.testing.assert_allclose(again.features(), expected(source), rtol=1e-3)


def test_the_folder_of_a_key(tmp_path):
    assert KEY.folder(tmp_path) == tmp_path / "features" / "m" / KEY.digest
    assert KEY.digest == "7f62d777fc2409ff", "another rule of digests would orphan all caches and rows"
    assert dataclasses.replace(KEY, model="hf-hub:a/b").folder(tmp_path).parent == tmp_path / "features" / "hf-hub-a-b"


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(FeatureKey)])
def test_one_thing_changed_is_another_folder_and_new_work(tmp_path, source, name):
    """Whichever field of the key it is; the features of the other key stand beside them, and neither is made again."""
    networks = [Means(), Means(2.0)]
    one, other = (make_job(tmp_path, network) for network in networks)
    other = dataclasses.replace(other, key=dataclasses.replace(KEY, **{name: "another"}))
    assert one.folder != other.folder
    run(source, one)
    before = contents(one.folder)
    assert len(before) == 3
    calls = networks[0].calls
    [made] = run(source, other)
    assert networks[1].calls == calls > 0
    assert {file.parent for file in made.files} == {other.folder}
    np.testing.assert_allclose(made.features(), 2 * expected(source), rtol=1e-3)
    assert contents(one.folder) == before
    with h5py.File(made.files[0]) as file:
        assert file.attrs[f"key_{name}"] == "another"
        assert {n: file.attrs[n] for n in KEY.attributes} == other.key.attributes
    run(source, one, other)
    assert [network.calls for network in networks] == [calls, calls]


def test_models_of_one_name_have_each_their_own_features(tmp_path, source):
    """As a slide encoder's tile encoder and a model of the run that is the same network with other weights."""
    jobs = [make_job(tmp_path, Means(scale), weights=f"w{scale}") for scale in (1.0, 2.0)]
    for _ in range(2):
        made = run(source, *jobs)
        for scale, job, own in zip((1.0, 2.0), jobs, made, strict=True):
            assert {file.parent for file in own.files} == {job.folder}
            assert own.weights["sha256"] == f"w{scale}"
            np.testing.assert_allclose(own.features(), scale * expected(source), rtol=1e-3)


def test_one_of_two_models_of_one_name_fails_alone(tmp_path, source):
    good, bad = (make_job(tmp_path, Means(scale), weights=f"w{scale}") for scale in (1.0, float("nan")))
    made, failed = run(source, good, bad)
    assert made.error is None
    assert "not finite" in str(failed.error)
    assert not list(bad.folder.glob("*.h5"))
    np.testing.assert_allclose(made.features(), expected(source), rtol=1e-3)


def test_a_job_that_is_named_twice_is_done_once(tmp_path, source):
    network = Means()
    one, two = run(source, make_job(tmp_path, network), make_job(tmp_path, network))
    assert one is two
    assert network.calls == 3 + 3 + 2, "50 tiles in shards of 20 and batches of 7"


@pytest.mark.parametrize("change", [{"batch_size": 1}, {"batch_size": 64}, {"workers": 1}, {"shard_tiles": 1000}])
def test_how_it_is_batched_changes_nothing(tmp_path, source, change):
    [plain] = run(source, make_job(tmp_path / "a", Means()))
    [changed] = run(source, make_job(tmp_path / "b", Means()), **change)
    np.testing.assert_array_equal(plain.features(), changed.features())


def test_each_tile_is_decoded_once_for_all_models(tmp_path, source, monkeypatch):
    decoded = []
    plain = reading.read_image_into
    monkeypatch.setattr(
        reading, "read_image_into", lambda out, path, *look: decoded.append(path) or plain(out, path, *look)
    )
    one, two = run(source, make_job(tmp_path, Means(), "a"), make_job(tmp_path, Means(2.0), "b"))
    assert sorted(decoded) == sorted(source.paths)
    np.testing.assert_allclose(two.features(), 2 * one.features(), rtol=1e-3)


def test_a_failing_model_leaves_the_others_complete(tmp_path, source):
    class Broken(Means):
        def __call__(self, tiles):
            raise RuntimeError("boom")

    def unloadable():
        raise UserError("no weights")

    gated = dataclasses.replace(make_job(tmp_path, None, "gated"), load=unloadable)
    broken, unloaded, good = run(
        source, make_job(tmp_path, Broken(), "broken"), gated, make_job(tmp_path, Means(), "good")
    )
    assert "boom" in str(broken.error)
    assert "no weights" in str(unloaded.error)
    assert good.error is None
    np.testing.assert_allclose(good.features(), expected(source), rtol=1e-3)
    assert not list(gated.folder.glob("*"))


def test_features_that_are_no_numbers_are_refused(tmp_path, source):
    [made] = run(source, make_job(tmp_path, Means(float("nan"))))
    assert "not finite" in str(made.error)
    assert not list(tmp_path.glob("features/**/*.h5"))


def test_large_values_are_stored_in_float32(tmp_path, source):
    [made] = run(source, make_job(tmp_path, Means(1e6)))
    np.testing.assert_allclose(made.features(), 1e6 * expected(source), rtol=1e-6)
    with h5py.File(made.files[0]) as file:
        assert file["features"].dtype == np.float32


def test_unreadable_tiles_stop_it_or_are_left_out(tmp_path, source):
    open(source.paths[30], "wb").close()
    job = make_job(tmp_path, Means())
    with pytest.raises(UserError, match=r"030\.png"):
        run(source, job)
    assert len(list(job.folder.glob("*.h5"))) == 1, "the shard before it stays"
    [made] = run(source, job, on_corrupt="skip")
    assert made.rows.tolist() == [i for i in range(N) if i != 30]
    np.testing.assert_allclose(made.features(), np.delete(expected_but(source, 30), 30, axis=0), rtol=1e-3)
    assert made.skipped == {"000000020-000000040": 1}
    [strict] = run(source, job)
    assert "position 30" in str(strict.error), "without on_corrupt=skip the gap is an error again"


def expected_but(source, gap):
    rows = [
        np.zeros(3, np.float32) if i == gap else np.asarray(Image.open(p), np.float32).mean((0, 1))
        for i, p in enumerate(source.paths)
    ]
    return np.stack(rows)


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_at_any_moment_and_resumed_it_is_the_same_bit_for_bit(tmp_path, source, kills):
    plain, job = (make_job(tmp_path / name, Means(pause=0.004)) for name in ("plain", "killed"))
    whole = killed_and_resumed(source, plain, job, kills)
    assert contents(job.folder) == contents(plain.folder)
    assert all((job.folder / name).stat().st_mtime_ns == time_ for name, time_ in whole.items()), "done work was redone"


def test_strays_are_never_read_and_old_ones_go(tmp_path, source):
    job = make_job(tmp_path, Means())
    job.folder.mkdir(parents=True)
    young, old = job.folder / ".000000000-000000020.h5.1.tmp", job.folder / ".x.h5.2.tmp"
    young.write_bytes(b"half")
    old.write_bytes(b"half")
    os.utime(old, (0, 0))
    np.testing.assert_allclose(run(source, job)[0].features(), expected(source), rtol=1e-3)
    assert young.exists()
    assert not old.exists()


def test_a_file_of_another_key_is_not_taken(tmp_path, source):
    job = make_job(tmp_path, Means())
    other = {**job.key.attributes, "key_card": "other", "skipped": "[]"}
    write_features(job.path("000000000-000000020"), np.zeros((20, 3), np.float32), other)
    np.testing.assert_allclose(run(source, job)[0].features(), expected(source), rtol=1e-3)
