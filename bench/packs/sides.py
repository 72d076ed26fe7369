"""Whether rows are of the test side of their task: that of the other rows, of the frozen task, and of a user's data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from bench import frozen, runs, targets, tasks
from bench.frozen import FrozenTask
from bench.packs.content import Finding, PackedRun
from bench.packs.pseudonyms import Pseudonyms
from bench.rows import RowInfo
from bench.targets import Measurements

SWAPPED, OTHER_SIDE, OTHER_TASK = "swapped labels", "another test side", "another task"


@dataclass(frozen=True)
class Side:
    """The test samples of a fold: group and label by id, and the names of the classes."""

    samples: Mapping[str, tuple[str, str]]
    classes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        ids: Shaped[np.ndarray, " sample"],
        groups: Shaped[np.ndarray, " sample"],
        labels: Shaped[np.ndarray, "sample ..."],
        classes: Sequence[str],
    ) -> Side:
        """The side of these samples; labels are compared as their text."""
        own = zip(ids.tolist(), groups.tolist(), map(repr, labels.tolist()), strict=True)
        return cls({name: (group, label) for name, group, label in own}, tuple(classes))

    @classmethod
    def of_run(cls, run: PackedRun) -> Side:
        """The side that the predictions of a run tell."""
        saved = run.predictions
        return cls.of(saved.ids, saved.groups, saved.y_true, saved.classes)


def within_pack(alike: Sequence[PackedRun]) -> Iterator[Finding]:
    """Findings on runs of one side that have other samples, groups or labels than most of them."""
    sides = [Side.of_run(run) for run in alike]
    counted = Counter(_content(side) for side in sides)
    most = max(counted, key=lambda form: (counted[form], len(form[0]), repr(form)))
    reference = next(side for side in sides if _content(side) == most)
    for run, side in zip(alike, sides, strict=True):
        yield from differing(run, side, reference, "most rows of this task and cohort")


def differing(run: PackedRun, side: Side, reference: Side, whose: str) -> Iterator[Finding]:
    """Findings on a run whose side is not the reference; samples that the row says to have left out may lack."""
    other = [name for name in side.samples if name not in reference.samples]
    lacking = len(reference.samples) - (len(side.samples) - len(other))
    if side.classes != reference.classes:
        yield Finding(SWAPPED, f"{run.name} has the classes {', '.join(side.classes)}, which are not those of {whose}.")
    elif other or lacking > (run.row.n_skipped or 0):
        yield Finding(
            OTHER_SIDE,
            f"{run.name} has {len(other)} test samples that are not of {whose} and lacks {lacking} of these.",
        )
    else:
        labels = sum(own[1] != reference.samples[name][1] for name, own in side.samples.items())
        groups = sum(own[0] != reference.samples[name][0] for name, own in side.samples.items())
        if labels:
            yield Finding(SWAPPED, f"{labels} of {len(side.samples)} labels of {run.name} are not those of {whose}.")
        if groups:
            yield Finding(OTHER_SIDE, f"{groups} samples of {run.name} are of other groups than those of {whose}.")


def against_frozen(run: PackedRun, record: FrozenTask, *, hashed: bool) -> Iterator[Finding]:
    """Findings on a run of a published task that is not as it is frozen."""
    yield from other_definition(run, record)
    row, metric = run.row, record.definition.get("metric")
    if metric and row.primary_metric != metric and not _is_measured(run):
        yield Finding(
            OTHER_TASK, f"{run.name} has the primary metric {row.primary_metric}, and the published task {metric}."
        )
    if not record.cohort:
        return
    if row.cohort_hash != record.cohort:
        yield Finding(
            OTHER_TASK,
            f"{run.name} is of the cohort {row.cohort_hash}, and the published task {row.task} of {record.cohort}: "
            "other samples, labels, groups, split or metric, so give the task another name.",
        )
        return
    published = record.folds.get(str(row.fold))
    if published is None:
        yield Finding(OTHER_SIDE, f"{run.name} is of fold {row.fold}, which the published task {row.task} has not.")
        return
    saved = run.predictions
    own = frozen.side_of(saved.ids, saved.groups, saved.y_true, saved.classes)
    samples, labels = ("group_sizes", "group_labels") if hashed else ("samples", "labels")
    if 0 < published.n_test - own.n_test <= (row.n_skipped or 0):
        return
    if getattr(own, samples) != getattr(published, samples):
        yield Finding(
            OTHER_SIDE,
            f"{run.name} has {own.n_test} test samples of {own.n_groups} groups that are not those of the published "
            f"task {row.task} ({published.n_test} of {published.n_groups}).",
        )
    elif getattr(own, labels) != getattr(published, labels):
        kind = f"{SWAPPED} or {OTHER_SIDE}" if hashed else SWAPPED
        yield Finding(kind, f"the labels of {run.name} are not those of the published task {row.task}.")


def other_definition(run: PackedRun, record: FrozenTask) -> Iterator[Finding]:
    """A finding where the settings that a row states are not those that the published task is defined by."""
    row = run.row
    try:
        stated = runs.stated_task(row)
    except Exception as error:  # of settings that anybody may have written
        yield Finding(OTHER_TASK, f"the settings of the task in {run.name} cannot be used ({str(error).rstrip('.')}).")
        return
    if stated is None:
        return
    own = tasks.definition(stated)
    of_samples = row.cohort_hash != record.cohort
    names = [name for name in own if name in tasks.OF_TILES or of_samples]
    if other := [name for name in names if own[name] != record.definition.get(name)]:
        text = ", ".join(f"{name} {own[name]!r} and not {record.definition.get(name)!r}" for name in other[:3])
        yield Finding(OTHER_TASK, f"{run.name} has of the task {row.task} {text}: give the task another name.")
    digest = RowInfo(row).task_digest
    if digest and digest != tasks.task_digest(stated, row.cohort_hash):
        yield Finding(
            OTHER_TASK, f"the task digest {digest} of {run.name} does not follow from the settings that it has."
        )


class OwnData:
    """The test sides of tasks by a user's own data.

    Parameters
    ----------
    data : Path
        Folder or table of the data, or a folder that holds several datasets.
    changes : mapping of str to sequence of str
        By task what differs from its settings in conf/, such as ``split.folds=5``.
    salt : str
        That ids were hashed with; "" where they are plain.
    cache : Path
        Folder for what readers unpack.
    """

    def __init__(self, data: Path, changes: Mapping[str, Sequence[str]], salt: str, cache: Path) -> None:
        self._data, self._changes, self._cache = data, changes, cache
        self._pseudonyms = Pseudonyms(salt) if salt else None
        self._manifests: dict[str, tasks.Manifest] = {}

    def findings(self, run: PackedRun) -> Iterator[Finding]:
        """Findings on a run that is not of the test side of these data.

        Raises
        ------
        UserError
            If the task is none of conf/, or its data cannot be read.
        """
        row = run.row
        if _is_measured(run):
            return
        if row.task not in self._manifests:
            task = runs.published_task(row.task, self._changes.get(row.task, ()))
            self._manifests[row.task] = tasks.read(task, self._data, self._cache)
        manifest = self._manifests[row.task]
        if row.cohort_hash != manifest.cohort_hash:
            yield Finding(
                OTHER_SIDE,
                f"{run.name} is of the cohort {row.cohort_hash}, and your data make {manifest.cohort_hash}: other "
                "samples, labels, groups, split or metric.",
            )
        elif row.fold not in manifest.folds:
            yield Finding(OTHER_SIDE, f"{run.name} is of fold {row.fold}, which your data have not.")
        if row.fold not in manifest.folds:
            return
        ids, groups = (manifest.frame[column].to_numpy(str) for column in ("id", "group"))
        test = np.array(manifest.split_labels_of(row.fold)) == "test"
        ids, groups = ids[test], groups[test]
        if self._pseudonyms:
            ids, groups = self._pseudonyms.of_all(ids), self._pseudonyms.of_all(groups)
        reference = Side.of(ids, groups, manifest.labels[test], manifest.classes)
        yield from differing(run, Side.of_run(run), reference, "your data")


def _is_measured(run: PackedRun) -> bool:
    """Whether a row is of a track or of measurements, which predict no label."""
    return isinstance(targets.get(run.row.kind), Measurements) or bool(RowInfo(run.row).track)


def _content(side: Side) -> tuple[tuple[tuple[str, tuple[str, str]], ...], tuple[str, ...]]:
    return tuple(sorted(side.samples.items())), side.classes
