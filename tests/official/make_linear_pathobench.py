"""Patho-Bench's linear probe on small inputs, written to linear_pathobench.npz.

`--official` is a checkout of mahmoodlab/Patho-Bench; its experiment needs torch, scikit-learn, matplotlib and seaborn.
The defaults are read from the signature of `ExperimentFactory.linprobe`, whose module is not imported.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from official_helpers import arguments, vectors, write

# name: classes, samples of the three sides, features
CASES = {"binary": (2, (120, 40, 200), 48), "classes": (4, (120, 40, 200), 48)}
SIDES = (0, 1, 2)
RARER = 20  # this many of the last training samples of class 0 are left out, so that class weights differ


class Sides:
    """What the experiment needs of Patho-Bench's data set: one fold, each side as one batch."""

    num_folds = 1

    def __init__(self, **sides: tuple[np.ndarray, np.ndarray]) -> None:
        self.sides = sides

    def get_dataloader(self, fold: int, side: str) -> Any:
        if side not in self.sides:
            return None
        x, y = (torch.from_numpy(array) for array in self.sides[side])
        return [{"slide": {"features": x}, "labels": {"task": y}}]

    def get_config(self) -> dict[str, int]:
        return {"num_folds": self.num_folds}


def inputs(classes: int, sizes: tuple[int, ...], dim: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The three sides, class 0 rarer in the training side than the others."""
    sides = [vectors(n, classes, dim, seed) for n, seed in zip(sizes, SIDES, strict=True)]
    x, y = sides[0]
    left = np.setdiff1d(np.arange(len(y)), np.flatnonzero(y == 0)[-RARER:])
    return [(x[left], y[left]), *sides[1:]]


def main() -> None:
    options = arguments(__doc__ or "")
    sys.path.insert(0, str(options.official))
    from patho_bench.experiments.LinearProbeExperiment import LinearProbeExperiment

    defaults = defaults_of(options.official / "patho_bench" / "ExperimentFactory.py", "linprobe")
    recipes = {
        "default": (defaults["cost"], defaults["balanced"]),
        "advanced": (0.5, True),
        "adaptive": ("adaptive", False),
    }
    arrays: dict[str, np.ndarray] = {
        "default_cost": np.array(defaults["cost"]),
        "default_balanced": np.array(defaults["balanced"]),
    }
    for name, (classes, sizes, dim) in CASES.items():
        train, _, test = inputs(classes, sizes, dim)
        for recipe, (cost, balanced) in recipes.items():
            with tempfile.TemporaryDirectory() as folder:
                experiment = LinearProbeExperiment(
                    dataset=Sides(train=train),
                    task_name="task",
                    num_classes=classes,
                    num_bootstraps=1,
                    cost=cost,
                    max_iter=10000,
                    balanced_class_weights=balanced,
                    results_dir=folder,
                )
                experiment.train()
            scores = experiment.models[0].predict_proba(torch.from_numpy(test[0]))
            arrays[f"{name}_{recipe}_scores"] = np.asarray(scores, dtype=np.float32)
    commit = subprocess.run(
        ["git", "-C", str(options.official), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    version = f"mahmoodlab/Patho-Bench {commit.stdout.strip() or 'of unknown commit'}"
    write(options.to, "linear_pathobench", version, arrays)


def defaults_of(path: Path, function: str) -> dict[str, Any]:
    """The literal defaults of a function's arguments."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            names = [argument.arg for argument in node.args.args]
            values = [ast.literal_eval(value) for value in node.args.defaults]
            return dict(zip(names[-len(values) :], values, strict=True))
    raise SystemExit(f"{path} has no function {function}.")


if __name__ == "__main__":
    main()
