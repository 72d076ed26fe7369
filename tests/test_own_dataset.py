"""Files that a user gives are read as far as they go: no link, raw file or virtual dataset leads to another one."""

import h5py
import numpy as np
import pytest

from bench.hdf5 import OtherFile, own_array, own_arrays, own_dataset
from bench.slides import read_bag
from registry.errors import UserError

VALUES = np.arange(12, dtype=np.float32).reshape(6, 2)


@pytest.fixture
def secret(tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["features"] = VALUES
        file["inner/features"] = VALUES
    VALUES.tofile(tmp_path / "secret.bin")
    return tmp_path / "secret.h5"


def linked(file, secret):
    file["features"] = h5py.ExternalLink(secret.name, "/features")


def linked_group(file, secret):
    file["away"] = h5py.ExternalLink(secret.name, "/inner")
    file["features"] = h5py.SoftLink("/away/features")


def linked_twice(file, secret):
    file["one/two"] = h5py.ExternalLink(secret.name, "/features")
    file["here"] = h5py.SoftLink("one")
    file["features"] = h5py.SoftLink("here/two")


def raw(file, secret):
    place = [(str(secret.with_suffix(".bin")), 0, VALUES.nbytes)]
    file.create_dataset("features", VALUES.shape, VALUES.dtype, external=place)


def virtual(file, secret):
    layout = h5py.VirtualLayout(VALUES.shape, VALUES.dtype)
    layout[:] = h5py.VirtualSource(str(secret), "features", VALUES.shape, VALUES.dtype)
    file.create_virtual_dataset("features", layout)


@pytest.mark.parametrize("make", [linked, linked_group, linked_twice, raw, virtual])
def test_another_file_is_never_read(tmp_path, secret, make):
    given = tmp_path / "given"
    given.mkdir()
    with h5py.File(tmp_path / "s.h5", "w") as file:
        make(file, secret)
    with h5py.File(tmp_path / "s.h5") as file:
        np.testing.assert_array_equal(file["features"][:], VALUES, "HDF5 itself reads the other file")
        with pytest.raises(OtherFile, match="`features`"):
            own_dataset(file, "features")
    with pytest.raises(UserError, match=r"`features` in .*s\.h5 .*other file.*: copy the data into one file"):
        read_bag(tmp_path, "s")


def test_links_within_the_file_are_followed(tmp_path):
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["a/b/values"] = VALUES
        file["a/again"] = h5py.SoftLink("b/./values")
        file["features"] = h5py.SoftLink("/a/again")
        file["circle"] = h5py.SoftLink("/circle")
        file["nowhere"] = h5py.SoftLink("/none")
        for name in ("features", "/a/again", "a/b/values"):
            np.testing.assert_array_equal(own_dataset(file, name)[:], VALUES)
        assert isinstance(own_dataset(file, "a"), h5py.Group)
        for name in ("circle", "nowhere", "a/none", "features/below"):
            assert own_dataset(file, name) is None
        with pytest.raises(OtherFile, match="`features` in it is a link"):
            own_array(file, "features")
        with pytest.raises(OtherFile, match="is a link"):
            list(own_arrays(file))
        for name in ("a", "a/none"):
            with pytest.raises(KeyError):
                own_array(file, name)
    np.testing.assert_array_equal(read_bag(tmp_path, "s")[0], VALUES)


@pytest.mark.parametrize("slide", ["../secret", "a/../../secret", "{absolute}"])
def test_a_slide_id_does_not_lead_out_of_the_folder_of_features(tmp_path, secret, slide):
    (tmp_path / "given" / "a").mkdir(parents=True)
    name = slide.format(absolute=secret.with_suffix(""))
    with pytest.raises(UserError, match=r"leads out of the folder .*given"):
        read_bag(tmp_path / "given", name)


def test_a_slide_id_may_name_a_folder_below(tmp_path, secret):
    (tmp_path / "case.1").mkdir()
    secret.rename(tmp_path / "case.1" / "s..h5")
    np.testing.assert_array_equal(read_bag(tmp_path, "case.1/s.")[0], VALUES)
