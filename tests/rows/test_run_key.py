"""A run has a place of its own in the results folder, whatever its names are, and replaces only itself."""

import dataclasses
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from saved_runs import KEY, predicted, row_of

from bench.rows import RunKey, predictions_path, read_predictions, read_row, read_rows, row_path, write
from bench.rows.run_key import LONGEST_NAME, file_name

NAMES = [field.name for field in dataclasses.fields(RunKey) if isinstance(getattr(KEY, field.name), str)]
HOSTILE = [
    *("../../x", "..", ".", "/etc", "/", "", ".hidden", "a/b", "a\\b", "a+b", "ü", "uni@random", "C:", "%2e%2e", "a b"),
    *("hf-hub:bioptimus/H-optimus-0", "timm:vit.x", "-seed1", "a\nb", "\0", "\x1b[31m", "\ud800", "~", "*", "x.json"),
    *("n" * 300, "../" * 100, "ü" * 300),
]


def other(value: Any) -> Any:
    return value + 1 if isinstance(value, int) else f"{value}2"


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(RunKey)])
def test_two_runs_that_differ_in_one_field_both_stand(tmp_path: Path, field: str) -> None:
    changed = dataclasses.replace(KEY, **{field: other(getattr(KEY, field))})
    assert changed != KEY
    for place in (row_path, predictions_path):
        assert place(tmp_path, changed) != place(tmp_path, KEY)
    rows = [write(tmp_path, row_of(key), predicted(seed)) for seed, key in enumerate((KEY, changed))]
    assert [row.key for row in rows] == [KEY, changed]
    assert read_rows(tmp_path) == (sorted(rows, key=lambda row: row.key), [])
    for seed, row in enumerate(rows):
        assert read_row(tmp_path, row.key) == row
        assert (read_predictions(tmp_path / row.predictions).scores == predicted(seed).scores).all()
    again = write(tmp_path, row_of(changed, notes=["again"]), predicted(5))
    assert read_rows(tmp_path) == (sorted([rows[0], again], key=lambda row: row.key), [])


def test_the_layout() -> None:
    key = dataclasses.replace(KEY, seed=3)
    results = Path("r")
    assert row_path(results, key) == Path("r/rows/demo/c0ffee/uni/linear-1f2e-seed3.json")
    key = dataclasses.replace(key, frontend="lpfm", fold=2)
    assert row_path(results, key) == Path("r/rows/demo/c0ffee/uni+lpfm/linear-1f2e-seed3-fold2.json")
    assert predictions_path(results, key) == Path("r/predictions/demo/c0ffee/uni+lpfm/linear-1f2e-seed3-fold2.parquet")


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:20]))
@pytest.mark.parametrize("field", NAMES)
def test_any_name_stays_in_its_folder_and_comes_back(tmp_path: Path, field: str, name: str) -> None:
    results = tmp_path / "results"
    key = dataclasses.replace(KEY, **{field: name})
    row = write(results, row_of(key), predicted())
    assert read_rows(results) == ([row], [])
    assert read_row(results, key) == row
    for place in (row_path, predictions_path):
        path = place(results, key)
        assert path.is_file()
        assert path.resolve() == results.resolve() / path.relative_to(results)
        assert len(path.relative_to(results).parts) == 5
    assert {path.name for path in tmp_path.iterdir()} == {"results"}
    assert {path.name for path in results.iterdir()} == {"rows", "predictions"}


def test_the_longest_names_together_leave_room_for_a_temporary_file(tmp_path: Path) -> None:
    key = RunKey(*["ü" * 300] * 4, 2**32, 999, *["-" * 300] * 2)
    row = write(tmp_path, row_of(key), predicted())
    assert read_rows(tmp_path) == ([row], [])
    path = key.path(tmp_path, "predictions", "attention.h5")
    assert max(len(part.encode()) for part in path.parts) + len("..12345678.tmp") <= 255


@pytest.mark.parametrize("field", NAMES)
def test_long_names_that_end_differently_have_different_paths(field: str) -> None:
    paths = {row_path(Path(), dataclasses.replace(KEY, **{field: "n" * 300 + end})) for end in ("", "a", "b")}
    assert len(paths) == 3


# a space is for a line break, and letters for what cannot be printed: such names are alike only by design
PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\\"), max_size=6)
NAME = PRINTABLE | st.text("a-+%.=@1 sedfol", max_size=12)
KEYS = st.builds(RunKey, NAME, NAME, NAME, NAME, st.integers(0, 2), st.integers(0, 2), NAME, NAME)


@given(KEYS, KEYS)
@example(RunKey("t", "m", "", "a", 0, 0, "c", "b-c"), RunKey("t", "m", "", "a-b", 0, 0, "c", "c"))
@example(RunKey("t", "a+b", "", "p", 0, 0, "c", "h"), RunKey("t", "a", "b", "p", 0, 0, "c", "h"))
@example(RunKey("t", "m", "", "p", 0, 1, "c", "h"), RunKey("t", "m", "", "p", 0, 0, "c", "h-seed0-fold1"))
@example(RunKey("", "m", "", "p", 0, 0, "c", "h"), RunKey("%", "m", "", "p", 0, 0, "c", "h"))
@example(RunKey(".", "m", "", "p", 0, 0, "c", "h"), RunKey("%2E", "m", "", "p", 0, 0, "c", "h"))
def test_different_keys_have_different_paths(a: RunKey, b: RunKey) -> None:
    assert (a == b) == (row_path(Path("r"), a) == row_path(Path("r"), b))


@given(st.text())
def test_a_file_name_is_one_visible_component(name: str) -> None:
    encoded = file_name(name)
    assert encoded.isascii()
    assert encoded.isprintable()
    assert not set(encoded) & set('/\\:*?"<>|+= ')
    assert not encoded.startswith(".")
    assert 0 < len(encoded) <= 82


@given(st.text("ab-_.é", min_size=1, max_size=200))
def test_a_name_is_shortened_to_the_longest_and_no_further(name: str) -> None:
    encoded = file_name(name)
    assert len(encoded) <= LONGEST_NAME + 2 * encoded.startswith("%2E")
    assert ("," in encoded) == (len(urllib.parse.quote(name, safe="@")) > LONGEST_NAME)
    if "," in encoded:
        assert len(encoded) >= LONGEST_NAME
        assert len(encoded.rpartition(",")[2]) == 16


def test_names_of_every_length_are_told_apart() -> None:
    names = ["n" * length for length in range(1, 3 * LONGEST_NAME)]
    assert len({file_name(name) for name in names}) == len(names)
