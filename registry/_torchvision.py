"""The mend of torchvision beside a CPU-only torch.

The wheel of torchvision on the package index is a CUDA build. Beside a torch without CUDA its native library does not
load, the operators in it are never declared, and ``import torchvision`` (so ``import timm``) stops with "operator
torchvision::nms does not exist". Declaring the two schemas that torchvision's own import needs is enough for its
transforms and for timm's factories; the compiled operators themselves stay absent. With matching builds nothing is
declared.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_declared: list[Any] = []  # a Library withdraws its operators when it is collected


class _BeforeTorchvision(MetaPathFinder):
    """Runs `mend` at the first import of torchvision, by whomever, and finds nothing itself."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            mend()
        return None


def install() -> None:
    """Mend torchvision when it is first imported. Costs nothing until then; imports no torch."""
    if "torchvision" not in sys.modules and not any(isinstance(f, _BeforeTorchvision) for f in sys.meta_path):
        sys.meta_path.insert(0, _BeforeTorchvision())


def mend() -> bool:
    """Declare the missing operators if torchvision's native library does not load. True where that was needed."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    import torch
    from torch import library

    folder = Path(spec.origin).parent
    native = [folder / f"_C{suffix}" for suffix in EXTENSION_SUFFIXES]
    for file in filter(Path.is_file, native):
        try:
            torch.ops.load_library(str(file))
        except OSError:
            break
        return False
    operators = library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        operators.define(name + _SCHEMA)
    _declared.append(operators)
    return True
