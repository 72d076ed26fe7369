"""The step fit without the step embed: features that are not in the cache are named, and no network is loaded."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Never

from bench.data import EmbeddingPlan
from bench.embedding import missing_shards
from bench.runs.fit import Run
from bench.runs.plan import ModelWork, TaskPlan
from registry.errors import UserError


class FeaturesMissing(UserError):
    """The step fit finds no features of a model in the cache: a step is missing, and the model has not failed."""

    def __init__(self, model: str, task: str):
        super().__init__(
            f"The features of {model} on {task} are not all in the cache: make them first, with `python -m bench embed "
            f"task={task} model={model}` and the other settings of this run (in Python bench.embed), or name the cache "
            "that has them with cache=DIR."
        )


def not_embedded(part: EmbeddingPlan, work: Sequence[ModelWork]) -> list[ModelWork]:
    """The models that lack features of tiles in the cache, found without laying the grid of any slide."""
    known = part.known()
    no_grids = known.unknown > 0 and not known.shards
    return [own for own in work if no_grids or missing_shards(own.tiles, known.shards)]


def without_networks(task: TaskPlan, own: ModelWork, *, tokens: bool = True) -> ModelWork:
    """The same work, with `FeaturesMissing` for the features that `not_embedded` cannot know to be missing.

    These are of slides whose grids are not in the cache, though others are, and the vectors of slide encoders.
    """

    def load() -> Never:
        raise FeaturesMissing(own.model.name, task.task.name)

    tiles = dataclasses.replace(own.tiles, load=load, tokens=tokens and own.tiles.tokens)
    vectors = dataclasses.replace(own.vectors, load=load) if own.vectors else None
    return dataclasses.replace(own, tiles=tiles, vectors=vectors)


def name_missing(task: TaskPlan, own: ModelWork, runs: Sequence[Run]) -> str:
    """The message that features are missing; an earlier good row gets it as a note, and no failed row is written."""
    sentence = str(FeaturesMissing(own.model.name, task.task.name))
    for run in runs:
        run.mark_stale(sentence)
    return sentence
