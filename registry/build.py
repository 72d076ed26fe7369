"""From an `Architecture` to an ``nn.Module``, and the seeded weights of random-init baselines."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .card import Architecture, ModelCard
from .errors import UserError

_FILLS = {Tensor.uniform_, Tensor.normal_, Tensor.erfinv_, Tensor.mul_, Tensor.add_, Tensor.clamp_}
_FILLS |= {function for name, function in vars(nn.init).items() if name.endswith("_") and callable(function)}
_OFF = 1e-3  # a scale this small at the start leaves its branch without effect


class _NoFill(TorchFunctionMode):
    """Leaves parameters as they were allocated: filling them is most of the time of building what is loaded next."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        target = args[0] if args else kwargs.get("tensor")
        if func in _FILLS and isinstance(target, nn.Parameter):
            return target
        return func(*args, **kwargs)


def build(architecture: Architecture) -> nn.Module:
    """The network in eval mode, its parameters not filled: to be loaded, or looked at on the meta device."""
    with _NoFill():
        return _construct(architecture).eval()


def build_random(card: ModelCard) -> nn.Module:
    """The network with its own initialisation, seeded by the card's name on the CPU generator.

    Scales that start at zero or nearly so (LayerScale's gamma, the last normalisation of a ResNet's block) are set to
    1: with them the blocks would leave the input as it is, and the random-init baseline would be one of the stem alone.
    """
    seed = int.from_bytes(hashlib.sha256(card.name.encode()).digest()[:7], "big")
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(seed)
        network = _construct(card.architecture).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            is_scale = name.endswith(("gamma", "weight", "lambda1")) and parameter.ndim == 1
            if is_scale and parameter.abs().max() <= _OFF:
                parameter.fill_(1.0)
    return network


def digest(network: nn.Module) -> str:
    """sha256 of the names and bytes of all entries of the state."""
    sha = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        sha.update(name.encode())
        sha.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def _construct(architecture: Architecture) -> nn.Module:
    kind, _, name = architecture.builder.partition(":")
    if kind != "timm":
        return named_function(architecture.builder)(**architecture.kwargs)
    import timm

    kwargs = {key: _layer(value) if key.endswith("_layer") else value for key, value in architecture.kwargs.items()}
    return timm.create_model(name, **kwargs)


def named_function(name: str) -> Callable[..., Any]:
    """The function that ``"package.module:function"`` names."""
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
        if not callable(found):
            raise AttributeError(f"{function} is no function")
    except (ImportError, AttributeError, ValueError) as problem:
        raise UserError(f"there is no '{name}' ({problem}); write it as package.module:function") from problem
    return found


def _layer(value: Any) -> Any:
    import timm.layers

    if isinstance(value, Mapping):
        arguments = dict(value)
        return partial(_layer(arguments.pop("layer")), **arguments)
    for home in (timm.layers, nn):
        if str(value)[:1].isupper() and callable(getattr(home, str(value), None)):  # SwiGLUPacked is a partial
            return getattr(home, value)
    return value  # one of timm's own short names, such as "silu"
