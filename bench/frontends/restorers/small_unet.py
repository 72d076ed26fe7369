"""`small_unet`: the small restorer that is trained by `python -m bench.frontends.train`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch.nn.functional import pad

from bench.files import atomic_write, unwritable
from bench.frontends.base import WeightSources
from bench.frontends.restorers.filter_bank import REACH
from bench.frontends.restorers.small_network import Shape, SmallNetwork
from registry.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from bench.frontends.base import Apply, Images, Seeds

NAME = "small_unet"
SHIPPED = Path(__file__).with_name("weights") / f"{NAME}.safetensors"
RECIPE = "recipe"  # key of the file's metadata; one only, as safetensors writes several in no fixed order
TILES = 16  # of a batch on a GPU
_VERSION = 1  # of this code
_ANYWHERE = WeightSources()


@dataclass(frozen=True)
class SmallUnet:
    """The front-end.

    Attributes
    ----------
    weights
        File of `write_weights`.
    """

    weights: Path
    name: str = NAME
    restores: bool = True

    @cached_property
    def identity(self) -> str:
        """Version of the code and sha256 of the weights.

        Raises
        ------
        UserError
            If there are no weights.
        """
        return f"{NAME} version={_VERSION} sha256={hashlib.sha256(_bytes_of(self.weights)).hexdigest()}"

    @property
    def memory_bytes(self) -> int:
        """Of the weights as float32."""
        return 2 * len(_bytes_of(self.weights))

    def check(self, height: int, width: int) -> None:
        """Raise UserError if a side is not above the reach of the filters, px."""
        if min(height, width) <= REACH:
            raise UserError(
                f"The restorer {NAME} takes tiles of more than {REACH} px on each side, and these are "
                f"{width}x{height} px: leave it out or use larger tiles."
            )

    def load(self, device: torch.device) -> Apply:
        """The network on a device: uint8 tiles [B, 3, H, W] and their seeds, which it ignores, to restored tiles.

        Raises
        ------
        UserError
            If the weights are missing or not those of this network.
        """
        network = read_weights(self.weights).to(device, memory_format=torch.channels_last).eval()
        at_once = TILES if device.type == "cuda" else 1

        def apply(tiles: Images, seeds: Seeds) -> Images:
            del seeds
            parts = [_restored(network, part, at_once) for part in tiles.split(at_once)]
            return torch.cat(parts) if parts else tiles.clone()

        return apply


def restorer(name: str = NAME, settings: Mapping[str, Any] = {}, weights: WeightSources = _ANYWHERE) -> SmallUnet:
    """The front-end `small_unet`.

    Its weights are the first of: the file that `weights.checkpoints` names, `small_unet.safetensors` in
    `weights.weights_dir`, those of the package.

    Raises
    ------
    UserError
        If a setting is not known.
    """
    for setting in settings:
        raise UserError(f"The restorer {name} has no setting {setting}, as it has none: leave it out.")
    if name in weights.checkpoints:
        return SmallUnet(Path(weights.checkpoints[name]).expanduser())
    if weights.weights_dir is not None:
        found = Path(weights.weights_dir).expanduser() / SHIPPED.name
        if found.is_file():
            return SmallUnet(found)
    return SmallUnet(SHIPPED)


def write_weights(path: Path, network: SmallNetwork, recipe: Mapping[str, Any]) -> None:
    """Write the weights as float16 with their recipe; the same weights and recipe make the same bytes.

    Raises
    ------
    UserError
        If the folder cannot be written.
    """
    described = {"shape": asdict(network.shape), **recipe}
    tensors = {name: value.detach().cpu().half().contiguous() for name, value in network.state_dict().items()}
    try:
        with atomic_write(path) as temporary:
            temporary.write_bytes(save(tensors, {RECIPE: json.dumps(described, sort_keys=True)}))
    except OSError as error:
        raise unwritable(path, error, "--output") from error


def read_weights(path: Path) -> SmallNetwork:
    """The network of a file of `write_weights`, in float32.

    Raises
    ------
    UserError
        If the file is missing, damaged, or holds the weights of another network.
    """
    _bytes_of(path)
    try:
        with safe_open(path, "pt") as file:
            shape = json.loads(file.metadata()[RECIPE])["shape"]
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        network = SmallNetwork(Shape(shape["width"], tuple(shape["depths"])))
        network.load_state_dict(tensors)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"The file {path} does not hold the weights of {NAME}: make one with `python -m bench.frontends.train`."
        ) from error
    return network


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"There are no weights of the restorer {NAME} at {path}: train it with `python -m bench.frontends.train`, "
            f"or name a file of its weights."
        ) from error


@torch.inference_mode()
def _restored(network: SmallNetwork, tiles: Images, at_once: int) -> Images:
    """Restored copies of at most `at_once` tiles; a smaller batch is filled up, so that its kernels are the same."""
    count, height, width = len(tiles), *tiles.shape[-2:]
    filled = tiles if count == at_once else torch.cat([tiles, tiles[:1].expand(at_once - count, -1, -1, -1)])
    multiple = network.shape.multiple
    edges = (0, -width % multiple, 0, -height % multiple)
    wide = pad(filled.contiguous().float() / 255, edges, "reflect")
    with (
        torch.autocast(tiles.device.type, enabled=False),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
    ):
        restored: Tensor = network(wide)
    return (restored[:count, :, :height, :width] * 255).round().clamp(0, 255).to(torch.uint8)
