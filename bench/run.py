"""One model x one task: tiles -> features -> predictions -> rows."""

from __future__ import annotations

import dataclasses
import functools
import os
from pathlib import Path
from typing import Any

from bench import leaderboard, protocols, tasks
from bench.config import BenchConfig
from bench.embed import Embedding, Job, embed, encode, feature_folder
from bench.models import Model, models
from bench.run_checks import check_named, check_settings, check_writable, fitting_heads, named_unfit
from bench.run_head import Run, fault, say
from bench.slide_data import SlideData
from bench.tasks import SampleLevel, TaskConfig
from bench.tile_data import Pass, TileData
from registry.errors import UserError


def run(config: BenchConfig) -> None:
    """Run every model on every task with every protocol and seed, and rebuild the leaderboard.

    Raises
    ------
    UserError
        At the end, if anything failed; all that could be computed is in the results by then.
    """
    results, cache = Path(config.results), Path(config.cache)
    for folder, option in ((results, "results=DIR"), (cache, "cache=DIR")):
        check_writable(folder, option)
    device = config.device or _best_device()
    check_settings(config)
    entries = models(config, device)
    heads = {name: protocols.configured(settings) for name, settings in config.protocols.items()}
    if not config.tasks:
        raise UserError("No task is named: set task=NAME, or suite=NAME for a set of them.")
    described = _described(config)
    failures: list[str] = []
    asked: set[str] = set()
    for name, task in described.items():
        try:
            failures += _run_task(config, task, entries, heads, results, cache, device, asked)
        except UserError as error:
            failures.append(str(error))
        except Exception as error:  # so that the other tasks run
            failures.append(f"{name}: {fault(error)}")
    standings = leaderboard.read_standings(results)
    if standings.entries:
        written = leaderboard.write_tables(results, standings)
        if asked:
            print(leaderboard.table_text(standings, asked))
        print("\n".join(f"{what}: {path}" for what, path in written.items()))
    if failures:
        raise UserError("\n".join(dict.fromkeys(failures)))


def _described(config: BenchConfig) -> dict[str, TaskConfig]:
    """The tasks of the run, all of them checked before any work; UserError names every one that is wrong."""
    found, wrong = {}, []
    for name, settings in config.tasks.items():
        try:
            check_named(name, config)
            found[name] = tasks.configured(settings)
        except UserError as error:
            wrong.append(str(error))
    if wrong:
        raise UserError("\n".join(wrong))
    return found


def _run_task(
    config: BenchConfig,
    task: TaskConfig,
    entries: list[Model],
    heads: dict[str, protocols.Head],
    results: Path,
    cache: Path,
    device: str,
    asked: set[str],
) -> list[str]:
    """Run all models on one task and add what it asks to `asked`; gives the sentences of what failed."""
    data = _data(config, task, entries, cache, results)
    asked.add(data.manifest.cohort_hash)
    fitting = fitting_heads(task, heads)
    say(f"{task.name}: {_counted(data)}" + named_unfit(task, heads, fitting))
    failures = []
    for part in data.passes(entries):
        failures += _run_pass(config, task, data, part, fitting, results, cache, device)
    return failures


def _counted(data: TileData | SlideData) -> str:
    manifest = data.manifest
    if "fold" in manifest.frame:
        parts = f"{len(manifest.folds)} test folds"
    else:
        parts = ", ".join(f"{side} {n}" for side, n in manifest.frame["split"].value_counts().items())
    return f"{len(manifest)} {data.noun} ({parts}), {manifest.frame['group'].nunique()} groups"


def _run_pass(
    config: BenchConfig,
    task: TaskConfig,
    data: TileData | SlideData,
    part: Pass,
    heads: dict[str, protocols.Head],
    results: Path,
    cache: Path,
    device: str,
) -> list[str]:
    """Run the models that want the same tiles; gives the sentences of what failed."""
    runs, failures, work = [], [], {}
    for model in part.models:
        own = [
            Run(config, task, data, part, model, name, head, seed, fold, results)
            for name, head in heads.items()
            if not (model.tile_encoder and head.takes_bags)
            for seed in config.seeds
            for fold in data.manifest.folds
        ]
        unfit = ", ".join(name for name, head in heads.items() if model.tile_encoder and head.takes_bags)
        if not own:
            failures.append(
                f"{model.name} gives one vector a slide and protocol={unfit} takes bags of tiles: choose another, such "
                "as protocol=linear."
            )
        elif unfit:
            say(f"{task.name} · {model.name}: one vector a slide, so {unfit} is left out")
        try:
            work[model.name] = _Work.of(model, task, part.key, cache)
        except Exception as error:
            failures += [r.fail(error) for r in own]
            continue
        runs += own
    pending = [r for r in runs if not r.is_done(work[r.model.name].digest)]
    if not pending:
        return failures
    wanted = {r.model.name: work[r.model.name] for r in pending}
    try:
        embeddings = _embed(config, part, [w.tiles for w in wanted.values()], device, task.name)
    except UserError as error:  # of the data: the same for all models
        return failures + [r.fail(error, of_model=False) for r in pending]
    for name, doing in wanted.items():
        embedding = embeddings[doing.tiles.name]
        if doing.vectors is not None and embedding.error is None:
            embedding = encode(embedding, doing.vectors, label=task.name)
        samples = functools.cache(functools.partial(_samples, data, embedding))
        for r in (r for r in pending if r.model.name == name):
            sentence = r.fail(embedding.error) if embedding.error else r.finish(doing.digest, embedding, samples)
            failures += [sentence] if sentence else []
    return failures


def _embed(config: BenchConfig, part: Pass, jobs: list[Job[Any]], device: str, label: str) -> dict[str, Embedding]:
    jobs = list({job.name: job for job in jobs}.values())
    if part.given is not None:
        return {job.name: part.given(job) for job in jobs}
    assert part.units is not None
    units, left_out = part.units()
    found = embed(
        units,
        jobs,
        batch_size=config.batch_size or _batch_size(device, part.side),
        workers=config.workers or os.cpu_count() or 1,
        on_corrupt=config.on_corrupt.value,
        label=label,
    )
    for embedding in found.values():
        embedding.notes += left_out
    return found


def _data(
    config: BenchConfig, task: TaskConfig, entries: list[Model], cache: Path, results: Path
) -> TileData | SlideData:
    if not any(model.sees_pixels for model in entries):
        task = dataclasses.replace(task, options={**task.options, "check_files": False})
    manifest = tasks.read(task, Path(config.data) if config.data else None, cache)
    if task.unit is SampleLevel.tile:
        return TileData(manifest, config.shard_tiles)
    coords, features = (Path(folder).expanduser() if folder else None for folder in (config.coords, config.features))
    if coords and not coords.is_dir():
        raise UserError(f"The folder of coordinates {coords} does not exist or is a file: name it in coords=DIR.")
    return SlideData(manifest, cache, results, config.on_corrupt.value, coords, features)


def _samples(data: TileData | SlideData, embedding: Embedding, bags: bool) -> protocols.Samples | protocols.Bags:
    """What a head takes: bags of tiles, or a vector each."""
    if bags:
        assert isinstance(data, SlideData)
        return data.bags(embedding)
    return data.samples(embedding)


def _batch_size(device: str, side: int) -> int:
    """As many pixels as 256 tiles of 256 px on a GPU, an eighth of it on a CPU: one region of 4,096 px is a batch."""
    return max(1, round((256 if device.startswith("cuda") else 32) * min(1.0, (256 / side) ** 2)))


@dataclasses.dataclass(frozen=True)
class _Work:
    """What is to be computed for a model: the features of tiles and, by a slide encoder, the vectors of slides."""

    tiles: Job[Any]
    vectors: Job[Any] | None = None

    @classmethod
    def of(cls, model: Model, task: TaskConfig, read: dict[str, str], cache: Path) -> _Work:
        if task.unit is SampleLevel.tile and (model.tile_encoder or not model.sees_pixels):
            raise UserError(f"{model.name} is for slides and the task {task.name} has single tiles: leave it out.")
        below = model.tile_encoder or model
        key = {**below.key, "frontend": "", **read}
        tiles = Job(
            below.name,
            feature_folder(cache, below.name, key),
            {**key, "model": below.name},
            below.load,
            {
                "tile_size": task.tile_size or 0,
                "mpp": task.mpp or 0.0,
                "mpp_asked": below.card.preprocessing.mpp or 0.0,
            },
        )
        if model.tile_encoder is None:
            return cls(tiles)
        key = {**model.key, "tiles": tiles.folder.name}
        vectors = Job(
            model.name,
            feature_folder(cache, model.name, key),
            {**key, "model": model.name, "tile_encoder": below.name},
            model.load_slide_encoder,
        )
        return cls(tiles, vectors)

    @property
    def digest(self) -> str:
        """Of all that can change what a head is given."""
        return (self.vectors or self.tiles).folder.name


def _best_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
