"""From a planned task whose nulls are embedded to what the checks of an audit see of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench import rows
from bench.audit import AuditedTask, Control, Predicted, RowsOfModel, file_controls, name_controls
from bench.data import Cohort, split_samples
from bench.embedding import Embedding
from bench.protocols import Bags, Head, Samples
from bench.runs.context import RunContext
from bench.runs.fit import head_config_hash
from bench.runs.plan import TaskPlan
from bench.tasks import Manifest, SampleLevel
from bench.tiles import Look, decode_tile
from registry.errors import UserError

COLUMNS = ("centre", "staining", "scanner", "date")
PREDICTED = ("ids", "groups", "y_true", "scores")
NO_CENTRE = "No centre is named in the table, so it is no control."


def audited_task(
    context: RunContext, plan: TaskPlan, embeddings: Mapping[str, Embedding], networks: Sequence[str]
) -> AuditedTask:
    """What checks see of a task whose nulls are embedded."""
    cohort, manifest = plan.cohort, plan.cohort.manifest
    on_slides = plan.task.unit is not SampleLevel.tile
    first: Any = cohort.bags(embeddings["colour"]) if on_slides else cohort.samples(embeddings["colour"])
    place = manifest.frame.set_index("id").index.get_indexer(first.ids)
    frame = manifest.frame.iloc[place].reset_index(drop=True)
    sides = _first_pass([np.asarray(side)[place] for side in manifest.split_labels])
    columns = {name: frame[name].astype(str).to_numpy() for name in COLUMNS if name in frame}
    controls, absent = _controls(manifest, frame, columns, first, on_slides)
    heads = {name: head for name, head in plan.heads.items() if not head.needs}

    def features(name: str) -> Any:
        found = _of_model(cohort, embeddings[name], on_slides)
        if not np.array_equal(found.ids, first.ids):
            raise UserError(f"The samples that {name} and colour could read differ: mend the data, or embed again.")
        return found.features

    seeds = len(networks)
    return AuditedTask(
        name=plan.task.name,
        cohort=manifest.cohort_hash,
        kind=first.kind,
        metric=plan.task.metric,
        classes=first.classes,
        unit=plan.task.unit.value,
        ids=first.ids,
        groups=first.groups,
        paths=frame["path"].to_numpy(str),
        index=frame["index"].to_numpy(int),
        labels=first.labels,
        sides=sides,
        fit=_fit(manifest, first, heads, len(sides)),
        heads=tuple(heads),
        takes_bags=frozenset(name for name, head in heads.items() if head.takes_bags),
        columns=columns,
        controls=controls,
        absent=absent,
        nulls={"random network": _Read(networks, features), "colour": _Read(["colour"] * seeds, features)},
        models=_models(context.results, plan.task.name, manifest.cohort_hash, heads, len(sides)),
        tiles=None if on_slides else _tiles(frame, context.config.max_tile_px),
    )


class _Read(Sequence[Any]):
    """Features that are read from the cache when they are used, so that those of all seeds need no memory at once."""

    def __init__(self, names: Sequence[str], read: Callable[[str], Any]):
        self._names, self._read = names, read

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, place: Any) -> Any:
        return self._read(self._names[place])


def _of_model(cohort: Cohort, embedding: Embedding, on_slides: bool) -> Samples | Bags:
    return cohort.bags(embedding) if on_slides else cohort.samples(embedding)


def _first_pass(sides: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The folds until a sample is tested again: further ones repeat them with other training samples."""
    found: list[np.ndarray] = []
    tested = np.zeros(len(sides[0]), bool)
    for side in sides:
        if (tested & (side == "test")).any():
            break
        tested |= side == "test"
        found.append(side)
    return found


def _fit(manifest: Manifest, first: Samples | Bags, heads: Mapping[str, Head], n_folds: int) -> Any:
    """What fits a head by name to features of these samples, over the folds, and predicts their test samples."""

    def fit(name: str, features: Any, seed: int) -> Predicted:
        head = heads[name]
        samples: Samples | Bags
        if head.takes_bags:
            assert isinstance(first, Bags), "heads for bags are planned on slides alone"
            samples = dataclasses.replace(first, features=features)
        elif isinstance(first, Bags) and not isinstance(features, np.ndarray):
            samples = dataclasses.replace(first, features=features).pooled()
        else:
            table = first.table() if isinstance(first, Bags) else first
            samples = dataclasses.replace(table, features=np.asarray(features, np.float32))
        found = []
        for fold in manifest.folds[:n_folds]:
            train, val, test = split_samples(manifest, samples, fold)
            predictions = head.fit_predict(train, val, test, seed)
            if predictions.averages_draws:
                raise UserError(f"{name} averages over draws of training samples and gives no predictions to audit")
            found.append(predictions)
        folds = np.repeat(np.arange(len(found)), [len(one.ids) for one in found])
        return dataclasses.replace(_together(found), folds=folds)

    return fit


def _controls(
    manifest: Manifest, frame: Any, columns: dict[str, np.ndarray], first: Samples | Bags, on_slides: bool
) -> tuple[list[Control], dict[str, str]]:
    """The controls of names, files, table and counts, and a sentence for each that these data lack."""
    paths, own_file = frame["path"].astype(str).tolist(), [bool(index < 0) for index in frame["index"]]
    answers = (
        [first.classes[label] for label in first.labels] if first.kind in ("classes", "ordinal") else [""] * len(first)
    )
    own = [path if alone else "" for path, alone in zip(paths, own_file, strict=True)]
    controls, absent = name_controls(list(first.ids), list(first.groups), own, answers)
    of_files, without = file_controls(paths, own_file, on_slides, columns)
    controls += of_files
    absent |= without
    for name in ("centre", "staining"):
        if name in columns:
            controls.append(Control(name, columns[name]))
    if "centre" not in columns:
        absent["centre"] = NO_CENTRE
    if isinstance(first, Bags):
        controls.append(Control("tile count", np.array([len(bag) for bag in first.features], float), True))
        slides = manifest.slides["sample"].value_counts()
        controls.append(Control("slide count", np.array([slides.get(one, 0) for one in first.ids], float)))
    else:
        _, place, counts = np.unique(first.groups, return_inverse=True, return_counts=True)
        controls.append(Control("number of tiles of the group", counts[place].astype(float)))
    return controls, absent


def _models(results: Path, task: str, cohort: str, heads: Mapping[str, Head], n_folds: int) -> list[RowsOfModel]:
    """The models with rows of these heads on this cohort: predictions of their first seed, of all folds together."""
    if not (results / "rows").is_dir():
        return []
    digests = {name: head_config_hash(head) for name, head in heads.items()}
    by_run: dict[tuple[str, str, int], list[rows.Row]] = {}
    for row in rows.read_rows(results)[0]:
        wanted = (row.task, row.cohort_hash) == (task, cohort) and row.ok and not row.baseline and not row.frontend
        if wanted and digests.get(row.protocol) == row.head_config_hash and row.predictions:
            by_run.setdefault((row.model, row.protocol, row.seed), []).append(row)
    found: dict[tuple[str, str], RowsOfModel] = {}
    for (model, head, _), runs in sorted(by_run.items()):
        own = sorted(runs, key=lambda row: row.fold)[:n_folds]
        if (model, head) in found or len(own) < n_folds:
            continue
        try:
            saved = [rows.read_predictions(results / row.predictions) for row in own]
        except UserError:
            continue
        found[model, head] = RowsOfModel(model, head, _together(saved))
    return list(found.values())


def _together(found: Sequence[Any]) -> Predicted:
    """The predictions of all folds, one after another."""
    ids, groups, y_true, scores = (np.concatenate([getattr(one, of) for one in found]) for of in PREDICTED)
    return Predicted(ids, groups, y_true, scores)


def _tiles(frame: Any, max_px: int) -> Callable[[Sequence[int]], list[np.ndarray]]:
    places = list(zip(frame["path"].astype(str), frame["index"].astype(int), strict=True))
    return lambda samples: [decode_tile(*places[one], Look(max_px)) for one in samples]
