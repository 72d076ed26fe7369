"""The number format that a network's products are computed in: what a card advises, where the device has it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, Literal

import torch

from .card import ModelCard
from .errors import UserError
from .outside import FAMILY as OUTSIDE

Precision = Literal["float32", "bfloat16", "float16"]


@cache
def native_bfloat16() -> bool:
    """Whether this machine's processor has instructions for products in bfloat16 (AVX-512 BF16 or AMX).

    Without them such products are emulated, more slowly than those in float32.
    """
    instructions = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any(bool(instructions.get(name)) for name in ("avx512_bf16", "amx_bf16"))


def resolve_precision(card: ModelCard, wanted: Precision | None, device: str | torch.device) -> Precision:
    """What a network runs in on a device. Nothing is timed: the same card, device and processor give the same answer.

    Parameters
    ----------
    card : ModelCard
        Its `precision` is the advice.
    wanted : {"float32", "bfloat16", "float16"} or None
        What the user set. None on CUDA is what the card advises. None on a CPU is bfloat16 where the card advises a
        reduced precision and the processor has instructions for it, and float32 otherwise; models outside the registry
        (``timm:``, ``hf-hub:``) stay in float32 there, as no one has advised anything. None elsewhere is float32.
    device : str or torch.device

    Raises
    ------
    UserError
        If float16 is set on a CPU, or a reduced precision on a device that is neither a CPU nor CUDA.
    """
    kind = str(device).partition(":")[0]
    if kind == "cuda":
        return wanted or card.precision
    if wanted == "float16" and kind == "cpu":
        raise UserError("precision=float16 is for GPUs: on a CPU set precision=bfloat16 or precision=float32.")
    if wanted not in (None, "float32") and kind != "cpu":
        raise UserError(f"precision={wanted} is for CUDA and for CPUs: on {kind} set precision=float32.")
    if wanted:
        return wanted
    advised = card.precision != "float32" and card.family != OUTSIDE
    return "bfloat16" if kind == "cpu" and advised and native_bfloat16() else "float32"


class _ProcessWide:
    """Settings of the whole process that hold while anyone is inside, in whatever order threads enter and leave.

    What stood before the first entered stands again after the last has left.
    """

    def __init__(self, settings: Callable[[], Sequence[tuple[Any, str, Any]]]):
        self._settings = settings
        self._lock = threading.Lock()
        self._inside = 0
        self._before: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                wanted = self._settings()
                self._before = [(owner, name, getattr(owner, name)) for owner, name, _ in wanted]
                _set(wanted)
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                _set(self._before)


def _set(settings: Sequence[tuple[Any, str, Any]]) -> None:
    for owner, name, value in settings:
        setattr(owner, name, value)


def _no_shorter_products() -> list[tuple[Any, str, Any]]:
    backends: Any = torch.backends  # torch makes these settings when it is imported: no type checker knows them
    owners = (backends.cuda.matmul, backends.cudnn.conv, backends.mkldnn.matmul, backends.mkldnn.conv)
    return [(owner, "fp32_precision", "ieee") for owner in owners]


def _same_kernels() -> list[tuple[Any, str, Any]]:
    cudnn: Any = torch.backends.cudnn
    return [(cudnn, "enabled", True), (cudnn, "benchmark", False), (cudnn, "deterministic", True)]


_FULL_FLOAT32 = _ProcessWide(_no_shorter_products)
_SAME_KERNELS = _ProcessWide(_same_kernels)


@contextlib.contextmanager
def full_float32() -> Iterator[None]:
    """Products and convolutions of float32 are computed in float32 inside, whatever the process has set.

    By default torch lets convolutions take TF32 on CUDA; a process can allow that, or bfloat16, for all products.
    """
    with _FULL_FLOAT32:
        yield


@contextlib.contextmanager
def repeatable_float32() -> Iterator[None]:
    """As `full_float32`, and cuDNN takes the same deterministic kernel each time.

    `torch.backends.cudnn.flags` cannot stand inside `full_float32`: it reads the older switch of TF32, which torch
    refuses to answer once convolutions have a precision of their own.
    """
    with _FULL_FLOAT32, _SAME_KERNELS:
        yield
