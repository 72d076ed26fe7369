"""Run THUNDER's own calibration error on probabilities and write it to thunder_ece.npz.

    python tests/official/make_thunder_ece.py

It needs thunder-bench.
"""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
import official_helpers
import torch
from thunder.utils.calibration_metrics import compute_calibration_metrics

CASES = {"two": (120, 2), "nine": (100, 9), "edges": (80, 2)}


def main() -> None:
    args = official_helpers.arguments("Run THUNDER's own calibration error and write it to thunder_ece.npz.")
    found: dict[str, np.ndarray] = {}
    for seed, (case, (n, classes)) in enumerate(CASES.items()):
        rng = np.random.default_rng(seed)
        probabilities = rng.dirichlet(np.ones(classes) * 0.7, n)
        if case == "edges":  # confidences that are the ends of bins
            probabilities = np.round(probabilities * 5) / 5
        labels = np.where(rng.random(n) < 0.6, probabilities.argmax(axis=1), rng.integers(0, classes, n))
        theirs = compute_calibration_metrics(
            torch.from_numpy(probabilities), torch.from_numpy(labels), compute_ci=False
        )
        found |= {f"{case}_probabilities": probabilities, f"{case}_labels": labels.astype(np.int8)}
        found[f"{case}_ece"] = np.array(theirs["ECE"]["metric_score"])
    official_helpers.write(args.to, "thunder_ece", f"thunder-bench {version('thunder-bench')}", found)


if __name__ == "__main__":
    main()
