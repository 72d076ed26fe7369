"""`torch.compile` of a network, and what it needs."""

from __future__ import annotations

import os
import shutil

from torch import nn

from .errors import UserError

_COMPILERS = ("g++", "clang++", "c++", "cl")


def compile_network(network: nn.Module) -> None:
    """Have torch compile the network in place when it first runs; its parameters and their names stay.

    Compiled kernels fuse what the network computes step by step: the last bits of the features change.

    Raises
    ------
    UserError
        If there is no C++ compiler, with which torch makes the kernels of a CPU and the calls of those of a GPU.
    """
    names = (os.environ["CXX"],) if os.environ.get("CXX") else _COMPILERS
    if not any(shutil.which(name) for name in names):
        raise UserError(
            f"compile=true needs a C++ compiler and there is no {' or '.join(names)} here: install one, or leave "
            "compile out."
        )
    network.compile()
