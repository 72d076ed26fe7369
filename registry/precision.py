"""The number format that a network's products are computed in: what a card advises, where the device has it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
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


@contextlib.contextmanager
def full_float32() -> Iterator[None]:
    """Products and convolutions of float32 are computed in float32 inside, whatever the process has set.

    By default torch lets convolutions take TF32 on CUDA; a process can allow that, or bfloat16, for all products.
    """
    backends: Any = torch.backends  # torch makes these settings when it is imported: no type checker knows them
    switches = (backends.cuda.matmul, backends.cudnn.conv, backends.mkldnn.matmul, backends.mkldnn.conv)
    before = [switch.fp32_precision for switch in switches]
    try:
        for switch in switches:
            switch.fp32_precision = "ieee"
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.fp32_precision = value
