"""One model, task, protocol and seed: features in, one row out."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from bench import leaderboard, metrics, protocols
from bench.attention import draw_heatmap, write_attention
from bench.config import BenchConfig
from bench.embed import Embedding
from bench.files import digest, unwritable
from bench.leaderboard import Row
from bench.models import Model
from bench.protocols import Bags, Samples
from bench.slide_data import SlideData
from bench.slide_units import MPP_TOLERANCE, file_name
from bench.tasks import SampleLevel, TaskConfig
from bench.tile_data import Pass, TileData, divided
from registry.card import Preprocessing
from registry.errors import UserError

STALE = "this row is of an earlier run; a later one failed"


@dataclasses.dataclass(frozen=True)
class Run:
    """One model, task, protocol, seed and test fold (0 where there is one test set): what becomes one row."""

    config: BenchConfig
    task: TaskConfig
    data: TileData | SlideData
    part: Pass
    model: Model
    protocol: str
    head: protocols.Head
    seed: int
    fold: int
    results: Path

    def digest(self, features: str) -> str:
        """Of all that can change the row; `features` is that of what the head is given."""
        run = [self.settings, self.seed, self.fold, self.config.bootstrap, self._notes]
        content = self.data.content + self.part.content
        return digest([content, self.data.manifest.cohort_hash, features, run, version("pfmbench")])

    @property
    def settings(self) -> str:
        """Digest of what the user may set of the head."""
        return digest([self.head.kind, dataclasses.asdict(self.head.config)])[:8]

    def is_done(self, features: str) -> bool:
        row = leaderboard.read_row(self.results, *self._key)
        if row is None or not row.ok or row.config_digest != self.digest(features):
            return False
        if any(note.startswith(STALE) for note in row.notes):
            return False
        return leaderboard.has_predictions(self.results, row)

    @property
    def _key(self) -> tuple[str, str, str, str, int, int]:
        return self.task.name, self.model.name, "", self.protocol, self.seed, self.fold

    def finish(self, features: str, embedding: Embedding, samples: Callable[[bool], Samples | Bags]) -> str:
        """Fit, predict, score and write the row; gives the sentence of a failure, or nothing.

        `samples` gives all of them, as bags or as one vector each.
        """
        notes = self.data.notes(embedding)
        try:
            train, val, test = divided(self.data.manifest, samples(self.head.takes_bags), self.fold)
            n_train, n_val, n_test = len(train), len(val) if val is not None else 0, len(test)
            predictions = self.head.fit_predict(train, val, test, self.seed)
            predictions = dataclasses.replace(predictions, kind=self.task.kind)
            row = dataclasses.replace(
                self._row(),
                status="ok",
                metrics={
                    name: dataclasses.asdict(interval)
                    for name, interval in metrics.score_all(
                        predictions.y_true,
                        predictions.scores,
                        predictions.calibrated,
                        predictions.groups,
                        kind=self.data.manifest.target.metrics,
                        n_boot=self.config.bootstrap,
                    ).items()
                }
                | predictions.metrics,
                n_train=n_train,
                n_val=n_val,
                n_test=n_test,
                n_groups=len(np.unique(test.groups)),
                n_skipped=len(self.data.manifest) - n_train - n_val - n_test,
                feature_dim=test.dim,
                tiles_per_s=embedding.tiles_per_s,
                config_digest=self.digest(features),
                info={**predictions.info, "weights": embedding.weights},
            )
            row.notes.extend([*notes, *embedding.weights.get("notes", []), *predictions.info.get("notes", [])])
        except Exception as error:
            return self.fail(error, notes)
        try:
            row.info.update(self._show(predictions, embedding))
            leaderboard.write(self.results, row, predictions)
            n_folds = len(self.data.manifest.folds) if self.fold else 0
            leaderboard.discard_other_folds(self.results, *self._key[:-1], n_folds)
        except OSError as error:
            place = Path(error.filename or leaderboard.row_path(self.results, *self._key))
            return self.fail(unwritable(place, error, "results=DIR"), of_model=False)
        except Exception as error:
            return self.fail(error, notes)
        own = row.metrics[self.task.metric]
        say(
            f"{self.task.name} · {self.model.name} · {self.protocol}{self._part}: {self.task.metric} "
            f"{own['value']:.3f} [{own['ci_low']:.3f}, {own['ci_high']:.3f}]"
        )
        return ""

    @property
    def _part(self) -> str:
        """What tells this run from those of the same model and protocol, where there are several."""
        several = [f"seed {self.seed}"] if len(self.config.seeds) > 1 else []
        return "".join(f" · {name}" for name in [*several, *([f"fold {self.fold}"] if self.fold else [])])

    def _show(self, predictions: protocols.Predictions, embedding: Embedding) -> dict[str, str]:
        """Save what the head attended to and draw it over the previews; gives where the former is."""
        if not predictions.attention:
            return {}
        named = {file_name(slide): slide for slide in predictions.attention}
        files = {named[file.stem]: file for file in embedding.files if file.stem in named}
        path = leaderboard.predictions_path(self.results, *self._key).with_suffix(".attention.h5")
        write_attention(path, predictions.attention, files)
        if self.part.pictures is not None:
            folder = self.part.pictures / "attention" / path.parent.name / path.name.removesuffix(".attention.h5")
            for slide, attention in predictions.attention.items():
                name = f"{file_name(slide)}.jpg"
                draw_heatmap(folder / name, self.part.pictures / name, attention, files[slide])
        return {"attention": path.relative_to(self.results).as_posix()}

    def fail(self, error: Exception, notes: Sequence[str] = (), *, of_model: bool = True) -> str:
        """Write a failed row, if one can be written; gives the sentence, with what was left out of the samples before.

        A good one of the same samples and settings stays, with a note, as its features were others.
        """
        sentence = str(error) if isinstance(error, UserError) else fault(error)
        if of_model and self.model.name not in sentence:
            sentence = f"{self.model.name}: {sentence}"
        if notes:
            sentence = f"{sentence} ({'; '.join(notes)})"
        standing = leaderboard.read_row(self.results, *self._key)
        failed = dataclasses.replace(self._row(), status="failed", error=sentence)
        if standing and standing.ok and (standing.asked, standing.settings) == (failed.asked, failed.settings):
            kept = [note for note in standing.notes if not note.startswith(STALE)]
            failed = dataclasses.replace(standing, notes=[*kept, f"{STALE}: {sentence}"])
        with contextlib.suppress(OSError):  # the sentence is then of that
            leaderboard.write(self.results, failed, None)
        return sentence

    def _row(self) -> Row:
        card = self.model.card
        below = self.model.tile_encoder.card.params if self.model.tile_encoder else 0
        return Row(
            task=self.task.name,
            model=self.model.name,
            frontend="",
            protocol=self.protocol,
            seed=self.seed,
            fold=self.fold,
            kind=self.task.kind,
            asked=self.data.manifest.cohort_hash,
            settings=self.settings,
            status="failed",
            feature_dim=card.dim,
            params_m=round((card.params + below) / 1e6, 2) if self.model.sees_pixels else None,
            floor=self.model.floor,
            primary_metric=self.task.metric,
            version=version("pfmbench"),
            classes=list(self.data.manifest.classes),
            notes=self._notes,
        )

    @property
    def _notes(self) -> list[str]:
        """What a reader of the row must know before anything is computed."""
        return [*self.data.manifest.notes, *_cautions(self.task, self.model)]


def _cautions(task: TaskConfig, model: Model) -> Iterator[str]:
    """What a reader of the row must know of this model on this task."""
    cards = [model.card, *([model.tile_encoder.card] if model.tile_encoder else [])]
    wanted = cards[-1].preprocessing
    if task.unit is SampleLevel.slide:
        size, mpp = task.tiling.size or wanted.tile_size, task.tiling.mpp or wanted.mpp
    else:
        size, mpp = task.tile_size or 0, task.mpp
    if wanted.mpp and mpp and size and model.sees_pixels:
        seen, meant = mpp * _shrinkage(wanted, size), wanted.mpp * _shrinkage(wanted, wanted.tile_size)
        if abs(seen / meant - 1) > MPP_TOLERANCE:
            yield f"the network sees {seen:.3g} um/px where its authors mean {meant:.3g}"
    shared = {c.name: c.evidence for card in cards for c in card.pretraining.cohorts if c.name in task.cohorts}
    for cohort, evidence in sorted(shared.items()):
        yield f"pretraining shares {cohort} with this task ({evidence})"


def _shrinkage(wanted: Preprocessing, size: int) -> float:
    """By how much a tile of `size` px is made smaller before the network sees it."""
    if wanted.resize is None:
        return 1.0
    return size / (wanted.resize if isinstance(wanted.resize, int) else min(wanted.resize))


def fault(error: Exception) -> str:
    """The sentence for an error that no user can mend."""
    if os.environ.get("PFMBENCH_DEBUG"):
        traceback.print_exception(error)
    return f"{type(error).__name__}: {error} (a fault of the harness or its libraries, please report it)"


def say(line: str) -> None:
    print(line, file=sys.stderr)
