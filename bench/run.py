"""One model x one task: tiles -> features -> predictions -> rows."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
import traceback
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bench import leaderboard, metrics, protocols, tasks
from bench.config import BenchConfig
from bench.embed import Embedding, Job, embed, feature_folder
from bench.files import unwritable
from bench.leaderboard import Row
from bench.models import Model, models
from bench.slide_data import SlideData
from bench.tasks import TaskConfig, Unit
from bench.tile_data import Sides, TileData
from registry.errors import UserError

MPP_TOLERANCE = 0.1  # relative; beyond it the row says what the network sees


def run(config: BenchConfig) -> None:
    """Run every model on every task with every protocol and seed, and rebuild the leaderboard.

    Raises
    ------
    UserError
        At the end, if anything failed; all that could be computed is in the results by then.
    """
    results, cache = Path(config.results), Path(config.cache)
    for folder, option in ((results, "results=DIR"), (cache, "cache=DIR")):
        _check_writable(folder, option)
    device = config.device or _best_device()
    entries = models(config, device)
    heads = {name: protocols.configured(settings) for name, settings in config.protocols.items()}
    if not config.tasks:
        raise UserError("No task is named: set task=NAME, or suite=NAME for a set of them.")
    failures: list[str] = []
    for task in map(tasks.configured, config.tasks.values()):
        try:
            failures += _run_task(config, task, entries, heads, results, cache, device)
        except UserError as error:
            failures.append(str(error))
    if leaderboard.read_rows(results):
        written = leaderboard.rebuild(results)
        print(leaderboard.table_text(results, tasks=list(config.tasks)))
        print("\n".join(f"{what}: {path}" for what, path in written.items()))
    if failures:
        raise UserError("\n".join(dict.fromkeys(failures)))


def _run_task(
    config: BenchConfig,
    task: TaskConfig,
    entries: list[Model],
    heads: dict[str, protocols.Head],
    results: Path,
    cache: Path,
    device: str,
) -> list[str]:
    """Run all models on one task; gives the sentences of what failed."""
    data = _data(config, task, cache, results)
    frame = data.manifest.frame
    counts = ", ".join(f"{side} {n}" for side, n in frame["split"].value_counts().items())
    _say(f"{task.name}: {len(frame)} {data.noun} ({counts}), {frame['group'].nunique()} groups")
    failures = []
    for part in data.passes(entries):
        runs = [
            _Run(config, task, data, model, name, head, seed, results)
            for model in part.models
            for name, head in heads.items()
            for seed in config.seeds
        ]
        jobs: dict[str, Job] = {}
        for model in part.models:
            try:
                jobs[model.name] = _job(model, task, part.key, cache)
            except Exception as error:
                failures += [r.fail(error) for r in runs if r.model is model]
        pending = [r for r in runs if r.model.name in jobs and not r.is_done(jobs[r.model.name])]
        if not pending:
            continue
        batch = config.batch_size or _batch_size(device, part.models)
        embeddings = embed(
            part.units(),
            [jobs[name] for name in dict.fromkeys(r.model.name for r in pending)],
            batch_size=batch,
            workers=config.workers or os.cpu_count() or 1,
            on_corrupt=config.on_corrupt.value,
            label=task.name,
        )
        for name, embedding in embeddings.items():
            own = [r for r in pending if r.model.name == name]
            if embedding.error is not None:
                failures += [r.fail(embedding.error) for r in own]
                continue
            samples = data.samples(embedding)
            failures += [sentence for r in own if (sentence := r.finish(jobs[name], embedding, samples))]
    return failures


def _data(config: BenchConfig, task: TaskConfig, cache: Path, results: Path) -> TileData | SlideData:
    manifest = tasks.read(task, Path(config.data) if config.data else None, cache)
    if task.unit is Unit.tile:
        return TileData(manifest, config.shard_tiles)
    coords = Path(config.coords) if config.coords else None
    return SlideData(manifest, cache, results, config.on_corrupt.value, coords)


def _batch_size(device: str, models: list[Model]) -> int:
    """As many pixels as 256 tiles of 256 px on a GPU, an eighth of it on a CPU: one region of 4,096 px is a batch."""
    side = max(model.card.preprocessing.tile_size for model in models)
    return max(1, round((256 if device.startswith("cuda") else 32) * min(1.0, (256 / side) ** 2)))


def _job(model: Model, task: TaskConfig, read: dict[str, str], cache: Path) -> Job:
    key = {**model.key(), "frontend": "", **read}
    attributes: dict[str, str | int | float] = {
        **key,
        "model": model.name,
        "tile_size": task.tile_size or 0,
        "mpp": task.mpp or 0.0,
        "mpp_asked": model.card.preprocessing.mpp or 0.0,
    }
    return Job(model.name, feature_folder(cache, model.name, key), attributes, model.load)


@dataclasses.dataclass(frozen=True)
class _Run:
    """One model, task, protocol and seed: what becomes one row."""

    config: BenchConfig
    task: TaskConfig
    data: TileData | SlideData
    model: Model
    protocol: str
    head: protocols.Head
    seed: int
    results: Path

    def digest(self, job: Job) -> str:
        head = [self.head.kind, dataclasses.asdict(self.head.config), self.seed, self.config.bootstrap]
        labels = self.data.manifest.frame[["id", "label", "group", "split"]].to_csv(index=False)
        return _digest([self.data.content, labels, job.folder.name, head, self.task.metric, version("pfmbench")])

    def is_done(self, job: Job) -> bool:
        row = leaderboard.read_row(self.results, self.task.name, self.model.name, "", self.protocol, self.seed)
        return row is not None and row.status == "ok" and row.config_digest == self.digest(job)

    def finish(self, job: Job, embedding: Embedding, samples: Sides) -> str:
        """Fit, predict, score and write the row; gives the sentence of a failure, or nothing."""
        try:
            train, val, test = samples
            predictions = self.head.fit_predict(train, val, test, self.seed)
            row = dataclasses.replace(
                self._row(),
                status="ok",
                metrics={
                    name: dataclasses.asdict(interval)
                    for name, interval in metrics.score(
                        predictions.y_true, predictions.scores, predictions.groups, n_boot=self.config.bootstrap
                    ).items()
                },
                n_train=len(train),
                n_val=len(val) if val is not None else 0,
                n_test=len(test),
                n_groups=len(np.unique(test.groups)),
                n_skipped=len(self.data.manifest) - sum(map(len, filter(None, samples))),
                feature_dim=test.features.shape[1],
                tiles_per_s=embedding.tiles_per_s(),
                config_digest=self.digest(job),
                info=predictions.info,
            )
            leaderboard.write(self.results, row, predictions)
        except OSError as error:
            return self.fail(unwritable(self.results, error, "results=DIR"))
        except Exception as error:
            return self.fail(error)
        own = row.metrics[self.task.metric]
        _say(
            f"{self.task.name} · {self.model.name} · {self.protocol}: {self.task.metric} {own['value']:.3f} "
            f"[{own['ci_low']:.3f}, {own['ci_high']:.3f}]"
        )
        return ""

    def fail(self, error: Exception) -> str:
        """Write a failed row, unless a good one stands there; gives the sentence."""
        if isinstance(error, UserError):
            sentence = str(error)
        else:
            sentence = f"{type(error).__name__}: {error} (a fault of the harness or its libraries, please report it)"
            if os.environ.get("PFMBENCH_DEBUG"):
                traceback.print_exception(error)
        sentence = sentence if self.model.name in sentence else f"{self.model.name}: {sentence}"
        standing = leaderboard.read_row(self.results, self.task.name, self.model.name, "", self.protocol, self.seed)
        if standing is None or standing.status != "ok":
            leaderboard.write(self.results, dataclasses.replace(self._row(), status="failed", error=sentence), None)
        return sentence

    def _row(self) -> Row:
        card = self.model.card
        return Row(
            task=self.task.name,
            model=self.model.name,
            frontend="",
            protocol=self.protocol,
            seed=self.seed,
            status="failed",
            feature_dim=card.dim,
            params_m=round(card.params / 1e6, 2),
            floor=self.model.floor,
            primary_metric=self.task.metric,
            version=version("pfmbench"),
            classes=list(self.data.manifest.classes),
            notes=[*self.data.manifest.notes, *self.data.notes, *_notes(self.task, self.model)],
        )


def _notes(task: TaskConfig, model: Model) -> Iterator[str]:
    """What a reader of the row must know of this model on this task."""
    wanted = model.card.preprocessing
    if wanted.mpp and task.mpp and task.tile_size:
        side = wanted.resize if isinstance(wanted.resize, int) else wanted.size
        seen, meant = task.mpp * task.tile_size / side, wanted.mpp * wanted.tile_size / side
        if abs(seen / meant - 1) > MPP_TOLERANCE:
            yield f"the network sees {seen:.3g} um/px where its authors mean {meant:.3g}"
    shared = {c.name: c.evidence for c in model.card.pretraining.cohorts if c.name in task.cohorts}
    for cohort, evidence in sorted(shared.items()):
        yield f"pretraining shares {cohort} with this task ({evidence})"


def _digest(parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _check_writable(folder: Path, option: str) -> None:
    probe = folder / f".writable.{os.getpid()}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise unwritable(probe, error, option) from error


def _best_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _say(line: str) -> None:
    print(line, file=sys.stderr)
