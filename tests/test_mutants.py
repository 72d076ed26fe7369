"""The faults that `make mutants` plants: one change each, of code that can still be read, and drawn by the seed."""

from __future__ import annotations

import ast
from pathlib import Path

import mutants
import pytest

SOURCE = '''"""A mürb docstring of 3 words."""
def f(a: int = 1, *rest: "float < 2") -> tuple[int, str]:
    a[1, rest] = g(a, rest, key=3, **{"a": a, "b": 2})
    if a <= 2 and f"{a > 5}" is not None:
        raise ValueError(a)
    return a
'''


def test_each_fault_is_one_change_of_code(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text(SOURCE, "utf-8")
    source = path.read_bytes()
    found: dict[str, list[str]] = {}
    for fault in mutants.faults(path):
        planted = source[: fault.start] + fault.new.encode() + source[fault.end :]
        assert ast.dump(ast.parse(planted)) != ast.dump(ast.parse(source))
        found.setdefault(fault.kind, []).append(f"{fault.old} -> {fault.new}")
    assert found.pop("off by one") == ["1 -> 2", "1 -> 2", "3 -> 4", "2 -> 3", "2 -> 3"]
    assert found.pop("comparison") == ["a <= 2 -> a < 2", "f\"{a > 5}\" is not None -> f'{a > 5}' is None"]
    assert found.pop("index reordered") == ["a[1, rest] -> a[rest, 1]"]
    assert found.pop("arguments swapped")[0].endswith("-> g(rest, a, key=3, **{'a': a, 'b': 2})")
    assert found.pop("keyword dropped")[0].endswith("-> g(a, rest, **{'a': a, 'b': 2})")
    assert [change.split(" -> ")[1] for change in found.pop("dict key removed")] == ["{'b': 2}", "{'a': a}"]
    assert [change.split(" -> ")[1] for change in found.pop("statement deleted")] == ["pass", "pass"]
    assert not found


def test_the_seed_decides_what_is_planted_and_kinds_take_turns() -> None:
    first, again, other = (mutants.drawn("bench/metrics", 12, seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert len({fault.kind for fault in first[:7]}) == 7


@pytest.mark.parametrize(
    ("room", "folder"),
    [
        ("bench/metrics", "metrics"),
        ("bench/protocols/cox.py", "protocols"),
        ("bench", "runs"),
        ("registry", "registry"),
    ],
)
def test_a_room_has_the_tests_of_its_name(room: str, folder: str) -> None:
    tests = mutants.tests_of(room)
    assert tests
    assert {path.parent.name for path in tests} == {folder}


def test_the_command_covers_rooms_beside_their_own_tests() -> None:
    for room, files in mutants.FURTHER.items():
        tests = mutants.tests_of(f"bench/{room}")
        assert {f"{path.parent.name}/{path.name}" for path in tests} >= set(files)
        assert all(path.is_file() for path in tests)
        assert tests[0].parent.name == room
