"""Run THUNDER's own calibration errors on probabilities and write them to thunder_calibration.npz.

    python tests/official/make_thunder_calibration.py

It needs thunder-bench.
"""

from __future__ import annotations

from importlib.metadata import version
from unittest.mock import patch

import numpy as np
import official_helpers
import torch
from thunder.utils.calibration_metrics import compute_calibration_metrics

RANDOM = {"two": (120, 2), "nine": (100, 9), "edges": (80, 2)}
METRICS = ("ECE", "MCE", "SCE", "ACE", "TACE")
ARGSORT = np.argsort


def drawn(seed: int, case: str, n: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Random probabilities, and classes of which six in ten are those of the highest probability."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(classes) * 0.7, n)
    if case == "edges":  # confidences that are the ends of bins
        probabilities = np.round(probabilities * 5) / 5
    labels = np.where(rng.random(n) < 0.6, probabilities.argmax(axis=1), rng.integers(0, classes, n))
    return probabilities, labels


def edge_cases() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Probabilities and classes at the ends of what can occur."""
    rng = np.random.default_rng(9)
    sure = np.eye(3)[rng.integers(0, 3, 23)]
    high = 0.9 + 0.1 * rng.random(17)
    ties = np.repeat([0.55, 0.7, 0.95], 10)
    many = np.full((12, 110), 1 / 110)
    many[::2, 3] += 0.4
    many /= many.sum(axis=1, keepdims=True)
    return {
        "certain": (sure, rng.integers(0, 3, 23)),  # probability 1, and all confidences equal
        "empty_bins": (np.stack([high, 1 - high], axis=1), np.arange(17) % 5 // 4),
        "one_class": (np.stack([high, 1 - high], axis=1)[:8], np.zeros(8, dtype=int)),
        "three_samples": (np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5]]), np.array([0, 0, 1])),
        "six_samples": (rng.dirichlet(np.ones(2), 6), rng.integers(0, 2, 6)),
        "ties": (np.stack([ties, 1 - ties], axis=1), np.arange(30) % 3 // 2),
        "below_threshold": (many, np.arange(12) % 5),  # two of five bins have a confidence below one hundredth
    }


def errors(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Their five errors by name."""
    theirs = compute_calibration_metrics(torch.from_numpy(probabilities), torch.from_numpy(labels), compute_ci=False)
    return {name.lower(): np.array(float(theirs[name]["metric_score"])) for name in METRICS}


def main() -> None:
    args = official_helpers.arguments("Run THUNDER's own calibration errors and write them to thunder_calibration.npz.")
    cases = {case: drawn(seed, case, n, classes) for seed, (case, (n, classes)) in enumerate(RANDOM.items())}
    found: dict[str, np.ndarray] = {}
    for case, (probabilities, labels) in (cases | edge_cases()).items():
        found |= {f"{case}_probabilities": probabilities, f"{case}_labels": labels.astype(np.int8)}
        found |= {f"{case}_{name}": value for name, value in errors(probabilities, labels).items()}
        # their sort leaves equal confidences to the processor
        with patch("numpy.argsort", lambda values: ARGSORT(values, kind="stable")):
            found |= {f"{case}_{name}_stable": value for name, value in errors(probabilities, labels).items()}
    official_helpers.write(args.to, "thunder_calibration", f"thunder-bench {version('thunder-bench')}", found)


if __name__ == "__main__":
    main()
