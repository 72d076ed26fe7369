"""CTransPath (Wang et al., Medical Image Analysis 2022): Swin-T behind a convolutional stem."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import timm
from jaxtyping import Float
from timm.layers import to_2tuple
from torch import Tensor, nn

from ..layouts import State, inside, without


class ConvStem(nn.Module):
    """Two strided 3 x 3 convolutions with batch norm and a 1 x 1 convolution in place of Swin's patch embedding.

    Built by timm's ``SwinTransformer`` as its `embed_layer`, whose arguments it takes.
    """

    def __init__(
        self,
        img_size: int | tuple[int, int],
        patch_size: int,
        in_chans: int,
        embed_dim: int,
        norm_layer: Callable[[int], nn.Module],
        **_: Any,
    ) -> None:
        super().__init__()
        if patch_size != 4:
            raise ValueError(f"the stem halves the image twice: patch_size must be 4, not {patch_size}")
        self.grid_size = tuple(side // patch_size for side in to_2tuple(img_size))
        layers: list[nn.Module] = []
        for channels in (embed_dim // 8, embed_dim // 4):
            layers += [nn.Conv2d(in_chans, channels, 3, stride=2, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
            in_chans = channels
        self.proj = nn.Sequential(*layers, nn.Conv2d(in_chans, embed_dim, 1))
        self.norm = norm_layer(embed_dim)

    def forward(self, image: Float[Tensor, "tile 3 height width"]) -> Float[Tensor, "tile row column feature"]:
        return self.norm(self.proj(image).permute(0, 2, 3, 1))


def build() -> nn.Module:
    """Tiles of 224 px to 768, the average of the last stage after its LayerNorm."""
    return timm.create_model("swin_tiny_patch4_window7_224", num_classes=0, embed_layer=ConvStem)


def layout(content: Mapping[str, Any]) -> State:
    """The authors' file (timm 0.5 names under `model`), or a mirror with today's timm names.

    timm 0.5 kept a stage's patch merging at its end and its index and mask tables in the file; today's merges at the
    start of the next stage and makes the tables itself.
    """
    if "model" in content:
        content = inside(content, "model")
    state = without(content, r".*\.(relative_position_index|attn_mask)$|head\.")
    if not any(key.startswith("layers.0.downsample.") for key in state):
        return state
    return {
        re.sub(r"^layers\.(\d)\.downsample\.", lambda m: f"layers.{int(m[1]) + 1}.downsample.", key): value
        for key, value in state.items()
    }
