"""What the robustness task measures: features of test tiles behind every front-end, and its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import metrics, rows, targets
from bench.embedding import Embedding, EmbeddingJob, EmbeddingSettings, FeatureKey, embed, shards_of
from bench.files import unwritable
from bench.frontends import Chain
from bench.metrics import METRIC_SETS
from bench.protocols import Head, Predictions, Samples
from bench.rows import Row
from bench.runs.clean_thresholds import CleanThreshold, clean_thresholds, threshold_shift
from bench.runs.devices import memory_for_weights, n_processors, usual_batch_size
from bench.runs.fit import sentence_of
from bench.runs.model import Model
from bench.runs.provenance import digests_of, finished, made_by
from bench.runs.scoring import notes_on_groups, scored
from registry.errors import UserError

if TYPE_CHECKING:
    from bench.runs.robustness import RobustnessPlan

SIMILARITY = "similarity"  # the protocol of rows that compare features with those of clean tiles
SHARD_TILES = 512  # tiles a feature file, as each front-end of each model holds one in memory
NUMBERS = 2**28  # of the test features that a head predicts at once


class Measuring:
    """One run of the task: features, then the rows of each model that are not up to date.

    Parameters
    ----------
    plan : RobustnessPlan
    """

    def __init__(self, plan: RobustnessPlan):
        self._plan, self._context, self._task = plan, plan.context, plan.task
        self._failures: list[str] = []

    def run(self) -> list[str]:
        """Embed and fit; returns a sentence for each failure.

        Raises
        ------
        UserError
            If tiles cannot be read, or the results folder cannot be written.
        """
        plan = self._plan
        of_training = [Chain(), *([plan.mixture] if any(augmented for _, augmented in plan.protocols.values()) else [])]
        fitted = self._embed(plan.fitted, of_training, "training tiles")
        tested = self._embed(plan.test, plan.chains, "test tiles")
        for model in plan.pending:
            broken = [own.error for of in (fitted, tested) for own in of[model.name].values() if own.error]
            if broken:
                self._failures += list(dict.fromkeys(sentence_of(error, model.name) for error in broken))
                continue
            self._measure(model, fitted[model.name], tested[model.name])
        return self._failures

    def _embed(self, rows_of: np.ndarray, chains: Sequence[Chain], what: str) -> dict[str, dict[str, Embedding]]:
        """Features by model and front-end; tiles are decoded once for all of them."""
        config, source = self._context.config, self._plan.source(rows_of)
        digest = source.digest()
        keys: dict[str, dict[str, FeatureKey]] = {}
        jobs: list[EmbeddingJob[Any]] = []
        for model in self._plan.pending:
            for chain in chains:
                key = self._plan.feature_key(model, chain, digest)
                keys.setdefault(model.name, {})[chain.name] = key
                size = {"tile_size": self._task.tile_size or 0, "mpp": self._task.mpp or 0.0}
                jobs.append(
                    EmbeddingJob(key, self._context.cache, model.load, model.memory_bytes, size, frontend=chain)
                )
        side = max(self._task.tile_size or 0, *(model.card.preprocessing.tile_size for model in self._plan.pending))
        how = EmbeddingSettings(
            batch_size=config.batch_size or usual_batch_size(self._context.device, side),
            workers=config.workers or n_processors(),
            on_corrupt=config.on_corrupt.value,
            memory_bytes=memory_for_weights(self._context),
            find_batch_size=config.batch_size is None,
            progress=self._context.progress,
            say=self._context.say,
        )
        shards = shards_of(source, min(config.shard_tiles, SHARD_TILES))
        found = embed(shards, jobs, how, label=f"{self._task.name}, {what}")
        return {model: {name: found[key] for name, key in own.items()} for model, own in keys.items()}

    def _measure(self, model: Model, fitted: Mapping[str, Embedding], tested: Mapping[str, Embedding]) -> None:
        plan = self._plan
        clean = self._samples(plan.test, tested[""])
        for chain in plan.chains:
            self._write(model, chain, SIMILARITY, 0, tested[chain.name], self._similarity(chain, clean, tested), None)
        config = self._context.config
        for protocol, (head, augmented) in plan.protocols.items():
            for seed in config.seeds:
                try:
                    train, val = self._training(fitted, augmented)
                    self._apply(model, protocol, head, seed, train, val, tested)
                except Exception as error:
                    self._failures.append(f"{protocol}: {sentence_of(error, model.name)}")
        self._context.say(f"{self._task.name} · {model.name}: {len(plan.chains)} front-ends measured")

    def _similarity(self, chain: Chain, clean: Samples, tested: Mapping[str, Embedding]) -> Predictions:
        features = tested[chain.name].features()
        columns = [metrics.cosines(features, clean.features), *metrics.retrieved(features, clean.features).T]
        restored = len(chain.parts) == 2
        unrestored = np.full(len(clean), np.nan)
        if restored:
            unrestored = metrics.cosines(tested[chain.parts[0].name].features(), clean.features)
        empty = np.empty((len(clean), 0))
        scores = np.stack([*columns, unrestored], axis=1)
        return Predictions(clean.ids, clean.groups, empty, scores, kind="feature_similarity")

    def _training(self, fitted: Mapping[str, Embedding], augmented: bool) -> tuple[Samples, Samples | None]:
        """Training samples, with those behind corruptions where the head is to see them, and the held-out ones."""
        plan = self._plan
        samples = self._samples(plan.fitted, fitted[""])
        labels = plan.manifest.split_labels_of(plan.manifest.folds[0])[plan.fitted]
        train, val = (samples.take(labels[fitted[""].rows] == side) for side in ("train", "val"))
        if augmented:
            of_corrupted = fitted[plan.mixture.name]
            more = self._samples(plan.fitted, of_corrupted).take(labels[of_corrupted.rows] == "train")
            train = joined([train, replace(more, ids=np.array([f"{name} {plan.mixture.name}" for name in more.ids]))])
        return train, val if len(val) else None

    def _apply(
        self,
        model: Model,
        protocol: str,
        head: Head,
        seed: int,
        train: Samples,
        val: Samples | None,
        tested: Mapping[str, Embedding],
    ) -> None:
        """Fit a head once for as many front-ends as fit the memory, and write a row for each of them."""
        plan = self._plan
        on_clean: dict[str, CleanThreshold] = {}
        for chains in self._portions(plan.chains, train.dim):
            own = [self._samples(plan.test, tested[chain.name]) for chain in chains]
            together = head.fit_predict(train, val, joined(own), seed)
            if together.metrics:
                raise UserError("the head makes metrics of its own, which the robustness task has no place for.")
            for chain, predictions in zip(chains, parted(together, [len(samples) for samples in own]), strict=True):
                if not chain.parts:
                    on_clean = clean_thresholds(predictions)
                shift = threshold_shift(predictions, on_clean)
                found = replace(predictions, info={**predictions.info, **({"threshold_shift": shift} if shift else {})})
                self._write(model, chain, protocol, seed, tested[chain.name], found, train)

    def _portions(self, chains: Sequence[Chain], dim: int) -> Iterator[Sequence[Chain]]:
        size = max(1, NUMBERS // (max(1, dim) * max(1, len(self._plan.test))))
        yield from (chains[start : start + size] for start in range(0, len(chains), size))

    def _samples(self, rows_of: np.ndarray, embedding: Embedding) -> Samples:
        manifest = self._plan.manifest
        own = rows_of[embedding.rows]
        ids, groups = (manifest.frame[column].to_numpy(str)[own] for column in ("id", "group"))
        kind = manifest.target.head_kind
        metric = self._task.metric if self._task.metric in METRIC_SETS[kind].metrics else ""
        return Samples(ids, groups, embedding.features(), manifest.labels[own], manifest.classes, kind, metric)

    def _write(
        self,
        model: Model,
        chain: Chain,
        protocol: str,
        seed: int,
        embedding: Embedding,
        predictions: Predictions,
        train: Samples | None,
    ) -> None:
        plan, n_boot = self._plan, self._context.config.bootstrap
        n_groups = len(np.unique(predictions.groups))
        if train is None:
            target = targets.get("feature_similarity")
            found = metrics.score_all(
                predictions.y_true, predictions.scores, None, predictions.groups, kind=target.metrics, n_boot=n_boot
            )
            of_row = {name: asdict(of.interval()) for name, of in found.items()}
            info: dict[str, Any] = {}
            notes = list(notes_on_groups(n_groups))
            classes, metric = target.class_names(plan.manifest.frame, self._task), target.metrics.primary
        else:
            target = plan.manifest.target
            predictions = replace(predictions, kind=self._task.kind)
            scores = scored(predictions, train, target, n_boot)
            of_row, info, notes = scores.metrics, {**predictions.info, **scores.info}, scores.notes
            info.pop("notes", None)
            classes, metric = plan.manifest.classes, self._task.metric
        key = plan.key(model, chain, protocol, seed)
        features = plan.feature_key(model, chain, plan.content).digest
        row = Row(
            **{name: value for name, value in vars(key).items() if name not in ("cohort", "head")},
            cohort_hash=key.cohort,
            head_config_hash=key.head,
            status="ok",
            kind=target.name,
            primary_metric=metric,
            metrics=of_row,
            n_train=len(train) if train is not None else None,
            n_test=len(predictions.ids),
            n_groups=n_groups,
            n_skipped=len(plan.test) - len(predictions.ids),
            feature_dim=model.card.dim,
            params_m=round(model.card.params / 1e6, 2),
            tiles_per_s=embedding.tiles_per_s,
            baseline=model.baseline,
            run_hash=plan.run_hash(model, chain, protocol, seed),
            version=version("pfmbench"),
            classes=list(classes),
            info={
                **info,
                "track": targets.ROBUSTNESS,
                "frontend": chain.identity,
                "weights": embedding.weights,
                **made_by(self._context, self._task, model, key),
                "digests": digests_of(model, features, plan.content, key.head),
                "finished": finished(),
            },
            notes=[*plan.manifest.notes, *notes],
        )
        try:
            rows.write(self._context.results, row, predictions)
        except OSError as error:
            place = Path(error.filename or rows.row_path(self._context.results, key))
            raise unwritable(place, error, "results=DIR") from error


def joined(parts: Sequence[Samples]) -> Samples:
    """The samples of all parts, one after another."""
    return replace(
        parts[0],
        ids=np.concatenate([part.ids for part in parts]),
        groups=np.concatenate([part.groups for part in parts]),
        features=np.concatenate([part.features for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
    )


def parted(predictions: Predictions, sizes: Sequence[int]) -> Iterator[Predictions]:
    """The predictions of samples that were joined."""
    start = 0
    for size in sizes:
        own = slice(start, start + size)
        yield replace(
            predictions,
            ids=predictions.ids[own],
            groups=predictions.groups[own],
            y_true=predictions.y_true[own],
            scores=predictions.scores[own],
            calibrated=None if predictions.calibrated is None else predictions.calibrated[own],
        )
        start += size
