"""LPIPS, the learned perceptual distance of two images, from weights that the user has; nothing is downloaded.

Zhang, Isola, Efros, Shechtman & Wang 2018, arXiv:1801.03924, version 0.1 with AlexNet: the features after each of its
five convolutions are scaled to unit length over channels, their squared differences are weighed by a linear head a
layer, averaged over pixels, and added up over layers. Images are RGB from -1 to 1. The heads are those of the package
`lpips`, of which the file is read and no code is run; the backbone is torchvision's file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from jaxtyping import Float

from registry.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from bench.frontends.base import Images

    Features = list[Float[Tensor, "tile channel height width"]]

BACKBONE, HEADS = "alexnet-owt-7be5be79.pth", Path("weights", "v0.1", "alex.pth")
PAGE = f"https://download.pytorch.org/models/{BACKBONE}"
SMALLEST_FOR_LPIPS = 31
"""Height and width, px, below which the last convolutions have no pixel."""

_CONVOLUTIONS = {  # of torchvision's file: channels in and out, side of the kernel, stride, padding
    "features.0": (3, 64, 11, 4, 2),
    "features.3": (64, 192, 5, 1, 2),
    "features.6": (192, 384, 3, 1, 1),
    "features.8": (384, 256, 3, 1, 1),
    "features.10": (256, 256, 3, 1, 1),
}
_POOLED = ("features.3", "features.6")  # the maximum over 3 x 3 pixels comes before these
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_EPSILON = 1e-10  # added to lengths, so that a pixel without any feature stays 0


@dataclass(frozen=True)
class LpipsWeights:
    """The files of the backbone and of the linear heads."""

    backbone: Path
    heads: Path

    @cached_property
    def identity(self) -> str:
        """The sha256 of both files.

        Raises
        ------
        UserError
            If one cannot be read.
        """
        from registry.checkpoint import sha256  # which imports torch

        try:
            return f"lpips 0.1 alex {sha256(self.backbone)} {sha256(self.heads)}"
        except OSError as error:
            raise UserError(f"Weights of LPIPS cannot be read ({error}): move the file away or repair it.") from error

    def load(self, device: torch.device) -> Lpips:
        """The distance on a device.

        Raises
        ------
        UserError
            If a file is damaged or holds other weights.
        """
        backbone, heads = _tensors(self.backbone), _tensors(self.heads)
        wanted: dict[str, tuple[int, ...]]
        wanted = {f"{name}.weight": (n, m, k, k) for name, (m, n, k, *_) in _CONVOLUTIONS.items()}
        wanted |= {f"{name}.bias": (n,) for name, (_, n, *_) in _CONVOLUTIONS.items()}
        _check(self.backbone, backbone, wanted)
        of_layers = {
            f"lin{layer}.model.1.weight": (1, n, 1, 1) for layer, (_, n, *_) in enumerate(_CONVOLUTIONS.values())
        }
        _check(self.heads, heads, of_layers)
        return Lpips(
            {name: backbone[name].float().to(device) for name in wanted},
            [heads[name].double().to(device) for name in of_layers],
        )


def find_lpips(weights_dir: str | Path | None = None) -> tuple[LpipsWeights | None, str]:
    """The weights that are on this machine, None where one of them is not, and a sentence about it for the user.

    The backbone is looked for in `weights_dir` and then where torchvision keeps it, in `checkpoints` of torch's hub
    folder.
    """
    import torch

    cached = Path(torch.hub.get_dir()) / "checkpoints"
    folders = [*([Path(weights_dir).expanduser()] if weights_dir is not None else []), cached]
    backbone = next((path for folder in folders if (path := folder / BACKBONE).is_file()), None)
    heads = _heads()
    if backbone is not None and heads is not None:
        return LpipsWeights(backbone, heads), f"LPIPS is measured, with {backbone}."
    steps = [] if heads is not None else ["install the package lpips"]
    steps += [] if backbone is not None else [f"put {PAGE} into {cached} or into weights_dir=DIR"]
    return None, f"LPIPS is not measured: {' and '.join(steps)}."


def _heads() -> Path | None:
    """The file of the linear heads in the package `lpips`, which is not imported."""
    spec = find_spec("lpips")
    folders = (spec.submodule_search_locations or ()) if spec is not None else ()
    return next((path for folder in folders if (path := Path(folder) / HEADS).is_file()), None)


class Lpips:
    """The distance, with its weights on a device.

    Parameters
    ----------
    convolutions : dict of str to Tensor
        Weights and biases, float32, as torchvision names them.
    heads : sequence of float64 [1, C, 1, 1]
        Of the layers.
    """

    def __init__(self, convolutions: Mapping[str, Tensor], heads: Sequence[Tensor]):
        self._convolutions, self._heads = convolutions, heads
        self.device = heads[0].device

    def features(self, tiles: Images) -> Features:
        """Of every layer, of unit length over channels; of uint8 [B, 3, H, W] of `SMALLEST_FOR_LPIPS` px at least."""
        from torch.nn import functional

        from registry import repeatable_float32

        values = tiles.to(self.device).float() / 127.5 - 1
        shift, scale = (values.new_tensor(of).view(1, 3, 1, 1) for of in (_SHIFT, _SCALE))
        values, found = (values - shift) / scale, []
        with repeatable_float32():
            for name, (*_, stride, padding) in _CONVOLUTIONS.items():
                if name in _POOLED:
                    values = functional.max_pool2d(values, 3, 2)
                weight, bias = (self._convolutions[f"{name}.{of}"] for of in ("weight", "bias"))
                values = functional.conv2d(values, weight, bias, stride, padding).relu()
                found.append(values / (values.square().sum(1, keepdim=True).sqrt() + _EPSILON))
        return found

    def distance(self, features: Features, others: Features) -> Float[Tensor, " tile"]:
        """Between features of two batches, 0 where they are the same; float64 [B]."""
        layers = zip(features, others, self._heads, strict=True)
        return sum(((a - b).double().square() * head).sum(1).mean((1, 2)) for a, b, head in layers)  # type: ignore[return-value]


def _tensors(path: Path) -> dict[str, Tensor]:
    import torch

    try:
        try:
            found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # a file in the format of before torch 1.6, which cannot be mapped into memory
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what is no pickle can raise any
        raise UserError(
            f"{path} holds no weights that can be read: delete it, or fetch it again, to measure LPIPS."
        ) from error
    return found if isinstance(found, dict) else {}


def _check(path: Path, tensors: Mapping[str, Tensor], wanted: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in wanted.items():
        if name not in tensors or tuple(tensors[name].shape) != shape:
            raise UserError(
                f"{path} holds no {name} of shape {shape}, which LPIPS needs: put the published file there."
            )
