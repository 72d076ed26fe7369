"""ResNet-50 cut after its third stage, the ImageNet features of CLAM (Lu et al., Nature BME 2021) and TRIDENT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import timm
from jaxtyping import Float
from torch import Tensor, nn

from ..layouts import State, without


class ResNetLayer3(nn.Module):
    """Average over positions of the third stage: 1024."""

    def __init__(self) -> None:
        super().__init__()
        whole = timm.create_model("resnet50", num_classes=0)
        for name in ("conv1", "bn1", "act1", "maxpool", "layer1", "layer2", "layer3"):
            self.add_module(name, getattr(whole, name))

    def forward(self, tiles: Float[Tensor, "tile 3 height width"]) -> Float[Tensor, "tile 1024"]:
        x = tiles
        for stage in self.children():
            x = stage(x)
        return x.mean(dim=(2, 3))


def layout(content: Mapping[str, Any]) -> State:
    """timm's ResNet-50 file without what stands above the third stage."""
    return without(content, r"(layer4|fc)\.")
