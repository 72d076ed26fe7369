"""Cards of models that the registry does not list: ``timm:NAME`` and ``hf-hub:OWNER/REPOSITORY``."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from .card import (
    HALF,
    IMAGENET_MEAN,
    IMAGENET_STD,
    Architecture,
    ModelCard,
    Pooling,
    Preprocessing,
    Pretraining,
    Weights,
)
from .errors import UserError
from .source import Source

FAMILY = "outside the registry"
REMOTE = "registry.remote:network"  # builder of a repository that brings its own code
_UNKNOWN = Pretraining(method="unknown: not in the registry", data="unknown")
_PILLOW_BILINEAR = 2  # as transformers writes it


def card(name: str, source: Source) -> ModelCard:
    """The card of ``timm:NAME`` (timm's own list) or ``hf-hub:OWNER/REPOSITORY`` (the repository's configuration)."""
    kind, _, what = name.partition(":")
    return _timm(what) if kind == "timm" else _hub(what, source)


@lru_cache(maxsize=32)
def _timm(name: str) -> ModelCard:
    import timm

    architecture = name.partition(".")[0]
    try:
        config = timm.get_pretrained_cfg(name)
    except RuntimeError:
        config = None
    if not timm.is_model(architecture) or (config is None and architecture != name):
        known = timm.list_pretrained(f"{architecture}.*") or timm.list_models()
        near = ", ".join(f"timm:{n}" for n in difflib.get_close_matches(name, known, n=4, cutoff=0.5))
        raise UserError(f"timm has no model '{name}'" + (f"; did you mean {near}?" if near else ""))
    facts = config.to_dict() if config is not None else {}
    repository = facts.get("hf_hub_id")
    weights = Weights(
        hub=repository,
        file=facts.get("hf_hub_filename"),
        page=f"https://huggingface.co/{repository}" if repository else None,
        layout="timm_classifier",
    )
    return _from_timm(f"timm:{name}", architecture, {"num_classes": 0}, facts, weights)


def _hub(repository: str, source: Source) -> ModelCard:
    from .hub import NoSuchFile, fetch

    page = f"https://huggingface.co/{repository}"
    blank = _card(
        f"hf-hub:{repository}", repository, page, Weights(hub=repository, page=page, layout="timm_classifier")
    )
    try:
        got = fetch(blank, repository, "config.json", source)
    except NoSuchFile as problem:
        raise UserError(
            f"{repository} has no config.json, so what it holds is not known; write a card for it (plugins=), "
            f"see {page}"
        ) from problem
    facts = _json(got.path, page)
    weights = replace(blank.weights, revision=got.commit)
    if "architecture" in facts:
        arguments = {**facts.get("model_args", {}), "num_classes": 0}
        config = {**facts.get("pretrained_cfg", facts)}
        return _from_timm(blank.name, facts["architecture"], arguments, config, weights)
    if "auto_map" in facts:
        return _remote(blank, facts, weights, source)
    kind = facts.get("model_type", "of no stated type")
    raise UserError(
        f"{repository} is no timm repository (its config.json is {kind}); write a card for it (plugins=), see {page}"
    )


def _json(path: Any, page: str) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text("utf-8"))
        assert isinstance(facts, dict)
    except (ValueError, AssertionError) as problem:
        raise UserError(f"the configuration {path} is not a JSON object; see {page}") from problem
    return facts


def _card(name: str, title: str, page: str, weights: Weights, **fields: Any) -> ModelCard:
    made: dict[str, Any] = {
        "dim": 0,
        "params": 0,
        "architecture": Architecture(builder="none"),
        "preprocessing": Preprocessing(size=224, mpp=None, tile_size=224, resize=224),
        **fields,
    }
    return ModelCard(
        name=name,
        family=FAMILY,
        title=title,
        paper="not stated",
        url=page,
        licence=made.pop("licence", None) or "not stated",
        weights=weights,
        pretraining=_UNKNOWN,
        **made,
    )


def _from_timm(
    name: str, architecture: str, arguments: Mapping[str, Any], facts: Mapping[str, Any], weights: Weights
) -> ModelCard:
    import torch

    from .build import build

    built = Architecture(builder=f"timm:{architecture}", kwargs=dict(arguments))
    preprocessing = _timm_preprocessing(name, facts, arguments)
    try:
        with torch.device("meta"):
            network = build(built)
            output = network(torch.empty(1, 3, preprocessing.size, preprocessing.size))
    except (RuntimeError, TypeError, ValueError, AssertionError) as problem:
        reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise UserError(f"{name} cannot be built as timm's {architecture} on 3-channel tiles: {reason}") from problem
    pooling, dim = Pooling(), output.shape[-1]
    if output.ndim == 3:
        prefix = getattr(network, "num_prefix_tokens", 0)
        pooling = Pooling(kind="cls" if prefix else "mean", patch_start=prefix)
    elif output.ndim != 2:
        raise UserError(
            f"{name} gives {list(output.shape[1:])} for a tile, not a vector; write a card for it (plugins=)"
        )
    return _card(
        name,
        name,
        weights.page or "https://github.com/huggingface/pytorch-image-models",
        weights,
        dim=dim,
        params=sum(p.numel() for p in network.parameters()),
        architecture=built,
        preprocessing=preprocessing,
        pooling=pooling,
        licence=facts.get("license"),
    )


def _timm_preprocessing(name: str, facts: Mapping[str, Any], arguments: Mapping[str, Any]) -> Preprocessing:
    """timm's evaluation recipe: resize to size / crop_pct, centre crop."""
    shape = facts.get("input_size") or (3, 224, 224)
    size = int(arguments.get("img_size") or shape[-1])
    if shape[-1] != shape[-2]:
        raise UserError(f"{name} takes tiles of {shape[-2]} x {shape[-1]} px; only square inputs are known here")
    interpolation = facts.get("interpolation") or "bicubic"
    if interpolation not in ("bilinear", "bicubic"):
        raise UserError(f"{name} resizes by '{interpolation}'; only bilinear and bicubic are known here")
    side = int(size / (facts.get("crop_pct") or 1.0))
    return Preprocessing(
        size=size,
        mpp=None,
        tile_size=side,
        resize=(side, side) if facts.get("crop_mode") == "squash" else side,
        interpolation="bilinear" if interpolation == "bilinear" else "bicubic",
        mean=_three(facts.get("mean"), IMAGENET_MEAN),
        std=_three(facts.get("std"), IMAGENET_STD),
    )


def _remote(blank: ModelCard, facts: Mapping[str, Any], weights: Weights, source: Source) -> ModelCard:
    """A transformers repository with its own code; what it takes is read from its preprocessor's configuration."""
    from .hub import NoSuchFile, NotAtHand, fetch

    assert weights.hub is not None
    try:
        recipe = _json(fetch(blank, weights.hub, "preprocessor_config.json", source).path, blank.url)
    except (NoSuchFile, NotAtHand):
        recipe = {}
    size = _side(recipe.get("crop_size")) or _side(recipe.get("size")) or _side(facts.get("image_size")) or 224
    return replace(
        blank,
        dim=int(facts.get("hidden_size", 0)),
        architecture=Architecture(builder=REMOTE),
        preprocessing=Preprocessing(
            size=size,
            mpp=None,
            tile_size=size,
            resize=_side(recipe.get("size")) or size,
            interpolation="bilinear" if recipe.get("resample") == _PILLOW_BILINEAR else "bicubic",
            mean=_three(recipe.get("image_mean"), HALF),
            std=_three(recipe.get("image_std"), HALF),
        ),
        pooling=Pooling(kind="cls"),
        weights=weights,
        notes="Runs its repository's own code; class token of last_hidden_state.",
    )


def _side(value: Any) -> int | None:
    if isinstance(value, Mapping):
        value = value.get("shortest_edge") or value.get("height")
    return int(value) if isinstance(value, int | float) else None


def _three(values: Any, default: tuple[float, float, float]) -> tuple[float, float, float]:
    if not values:
        return default
    first, second, third = (float(v) for v in values)
    return first, second, third
