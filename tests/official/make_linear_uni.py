"""The UNI repository's linear probe on small inputs, written to linear_uni.npz.

`--official` is a checkout of mahmoodlab/UNI; of it only the folder of the probe is imported, which needs torch,
scikit-learn and pandas. Its switch `use_sklearn` gives the vectors of linear_adaptive.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import types
from typing import Any

import numpy as np
import torch
from official_helpers import arguments, vectors, write

# name: classes, samples of the three sides, features
CASES = {"binary": (2, (120, 40, 200), 96), "classes": (4, (120, 40, 200), 96)}
SIDES = (0, 1, 2)


def main() -> None:
    options = arguments(__doc__ or "")
    probe = module_of(options.official / "uni" / "downstream" / "eval_patch_features", "linear_probe")
    arrays: dict[str, np.ndarray] = {}
    for name, (classes, sizes, dim) in CASES.items():
        x, y = zip(*(vectors(n, classes, dim, seed) for n, seed in zip(sizes, SIDES, strict=True)), strict=True)
        features, labels = [torch.from_numpy(side) for side in x], [torch.from_numpy(side) for side in y]
        sides = features[0], labels[0], features[1], labels[1]
        own = probe.train_linear_probe(*sides, verbose=False)
        arrays[f"{name}_scores"] = own.predict_proba(features[2]).detach().numpy().astype(np.float32)
        sklearn = probe.train_linear_probe(*sides, use_sklearn=True, verbose=False)
        arrays[f"{name}_sklearn_scores"] = sklearn.predict_proba(x[2]).astype(np.float32)
    commit = subprocess.run(
        ["git", "-C", str(options.official), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    write(options.to, "linear_uni", f"mahmoodlab/UNI {commit.stdout.strip() or 'of unknown commit'}", arrays)


def module_of(folder: Any, name: str) -> types.ModuleType:
    """A module of the folder, without the packages above it, whose imports need more than the probe does."""
    package = types.ModuleType("probes_of_uni")
    package.__path__ = [str(folder)]
    sys.modules[package.__name__] = package
    return importlib.import_module(f"{package.__name__}.{name}")


if __name__ == "__main__":
    main()
