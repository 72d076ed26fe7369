"""A command composes its settings once, and Hydra's own ways to start several runs stay."""

import pytest
from command_helpers import bench, refused
from hydra import compose, initialize_config_dir
from hydra._internal.hydra import Hydra

from bench import config, runs, tasks

COLOUR = ("task=tiles", "model=colour")


@pytest.fixture
def compositions(monkeypatch):
    """The command lines that Hydra composed, one a composition."""
    found, compose_config = [], Hydra.compose_config

    def counted(self, config_name, overrides, *more, **named):
        found.append(tuple(overrides))
        return compose_config(self, config_name, overrides, *more, **named)

    monkeypatch.setattr(Hydra, "compose_config", counted)
    return found


@pytest.fixture
def models(monkeypatch):
    """The model of each run that a command starts; nothing is run."""
    found = []
    monkeypatch.setattr(runs, "run", lambda settings: found.append(settings.model))
    return found


def test_a_run_is_composed_once(tmp_path, compositions, models):
    get_mode = Hydra.get_mode

    assert bench(tmp_path, "plan", *COLOUR).returncode == 0
    assert len(compositions) == len(models) == 1
    assert Hydra.get_mode is get_mode
    refused(bench(tmp_path, "plan", "task=tilse"), "tilse")
    assert len(compositions) == 2


def test_a_run_with_a_task_of_the_users_own_folder_is_composed_once(tmp_path, compositions, models):
    (tmp_path / "conf/task").mkdir(parents=True)
    (tmp_path / "conf/task/mine.yaml").write_text("# @package tasks.mine\nname: mine\nreader: tiles\n")

    assert bench(tmp_path, "--config-dir=conf", "task=mine", "model=colour").returncode == 0
    assert len(compositions) == len(models) == 1


@pytest.mark.slow
def test_the_mode_on_the_command_line_makes_several_runs(tmp_path, models):
    done = bench(tmp_path, "task=tiles", "model=colour,random_vit_s16", "hydra.mode=MULTIRUN")

    assert (done.returncode, models) == (0, ["colour", "random_vit_s16"]), done.stderr


@pytest.mark.slow
def test_the_mode_of_a_configuration_of_the_users_own_makes_several_runs(tmp_path, models):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/mine.yaml").write_text("defaults: [bench, _self_]\nhydra: {mode: MULTIRUN}\n")
    done = bench(tmp_path, "--config-dir=conf", "--config-name=mine", "task=tiles", "model=colour,random_vit_s16")

    assert (done.returncode, models) == (0, ["colour", "random_vit_s16"]), done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "# @package hydra\nmode: MULTIRUN\n",
        "# @package _global_.hydra\nmode: MULTIRUN\n",
        "# @package _global_\ndefaults:\n- /task@hydra: tiles\n",
    ],
)
def test_a_suite_cannot_set_the_mode(tmp_path, models, text):
    (tmp_path / "conf/suite").mkdir(parents=True)
    (tmp_path / "conf/suite/mine.yaml").write_text(text)

    refused(bench(tmp_path, "--config-dir=conf", "suite=mine"), "The suite mine sets", "hydra")
    assert not models


@pytest.mark.parametrize(
    ("arguments", "known"),
    [
        (("task=[a,b]", "~suite", "++options.a=b", "tasks.tiles.split.seed=1", "--config-dir=conf"), True),
        (("hydra.run.dir=a",), False),
        (("hydra={mode: MULTIRUN}",), False),
        (("+hydra/job_logging=none",), False),
        (("+task@hydra=mine",), False),
        (("+board=mine",), False),
        (("site=mine",), False),
        (("--config-name=mine",), False),
        (("--config-dir", "conf"), False),
        (("--cfg", "job"), False),
    ],
)
def test_one_run_is_what_has_settings_and_data_files_alone(arguments, known):
    assert config.is_one_run(arguments) == known


def test_the_configuration_itself_leaves_the_mode_open():
    config.register()
    tasks.register()
    with initialize_config_dir(str(config.conf_folder()), version_base="1.3"):
        assert compose("bench", ["suite=demo"], return_hydra_config=True).hydra.mode is None
