"""The plan of a grid: for each job what is done, what is to do and what cannot be run, before anything is submitted."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bench.config import BenchConfig, Step
from bench.files import digest
from bench.rows import RunKey
from bench.runs import Plan, Run, RunContext, Todo, names_of_models, nothing_written, prepare, todos_of
from bench.runs import sentence_of as sentence
from bench.sweeps.grid import Unit
from registry.text_table import aligned


@dataclass(eq=False)
class PlannedUnit:
    """What one job has to do.

    Attributes
    ----------
    unit : Unit
    todos : list of Todo
        One a model, those of tasks with a track left out.
    pending_of_track : int
        Cases or models that a task with a track has still to measure.
    keys : set of RunKey
        Of all its rows, those that cannot be made among them.
    refused : list of (Run, Exception)
        Rows that cannot be made, and why.
    failures : list of str
        Sentences on what cannot be run.
    left_out : str
        Why the job is not needed though it has something to do; empty otherwise.
    """

    unit: Unit
    todos: list[Todo] = field(default_factory=list)
    pending_of_track: int = 0
    keys: set[RunKey] = field(default_factory=set)
    refused: list[tuple[Run, Exception]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    left_out: str = ""

    @property
    def pending(self) -> int:
        """Rows to make."""
        return sum(todo.pending for todo in self.todos) + self.pending_of_track

    @property
    def tiles(self) -> int:
        """Tiles to embed, as far as they are known."""
        return sum(todo.tiles for todo in self.todos)

    @property
    def slides(self) -> int:
        """Slides whose tiles are not known yet."""
        return max((todo.slides for todo in self.todos), default=0)

    @property
    def hours(self) -> float:
        """About what the embedding takes at the rates measured in this cache; 0 where none is known."""
        return sum(todo.hours for todo in self.todos)

    @property
    def to_do(self) -> bool:
        """Whether a job is needed."""
        return not self.left_out and bool(self.pending or self.tiles or self.slides)

    @property
    def names_refused(self) -> set[str]:
        """Models of which no row can be made."""
        return {run.model.name for run, _ in self.refused}


def planned(units: Sequence[Unit], device: str, *, write: bool = True) -> list[PlannedUnit]:
    """Plan all units, in their order.

    Units that differ in their models alone are planned together, so that a dataset's manifest is read once for them.

    Parameters
    ----------
    device : str
        Where the jobs embed, which this machine need not have.
    write : bool
        Whether readers may put what they unpack into the cache.

    Raises
    ------
    UserError
        If a setting is wrong.
    """
    by_unit = {unit: PlannedUnit(unit) for unit in units}
    for group in _groups(units):
        context = RunContext(_together(group), device, progress=False, pictures=False, say=lambda line: None)
        if write:
            _share(prepare(context), [by_unit[unit] for unit in group])
        else:
            with nothing_written(context) as context:
                _share(prepare(context), [by_unit[unit] for unit in group])
    found = list(by_unit.values())
    _leave_out(found)
    return found


def _groups(units: Sequence[Unit]) -> list[list[Unit]]:
    """Units that one plan serves."""
    by_settings: dict[str, list[list[Unit]]] = {}
    for unit in units:
        own = dataclasses.asdict(unit.config)
        alone = _has_track(unit) or (unit.config.checkpoint and len(unit.models) > 1)
        common = {name: value for name, value in own.items() if name not in ("model", "checkpoint", "checkpoints")}
        groups = by_settings.setdefault(digest([common, id(unit) if alone else ""]), [])
        for group in groups:
            if not set(unit.models) & {name for other in group for name in other.models}:
                group.append(unit)
                break
        else:
            groups.append([unit])
    return list(itertools.chain.from_iterable(by_settings.values()))


def _has_track(unit: Unit) -> bool:
    task: Any = unit.config.tasks[unit.task]
    return bool(task.get("track") if isinstance(task, dict) else task.track and task.track.name)


def _together(group: Sequence[Unit]) -> BenchConfig:
    """The settings of one run with the models of all units."""
    if len(group) == 1:
        return group[0].config
    checkpoints: dict[str, str] = {}
    for unit in group:
        checkpoints |= unit.config.checkpoints
        if unit.config.checkpoint:
            checkpoints[unit.models[0]] = unit.config.checkpoint
    models = list(dict.fromkeys(name for unit in group for name in unit.models))
    return replace(group[0].config, model=models, checkpoint=None, checkpoints=checkpoints)


def _share(plan: Plan, group: Sequence[PlannedUnit]) -> None:
    """Give each unit what the plan says of its models."""
    of_model = {name: one for one in group for name in names_of_models(one.unit.config)[1]}
    for track in plan.tracks:
        (one,) = group
        one.keys |= track.keys
        one.pending_of_track += len(track.pending)
        one.failures += track.failures
    for task in plan.tasks:
        for todo in todos_of(task):
            of_model[todo.model].todos.append(todo)
        for run in task.runs:
            of_model[run.model.name].keys.add(run.key)
        for run, error in task.failed:
            one = of_model[run.model.name]
            one.refused.append((run, error))
            one.failures.append(sentence(error, run.model.name))
    for failure in plan.failures:
        named = [one for name, one in of_model.items() if name in failure.split()] if plan.tasks else list(group)
        for one in dict.fromkeys(named or list(group)[:1]):
            one.failures.append(failure)
    for one in group:
        one.failures = list(dict.fromkeys(one.failures))


def _leave_out(found: Sequence[PlannedUnit]) -> None:
    """Jobs without use: baselines of models that cannot be run, and rows that another job makes."""
    for one in found:
        if one.unit.baselines:
            beside = [other for other in found if other.unit.task == one.unit.task and not other.unit.baselines]
            if beside and not any(_has_models(other) for other in beside):
                one.left_out = "there is no model to compare them with"
                one.failures = []
    tracks: dict[frozenset[RunKey], PlannedUnit] = {}
    for one in found:
        if one.pending_of_track and tracks.setdefault(frozenset(one.keys), one) is not one:
            one.left_out = f"{tracks[frozenset(one.keys)].unit.name} makes the same rows"


def _has_models(one: PlannedUnit) -> bool:
    return bool(one.pending_of_track) or any(todo.model in names_of_models(one.unit.config)[0] for todo in one.todos)


def grid_text(found: Sequence[PlannedUnit], shards: int = 1) -> str:
    """A line a job: rows done and to do, tiles cached and to embed, hours at measured rates; then the totals."""
    head = ["job", "rows done", "to do", "tiles cached", "to embed", "hours", ""]
    lines = [head, *(_line(one) for one in found)]
    text = "\n".join(f"  {line}" for line in aligned(lines, left=1))
    jobs = [one for one in found if one.to_do]
    tasks = len({one.unit.task for one in found})
    tiles, hours, slides = (sum(getattr(one, name) for one in jobs) for name in ("tiles", "hours", "slides"))
    unrated = sum(todo.tiles for one in jobs for todo in one.todos if not todo.rate)
    refused = sum(len(one.refused) for one in found)
    unknown = sum(bool(one.failures) for one in found if not one.keys)
    parts = sum(is_split(one) for one in jobs) if shards > 1 else 0
    total = [
        f"total: {len(jobs)} of {_counted(len(found), 'job')} on {_counted(tasks, 'dataset')} "
        f"{'has' if len(jobs) == 1 else 'have'} something to do",
        f", {parts} of them after {shards} jobs each that embed parts" if parts else "",
        f"; {_counted(sum(one.pending for one in jobs), 'row')} to make, {_counted(tiles, 'tile')} to embed",
        f", about {hours:.2g} hours at the rates measured here" if hours else "",
        f", {unrated} of them at a rate that is not known yet" if unrated else "",
        f", and the tiles of {slides} slides that have no grid yet" if slides else "",
        f"; {refused} rows cannot be made" if refused else "",
        f"; {unknown} jobs cannot be run" if unknown else "",
    ]
    return f"{text}\n{''.join(total)}"


def is_split(one: PlannedUnit) -> bool:
    """Whether there is something to embed, which several jobs can share."""
    return bool(one.tiles or one.slides) and Step.embed in one.unit.config.steps


def _line(one: PlannedUnit) -> list[str]:
    done = sum(todo.rows - todo.pending for todo in one.todos)
    if one.pending_of_track:
        done = 0
    hours = f"{one.hours:.2g}" if one.hours else ("?" if one.tiles else "")
    tiles = f"{one.tiles}{f' +{one.slides} slides' if one.slides else ''}"
    cached = sum(todo.cached for todo in one.todos)
    return [one.unit.name, str(done), str(one.pending), str(cached), tiles, hours, "; ".join(_remarks(one))]


def _remarks(one: PlannedUnit) -> Iterator[str]:
    if one.failures:
        yield f"{len(one.refused)} rows cannot be made" if one.refused and one.to_do else "cannot be run"
    if one.left_out:
        yield f"left out, as {one.left_out}"
    elif not one.to_do and not one.failures:
        yield "done"


def keys_of_all(found: Iterable[PlannedUnit]) -> set[RunKey]:
    """Of all rows of a sweep."""
    return set().union(*(one.keys for one in found))


def _counted(count: int, noun: str) -> str:
    """Such as "1 dataset" and "2 datasets"."""
    return f"{count} {noun}{'s' * (count != 1)}"
