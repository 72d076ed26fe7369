"""From a name to a model with its weights: the steps behind `registry.load`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from . import checkpoint as files
from . import remote
from .build import build, build_random, digest, named_function
from .card import ModelCard
from .catalogue import card as find_card
from .catalogue import find, names, random_init_baseline
from .compiling import compile_network
from .errors import UserError
from .extractor import FeatureExtractor, SlideEncoder
from .identity import of_files
from .layouts import LAYOUTS, Layout
from .outside import REMOTE
from .precision import Precision, resolve_precision
from .source import Source
from .weights import HUB_DEFAULTS, LoadedWeights, Located, locate, published_files

Content = Mapping[str, Any]


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
    precision: Precision | None = None,
    compile: bool = False,
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
        What the network runs in, by autocast. Given none, it is what the card advises on CUDA; on a CPU bfloat16 where
        the card advises a reduced precision and the processor has instructions for it; otherwise float32
        (`registry.resolve_precision`). float32 is never shortened to TF32.
    compile : bool
        Compile the network with `torch.compile` when it first runs, which takes a minute or so and changes the last
        bits of the features. Slide encoders are not compiled.
    trust_remote_code : bool
        Let an ``hf-hub:`` repository run its own Python code.

    Returns
    -------
    FeatureExtractor or SlideEncoder
        In eval mode, without gradients on its parameters. SlideEncoder where the card's unit is "slide".

    Raises
    ------
    UserError
        If the model is unknown, or its weights are not there, gated, damaged, or another model's; if the device is not
        there or does not have the precision; if there is no compiler to `compile` with.
    """
    _among("weights", weights, ("pretrained", "random"))
    _among("preprocess", preprocess, ("device", "exact"))
    _among("precision", precision, (None, "float32", "bfloat16", "float16"))
    source = Source(checkpoint=checkpoint, weights_dir=weights_dir, revision=revision, offline=offline, token=token)
    card = find(name, options, source)
    place = _device(device)
    resolve_precision(card, precision, place)  # raises where the device does not have it
    if weights == "random" and card.weights.layout not in ("random", "none"):
        card = random_init_baseline(card)
    if checkpoint is not None and (card.weights.layout in ("random", "none") or card.architecture.builder == REMOTE):
        raise UserError(f"{card.name} takes no weight file; leave checkpoint={checkpoint} out")
    if card.architecture.builder == REMOTE:
        network, loaded = remote.load(card, source, trust_remote_code)
        card = dataclasses.replace(card, params=sum(p.numel() for p in network.parameters()))
    elif card.weights.layout in ("random", "none"):
        network, loaded = _without_file(card)
    else:
        network, loaded = _with_files(card, locate(card, source))
    network.requires_grad_(False)
    model: FeatureExtractor | SlideEncoder
    if card.unit == "slide":
        model = SlideEncoder(card, network, loaded, precision, find_card(card.tile_encoder).dim)
    else:
        model = FeatureExtractor(card, network, loaded, precision=precision, preprocess=preprocess)
    if place.type == "cuda":  # whose convolutions are faster so; on a CPU nothing is gained
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if compile and card.unit != "slide":
        compile_network(network)
    return model.eval().to(place)


def _among(argument: str, value: str | None, known: tuple[str | None, ...]) -> None:
    if value not in known:
        raise UserError(f"{argument}={value} is unknown; choose one of {', '.join(filter(None, known))}")


def _device(device: str | torch.device) -> torch.device:
    try:
        wanted = torch.device(device)
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError) as problem:
        raise UserError(
            f"the device '{device}' cannot be used here ({str(problem).splitlines()[0]}); try device=cpu"
        ) from problem
    return wanted


def _without_file(card: ModelCard) -> tuple[nn.Module, LoadedWeights]:
    network = build_random(card)
    if card.weights.layout == "none":
        return network, LoadedWeights(origin="none")
    return network, LoadedWeights(origin="random", sha256=digest(network))


def _with_files(card: ModelCard, found: Located) -> tuple[nn.Module, LoadedWeights]:
    hashes = {name: files.sha256(path) for name, path in found.files.items()}
    notes = _check_hashes(card, found, hashes)
    _check_names(card, found)
    contents = {name: files.read(path) for name, path in found.files.items()}
    content: Content = contents if card.weights.files else next(iter(contents.values()))
    network = build(card.architecture)
    state = _to_network_keys(card, content, network, found.origin)
    wrong = files.differences(network, state)
    if wrong:
        raise UserError(
            f"{_where(found)} is not {card.name}'s weight file: it {'; it '.join(wrong)}{_whose(card, content)}"
        )
    files.put(network, state)
    return network, LoadedWeights(found.origin, of_files(hashes), found.commit, tuple(notes))


def _check_hashes(card: ModelCard, found: Located, hashes: Mapping[str, str]) -> list[str]:
    notes = []
    for name, expected in published_files(card).items():
        if expected is None or hashes[name] == expected:
            continue
        if found.published:
            raise UserError(
                f"{found.files[name]} is not the published file of {card.name}: its sha256 is {hashes[name]} instead "
                f"of {expected}; delete it and load again, or give it as checkpoint= if you mean it"
            )
        owner = next((n for n in names() if hashes[name] in published_files(find_card(n)).values()), None)
        if owner is not None:
            raise UserError(
                f"{found.files[name]} is the published file of {owner} (by its sha256), not of {card.name}; "
                f"use model={owner}"
            )
        notes.append(f"{name}: sha256 {hashes[name]} is not that of the published file ({expected})")
    return notes


def _check_names(card: ModelCard, found: Located) -> None:
    """Check file names: models of one architecture and layout differ in numbers alone, and their files in names."""
    own = set(published_files(card)) | set(HUB_DEFAULTS)
    for path in found.files.values():
        for name in names() if path.name not in own else ():
            other = find_card(name)
            alike = (other.architecture, other.weights.layout) == (card.architecture, card.weights.layout)
            if alike and path.name in published_files(other):
                raise UserError(
                    f"{path} is {name}'s file by its name, and only the name tells it from {card.name}'s; use "
                    f"model={name}, or rename the file if you mean it"
                )


def layout(card: ModelCard) -> Layout:
    """The function of the card's layout."""
    name = card.weights.layout
    return named_function(name) if ":" in name else LAYOUTS[name]


def _to_network_keys(card: ModelCard, content: Content, network: nn.Module, origin: str) -> dict[str, Tensor]:
    """`content` by the card's layout; left alone where it has the network's own keys already."""
    if not files.differences(network, content):
        return dict(content)
    try:
        return layout(card)(content)
    except UserError as problem:
        raise UserError(
            f"{origin} is not in the published layout of {card.name}: {problem}{_whose(card, content)}"
        ) from problem
    except (KeyError, ValueError, IndexError, AttributeError, TypeError, RuntimeError) as problem:
        raise UserError(
            f"{origin} is not in the published layout of {card.name} "
            f"({type(problem).__name__}: {problem}){_whose(card, content)}"
        ) from problem


def _whose(card: ModelCard, content: Content) -> str:
    """A clause that names the models that would take this content, or nothing."""
    takers = [name for name in names() if name != card.name and _takes(find_card(name), content)]
    if not takers:
        return ""
    return f"; it has the keys and shapes of {', '.join(takers[:4])}: use model={takers[0]} if that is what it is"


def _takes(card: ModelCard, content: Content) -> bool:
    if card.weights.layout in ("random", "none") or card.weights.files:
        return False
    try:
        return not files.differences(_on_meta(card.name), layout(card)(content))
    except Exception:  # whatever a layout makes of another model's file, it is not this card's
        return False


@cache
def _on_meta(name: str) -> nn.Module:
    with torch.device("meta"):
        return build(find_card(name).architecture)


def _where(found: Located) -> str:
    return found.origin if len(found.files) > 1 else str(next(iter(found.files.values())))
