"""What a row says of its making: model, weights, data, versions, device, time, and the settings that make it again."""

from __future__ import annotations

import datetime
import functools
import platform
import shlex
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import registry
from bench.rows import RunKey
from bench.runs.contamination import contamination
from bench.runs.context import RunContext, of_this_job
from bench.runs.model import Model
from bench.runs.row_command import command_of
from bench.runs.row_settings import settings_of
from bench.tasks import TaskConfig, settings_digest, task_digest
from registry import ModelCard

PACKAGES = ("numpy", "pfmbench", "pillow", "scikit-learn", "scipy", "timm", "torch")


def made_by(context: RunContext, task: TaskConfig, model: Model | None, key: RunKey) -> dict[str, Any]:
    """What is known of a row before anything is computed, for its `info`.

    Parameters
    ----------
    model : Model or None
        None where no model is measured.
    key : RunKey
        Of the row.
    """
    settings = settings_of(context.config, task.name, model, key.protocol, key.seed)
    row = shlex.quote(str(key.path(context.results, "rows", "json")))
    found: dict[str, Any] = {
        "config": settings,
        "command": command_of(settings) or f"python -m bench reproduce {row}",
        "task_digests": {"task": task_digest(task, key.cohort), "settings": settings_digest(task)},
        "versions": versions(),
        "device": device_name(context.device),
        **of_this_job(),
    }
    if model is not None and model.sees_pixels:
        cards = cards_of(model)
        found["model_card"] = card_of(cards)
        found["contamination"] = contamination(cards, task.cohorts, baseline=model.baseline)
    elif model is not None:
        found["contamination"] = contamination([], task.cohorts, baseline=False)
    return found


def digests_of(model: Model, features: str, source: str, head: str) -> dict[str, str]:
    """The digests of a row by name; those of its test samples are added when it is written.

    Parameters
    ----------
    features : str
        Of the key of the features that the head takes.
    source : str
        Of the files of the samples.
    head : str
        Of the settings of the head.
    """
    own = {"features": features, "data": source, "head": head}
    if not model.sees_pixels:
        return own
    cards = cards_of(model)
    weights = [model.weights, *([model.tile_encoder.weights] if model.tile_encoder else [])]
    return {**own, "weights": " ".join(weights), "card": " ".join(card.digest() for card in cards)}


def finished() -> str:
    """The time of this machine's clock as ISO text in UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def cards_of(model: Model) -> list[ModelCard]:
    """Of the model and, of a slide encoder, of its tile encoder."""
    return [model.card, *([model.tile_encoder.card] if model.tile_encoder else [])]


def card_of(cards: Sequence[ModelCard]) -> dict[str, Any]:
    """What tables and pages show of a model; of a slide encoder with the tiles that its tile encoder wants."""
    card, tiles = cards[0], cards[-1]
    evidence = [one.pretraining.evidence for one in cards]
    cost = registry.gmacs(tiles)
    return {
        "title": card.title,
        "family": card.family,
        "licence": card.licence,
        "gated": any(one.weights.gated for one in cards),
        "url": card.url,
        "paper": card.paper,
        "params_m": round(sum(one.params for one in cards) / 1e6, 2),
        "gmacs": None if cost is None else round(cost, 3),
        "dim": card.dim,
        "tile_size": tiles.preprocessing.tile_size,
        "mpp": tiles.preprocessing.mpp,
        "cohorts": [{"name": one.name, "evidence": one.evidence} for of in cards for one in of.pretraining.cohorts],
        "cohorts_evidence": max(evidence, key=("stated", "inferred", "unknown").index),
    }


@functools.cache
def versions() -> dict[str, str]:
    """Of Python, this package and those that it computes with."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@functools.cache
def device_name(device: str) -> str:
    """The device with its name, as in "cuda:0 (NVIDIA H100)" and "cpu (x86_64)"."""
    if device.startswith("cuda"):
        import torch

        if (torch.device(device).index or 0) < torch.cuda.device_count():
            return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"{device} ({platform.machine()})"
