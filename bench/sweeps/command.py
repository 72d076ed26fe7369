"""A sweep: its grid is planned and printed, its jobs run where the site says, its tables are made at the end."""

from __future__ import annotations

import datetime
import itertools
import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.config import BenchConfig, Step
from bench.files import digest, unwritable
from bench.jobs import (
    JobRecord,
    Sweep,
    reasons_of_waiting,
    slurm_queue,
    states,
    submitting,
    sweep_folder,
    write_record,
    write_sweep,
)
from bench.runs import check_settings, check_writable, devices_of, print_tables, to_stderr
from bench.sweeps import custom, laptop, local, slurm
from bench.sweeps.compose import Composed, composed
from bench.sweeps.grid import Unit, units_of
from bench.sweeps.planning import PlannedUnit, grid_text, is_split, keys_of_all, planned
from bench.sweeps.waiting import failures_of, wait_for
from bench.sweeps.work import Work, sentences
from registry.errors import UserError


def sweep(arguments: Sequence[str]) -> list[str]:
    """Run a sweep; gives a sentence for each thing that failed, after everything else is finished.

    Parameters
    ----------
    arguments : sequence of str
        Hydra's overrides, several values of a key separated by commas.

    Raises
    ------
    UserError
        If a setting is wrong, or the site cannot take the jobs; nothing was run then.
    HydraException, OmegaConfBaseException
        If Hydra cannot compose the settings.
    """
    with composed(arguments) as made:
        config = made.combinations[0].config
        if made.engine == "slurm":
            slurm.check_slurm()
        if config.part is not None:
            raise UserError(f"part={config.part} is set by the sweep itself: set shards=N for N jobs a dataset.")
        check_settings(replace(config, tasks={}))
        device = _device(made)
        units = units_of(made.combinations, device)
        only_plan = set(config.steps) == {Step.plan}
        if not only_plan:
            for folder, option in ((config.results, "results=DIR"), (config.cache, "cache=DIR")):
                check_writable(Path(folder), option)
        plan_on = "cuda" if device == "all" else device or devices_of(config)[0]
        found = planned(units, plan_on, write=not only_plan)
        text = grid_text(found, config.shards)
        if only_plan:
            print(text)
            return list(dict.fromkeys(failure for one in found for failure in one.failures))
        to_stderr(text)
        return _run(found, made, config, shlex.join(["python", "-m", "bench", "sweep", *arguments]))


def _device(made: Composed) -> str | None:
    """What jobs embed on, where the site says it: every GPU that it gives. None is what each machine finds."""
    settings = made.launcher
    config = made.combinations[0].config
    if config.device is not None:
        devices = devices_of(config) if config.device != "all" or made.engine != "slurm" else ["cuda"]
        return None if len(devices) > 1 else devices[0]
    if made.engine == "local" and int(settings.get("gpus_per_node") or 1) > 1 and len(local.own_gpus()) > 1:
        return "all"
    if made.engine != "slurm":
        return None
    named = str(settings.get("gres") or "").startswith("gpu") or "gpu" in str(
        settings.get("additional_parameters") or ""
    )
    count = int(settings.get("gpus_per_node") or settings.get("gpus_per_task") or 0)
    return ("all" if count > 1 else "cuda") if count or named else "cpu"


@dataclass(frozen=True)
class Jobs:
    """The jobs of a sweep that have something to do, and the records of those that cannot be run."""

    works: list[Work]
    parts: list[Work]
    failed: list[JobRecord]


def _run(found: Sequence[PlannedUnit], made: Composed, config: BenchConfig, command: str) -> list[str]:
    results = Path(config.results)
    refused = [one for one in found if one.failures and not one.to_do]
    todo = [one for one in found if one.to_do]
    if not todo and not refused:
        to_stderr(f"Nothing to do: all {len(keys_of_all(found))} rows are up to date.")
        _report(found, config)
        return []
    todo = _without_live(todo, results)
    if not todo and not refused:
        return []
    for one in found:
        for run, error in one.refused:
            run.fail(error)
    name = _new_folder(results)
    jobs = _jobs(found, todo, name, made.engine, config)
    settings = digest(sorted({one.unit.settings for one in found}))
    failures = [line for record in jobs.failed for line in sentences(record, record.failures)]
    with submitting(results, name):
        write_sweep(results, Sweep(name, command, made.engine, settings, _now()))
        for record in (*jobs.failed, *(work.record for work in (*jobs.parts, *jobs.works))):
            write_record(results, record)
        failures += _launch(jobs, made, config, results / "sweeps" / name)
    _report(found, config)
    return list(dict.fromkeys(failures))


def _report(found: Sequence[PlannedUnit], config: BenchConfig) -> None:
    """Make the tables of the results folder and print those of the sweep, where its steps say so."""
    if Step.report in config.steps:
        blocks = {(key.task, key.cohort, key.protocol, key.head) for key in keys_of_all(found)}
        print_tables(Path(config.results), config.margin, blocks, config.plots, everything=config.all)


def _without_live(todo: list[PlannedUnit], results: Path) -> list[PlannedUnit]:
    """Leave out what a job of another sweep is doing; raise where that job has other settings."""
    if not (results / "sweeps").is_dir():
        return todo
    live = [record for record, state in states(results)[0] if state in ("queued", "running")]
    left = []
    for one in todo:
        unit = one.unit
        beside = [r for r in live if r.task == unit.task and set(r.models) & set(unit.models)]
        same = [record for record in beside if record.settings == unit.settings]
        if same and set(unit.models) <= {name for record in same for name in record.models}:
            to_stderr(f"{unit.name} is left out: job {same[0].number} of the sweep {same[0].sweep} is doing it.")
        elif beside and not same:
            raise UserError(
                f"The sweep {beside[0].sweep} is not finished, and its job {beside[0].number} "
                f"({'+'.join(beside[0].models)} on {beside[0].task}) has other settings than this sweep: wait for it, "
                "or take another folder with results=DIR."
            )
        else:
            left.append(one)
    return left


def _jobs(
    found: Sequence[PlannedUnit], todo: Sequence[PlannedUnit], name: str, engine: str, config: BenchConfig
) -> Jobs:
    """Number the jobs: those that embed parts first, then those of whole datasets, then those that cannot be run."""
    numbers = itertools.count()
    folder = os.getcwd()

    def record(unit: Unit, **values: Any) -> JobRecord:
        return JobRecord(
            sweep=name,
            number=next(numbers),
            task=unit.task,
            models=unit.models,
            part=unit.part,
            engine=engine,
            overrides=unit.overrides,
            settings=unit.settings,
            submitted=_now(),
            **values,
        )

    split = [one.unit for one in todo if config.shards > 1 and engine != "laptop" and is_split(one)]
    of_parts = [unit.part_of(number, config.shards) for unit in split for number in range(1, config.shards + 1)]
    parts = [Work(record(unit), unit.config, folder) for unit in of_parts]
    works = [Work(record(one.unit), one.unit.config, folder) for one in todo]
    refused = [one for one in found if one.failures and not one.to_do]
    failed = [record(one.unit, state="failed", ended=_now(), failures=tuple(one.failures)) for one in refused]
    return Jobs(works, parts, failed)


def _launch(jobs: Jobs, made: Composed, config: BenchConfig, folder: Path) -> list[str]:
    """Run the jobs where the site says, and wait for them; gives a line a failure."""
    every = [*jobs.parts, *jobs.works]
    if not every:
        return []
    if made.engine == "laptop":
        return [*laptop.run_here(every, to_stderr), *failures_of(every)]
    if made.engine == "local":
        local.run_processes([jobs.parts, jobs.works], made.launcher, config.jobs_at_once, to_stderr)
        return failures_of(every)
    if made.engine == "slurm":
        return _on_slurm(jobs, made, config, folder)
    for works in (jobs.parts, jobs.works):
        custom.launch(works, made)
    return failures_of(every)


def _on_slurm(jobs: Jobs, made: Composed, config: BenchConfig, folder: Path) -> list[str]:
    """Submit the arrays and wait for them; jobs that Slurm refuses after it took others have failed."""
    submitted: list[Work] = []
    after: list[str] = []
    refused = ""
    for works in (jobs.parts, jobs.works):
        ids: list[str] = []
        for array in slurm.arrays(works):
            try:
                ids += [] if refused else [slurm.submit(array, made.launcher, config.jobs_at_once, after)]
            except UserError as error:
                if not submitted:
                    shutil.rmtree(folder, ignore_errors=True)
                    raise
                refused = str(error)
            if refused:
                for work in array:
                    write_record(Path(config.results), replace(work.record, state="failed", failures=(refused,)))
            else:
                submitted += array
        after = ids
        if ids:
            n_jobs = len(set(map(id, works)) & set(map(id, submitted)))
            to_stderr(f"submitted: {n_jobs} jobs as {', '.join(ids)}; their logs are in {folder / 'jobs'}")
    try:
        wait_for(submitted, slurm_queue, to_stderr, reasons_of_waiting)
    except KeyboardInterrupt:
        raise UserError(
            f"Stopped waiting, and the jobs go on: `python -m bench status results={config.results}` shows them, and "
            f"`python -m bench report results={config.results}` makes the tables."
        ) from None
    return failures_of([*jobs.parts, *jobs.works])


def _new_folder(results: Path) -> str:
    """Make the folder of this sweep, which is named by the time; gives its name."""
    name = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    for number in itertools.count(1):
        tried = name if number == 1 else f"{name}-{number}"
        folder = sweep_folder(results, tried)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise unwritable(folder, error, "results=DIR") from error
        return tried
    raise AssertionError


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
