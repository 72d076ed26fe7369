"""What a reader of a row must know of its model on its task, before anything is computed."""

from __future__ import annotations

from collections.abc import Iterator

from bench.data import MPP_TOLERANCE
from bench.runs.model import Model
from bench.tasks import SampleLevel, TaskConfig
from registry.card import Preprocessing


def cautions(task: TaskConfig, model: Model) -> Iterator[str]:
    """What a reader of the row must know of this model on this task: other scales, shared cohorts."""
    cards = [model.card, *([model.tile_encoder.card] if model.tile_encoder else [])]
    wanted = cards[-1].preprocessing
    if model.frontend.restores_first:
        yield f"{model.frontend.name} restores before it corrupts: the encoder sees corrupted tiles"
    if task.unit is not SampleLevel.tile:
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
