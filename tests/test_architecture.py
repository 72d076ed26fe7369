"""The arrows between the rooms of the house, as docs/ARCHITECTURE.md draws them."""

import itertools
import re
import subprocess
import sys
from functools import cache

import pytest

from benchmarks.rooms import (
    ROOT,
    arrows,
    attributes_used,
    circle,
    code_lines,
    floors,
    imports,
    modules,
    public_names,
    room_of,
)

MODULES = modules()
ROOMS = sorted({room_of(module) for module in MODULES})
# of registry, beside the names of the package
PUBLIC_MODULES = {f"registry.{name}" for name in ("card", "checkpoint", "errors", "extractor", "resize", "text_table")}
COMMANDS = {  # `python -m bench report` and `remove` are the commands of those rooms
    ("bench.__main__", "bench.report.__main__"),
    ("bench.__main__", "bench.rows.__main__"),
}

UPPER = {f"bench.{name}" for name in ("data", "runs", "results", "plots", "page", "report", "passport", "multiverse")}
NO_PIXELS = {"torch", "bench.embedding", "bench.protocols", "bench.tasks"}
NEVER = {  # room: what it must not import, of the house or from outside
    "registry": {room for room in ROOMS if room.startswith("bench")},
    "bench.metrics": {room for room in ROOMS if room != "bench.metrics"},
    "bench.statistics": {room for room in ROOMS if room not in ("bench.metrics", "bench.statistics")},
    "bench.robustness": {room for room in ROOMS if room not in ("bench.metrics", "bench.robustness")},
    "bench.protocols": {*UPPER, "bench.embedding", "bench.rows", "bench.targets", "bench.tasks"},
    "bench.rows": {*UPPER, "torch", "bench.embedding", "bench.protocols", "bench.tasks"},
    "bench.jobs": {
        *(
            room
            for room in ROOMS
            if room not in ("bench.jobs", "bench.rows", "bench.commands", "bench.files", "bench.progress", "registry")
        ),
        *("torch", "hydra", "omegaconf", "submitit"),
    },
    "bench.passport": {
        *UPPER - {"bench.results", "bench.plots", "bench.report", "bench.passport"},
        *("torch", "bench.embedding", "bench.frontends", "bench.protocols", "bench.tasks"),
    },
    "bench.multiverse": {*UPPER - {"bench.results", "bench.plots", "bench.report", "bench.multiverse"}, *NO_PIXELS},
    "bench.results": {*UPPER - {"bench.results"}, *NO_PIXELS},
    "bench.published": {*UPPER - {"bench.results", "bench.report"}, *NO_PIXELS},
    "bench.plots": {*UPPER - {"bench.results", "bench.plots"}, *NO_PIXELS},
    "bench.page": {*UPPER - {"bench.results", "bench.plots", "bench.page"}, *NO_PIXELS},
    "bench.report": {*UPPER - {"bench.results", "bench.plots", "bench.page", "bench.report"}, *NO_PIXELS},
    "bench.embedding": {*UPPER, "bench.protocols", "bench.rows", "bench.tasks"},
}


@cache
def all_imports():
    """Every import of the house, read once in the process that needs them and not where tests are only collected."""
    return imports(MODULES)


def test_no_room_imports_another_in_a_circle():
    every = [one for one in all_imports() if not one.types_only]

    assert circle(arrows(every)) == []
    assert circle(arrows(all_imports())) == [], "not even for a type checker"


@pytest.mark.parametrize("room", ROOMS)
def test_no_modules_of_a_room_import_each_other_in_a_circle(room):
    own = [one for one in all_imports() if room_of(one.importer) == room_of(one.target) == room and not one.types_only]
    assert circle(arrows(own, of=str)) == []


def test_heads_do_not_import_the_package_that_finds_them_by_name():
    own = {one.importer for one in all_imports() if one.target == "bench.protocols" and not one.types_only}

    assert [importer for importer in own if room_of(importer) == "bench.protocols"] == []


@pytest.mark.parametrize("room", NEVER)
def test_a_room_never_imports(room):
    wrong = [str(one) for one in all_imports() if room_of(one.importer) == room and room_of(one.target) in NEVER[room]]

    assert room in ROOMS
    assert {name for name in NEVER[room] if name.startswith("bench.")} <= set(ROOMS), "a rule names no room"
    assert wrong == []


def test_beside_the_public_functions_only_the_command_line_the_settings_and_files_are_no_packages():
    loose = {path.name for path in (ROOT / "bench").glob("*.py")}

    assert loose == {
        "__init__.py",
        "__main__.py",
        "api.py",
        "commands.py",
        "config.py",
        "files.py",
        "hdf5.py",
        "leaving.py",
        "progress.py",
        "starting.py",
    }


def test_only_settings_and_runs_know_the_configuration():
    knowing = {room_of(one.importer) for one in all_imports() if one.target == "bench.config"}

    assert knowing == {"bench.__main__", "bench.api", "bench.runs", "bench.sweeps"}


def test_a_room_imports_of_another_its_public_names_only():
    wrong = []
    for one in all_imports():
        own, other = room_of(one.importer), room_of(one.target)
        if own == other or other not in ROOMS or (one.importer, one.target) in COMMANDS:
            continue
        if one.target in PUBLIC_MODULES or MODULES[other].name != "__init__.py":
            names, public = {one.name}, {one.name} if not one.name.startswith("_") else set()
        elif one.target != other:
            names, public = {one.target}, set()
        else:
            names = {one.name} if one.name else attributes_used(MODULES[one.importer], other.rpartition(".")[2])
            public = set(public_names(MODULES[other]))
        wrong += [f"{one} ({name})" for name in sorted(names - public)]

    assert wrong == []


@pytest.mark.parametrize(
    "room",
    [
        "bench.multiverse",
        "bench.passport",
        "bench.report",
        "bench.page",
        "bench.plots",
        "bench.published",
        "bench.results",
        "bench.jobs",
        "bench.rows",
        "bench.targets",
        "bench.metrics",
        "bench.config",
    ],
)
def test_tables_are_made_without_loading_torch(room):
    code = f"import sys, {room}; print(*({{'torch', 'timm', 'bench.embedding'}} & sys.modules.keys()))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""


def test_the_page_names_every_room_and_no_file_that_is_not_there():
    page = (ROOT / "docs/ARCHITECTURE.md").read_text()
    named = set(re.findall(r"`((?:bench|registry|benchmarks|tests|conf)/[\w/.]*)`", page))
    table = page.split("## The packages")[1].split("##")[0]

    assert len(named) > 20
    assert sorted(path for path in named if not (ROOT / path).exists()) == []
    assert [room for room in ROOMS if "." in room and f"{room.rpartition('.')[2]}" not in table] == []


def test_the_reader_of_imports_sees_what_a_circle_is_made_of(tmp_path):
    (tmp_path / "bench" / "a").mkdir(parents=True)
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "__init__.py").write_text("")
    (tmp_path / "bench" / "__init__.py").write_text("")
    (tmp_path / "bench" / "a" / "__init__.py").write_text("from .low import f\n__all__ = ['f']\n")
    (tmp_path / "bench" / "a" / "low.py").write_text("def f():\n    from bench import b\n    return b.g, b._h\n")
    (tmp_path / "bench" / "c.py").write_text("TABLE = {'f': 'bench.a:f', 'no': 'bench.a: f'}\n")
    lines = ('"""A docstring."""', "from typing import TYPE_CHECKING", "# a comment", "if TYPE_CHECKING:")
    (tmp_path / "bench" / "b.py").write_text("\n".join([*lines, "    from bench.a import f", "", "def g(): ...\n"]))
    known = modules(tmp_path)
    found = imports(known)

    assert sorted(known) == ["bench", "bench.a", "bench.a.low", "bench.b", "bench.c", "registry"]
    assert circle(arrows(one for one in found if not one.types_only)) == []
    assert floors(arrows(one for one in found if not one.types_only)) == {"bench.b": 0, "bench.a": 1, "bench.c": 2}
    with_types = circle(arrows(found))
    assert set(with_types) == {"bench.a", "bench.b"}
    assert all(target in arrows(found)[importer] for importer, target in itertools.pairwise(with_types))
    assert public_names(known["bench.a"]) == ["f"]
    assert attributes_used(known["bench.a.low"], "b") == {"g", "_h"}
    assert code_lines(known["bench.b"]) == 4
