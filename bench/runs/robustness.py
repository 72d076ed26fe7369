"""The robustness task: encoders and heads that were trained on clean tiles, on corrupted and restored ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np

from bench import protocols, rows, targets, tasks
from bench.config import Step
from bench.embedding import FeatureKey
from bench.files import digest
from bench.frontends import Chain, Mixture, find
from bench.protocols import Head
from bench.rows import RunKey
from bench.runs.checks import fitting_heads, named_unfit
from bench.runs.context import RunContext
from bench.runs.fit import head_config_hash, sentence_of
from bench.runs.frontends import weight_sources
from bench.runs.model import Model
from bench.runs.models import models_of
from bench.runs.robustness_rows import SIMILARITY, Measuring
from bench.targets import UNTOUCHED
from bench.tasks import Manifest, TaskConfig, draw_tiles
from bench.tiles import TileSource
from registry.errors import UserError

NONE = "none"
AUGMENTED = "augmented"  # of the name of a head that is trained on corrupted tiles too


def plan_robustness(context: RunContext, task: TaskConfig) -> RobustnessPlan:
    """Read the tiles, find the weights of models and restorers, and list the rows; nothing is computed.

    Raises
    ------
    UserError
        If the data or the settings cannot be used, or no model can be run.
    """
    config, track = context.config, task.track
    assert track is not None
    if config.frontend not in (None, NONE, []):
        raise UserError(
            f"frontend={config.frontend} and task={task.name} do not go together: the task has its own front-ends, in "
            f"tasks.{task.name}.track.corruptions and .restorers."
        )
    manifest = tasks.read(task, Path(config.data) if config.data else None, context.unpacked or context.cache)
    if len(manifest.folds) > 1:
        raise UserError(f"The task {task.name} has one test set: leave out tasks.{task.name}.split.folds and .repeats.")
    every = {name: protocols.configured(settings) for name, settings in config.protocols.items()}
    heads = fitting_heads(task, every)
    failures: list[str] = []
    models = list(_usable(models_of(config, context.device), failures))
    if not any(model.named for model in models):
        raise UserError("\n".join(failures))
    chains = list(_chains(context, task, failures))
    plan = RobustnessPlan(context, task, manifest, models, protocols.rows_of(heads), chains, failures)
    plan.check_size()
    plan.left_out = named_unfit(task, every, heads)
    return plan


def _usable(models: Sequence[Model], failures: list[str]) -> Iterator[Model]:
    for model in models:
        try:
            if model.tile_encoder or not model.sees_pixels:
                raise UserError(f"{model.name} does not see single tiles, which the robustness task is about.")
            model.check_weights()
        except UserError as error:
            failures.append(sentence_of(error, model.name))
        else:
            yield model


def _chains(context: RunContext, task: TaskConfig, failures: list[str]) -> Iterator[Chain]:
    """Clean tiles and each corruption, as they are and behind each restorer; what cannot be used is named."""
    assert task.track is not None
    config, track = context.config, task.track
    weights, restorers = weight_sources(config), []
    for name in track.restorers:
        if name == UNTOUCHED:
            continue
        restorer = find(name, config.frontends.get(name), weights)
        try:
            _ = restorer.identity
        except UserError as error:
            failures.append(sentence_of(error, name))
        else:
            restorers.append(restorer)
    corruptions = [find(f"{kind}_{severity}") for kind in track.corruptions for severity in track.severities]
    for corrupted in (Chain(), *(Chain((corruption,)) for corruption in corruptions)):
        yield corrupted
        yield from (Chain((*corrupted.parts, restorer)) for restorer in restorers)


@dataclass(eq=False)
class RobustnessPlan:
    """What is measured of a task.

    Attributes
    ----------
    manifest : Manifest
    models : list of Model
        The encoders, baselines among them.
    heads : dict of str to Head
    chains : list of Chain
        What test tiles go through; the first is none.
    failures : list of str
        A sentence for each model and restorer that cannot be used.
    left_out : str
        Which heads do not fit the task, in words.
    """

    context: RunContext
    task: TaskConfig
    manifest: Manifest
    models: list[Model]
    heads: dict[str, Head]
    chains: list[Chain]
    failures: list[str]
    left_out: str = ""

    @cached_property
    def test(self) -> np.ndarray:
        """Rows of the manifest that are tested, ascending."""
        assert self.task.track is not None
        frame = self.manifest.frame
        rows_of_test = np.flatnonzero(self.manifest.split_labels_of(self.manifest.folds[0]) == "test")
        own = frame.iloc[rows_of_test]
        classes = np.array(self.manifest.answers)[rows_of_test]
        columns = (own["id"].to_numpy(str), own["group"].to_numpy(str), classes)
        return rows_of_test[draw_tiles(*columns, self.task.track.tiles, self.task.split.seed)]

    @cached_property
    def fitted(self) -> np.ndarray:
        """Rows of the manifest that heads are trained on, and those held out for them."""
        return np.flatnonzero(np.isin(self.manifest.split_labels_of(self.manifest.folds[0]), ["train", "val"]))

    @cached_property
    def mixture(self) -> Chain:
        """What training tiles of augmented heads go through: one of the corruptions each."""
        return Chain((Mixture(tuple(chain.parts[0] for chain in self.chains if _corrupts_only(chain))),))

    def source(self, rows_of: np.ndarray) -> TileSource:
        """The tiles of these rows of the manifest."""
        frame = self.manifest.frame.iloc[rows_of]
        columns = (frame[name].tolist() for name in ("id", "path", "index"))
        return TileSource(*columns, max_px=self.context.config.max_tile_px)

    def check_size(self) -> None:
        """Leave out front-ends that cannot take tiles of this size, and name them."""
        with self.source(self.test[:1]).open() as opened:
            shape = opened.shape
        kept = []
        for chain in self.chains:
            try:
                chain.check(*shape)
            except UserError as error:
                self.failures.append(str(error))
            else:
                kept.append(chain)
        self.chains = kept
        self.failures = list(dict.fromkeys(self.failures))

    @cached_property
    def cohort_hash(self) -> str:
        """Of the cohort and the test tiles that were drawn of it."""
        return digest([self.manifest.cohort_hash, self.test.tolist()])[:8]

    @property
    def protocols(self) -> dict[str, tuple[Head, bool]]:
        """Each head by the name of its rows, and whether it is trained on corrupted tiles too."""
        clean = {name: (head, False) for name, head in self.heads.items()}
        augmented = {f"{name}-{AUGMENTED}": (head, True) for name, head in self.heads.items()}
        return clean | (augmented if any(map(_corrupts_only, self.chains)) else {})

    def key(self, model: Model, chain: Chain, protocol: str, seed: int) -> RunKey:
        """The identity of a row."""
        settings = digest(targets.get("feature_similarity").metrics.name)[:8]
        if protocol != SIMILARITY:
            head, augmented = self.protocols[protocol]
            settings = head_config_hash(head)
            settings = digest([settings, self.mixture.identity])[:8] if augmented else settings
        cohort = self.cohort_hash
        return RunKey(self.task.name, model.name, chain.name, protocol, seed, 0, cohort, settings)

    def run_hash(self, model: Model, chain: Chain, protocol: str, seed: int) -> str:
        """Digest of all that can change a row."""
        key = self.key(model, chain, protocol, seed)
        features = self.feature_key(model, chain, self.content).digest
        settings = [seed, self.context.config.bootstrap, list(self.manifest.notes)]
        return digest([features, key.cohort, key.protocol, key.head, settings, version("pfmbench")])

    @staticmethod
    def feature_key(model: Model, chain: Chain, source: str) -> FeatureKey:
        """Of a model behind a front-end; the weights of the model are read once."""
        return replace(model.feature_key(source), frontend=chain.identity)

    @cached_property
    def content(self) -> str:
        """Digest of the files of all tiles."""
        return digest([self.source(self.fitted).digest(), self.source(self.test).digest()])

    @property
    def wanted(self) -> Iterator[tuple[Model, Chain, str, int]]:
        """Every row."""
        for model in self.models:
            for chain in self.chains:
                yield model, chain, SIMILARITY, 0
                for protocol in self.protocols:
                    yield from ((model, chain, protocol, seed) for seed in self.context.config.seeds)

    @property
    def keys(self) -> set[RunKey]:
        return {self.key(*own) for own in self.wanted}

    @cached_property
    def pending(self) -> list[Model]:
        """The models of which a row is not up to date."""
        return list({own[0].name: own[0] for own in self.wanted if not self._is_done(*own)}.values())

    def _is_done(self, model: Model, chain: Chain, protocol: str, seed: int) -> bool:
        row = rows.read_row(self.context.results, self.key(model, chain, protocol, seed))
        if row is None or not row.ok or row.run_hash != self.run_hash(model, chain, protocol, seed):
            return False
        return rows.has_predictions(self.context.results, row)

    def restrict_to(self, key: RunKey) -> None:
        """Clean tiles stay, which rows are compared with, and what restored ones were before."""
        _ = self.mixture  # heads see all corruptions in training
        own = next(chain for chain in self.chains if chain.name == key.frontend)
        names = {"", own.name, *(part.name for part in own.parts[:1])}
        if key.protocol.endswith(f"-{AUGMENTED}"):
            names.add(next(chain.name for chain in self.chains if _corrupts_only(chain)))
        self.chains = [chain for chain in self.chains if chain.name in names]
        self.models = [model for model in self.models if model.name == key.model]
        head = key.protocol.removesuffix(f"-{AUGMENTED}")
        self.heads = {name: one for name, one in self.heads.items() if name == head}

    def text(self) -> str:
        assert self.task.track is not None
        lines = [
            f"{self.described}; {len(self.pending)} of {len(self.models)} models to measure",
            f"  corruptions: {', '.join(self.task.track.corruptions)}",
            f"  severities: {', '.join(map(str, self.task.track.severities))}",
            f"  restorers: {', '.join(self.task.track.restorers)}",
            f"  models: {', '.join(model.name for model in self.models)}",
            f"  heads: {', '.join(self.protocols)}",
        ]
        return "\n".join(lines)

    @property
    def described(self) -> str:
        """The tiles and conditions, in words."""
        groups = self.manifest.frame["group"].iloc[self.test].nunique()
        return (
            f"{self.task.name} [{self.cohort_hash}]  {len(self.test)} test tiles of {groups} groups behind "
            f"{len(self.chains)} front-ends, {len(self.fitted)} tiles to train on{self.left_out}"
        )

    def run(self) -> list[str]:
        self.context.say(f"{self.described}; {len(self.models) - len(self.pending)} of {len(self.models)} models done")
        if not self.pending:
            return self.failures
        if Step.embed not in self.context.config.steps:
            return [*self.failures, f"The task {self.task.name} embeds and fits in one step: leave steps= out."]
        try:
            return list(dict.fromkeys([*self.failures, *Measuring(self).run()]))
        except UserError as error:  # of the data: the same for all models
            return [*self.failures, str(error)]


def _corrupts_only(chain: Chain) -> bool:
    return len(chain.parts) == 1 and not chain.parts[0].restores
