"""A feature file that is not as it was written is not complete: it is made again, as it was."""

import os

import h5py
import numpy as np
import pytest
from embedding_helpers import Means, contents, make_job, run

from bench.embedding import is_cached, read_features, read_places, write_features
from registry.errors import UserError


def flip(place):
    def damage(path, _):
        data = bytearray(path.read_bytes())
        data[int(place * len(data))] ^= 4
        path.write_bytes(data)

    return damage


def swap(path, other):
    aside = path.with_name("aside")
    os.replace(path, aside)
    os.replace(other, path)
    os.replace(aside, other)


def by_hand(edit):
    def damage(path, _):
        with h5py.File(path, "r+") as file:
            edit(file)

    return damage


def of_an_earlier_version(path, _):
    """The same file without a footer."""
    with h5py.File(path) as file:
        stored, attributes = file["features"][:], dict(file.attrs)
    with h5py.File(path, "w", libver="v110") as file:
        file["features"] = stored
        file.attrs.update({**attributes, "format_version": 1})


DAMAGES = {
    **{f"flip_{place}": flip(place) for place in (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999)},
    "swapped": swap,
    "copied_over": lambda path, other: path.write_bytes(other.read_bytes()),
    "truncated": lambda path, _: os.truncate(path, path.stat().st_size - 1),
    "nan": by_hand(lambda file: file["features"].__setitem__((0, 0), np.nan)),
    "another_number": by_hand(lambda file: file["features"].__setitem__((0, 0), 1)),
    "no_features": by_hand(lambda file: file.__delitem__("features")),
    "no_skipped": by_hand(lambda file: file.attrs.__delitem__("skipped")),
    "array_attribute": by_hand(lambda file: file.attrs.__setitem__("key_model", ["m", "m"])),
    "earlier_version": of_an_earlier_version,
}


OF_ANOTHER_SHARD = ("swapped", "copied_over")  # files that are sound and hold other rows


@pytest.mark.parametrize("name", DAMAGES)
def test_it_is_made_again(tmp_path, source, name):
    job, network = make_job(tmp_path, Means()), Means()
    [made] = run(source, job)
    written, features = contents(job.folder), made.features()
    DAMAGES[name](*made.files[:2])
    if name not in OF_ANOTHER_SHARD:
        with pytest.raises(UserError, match="run again"):
            read_features(made.files[0])
    [again] = run(source, make_job(tmp_path, network))
    assert network.calls > 0
    assert contents(job.folder) == written
    np.testing.assert_array_equal(again.features(), features)
    network.calls = 0
    run(source, make_job(tmp_path, network))
    assert network.calls == 0


def test_shards_of_the_same_tiles_in_another_order_are_others(tmp_path, source):
    """The key of a dataset does not say which rows a file holds."""
    job = make_job(tmp_path, Means())
    run(source, job)
    before = contents(job.folder)
    mixed = type(source)(source.ids[::-1], source.paths[::-1], [-1] * len(source))
    [made] = run(mixed, job)
    assert contents(job.folder) != before
    np.testing.assert_array_equal(made.features()[::-1], run(source, job)[0].features())


def test_a_file_that_changes_after_it_was_opened_is_a_sentence_unless_it_is_the_same(tmp_path):
    write_features(tmp_path / "s.h5", np.ones((6, 4), np.float32), {"a": 1})
    stored, _ = read_features(tmp_path / "s.h5")
    write_features(tmp_path / "s.h5", np.ones((6, 4), np.float32), {"a": 1})
    np.testing.assert_array_equal(stored[:2], np.ones((2, 4)))
    write_features(tmp_path / "s.h5", np.zeros((6, 4), np.float32), {"a": 1})
    with pytest.raises(UserError, match=r"s\.h5 cannot be read any more .*run again"):
        stored[:2]


def test_attributes_and_places_come_back_from_the_footer_as_from_hdf5(tmp_path):
    coords, meaning = np.arange(12).reshape(6, 2), {"mpp": 0.2526, "window": np.array([256, 255]), "name": "s"}
    write_features(tmp_path / "s.h5", np.ones((6, 4), np.float32), {"a": 1, "b": 0.1, "c": "ü"}, coords, meaning)
    places, found = read_places(tmp_path / "s.h5")
    with h5py.File(tmp_path / "s.h5") as file:
        np.testing.assert_array_equal(places, file["coords"][:])
        assert {name: np.asarray(value).tolist() for name, value in file["coords"].attrs.items()} == found
        assert {**read_features(tmp_path / "s.h5")[1], "format_version": 2} == dict(file.attrs)
    assert is_cached(tmp_path / "s.h5", {"a": 1, "c": "ü"})
    assert not is_cached(tmp_path / "s.h5", {"a": 1, "d": "ü"})
    write_features(tmp_path / "empty.h5", np.ones((0, 4), np.float32), {}, coords[:0], meaning)
    assert read_features(tmp_path / "empty.h5")[0].shape == (0, 4)
    assert read_places(tmp_path / "empty.h5")[0].shape == (0, 2)
