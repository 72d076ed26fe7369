"""Kinds of damage to files of the cache and of the results: flipped bits, cut files, swapped ones, edits by hand."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Damage = Callable[[Path, list[Path], random.Random], None]
"""Takes the file, all files of its kind, and the source of random numbers."""


def _change(path: Path, edit: Callable[[bytearray], object]) -> None:
    data = bytearray(path.read_bytes())
    edit(data)
    path.write_bytes(data)


def _flip(path: Path, low: float, high: float, rng: random.Random) -> None:
    """One bit, in the part of the file between two shares of its length."""
    size = path.stat().st_size
    place = rng.randrange(int(low * size), max(int(low * size) + 1, int(high * size)))

    def flip(data: bytearray) -> None:
        data[place] ^= 1 << rng.randrange(8)

    _change(path, flip)


def flip_at_the_front(path: Path, _: list[Path], rng: random.Random) -> None:
    _flip(path, 0, min(1.0, 2048 / path.stat().st_size), rng)


def flip_anywhere(path: Path, _: list[Path], rng: random.Random) -> None:
    _flip(path, 0, 1, rng)


def flip_at_the_end(path: Path, _: list[Path], rng: random.Random) -> None:
    _flip(path, max(0.0, 1 - 1500 / path.stat().st_size), 1, rng)


def flip_of_the_same_time(path: Path, _: list[Path], rng: random.Random) -> None:
    """As by a disk, which leaves the modification time as it was."""
    found = path.stat()
    _flip(path, 0.3, 0.9, rng)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def zeros(path: Path, _: list[Path], rng: random.Random) -> None:
    size = path.stat().st_size
    start = rng.randrange(size)

    def wipe(data: bytearray) -> None:
        data[start : start + 512] = bytes(len(data[start : start + 512]))

    _change(path, wipe)


def cut(path: Path, _: list[Path], rng: random.Random) -> None:
    os.truncate(path, rng.randrange(path.stat().st_size))


def longer(path: Path, _: list[Path], rng: random.Random) -> None:
    _change(path, lambda data: data.extend(rng.randbytes(100)))


def other_content(path: Path, _: list[Path], rng: random.Random) -> None:
    path.write_bytes(rng.randbytes(rng.choice([1, 100, 4000])))


def swapped(path: Path, others: list[Path], rng: random.Random) -> None:
    other = rng.choice([one for one in others if one != path])
    aside = path.with_name("aside")
    os.replace(path, aside)
    os.replace(other, path)
    os.replace(aside, other)


def copied_over(path: Path, others: list[Path], rng: random.Random) -> None:
    shutil.copy(rng.choice([one for one in others if one != path]), path)


ANY: dict[str, Damage] = {
    one.__name__: one
    for one in (
        *(flip_at_the_front, flip_anywhere, flip_at_the_end, flip_of_the_same_time, zeros, cut, longer),
        *(other_content, swapped, copied_over),
    )
}


def _main(file: h5py.File) -> str:
    """Name of the dataset that a file is about."""
    return next((name for name in ("features", "tokens", "coords") if name in file), "")


def by_hand(edit: Callable[[h5py.File, random.Random], None]) -> Damage:
    """An edit with HDF5's own library."""

    def damage(path: Path, _: list[Path], rng: random.Random) -> None:
        with h5py.File(path, "r+") as file:
            edit(file, rng)

    return damage


def _replaced(change: Callable[[np.ndarray], np.ndarray]) -> Damage:
    def edit(file: h5py.File, _: random.Random) -> None:
        name = _main(file)
        values, attributes = file[name][:], dict(file[name].attrs)
        del file[name]
        made = file.create_dataset(name, data=change(values))
        made.attrs.update(attributes)

    return by_hand(edit)


def _set_rows(value: float) -> Damage:
    def edit(file: h5py.File, rng: random.Random) -> None:
        values = file[_main(file)]
        values[rng.randrange(len(values))] = value if values.dtype.kind == "f" else 2

    return by_hand(edit)


def _attribute(change: Callable[[h5py.AttributeManager, str], None]) -> Damage:
    def edit(file: h5py.File, rng: random.Random) -> None:
        change(file.attrs, rng.choice(sorted(file.attrs)))

    return by_hand(edit)


def _set(attributes: h5py.AttributeManager, name: str, value: object) -> None:
    del attributes[name]
    attributes[name] = value


def _drop(file: h5py.File, name: str) -> None:
    del file[name]


HDF5: dict[str, Damage] = {
    "nan": _set_rows(float("nan")),
    "infinite": _set_rows(float("inf")),
    "another_row": _set_rows(0.25),
    "fewer_rows": _replaced(lambda values: values[:-1]),
    "more_rows": _replaced(lambda values: np.concatenate([values, values[:1]])),
    "no_rows": _replaced(lambda values: values[:0]),
    "narrower": _replaced(lambda values: values[:, :1]),
    "flat": _replaced(lambda values: values.reshape(-1)),
    "other_order": _replaced(lambda values: values[::-1].copy()),
    "integers": _replaced(lambda values: np.zeros(values.shape, np.int8)),
    "text": _replaced(lambda values: np.full(values.shape, b"x")),
    "no_dataset": by_hand(lambda file, _: _drop(file, _main(file))),
    "a_group": by_hand(lambda file, _: (_drop(file, _main(file)), file.create_group("features"))[0]),
    "no_attribute": _attribute(lambda attributes, name: attributes.__delitem__(name)),
    "array_attribute": _attribute(lambda attributes, name: _set(attributes, name, np.arange(3))),
    "array_of_its_value": _attribute(lambda attributes, name: _set(attributes, name, [attributes[name]] * 2)),
    "bytes_attribute": _attribute(lambda attributes, name: _set(attributes, name, np.bytes_(b"\xff\xfe"))),
    "number_attribute": _attribute(lambda attributes, name: _set(attributes, name, 7)),
    "empty_attribute": _attribute(lambda attributes, name: _set(attributes, name, "")),
}
for _name in ("skipped", "weights_notes", "weights_commit", "format_version"):

    def _without(file: h5py.File, _: random.Random, name: str = _name) -> None:
        file.attrs.pop(name, None)

    HDF5[f"no_{_name}"] = by_hand(_without)
HDF5["skips_a_row"] = by_hand(lambda file, _: file.attrs.__setitem__("skipped", "[0]"))
HDF5["skips_text"] = by_hand(lambda file, _: file.attrs.__setitem__("skipped", '["a"]'))


def table(change: Callable[[pa.Table], pa.Table]) -> Damage:
    """An edit of a Parquet file with Arrow, which leaves its metadata."""

    def damage(path: Path, _: list[Path], __: random.Random) -> None:
        found = pq.read_table(path)
        pq.write_table(change(found), path)

    return damage


def _column(found: pa.Table, name: str, change: Callable[[np.ndarray], np.ndarray]) -> pa.Table:
    values = found[name].to_numpy(zero_copy_only=False)
    return found.set_column(found.column_names.index(name), name, pa.array(change(values)))


PARQUET: dict[str, Damage] = {
    "other_scores": table(lambda found: _column(found, "score_0", lambda values: 1 - values)),
    "other_labels": table(lambda found: _column(found, "y_true", lambda values: values[::-1])),
    "other_groups": table(lambda found: _column(found, "group", lambda values: values[::-1])),
    "fewer_samples": table(lambda found: found.slice(0, len(found) - 1)),
    "no_column": table(lambda found: found.drop_columns(["score_1"])),
    "no_metadata": table(lambda found: found.replace_schema_metadata(None)),
    "other_classes": table(
        lambda found: found.replace_schema_metadata(
            {**found.schema.metadata, b"classes": json.dumps(json.loads(found.schema.metadata[b"classes"])[::-1])}
        )
    ),
}


def line(text: str) -> Damage:
    """A line that is added to a log of times, of the first file that the log knows."""

    def damage(path: Path, _: list[Path], __: random.Random) -> None:
        name = next(path.parent.parent.glob("*.h5")).name
        with open(path, "a", encoding="utf-8") as log:
            log.write(text.replace("NAME", name) + "\n")

    return damage


def _times(value: str) -> str:
    return f'{{"file": "NAME", "tiles": {value}, "read": 1.0, "wait": {value}, "forward": 1.0, "write": 1.0}}'


LOG: dict[str, Damage] = {
    **{f"times_{value[:8]}": line(_times(value)) for value in ("Infinity", "NaN", '"x"', "null", "[1]", "-1", "1e999")},
    "times_huge": line(_times("9" * 400)),
    "times_nested": line("[" * 100_000),
    "times_list": line('["file"]'),
    "times_other_names": line('{"file": ["NAME"], "tiles": 1}'),
    "times_sum": line('{"file": "NAME", "tiles": Infinity, "seconds": "x"}'),
}
