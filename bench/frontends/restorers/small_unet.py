"""`small_unet`: the small restorer that is trained by `python -m bench.frontends.train`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch.nn.functional import pad

from bench.files import atomic_write, unwritable
from bench.frontends.base import WeightSources
from bench.frontends.restorers.base import NoSettings, Restorer
from bench.frontends.restorers.classical import Wiener
from bench.frontends.restorers.filter_bank import REACH
from bench.frontends.restorers.pixels import from_uint8, to_uint8
from bench.frontends.restorers.settings import settings_of
from bench.frontends.restorers.small_network import Shape, SmallNetwork
from registry import repeatable_float32
from registry.errors import UserError

if TYPE_CHECKING:
    from bench.frontends.base import Apply, Images, Seeds

NAME = "small_unet"
SHIPPED = Path(__file__).with_name("weights") / f"{NAME}.safetensors"
RECIPE = "recipe"  # key of the file's metadata; one only, as safetensors writes several in no fixed order


@dataclass(frozen=True)
class SmallUnet(Restorer):
    """The small network, in float32.

    Attributes
    ----------
    weights : Path
        File of `write_weights`.
    """

    weights: Path

    smallest: ClassVar[int] = REACH + 1

    @cached_property
    def identity(self) -> str:
        """Versions of the code and of the filter that it takes from the classical ones, sha256 of the weights.

        Raises
        ------
        UserError
            If there are no weights.
        """
        weights = hashlib.sha256(_bytes_of(self.weights)).hexdigest()
        return f"version={self.version} wiener={Wiener.version} weights={weights}"

    @property
    def memory_bytes(self) -> int:
        """Of the weights as float32, which the file holds as float16."""
        return 2 * len(_bytes_of(self.weights))

    def function(self, device: torch.device) -> Apply:
        """The network on a device.

        Raises
        ------
        UserError
            If the weights are missing or not those of this network.
        """
        network = read_weights(self.weights).eval()
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        multiple = network.shape.multiple

        @torch.inference_mode()
        def apply(tiles: Images, seeds: Seeds) -> Images:
            height, width = tiles.shape[-2:]
            pixels = pad(from_uint8(tiles), (0, -width % multiple, 0, -height % multiple), "reflect")
            with torch.autocast(tiles.device.type, enabled=False), repeatable_float32():
                return to_uint8(network(pixels)[:, :, :height, :width])

        return apply


def restorer(name: str, settings: Mapping[str, Any], weights: WeightSources) -> SmallUnet:
    """The small restorer.

    Its weights are the first of: the file that `weights.checkpoints` names, `small_unet.safetensors` in
    `weights.weights_dir`, those of the package.

    Raises
    ------
    UserError
        If there is a setting.
    """
    path = SHIPPED
    if name in weights.checkpoints:
        path = Path(weights.checkpoints[name]).expanduser()
    elif weights.weights_dir is not None and (found := Path(weights.weights_dir).expanduser() / SHIPPED.name).is_file():
        path = found
    return SmallUnet(name, settings_of(name, NoSettings, settings), path)


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
