"""Every task in conf/task is well described, and a new one is one YAML file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from task_helpers import CONF, composed, tile

from bench import tasks
from bench.tasks import TaskConfig
from registry.errors import UserError

OWN = ("tiles", "slides", "restoration", "robustness")  # whatever the user has
NAMES = sorted(p.stem for p in (CONF / "task").glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_task_says_what_it_is(name: str):
    header = (CONF / "task" / f"{name}.yaml").read_text().splitlines()[0]
    assert header == f"# @package tasks.{name}"
    task = composed(name)
    assert task.name == name
    assert task.title
    if name not in OWN:
        assert task.citation
        assert task.licence
        assert task.unit is tasks.SampleLevel.slide or (task.mpp and task.tile_size)
    if name not in OWN and not task.synthetic:
        assert task.url.startswith("https://")
        assert task.layout
        assert task.cohorts


def test_several_tasks_stand_side_by_side():
    from hydra import compose, initialize_config_dir

    tasks.register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose(overrides=["+task=[pcam,mhist,breakhis]", "tasks.mhist.rare=drop"])
    assert list(config.tasks) == ["pcam", "mhist", "breakhis"]
    assert tasks.configured(config.tasks["mhist"]).rare.value == "drop"
    assert tasks.configured(config.tasks["pcam"]).rare.value == "error"


def test_a_new_task_is_one_yaml(tmp_path: Path):
    conf = tmp_path / "conf"
    (conf / "task").mkdir(parents=True)
    (conf / "task" / "polyps.yaml").write_text(
        "# @package tasks.polyps\n"
        "defaults: [schema@_here_, _self_]\n"
        "name: polyps\nreader: folder\nfolder: [polyps_v2]\nmpp: 1.0\noptions: {group: '^(P[0-9]+)_'}\n"
    )
    for label in ("benign", "serrated"):
        for i in range(20):
            tile(tmp_path / "data" / "polyps_v2" / label / f"P{i // 2}{label[0] == 's':d}_{i}.webp")
    task = composed("polyps", "tasks.polyps.split.test=0.3", conf=conf)
    manifest = tasks.read(task, tmp_path / "data", tmp_path / "cache")
    assert manifest.classes == ("benign", "serrated")
    assert manifest.frame["group"].nunique() == 20
    assert (manifest.frame["split"] == "test").sum() == 12


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"name": "x", "mmp": 0.5}, "mmp"),
        ({"name": "x", "mpp": "fine"}, "fine"),
        ({"name": "x", "rare": "ignore"}, "ignore"),
        ({"mpp": 0.5}, "name"),
        ({"name": "x", "split": {"test": 1.2}}, "tasks.x.split.test"),
        ({"name": "x", "split": {"val": -0.1}}, "tasks.x.split.val"),
        ({"name": "x", "min_groups": 0}, "tasks.x.min_groups"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, object], named: str):
    with pytest.raises(UserError, match=named) as error:
        tasks.configured(settings)
    assert "\n" not in str(error.value)


def test_a_task_may_be_given_as_it_is_or_as_plain_values():
    task = tasks.configured({"name": "x", "rare": "drop", "classes": ["b", "a"], "split": {"seed": 3}})
    assert isinstance(task, TaskConfig)
    assert task.split.seed == 3
    assert tasks.configured(task) == task


def test_importing_tasks_is_cheap():
    heavy = "[m for m in ('pandas', 'h5py', 'torch', 'PIL', 'sklearn', 'hydra') if m in sys.modules]"
    code = f"import sys, bench.tasks; print({heavy})"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CONF.parent)
    assert shown.stdout.strip() == "[]"
