"""Run Patho-Bench's own Cox experiment and write the log risks that it predicts to cox.npz.

    python tests/official/make_cox.py --official CHECKOUT

CHECKOUT is one of github.com/mahmoodlab/Patho-Bench. Its experiment gets one fold from memory; the class that it
derives from, which writes its results, is empty here. It needs scikit-survival.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import official_helpers
import torch
from cox_inputs import CASES, survivors

COMMIT = "660e770"  # of the checkout that made the file


class Base:
    """In place of their base class."""

    def save_config(self, path: str) -> None: ...

    def set_seed(self, seed: int) -> None: ...


def official(checkout: Path) -> Any:
    """Their class of the experiment."""
    for name, content in {
        "patho_bench": {},
        "patho_bench.experiments": {},
        "patho_bench.datasets": {},
        "patho_bench.experiments.BaseExperiment": {"BaseExperiment": Base},
        "patho_bench.datasets.BaseDataset": {"BaseDataset": object},
    }.items():
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(content)
    path = checkout / "patho_bench/experiments/CoxNetExperiment.py"
    spec = importlib.util.spec_from_file_location("coxnet", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CoxNetExperiment


def log_risks(experiment: Any, case: str) -> np.ndarray:
    """What their experiment predicts for the queries when it is trained on the other samples."""
    shape, alpha, l1_ratio = CASES[case]
    features, labels = survivors(case)
    time, event = torch.from_numpy(labels).T
    fitted = slice(shape[0])
    batch = {
        "slide": {"features": torch.from_numpy(features[fitted])},
        "labels": {"extra_attrs": {"OS_event": event[fitted], "OS_days": time[fitted]}},
    }
    folds = SimpleNamespace(num_folds=1, get_dataloader=lambda fold, side: [batch] if side == "train" else None)
    # 100,000 iterations at most is what their factory of experiments sets
    own = experiment(folds, "OS", alpha, l1_ratio, max_iter=100_000, num_bootstraps=0, results_dir="")
    own.train()
    return np.asarray(own.models[0].predict(features[shape[0] :]))


def main() -> None:
    args = official_helpers.arguments("Run Patho-Bench's own Cox experiment and write its log risks to cox.npz.")
    import sksurv

    experiment = official(args.official)
    found = {case: log_risks(experiment, case) for case in CASES}
    official_helpers.write(
        args.to, "cox", f"mahmoodlab/Patho-Bench {COMMIT}, scikit-survival {sksurv.__version__}", found
    )


if __name__ == "__main__":
    main()
