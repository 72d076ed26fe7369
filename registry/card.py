"""What is true of a model without loading it. Data, no behaviour beyond lookups; imports no torch."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Unit = Literal["tile", "region", "slide"]
Evidence = Literal["stated", "inferred", "unknown"]
PoolingKind = Literal["none", "cls", "cls+mean", "mean"]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What is built before weights are loaded.

    Attributes
    ----------
    builder : str
        ``"timm:NAME"``, or ``"package.module:function"`` for a network that timm lacks. The function takes `kwargs`
        and returns an ``nn.Module`` that maps normalised float tiles [B, 3, H, W] to tokens or features.
    kwargs : mapping
        Arguments of the builder; JSON values only. A ``*_layer`` of timm is a class of ``timm.layers`` or ``torch.nn``
        by name (``"SwiGLUPacked"``, ``"SiLU"``), with arguments ``{"layer": "LayerNorm", "eps": 1e-12}``.
    """

    builder: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Where the published weights are and how their file is laid out.

    ``weights_dir=`` is searched for ``NAME.safetensors`` (``.bin``, ``.pth``, ``.pt``, ``.torch``, ``.ckpt``) and for a
    folder ``NAME/`` that holds the files under their published names; NAME is the model's name in the registry.
    """

    # where from, in the order of trying (after checkpoint= and weights_dir=)
    package: str | None = None  # import name of an installed package that carries the file
    hub: str | None = None  # Hugging Face repository, "owner/name"
    file: str | None = None  # file name in the package or repository
    revision: str | None = None  # commit to take; None is the default branch
    # access
    page: str | None = None  # where a person reads about the file and asks for it
    gated: bool = False  # True where the hub asks for an account and consent
    # what it is
    sha256: str | None = None  # of the file, where published
    layout: str = (
        "timm"  # name in registry.layouts.LAYOUTS, "module:function", "random" (seeded) or "none" (no weights)
    )
    # where one model is several files: file name -> its sha256 or None; `file` and `sha256` are then None
    files: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """From a uint8 tile to the network's input, in the authors' own recipe.

    Attributes
    ----------
    size : int
        Side of the network's input, px.
    mpp : float or None
        Resolution the authors mean the tiles to have, microns per px; None for natural-image models.
    tile_size : int
        Side of the tile to cut at `mpp`, px, before `resize`.
    resize : int, (int, int) or None
        int: the shorter side goes to it; pair: (height, width) exactly; None: tiles must be `size` already.
    interpolation : {"bilinear", "bicubic"}
        Filter of the resize, antialiased, as PIL does it.
    crop : bool
        Whether a centre crop of `size` follows.
    mean, std : 3 floats
        Of each channel on the 0..1 scale.
    multiple_of : int or None
        Where `resize` is None: tiles whose sides are any multiple of it are taken too, by networks that adapt.
    """

    size: int
    mpp: float | None
    tile_size: int
    resize: int | tuple[int, int] | None
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    crop: bool = True
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    multiple_of: int | None = None


@dataclass(frozen=True, kw_only=True)
class Pooling:
    """From the network's output to one vector a tile.

    Attributes
    ----------
    kind : {"none", "cls", "cls+mean", "mean"}
        "none": the network pools itself. "cls": token 0. "cls+mean": token 0 ++ mean of the patch tokens.
    patch_start : int
        Index of the first patch token: 1 after a class token, 1 + r with r registers.
    """

    kind: PoolingKind = "none"
    patch_start: int = 1


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """A named public cohort seen in pretraining, and how we know."""

    name: str
    evidence: Evidence


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """How and on what the model was trained. ``cohorts`` empty with ``evidence="stated"`` means none, by statement."""

    method: str
    data: str
    cohorts: tuple[Cohort, ...] = ()
    evidence: Evidence = "unknown"


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Everything that is true of a model without loading it."""

    # what it is
    name: str
    family: str
    title: str
    unit: Unit = "tile"
    dim: int
    params: int  # of the feature extractor, as built
    # who says so
    paper: str
    url: str
    licence: str
    # how it is run
    architecture: Architecture
    preprocessing: Preprocessing
    pooling: Pooling = Pooling()
    weights: Weights = Weights()
    precision: Literal["float32", "bfloat16", "float16"] = "bfloat16"  # by autocast, advised on CUDA
    # what it has seen
    pretraining: Pretraining
    # named choices that the field uses both ways; option -> value -> fields replaced
    options: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    tile_encoder: str = ""  # of a slide encoder: the model whose features it takes
    notes: str = ""

    def digest(self) -> str:
        """First 16 hex digits of the sha256 of all that can change a feature: network, preprocessing, pooling."""
        parts = (self.architecture, self.preprocessing, self.pooling, self.weights.layout, self.unit, self.dim)
        text = json.dumps([_plain(p) for p in parts], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def as_dict(self) -> dict[str, Any]:
        """The card as JSON values."""
        plain = _plain(self)
        assert isinstance(plain, dict)
        return plain


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
