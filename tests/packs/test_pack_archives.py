"""A pack is read within limits, and what no pack holds is refused before anything of it is used."""

import errno
import json
import stat
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from packed_runs import fill

from bench.packs import parquet_limits, verify_command
from bench.packs.archive import read_pack
from bench.packs.submit import submit
from bench.packs.verify import verify
from registry.errors import UserError


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pack")
    submit(fill(folder / "results", ("uni",)), folder / "a.zip")
    return folder / "a.zip"


@pytest.fixture
def changed(honest, tmp_path):
    """Writes the pack again with entries replaced, added, or left out where they are None."""

    def write(entries):
        with zipfile.ZipFile(honest) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
        of_names = {name if isinstance(name, str) else name.filename: (name, data) for name, data in entries.items()}
        with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in content.items():
                if name not in of_names:
                    archive.writestr(name, data)
            for entry, data in of_names.values():
                if data is not None:
                    archive.writestr(entry, data)
        return tmp_path / "b.zip"

    return write


def record_of(pack):
    with zipfile.ZipFile(pack) as archive:
        return json.loads(archive.read("pack.json"))


def refused(pack, tmp_path):
    """The sentence, after which nothing was unpacked."""
    (tmp_path / "here").mkdir()
    with pytest.raises(UserError) as caught:
        read_pack(pack, tmp_path / "here")
    assert list((tmp_path / "here").iterdir()) == []
    assert "\n" not in str(caught.value)
    return str(caught.value)


LINK = zipfile.ZipInfo("rows/a/b/c/d.json")
LINK.external_attr = (stat.S_IFLNK | 0o777) << 16


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("../../evil.json", "leads out of it"),
        ("/etc/passwd", "leads out of it"),
        ("rows/../../../x/y.json", "leads out of it"),
        ("rows/a/..\\b/c/d.json", "leads out of it"),
        ("rows/a/b/.hidden/d.json", "leads out of it"),
        ("plugins/run.py", "no name of a file of a pack"),
        (LINK, "is a link"),
    ],
)
def test_names_that_leave_the_pack_and_links_are_refused(changed, tmp_path, entry, words):
    assert words in refused(changed({entry: b"{}"}), tmp_path)


def test_a_pack_of_a_newer_schema_names_the_version_that_reads_it(honest, changed, tmp_path, capsys):
    newer = changed({"pack.json": json.dumps({**record_of(honest), "schema": 2, "version": "9.0"})})

    assert "is of schema 2, and this version reads up to 1: verify it with pfmbench 9.0" in refused(newer, tmp_path)
    assert verify_command([str(newer)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"no json", "no JSON"), (b"[" * 100_000, "no JSON"), (b"{}", "is no pack"), (None, "has no pack.json")],
)
def test_a_zip_without_the_record_of_a_pack_is_refused(changed, tmp_path, content, words):
    assert words in refused(changed({"pack.json": content}), tmp_path)


def test_a_record_with_a_field_of_another_type_is_refused(honest, changed, tmp_path):
    wrong = changed({"pack.json": json.dumps({**record_of(honest), "rows": "many"})})

    assert "lacks a field or has one of another type" in refused(wrong, tmp_path)


def test_a_zip_bomb_is_refused_by_what_it_says_to_have(changed, tmp_path):
    bomb = changed({"rows/a/b/c/bomb.json": b"0" * (2**22 + 1)})

    assert bomb.stat().st_size < 100_000
    assert "MiB unpacked" in refused(bomb, tmp_path)


def test_a_zip_bomb_that_lies_about_its_size_is_refused_where_it_is_unpacked(changed, tmp_path):
    bomb = changed({"rows/a/b/c/bomb.json": b"0" * 2**20})
    data = bytearray(bomb.read_bytes())
    for place in (data.rindex(b"rows/a/b/c/bomb.json") - 46 + 24, data.index(b"rows/a/b/c/bomb.json") - 30 + 22):
        assert int.from_bytes(data[place : place + 4], "little") == 2**20
        data[place : place + 4] = (10).to_bytes(4, "little")
    bomb.write_bytes(data)

    with pytest.raises(UserError, match=r"damaged|another size"):
        verify(bomb)


def test_a_list_of_files_without_end_is_not_read(honest, tmp_path):
    data = bytearray(honest.read_bytes())
    end = data.rindex(b"PK\x05\x06")
    data[end + 10 : end + 12] = b"\xff\xff"
    (tmp_path / "long.zip").write_bytes(data)

    assert "more than 60,000 files" in refused(tmp_path / "long.zip", tmp_path)


def test_files_that_are_cut_short_or_no_zip_are_refused(honest, tmp_path):
    data = honest.read_bytes()
    for number, content in enumerate((b"", b"hello", data[: len(data) // 2], data[:-30] + data[-20:])):
        (tmp_path / f"{number}.zip").write_bytes(content)
        with pytest.raises(UserError, match=r"no zip|damaged"):
            verify(tmp_path / f"{number}.zip")
    with pytest.raises(UserError, match="is no file"):
        verify(tmp_path)
    with pytest.raises(UserError, match="cannot be read"):
        verify(tmp_path / "none.zip")


@pytest.mark.parametrize(
    ("mark", "place", "value", "why"),
    [(b"PK\x01\x02", 6, 151, "zip file version 15.1"), (b"PK\x05\x06", 19, 1, "Invalid argument")],
    ids=["of a newer kind", "a list before the first byte"],
)
def test_what_no_pack_is_and_what_damage_is_cannot_be_told_apart(honest, tmp_path, mark, place, value, why):
    data = bytearray(honest.read_bytes())
    data[data.rindex(mark) + place] = value
    (tmp_path / "d.zip").write_bytes(data)

    sentence = refused(tmp_path / "d.zip", tmp_path)
    assert "is damaged or no zip that python -m bench submit wrote (" in sentence
    assert why in sentence


def test_any_changed_byte_of_a_pack_is_noticed(honest, tmp_path):
    data = honest.read_bytes()
    unnoticed = []
    for place in np.random.default_rng(0).integers(0, len(data), 20):
        (tmp_path / "c.zip").write_bytes(data[:place] + bytes([data[place] ^ 0x20]) + data[place + 1 :])
        try:
            if not verify(tmp_path / "c.zip").findings:
                unnoticed.append(place)
        except UserError:
            continue
    with zipfile.ZipFile(honest) as archive:
        end = archive.start_dir  # after it are times, versions and attributes that say nothing of the content
        headers = [range(entry.header_offset, entry.header_offset + 30) for entry in archive.infolist()]
    assert [place for place in unnoticed if place < end and not any(place in header for header in headers)] == []


def test_files_that_the_record_does_not_list_or_lists_otherwise_are_findings(honest, changed):
    name = next(name for name in record_of(honest)["files"] if name.startswith("rows"))
    with zipfile.ZipFile(honest) as archive:
        row = archive.read(name)
    more = changed({name: row.replace(b'"n_test": 60', b'"n_test": 61'), "rows/a/b/c/d.json": row})

    found = [finding.text for finding in verify(more).findings]

    assert "damaged file: rows/a/b/c/d.json is not listed in the record of the pack." in found
    assert f"damaged file: {name} has other bytes than the record of the pack." in found
    lacking = [finding.text for finding in verify(changed({name: None})).findings]
    assert f"damaged file: {name} is in the pack's record and not in the pack." in lacking


def test_predictions_that_would_fill_the_memory_are_not_decoded(tmp_path, monkeypatch):
    path = tmp_path / "p.parquet"

    def why(columns, **how):
        pq.write_table(pa.table(columns), path, **how)
        return parquet_limits.too_much(path)

    def repeated(text, n=2000):
        return pa.DictionaryArray.from_arrays(np.zeros(n, np.int32), [text])

    assert why({"id": ["a"], "group": ["b"], "y_true": [0], "score_0": [0.5], "score_1": [0.5]}) == ""
    assert "an id of 1,000,000 bytes" in why({"id": repeated("x" * 10**6), "group": repeated("b")})
    assert path.stat().st_size < 200_000
    assert "in a way that predictions are not" in why({"id": ["a"], "group": ["b"]}, compression="gzip")
    assert "a column that predictions have not" in why({"id": ["a"], "group": ["b"], "pickle": [b"x"]})
    assert "a column that predictions have not" in why({"id": ["a"], "group": ["b"], "score_0": [[0.5]]})
    assert "a column that predictions have not" in why({"id": [1], "group": ["b"]})
    monkeypatch.setattr(parquet_limits, "MOST_NUMBERS", 10)
    assert "more than 10 numbers" in why({"id": ["a"] * 6, "group": ["b"] * 6})


def test_a_full_disk_is_the_folders_fault_and_not_the_packs(honest, tmp_path, monkeypatch):
    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(UserError, match=r"cannot be unpacked in .* \(No space left on device\): make room there"):
        read_pack(honest, tmp_path)
