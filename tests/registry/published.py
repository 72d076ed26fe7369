"""From a network's own entries to its weight file as the authors publish it: the inverse of each layout, written apart.

The inverses keep values, so that a load can be compared entry by entry, except where the file holds another grid of
positions; `parity_cases` holds official key lists that these are checked against.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from registry.card import ModelCard

State = dict[str, Tensor]


def _renamed(own: Mapping[str, Tensor], rules: Mapping[str, str]) -> State:
    state = {}
    for key, value in own.items():
        for pattern, name in rules.items():
            key = re.sub(pattern, name, key)
        state[key] = value
    return state


def _grid(own: Mapping[str, Tensor], positions: int, key: str = "pos_embed") -> State:
    """With as many positions as the file holds."""
    return {**own, key: torch.zeros(1, positions, own[key].shape[-1])}


def _dino_dump(own: Mapping[str, Tensor]) -> dict[str, Any]:
    teacher = {f"module.backbone.{key}": value for key, value in own.items()}
    head = {"module.head.mlp.0.weight": torch.zeros(8, 4), "module.head.last_layer.weight_g": torch.zeros(16, 1)}
    return {"student": {"module.backbone.cls_token": torch.zeros(1)}, "teacher": teacher | head, "epoch": 100}


def _dinov2(own: Mapping[str, Tensor]) -> State:
    state = dict(own)
    if "reg_token" in state:
        state["register_tokens"] = state.pop("reg_token")
        state = _grid(state, state["pos_embed"].shape[1] + 1)
    return state | {"mask_token": torch.zeros(1, own["cls_token"].shape[-1])}


def _dinov2_dump(own: Mapping[str, Tensor]) -> dict[str, Any]:
    """Four chunks of blocks, as FSDP names them, and the heads of the losses."""
    depth = 1 + max(int(key.split(".")[1]) for key in own if key.startswith("blocks."))

    def chunk(match: re.Match[str]) -> str:
        return f"blocks.{int(match[1]) * 4 // depth}.{match[1]}."

    teacher = {f"backbone.{re.sub(r'^blocks.([0-9]+).', chunk, key)}": value for key, value in _dinov2(own).items()}
    return {"teacher": teacher | {"dino_head.mlp.0.weight": torch.zeros(4, 4), "ibot_head.mlp.0.bias": torch.zeros(4)}}


_VIT = {r"norm1": "layernorm_before", r"norm2": "layernorm_after", r"mlp\.fc1": "intermediate.dense"}
_VIT |= {r"mlp\.fc2": "output.dense"}
_SWIGLU = {r"mlp\.fc1": "mlp.weights_in", r"mlp\.fc2": "mlp.weights_out"}


def _transformers(own: Mapping[str, Tensor], blocks: Mapping[str, str]) -> State:
    split: State = {}
    for key, value in own.items():
        if ".attn.qkv." in key:
            for part, rows in zip(("query", "key", "value"), value.chunk(3), strict=True):
                split[key.replace("attn.qkv", f"attention.attention.{part}")] = rows
        else:
            split[key] = value
    rules = {
        r"^norm\.": "layernorm.",
        r"attn\.proj": "attention.output.dense",
        r"ls(\d)\.gamma": r"layer_scale\1.lambda1",
        **blocks,
        r"^blocks": "encoder.layer",
        r"^cls_token": "embeddings.cls_token",
        r"^pos_embed": "embeddings.position_embeddings",
        r"^reg_token": "embeddings.register_tokens",
        r"^patch_embed\.proj": "embeddings.patch_embeddings.projection",
    }
    return _renamed(split, rules)


def _dinov2_transformers(own: Mapping[str, Tensor], blocks: Mapping[str, str] | None = None) -> State:
    state = _transformers(own, blocks or {})
    return state | {"embeddings.mask_token": torch.zeros(1, own["cls_token"].shape[-1])}


def _hibou(own: Mapping[str, Tensor]) -> State:
    return _grid(_dinov2_transformers(own, _SWIGLU), 257, "embeddings.position_embeddings")


def _midnight(own: Mapping[str, Tensor]) -> State:
    return _grid(_dinov2_transformers(own, _SWIGLU), 1 + 37 * 37, "embeddings.position_embeddings")


def _ctranspath(own: Mapping[str, Tensor]) -> dict[str, Any]:
    state = {
        re.sub(r"^layers\.(\d)\.downsample", lambda m: f"layers.{int(m[1]) - 1}.downsample", key): value
        for key, value in own.items()
    }
    for stage, (depth, windows) in enumerate(zip((2, 2, 6, 2), (64, 16, 4, 0), strict=True)):
        for block in range(depth):
            here = f"layers.{stage}.blocks.{block}"
            state[f"{here}.attn.relative_position_index"] = torch.zeros(49, 49, dtype=torch.long)
            if block % 2 and windows:
                state[f"{here}.attn_mask"] = torch.zeros(windows, 49, 49)
    return {"model": state}


def _conch(own: Mapping[str, Tensor]) -> State:
    whole = {f"visual.{key}": value for key, value in own.items()}
    others = ("text.cls_emb", "text_decoder.resblocks.0.ln_1.weight", "logit_scale")
    return whole | {key: torch.zeros(2) for key in others}


def _hipt(own: Mapping[str, Tensor]) -> dict[str, Any]:
    def part(name: str) -> State:
        return {key.removeprefix(f"{name}."): value for key, value in own.items() if key.startswith(f"{name}.")}

    return {"vit256_small_dino.pth": _dino_dump(part("vit256")), "vit4k_xs_dino.pth": _dino_dump(part("vit4k"))}


def _chief(own: Mapping[str, Tensor]) -> State:
    others = ("classifiers", "instance_classifiers.0", "instance_classifiers.1", "att_head.fc1", "text_to_vision.0")
    heads = {f"{name}.{leaf}": torch.zeros(2) for name in others for leaf in ("weight", "bias")}
    return {**own, **heads, "organ_embedding": torch.zeros(19, 768)}


def _whole_resnet(own: Mapping[str, Tensor]) -> State:
    return {**own, "layer4.0.conv1.weight": torch.zeros(1), "fc.weight": torch.zeros(1), "fc.bias": torch.zeros(1)}


def _behind(prefix: str) -> Callable[[Mapping[str, Tensor]], State]:
    return lambda own: {f"{prefix}{key}": value for key, value in own.items()}


# model -> its files; where two are published, both
FILES: dict[str, tuple[Callable[[Mapping[str, Tensor]], Mapping[str, Any]], ...]] = {
    "chief": (_chief,),
    "chief_ctranspath": (_ctranspath,),
    "conch": (_conch, lambda own: {"state_dict": _behind("module.")(_conch(own))}),
    "conch_v1_5": (lambda own: _grid(own, 785, "trunk.pos_embed"), dict),
    "ctranspath": (_ctranspath, dict),
    "gigapath_slide": (lambda own: {"model": dict(own)},),
    "gpfm": (dict, _dinov2_dump),
    "hibou_b": (_hibou, _dinov2),
    "hibou_l": (_hibou,),
    "hipt": (_hipt,),
    "hipt_vit256": (_dino_dump,),
    "kaiko_vitl14": (dict, _dinov2),
    "lpfm": (lambda own: {"params": dict(own)},),
    "midnight": (_midnight,),
    "pathdino": (_behind("backbone."),),
    "phikon": (lambda own: _transformers(own, _VIT), _dino_dump),
    "phikon_v2": (_dinov2_transformers,),
    "pluto": (dict,),
    "resnet50_layer3": (_whole_resnet,),
    "rudolfv": (dict, _dinov2_dump),
    "rudolfv2": (_behind("model."),),
    "rudolfv2_b": (_behind("model."),),
    "rudolfv2_s": (_behind("model."),),
    "sp22m": (_behind("encoder."),),
    "sp85m": (_behind("encoder."),),
    "vit_b16_in21k": (lambda own: {**own, "head.weight": torch.zeros(2), "head.bias": torch.zeros(2)},),
    "vit_l16_in21k": (lambda own: {**own, "head.weight": torch.zeros(2), "head.bias": torch.zeros(2)},),
}


def files(card: ModelCard) -> tuple[Callable[[Mapping[str, Tensor]], Mapping[str, Any]], ...]:
    """Ways to publish the model's weights; a plain timm dictionary where nothing else is known."""
    return FILES.get(card.name, (dict,))


def innermost(content: Mapping[str, Any]) -> State:
    """All entries that hold tensors, flat: one dictionary of the file, or several joined by the file's name."""
    for key in ("teacher", "model", "state_dict", "params"):
        if key in content:
            return innermost(content[key])
    if all(isinstance(value, Tensor) for value in content.values()):
        return dict(content)
    return {f"{file}/{key}": value for file, inner in content.items() for key, value in innermost(inner).items()}
