"""How a command line is split into jobs of one model and one dataset."""

import pickle

import hypothesis.strategies as st
import pytest
from hydra.errors import MissingConfigException
from hypothesis import given, settings
from sweep_commands import bench, refused

from bench.__main__ import _overrides
from bench.config import Null, Step
from bench.sweeps.compose import composed
from bench.sweeps.grid import units_of
from registry.errors import UserError

NAMES = ("uni", "gpfm", "virchow", "virchow2")


def units(*arguments, device=None):
    with composed(_overrides(list(arguments))) as made:
        return units_of(made.combinations, device)


def named(found):
    return [(unit.models, unit.task) for unit in found]


def test_a_value_of_model_and_a_dataset_are_a_job_and_baselines_one_more_a_dataset():
    found = units("model=uni,[gpfm,virchow]", "task=demo,demo_slides")

    of_each = [("uni",), ("gpfm", "virchow"), ("colour", "random_vit_s16")]
    assert named(found) == [(models, task) for task in ("demo", "demo_slides") for models in of_each]
    assert {unit.config.null for unit in found} == {Null.none}
    assert [unit.baselines for unit in found] == [False, False, True] * 2
    assert all(unit.config.steps == [Step.embed, Step.fit] for unit in found)


@pytest.mark.parametrize("how", ["suite=demo", "task=[demo,demo_slides]", "task=demo,demo_slides"])
def test_suites_lists_and_sweeps_of_tasks_are_split_alike(how):
    found = units("model=uni", "null=none", how)

    assert named(found) == [(("uni",), "demo"), (("uni",), "demo_slides")]
    assert [list(unit.config.tasks) for unit in found] == [["demo"], ["demo_slides"]]
    assert len({unit.settings for unit in found}) == 2


@pytest.mark.parametrize(
    ("null", "of_models", "n_jobs"),
    [("none", "none", 2), ("baselines", "none", 3), ("same", "own", 3), ("own", "own", 2)],
)
def test_a_models_own_baseline_is_in_its_job_and_the_common_ones_in_theirs(null, of_models, n_jobs):
    found = units("model=uni,gpfm", "task=demo", f"null={null}")

    assert len(found) == n_jobs
    assert {unit.config.null.value for unit in found[:2]} == {of_models}


def test_a_baseline_that_is_named_is_not_made_twice():
    assert named(units("model=uni,colour", "task=demo"))[2:] == [(("random_vit_s16",), "demo")]
    assert len(units("model=colour,random_vit_s16", "task=demo")) == 2


def test_checkpoints_and_settings_of_tasks_concern_the_jobs_that_have_them():
    found = units(
        *("model=uni,gpfm", "task=demo,demo_slides", "null=none"),
        *("checkpoints.uni=a.pth", "tasks.demo.min_groups=5", "checkpoints.nothing=b.pth"),
    )

    by_name = {(unit.models[0], unit.task): unit for unit in found}
    assert by_name["uni", "demo"].config.checkpoints == {"uni": "a.pth", "nothing": "b.pth"}
    assert by_name["gpfm", "demo"].config.checkpoints == {"nothing": "b.pth"}, "what concerns no job is refused later"
    assert by_name["uni", "demo"].config.tasks["demo"].min_groups == 5
    assert list(by_name["uni", "demo_slides"].config.tasks) == ["demo_slides"]
    assert not any("checkpoints.uni" in text for text in by_name["gpfm", "demo"].overrides)
    assert not any("tasks.demo." in text for text in by_name["gpfm", "demo_slides"].overrides)


def test_a_tile_encoder_below_a_slide_encoder_keeps_its_checkpoint():
    found = units("model=chief,uni", "task=demo_slides", "null=none", "checkpoints.chief_ctranspath=a.pth")

    assert [unit.config.checkpoints for unit in found] == [{"chief_ctranspath": "a.pth"}, {}]


def test_the_baselines_take_nothing_of_a_models_weights():
    *_, alone = units("model=uni", "task=demo", "checkpoint=a.pth", "revision=abc", "weights=random")

    assert (alone.config.checkpoint, alone.config.revision, alone.config.weights.value) == (None, None, "pretrained")
    assert not {text.partition("=")[0] for text in alone.overrides} & {"checkpoint", "revision", "weights"}


@pytest.mark.slow
def test_the_settings_of_jobs_differ_where_rows_can():
    def digest(*more):
        [unit] = units("model=uni", "task=demo", "null=none", *more)
        return unit.settings

    same = [digest(text) for text in ("model=gpfm", "workers=3", "results=r", "shards=4", "margin=0.1", "task=demo")]
    other = [digest(text) for text in ("seeds=[1]", "protocol=knn", "tasks.demo.min_groups=5", "device=cuda")]
    assert len(set(same)) == 1
    assert len({same[0], *other}) == 5


def test_a_part_embeds_only():
    [unit] = units("model=uni", "task=demo", "null=none")
    part = unit.part_of(2, 4)

    assert (part.config.part, part.config.steps, part.part) == ("2/4", [Step.embed], "2/4")
    assert {"part=2/4", "steps=[embed]"} <= set(part.overrides)
    assert "steps=[embed,fit]" not in part.overrides


models = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)


@pytest.mark.slow
@settings(max_examples=6)
@given(
    st.lists(models, min_size=1, max_size=3, unique_by=tuple),
    st.lists(st.sampled_from(["demo", "demo_slides"]), min_size=1, unique=True),
    st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
    st.sampled_from(["none", "own"]),
)
def test_every_combination_is_one_job_whose_command_line_makes_its_settings(values, tasks, seeds, null):
    model = ",".join(value[0] if len(value) == 1 else f"[{','.join(value)}]" for value in values)
    swept = ",".join(f"[{seed}]" for seed in seeds)
    found = units(f"model={model}", f"task={','.join(tasks)}", f"seeds={swept}", f"null={null}", "checkpoints.uni=x")

    every = [(tuple(value), task, seed) for value in values for task in tasks for seed in seeds]
    assert sorted((unit.models, unit.task, unit.config.seeds[0]) for unit in found) == sorted(every)
    for unit in found:
        assert pickle.loads(pickle.dumps(unit.config)) == unit.config
        with composed(list(unit.overrides)) as again:
            [combination] = again.combinations
        assert combination.config == unit.config


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["modell=uni"], ["There is no setting modell", "Is model meant?"]),
        (["modell=uni,gpfm"], ["There is no setting modell", "Is model meant?"]),
        (["site=slurm,laptop"], ["sweeps over site", "choose one value"]),
        (["results=a,b"], ["sweeps over results"]),
        (["seeds=interval(0,1)"], ["names no values to sweep over"]),
        (["task=demoo,demo"], ["There is no task 'demoo'", "Is demo meant?"]),
        (["shards=0"], ["shards=0 must be 1 or more"]),
        (["part=1/2"], ["part=1/2 is set by the sweep itself"]),
        (["seeds=[a]"], ["seeds"]),
        (["model=unii,colour"], ["unii"]),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything(tmp_path, arguments, parts):
    refused(bench(tmp_path, "sweep", "task=demo", "offline=true", *arguments), *parts)

    assert not list(tmp_path.rglob("*.json"))


def test_a_task_is_needed():
    with composed(["model=uni"]) as made, pytest.raises(UserError, match="No task is named"):
        units_of(made.combinations)


@pytest.mark.parametrize("argument", ["site=slurm", "shards=4", "jobs_at_once=2"])
def test_settings_of_sweeps_are_refused_in_a_run(tmp_path, argument):
    refused(bench(tmp_path, "plan", "task=demo", argument), f"{argument} is for sweeps", "python -m bench sweep")


def test_without_submitit_its_sites_say_what_to_install(tmp_path, monkeypatch):
    def missing(*_, **__):
        raise MissingConfigException("nothing", "hydra/launcher/submitit_slurm", ["basic"])

    monkeypatch.setattr("hydra._internal.hydra.Hydra.compose_config", missing)
    refused(bench(tmp_path, "sweep", "task=demo", "site=slurm"), "submitit, which is not installed", "make sweep")


@pytest.mark.parametrize("setting", ["tasks", "protocols"])
def test_a_setting_that_becomes_a_list_by_interpolation_is_refused(setting):
    with pytest.raises(UserError, match=rf"^{setting}=\[0\] must be settings by name\.$"):
        units("model=uni", f"{setting}=${{seeds}}")
