"""What a model is: cards of pathology foundation models, and their loading by the authors' recipe.

>>> import registry
>>> registry.names()                                    # doctest: +SKIP
>>> model = registry.load("uni", checkpoint="uni.bin")  # doctest: +SKIP
>>> features = model(tiles)                             # uint8 [B, 3, H, W] -> float32 [B, D]  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from . import _torchvision
from .card import ModelCard
from .catalogue import RANDOM, add, card, load_plugins, names
from .errors import UserError

if TYPE_CHECKING:
    import torch

    from .extractor import FeatureExtractor, SlideEncoder

__all__ = ["RANDOM", "ModelCard", "UserError", "add", "card", "fingerprint", "load", "load_plugins", "names"]

_torchvision.install()


def load(
    name: str,
    checkpoint: str | Path | None = None,
    *,
    weights: Literal["pretrained", "random"] = "pretrained",
    weights_dir: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    device: str | torch.device = "cpu",
    revision: str | None = None,
    offline: bool = False,
    token: str | None = None,
    preprocess: Literal["device", "exact"] = "device",
    precision: Literal["float32", "bfloat16", "float16"] | None = None,
    trust_remote_code: bool = False,
) -> FeatureExtractor | SlideEncoder:
    """Build a model, find its weights, load them strictly.

    The weights come from the first of: `checkpoint`; `weights_dir`; an installed package that carries them; the
    Hugging Face hub.

    Parameters
    ----------
    name : str
        As for `card`.
    checkpoint : path, optional
        The published weight file, or a folder that holds it (a folder where the model is several files).
    weights : {"pretrained", "random"}
        "random" is the same network, seeded by its name; the same as ``name + "@random"``.
    weights_dir : path, optional
        Folder of weight files of several models: ``NAME.safetensors`` (``.bin``, ``.pth``, ``.pt``, ``.torch``,
        ``.ckpt``), or ``NAME/`` with the files under their published names.
    options : mapping, optional
        Named choices of the card, ``{option: value}``.
    device : str or torch.device
        Where the network is put.
    revision : str, optional
        Commit, branch or tag on the hub instead of the card's.
    offline : bool
        Never touch the network; the hub's local cache is still read.
    token : str, optional
        Hugging Face token instead of the one that is logged in.
    preprocess : {"device", "exact"}
        "device": resize and normalise on `device`, the resize equal to Pillow's. "exact": torchvision's Pillow
        transform tile by tile.
    precision : {"float32", "bfloat16", "float16"}, optional
        Autocast on CUDA instead of the card's; on other devices everything is float32.
    trust_remote_code : bool
        Let an ``hf-hub:`` repository run its own Python code.

    Returns
    -------
    FeatureExtractor or SlideEncoder
        In eval mode, without gradients on its parameters. SlideEncoder where the card's unit is "slide".

    Raises
    ------
    UserError
        If the model is unknown, or its weights are not there, gated, damaged, or another model's.
    """
    from .loading import load as load_model

    return load_model(
        name,
        checkpoint,
        weights=weights,
        weights_dir=weights_dir,
        options=options or {},
        device=device,
        revision=revision,
        offline=offline,
        token=token,
        preprocess=preprocess,
        precision=precision,
        trust_remote_code=trust_remote_code,
    )


def fingerprint(
    name: str,
    checkpoint: str | Path | None = None,
    *,
    weights_dir: str | Path | None = None,
    revision: str | None = None,
    offline: bool = False,
    token: str | None = None,
) -> str:
    """What identifies the weights that `load` would take, as the key of a cache; see `registry.identity`."""
    from .identity import fingerprint as identify

    return identify(name, checkpoint, weights_dir=weights_dir, revision=revision, offline=offline, token=token)
