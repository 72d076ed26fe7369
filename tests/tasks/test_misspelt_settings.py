"""What would be taken in silence: options and settings that nothing reads, values that no tile has, odd labels."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from task_helpers import sentence, tile

from bench import tasks
from bench.config import BenchConfig
from bench.runs.checks import check_named, check_settings
from bench.tasks import Manifest, readers
from registry.errors import UserError


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"options": {"gruop": "x"}}, r"tasks.x.options has no option gruop: .* Is group meant\?$"),
        ({"reader": "pcam", "options": {"group": "x"}}, r"no option group: the reader pcam has none\.$"),
        ({"reader": "tabel"}, r"No reader is called tabel: .* Is table meant\?$"),
        ({"mpp": -1}, r"tasks.x.mpp is -1.0 and must be from 0.02 to 1000"),
        ({"mpp": 0}, "tasks.x.mpp is 0.0 and must"),
        ({"mpp": float("nan")}, "tasks.x.mpp is nan and must"),
        ({"mpp": float("inf")}, "tasks.x.mpp is inf and must"),
        ({"tile_size": -5}, "tasks.x.tile_size is -5 and must be 1 or more"),
        ({"tile_size": 0}, "tasks.x.tile_size is 0 and must be 1 or more"),
        ({"metric": "balanced_acuracy"}, r"Is balanced_accuracy meant\?$"),
    ],
)
def test_a_setting_that_nothing_can_use_is_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(UserError, match=says) as error:
        tasks.configured({"name": "x", **settings})
    assert "\n" not in str(error.value)


def test_options_that_the_task_itself_reads_are_taken() -> None:
    settings = {"name": "x", "options": {"magnification": "40X"}, "own_options": ["magnification"]}
    assert tasks.configured(settings).options == {"magnification": "40X"}


def test_every_reader_names_the_options_that_it_looks_up() -> None:
    for module in pkgutil.iter_modules(readers.__path__):
        reader = importlib.import_module(f"bench.tasks.readers.{module.name}")
        text = Path(str(reader.__file__)).read_text()
        assert set(re.findall(r"options(?:\.get\(|\[)\"(\w+)\"", text)) <= set(reader.OPTIONS), module.name


def test_a_task_that_is_not_of_the_run_is_named_with_the_near_one() -> None:
    config = BenchConfig(tasks={"tiles": {"name": "tiles"}, "tile": {"kind": "regression"}})
    with pytest.raises(UserError, match=r"no task tile in this run: its tasks are tiles. Is tiles meant\?$"):
        check_named("tile", config)


def test_a_setting_that_the_run_does_not_have_is_refused() -> None:
    config = BenchConfig(tasks={"tiles": {"name": "tiles"}})
    config._target_ = "os.system"  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="There is no setting _target_: the settings are model, "):
        check_settings(config)


def test_a_label_that_stands_for_no_value_is_no_class(read: Callable[..., Manifest], data: Path) -> None:
    rows = [f"{tile(data / f'{i}.png', i).name},{('a', 'b', 'nan')[i % 3]}" for i in range(24)]
    (data / "manifest.csv").write_text("\n".join(["path,label", *rows]))
    assert "8 samples whose label is no value (nan of 2.png" in sentence(read, "tiles", data)
    assert len(read("tiles", data, "tasks.tiles.classes=[a,b,'nan']")) == 24


@pytest.mark.parametrize("header", ["path,label,label", "path,label, label ,x", "path,path,label"])
def test_a_column_that_stands_twice_is_refused(read: Callable[..., Manifest], data: Path, header: str) -> None:
    rows = [",".join([tile(data / f"{i}.png", i).name, *"ab"[i % 2] * header.count(",")]) for i in range(24)]
    (data / "manifest.csv").write_text("\n".join([header, *rows]))
    twice = "path" if header.startswith("path,path") else "label"
    assert f"has 2 columns {twice}: keep one" in sentence(read, "tiles", data)


def test_a_column_that_is_not_read_may_stand_twice(read: Callable[..., Manifest], data: Path) -> None:
    rows = [f"{tile(data / f'{i}.png', i).name},{'ab'[i % 2]},x,y" for i in range(24)]
    (data / "manifest.csv").write_text("\n".join(["path,label,stain,stain", *rows]))
    assert len(read("tiles", data)) == 24
