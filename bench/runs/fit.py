"""One model, task, protocol, seed and fold: features in, one row out."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import time
import traceback
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bench import protocols, rows
from bench.data import Cohort, EmbeddingPlan, file_name, split_samples
from bench.embedding import Embedding, read_features
from bench.files import digest, unwritable
from bench.protocols import Bags, Samples
from bench.rows import Row, RunKey
from bench.runs.attention import has_attention, write_attention
from bench.runs.context import RunContext, of_this_job
from bench.runs.heatmap import draw_heatmap
from bench.runs.model import Model
from bench.runs.model_cautions import cautions
from bench.runs.provenance import digests_of, finished, made_by
from bench.runs.scoring import scored
from bench.tasks import Manifest, TaskConfig
from registry.errors import UserError, fault_of


@functools.cache
def _own_version() -> str:
    """The version of this harness: to look it up takes as long as to read a row."""
    return version("pfmbench")


def head_config_hash(head: protocols.Head) -> str:
    """Digest of what a user may set of a head."""
    return digest([head.head_type, dataclasses.asdict(head.config)])[:8]


def _head_hash(head: protocols.Head, manifest: Manifest) -> str:
    """`head_config_hash`, and of a head that compares samples by columns of the manifest also what these say."""
    if not head.needs:
        return head_config_hash(head)
    frame = manifest.frame.sort_values("id", kind="stable")
    acquired = [frame[name].astype(str).tolist() for name in manifest.acquisition]
    return digest([head_config_hash(head), manifest.acquisition, acquired])[:8]


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """One model, task, protocol, seed and test fold (0 where there is one test set): what becomes one row."""

    context: RunContext
    cohort: Cohort
    plan: EmbeddingPlan | None
    model: Model
    protocol: str
    head: protocols.Head
    seed: int
    fold: int

    @property
    def task(self) -> TaskConfig:
        return self.cohort.manifest.task

    @functools.cached_property
    def key(self) -> RunKey:
        """The identity of the row."""
        return RunKey(
            task=self.task.name,
            model=self.model.name,
            frontend=self.model.frontend.name,
            protocol=self.protocol,
            seed=self.seed,
            fold=self.fold,
            cohort=self.cohort.manifest.cohort_hash,
            head=_head_hash(self.head, self.cohort.manifest),
        )

    def run_hash(self, features: str) -> str:
        """Digest of all that can change the row; `features` is that of the key of the head's features."""
        settings = [self.key.head, self.seed, self.fold, self.context.config.bootstrap, self._notes, *self._further]
        content = self.cohort.content + (self.plan.content if self.plan else "")
        return digest([content, self.key.cohort, features, settings, _own_version()])

    def is_done(self, features: str) -> bool:
        """Whether the row of this run hash and its predictions are in the results."""
        row = rows.read_row(self.context.results, self.key)
        if row is None or not row.ok or row.stale_error or row.run_hash != self.run_hash(features):
            return False
        attention = row.info.get("attention", "")
        if attention and not has_attention(self.key.path(self.context.results, "predictions", "attention.h5")):
            return False
        return rows.has_predictions(self.context.results, row)

    def finish(
        self,
        features: str,
        embedding: Embedding,
        samples: Callable[[bool], Samples | Bags],
        peak_memory_mib: float | None = None,
    ) -> str:
        """Fit, predict, score and write the row; gives the sentence of a failure, or nothing.

        `samples` gives all of them, as bags or as one vector each; `peak_memory_mib` is that of the embedding, where it
        is known.
        """
        notes = self.cohort.notes(embedding)
        try:
            train, val, test = split_samples(self.cohort.manifest, samples(self.head.takes_bags), self.fold)
            split_labels = self.cohort.manifest.split_labels_of(self.fold)
            n_train, n_val, n_test = len(train), len(val) if val is not None else 0, len(test)
            started = time.monotonic()
            predictions = self.head.fit_predict(train, val, test, self.seed)
            predictions = dataclasses.replace(predictions, kind=self.task.kind)
            target, n_boot = self.cohort.manifest.target, self.context.config.bootstrap
            found = scored(predictions, train, target, n_boot, self._further)
            seconds = time.monotonic() - started
            row = dataclasses.replace(
                self.empty_row(),
                status="ok",
                metrics=found.metrics,
                n_train=n_train,
                n_val=n_val,
                n_test=n_test,
                n_groups=len(np.unique(test.groups)),
                n_skipped=int((split_labels != "").sum()) - n_train - n_val - n_test,
                feature_dim=test.dim,
                tiles_per_s=embedding.tiles_per_s,
                run_hash=self.run_hash(features),
                info={
                    **predictions.info,
                    **found.info,
                    "weights": embedding.weights,
                    "stages": embedding.times.shares(),
                    **self._made_by,
                    "digests": digests_of(self.model, features, self._source, self.key.head),
                    "seconds": {"fit": round(seconds, 3)},
                    "finished": finished(),
                    "peak_memory_mib": peak_memory_mib,
                },
            )
            of_head = predictions.info.get("notes", [])
            row.notes.extend([*notes, *embedding.weights.get("notes", []), *of_head, *found.notes])
        except Exception as error:
            return self.fail(error, notes)
        try:
            row.info.update(self._show(predictions, embedding))
            rows.write(self.context.results, row, predictions, self.cohort.slide_names())
        except OSError as error:
            place = Path(error.filename or rows.row_path(self.context.results, self.key))
            return self.fail(unwritable(place, error, "results=DIR"), of_model=False)
        except Exception as error:
            return self.fail(error, notes)
        own = row.metrics[self.task.metric]
        self.context.say(
            f"{self.task.name} · {self.model.name} · {self.protocol}{self._part}: {self.task.metric} "
            f"{own['value']:.3f} [{own['ci_low']:.3f}, {own['ci_high']:.3f}]"
        )
        return ""

    @property
    def _further(self) -> list[str]:
        """The metrics on request that the settings name."""
        return sorted({metric.value for metric in self.context.config.further_metrics})

    @property
    def _part(self) -> str:
        """What distinguishes this run from others of the same model and protocol, where there are several."""
        several = [f"seed {self.seed}"] if len(self.context.config.seeds) > 1 else []
        return "".join(f" · {name}" for name in [*several, *([f"fold {self.fold}"] if self.fold else [])])

    def _show(self, predictions: protocols.Predictions, embedding: Embedding) -> dict[str, str]:
        """Save what the head attended to and draw it over the previews; says where the former is."""
        if not predictions.attention:
            return {}
        by_slide, files = _by_slide(self.cohort, embedding, predictions)
        path = self.key.path(self.context.results, "predictions", "attention.h5")
        write_attention(path, by_slide, files)
        pictures = self.plan.pictures if self.plan else None
        if pictures is not None:
            model = path.parent.name
            slides = self.cohort.manifest.slides
            paths = {
                name: (str(place), None if np.isnan(mpp) else float(mpp))
                for name, place, mpp in zip(slides["id"], slides["path"], slides["mpp"], strict=True)
            }
            folder = pictures / "attention" / path.parent.parent.name / model / path.name.removesuffix(".attention.h5")
            for slide, attention in by_slide.items():
                name = f"{file_name(slide)}.jpg"
                draw_heatmap(folder / name, pictures / name, attention, files[slide], paths.get(slide))
        return {"attention": path.relative_to(self.context.results).as_posix()}

    def fail(self, error: Exception, notes: Sequence[str] = (), *, of_model: bool = True) -> str:
        """Write a failed row, if one can be written; gives the sentence, with what was left out of the samples before.

        A good one of the same samples and settings stays, with a note, as its features were others.
        """
        sentence = sentence_of(error, self.model.name if of_model else "")
        if notes:
            sentence = f"{sentence} ({'; '.join(notes)})"
        if not self.mark_stale(sentence):
            failed = dataclasses.replace(self.empty_row(), error=sentence, info=self._made_by)
            with contextlib.suppress(OSError):  # the sentence is then of that
                rows.write(self.context.results, failed, None)
        return sentence

    def mark_stale(self, sentence: str) -> bool:
        """Note on a good row of the same samples and settings why it is not up to date; False if there is none."""
        earlier = rows.read_row(self.context.results, self.key)
        if earlier is None or not earlier.ok:
            return False
        with contextlib.suppress(OSError):
            rows.write(self.context.results, dataclasses.replace(earlier, stale_error=sentence), None)
        return True

    def empty_row(self) -> Row:
        """The row without scores, as a failed one is."""
        card = self.model.card
        below = self.model.tile_encoder.card.params if self.model.tile_encoder else 0
        return Row(
            task=self.task.name,
            model=self.model.name,
            frontend=self.model.frontend.name,
            protocol=self.protocol,
            seed=self.seed,
            fold=self.fold,
            kind=self.task.kind,
            cohort_hash=self.key.cohort,
            head_config_hash=self.key.head,
            status="failed",
            feature_dim=card.dim,
            params_m=round((card.params + below) / 1e6, 2) if self.model.sees_pixels else None,
            baseline=self.model.baseline,
            primary_metric=self.task.metric,
            version=_own_version(),
            classes=list(self.cohort.manifest.classes),
            notes=self._notes,
            info=of_this_job(),
        )

    @property
    def _made_by(self) -> dict[str, Any]:
        return made_by(self.context, self.task, self.model, self.key)

    @property
    def _source(self) -> str:
        """Digest of the files of the samples."""
        return digest(
            [self.cohort.content, self.plan.source if self.plan else "", self.plan.content if self.plan else ""]
        )

    @property
    def _notes(self) -> list[str]:
        """What a reader of the row must know before anything is computed."""
        return [*self.cohort.manifest.notes, *cautions(self.task, self.model)]


def _by_slide(
    cohort: Cohort, embedding: Embedding, predictions: protocols.Predictions
) -> tuple[dict[str, np.ndarray], dict[str, Path]]:
    """Attention [tiles] and feature file of each slide; the tiles of a sample's slides follow one another in it."""
    by_slide: dict[str, np.ndarray] = {}
    files: dict[str, Path] = {}
    for sample, attention in predictions.attention.items():
        slides = cohort.slides_of(embedding, sample)
        ends = np.cumsum([len(read_features(file)[0]) for file in slides.values()])
        by_slide |= dict(zip(slides, np.split(attention, ends[:-1]), strict=True))
        files |= slides
    return by_slide, files


def sentence_of(error: Exception, model: str = "") -> str:
    """The message of an error to a user, with the name of its model."""
    sentence = str(error) if isinstance(error, UserError) else fault(error)
    return sentence if model in sentence else f"{model}: {sentence}"


def fault(error: Exception) -> str:
    """The message of an error that a user cannot resolve."""
    if os.environ.get("PFMBENCH_DEBUG"):
        traceback.print_exception(error)
    return fault_of(error)
