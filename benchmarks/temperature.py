"""Ways to fit the temperature of a head, compared on many simulated cohorts.

    OMP_NUM_THREADS=1 python -m benchmarks.temperature [--cohorts 240]

A cohort has training, test and, every second one, validation samples of graded classes, so that `linear`, `knn` and
`ridge` all take it. The cohorts differ in size (12 to 800 training samples), number of classes, width, samples a
patient, and separation: from none at all to fully separable. Each head gives its scores of held-out samples and of the
test samples; each rule fits a temperature to the former and scales the latter.

The rules: no scaling; the maximum of the likelihood between 0.02 and 50, with 1e-12 for a vote share of 0 (the rule
until 0.1); and the maximum a posteriori under a log-normal prior of a deviation, with the head's own floor of the
scores (or without it), and that or no scaling where it makes the held-out samples less likely (the rule).

The table prints for each head and size the share of cohorts whose temperature is at an end of the rule's range, the
share whose scaled test scores have a larger negative log-likelihood (NLL) or calibration error (ECE) than the scores
as they are, and the means of both over the cohorts.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
from scipy.optimize import minimize_scalar
from tqdm import tqdm

from bench import metrics, protocols
from bench.protocols import Samples, temperature
from bench.protocols.temperature import SMALLEST, fit_temperature, scaled

HEADS: dict[str, dict[str, Any]] = {
    "linear": {"kind": "linear", "n_strengths": 23},
    "knn": {"kind": "knn"},
    "ridge": {"kind": "ridge", "n_strengths": 23},
}
SIZES = {"12 to 40": (12, 41), "41 to 150": (41, 151), "151 to 800": (151, 801)}
WORSE = 1e-9  # a difference below this is rounding
TESTED = 1000


@dataclass(frozen=True)
class Fitted:
    """The temperature by a rule, the floor of its scores, and whether it is at an end of the range."""

    temperature: float
    floor: float
    at_an_end: bool


def unscaled(scores: np.ndarray, y: np.ndarray, floor: float) -> None:
    """No temperature."""


def likelihood(scores: np.ndarray, y: np.ndarray, floor: float) -> Fitted:
    """The rule until 0.1."""
    log_p = np.log(np.maximum(scores, SMALLEST))

    def nll(inverse: float) -> float:
        logits = log_p * inverse
        return float(np.mean(np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(y)), y]))

    found = minimize_scalar(nll, bounds=(1 / 50, 1 / 0.02), method="bounded", options={"xatol": 1e-9})
    value = float(1 / found.x) if found.fun < nll(1.0) else 1.0
    return Fitted(value, SMALLEST, not 0.0202 < value < 49.5)


def posterior(deviation: float, with_floor: bool = True) -> Callable[[np.ndarray, np.ndarray, float], Fitted]:
    """The mode under a prior of this deviation of log T."""

    def rule(scores: np.ndarray, y: np.ndarray, floor: float) -> Fitted:
        own = floor if with_floor else SMALLEST
        with mock.patch.object(temperature, "PRIOR_DEVIATION", deviation):
            value = fit_temperature(scores, y, own)
        return Fitted(value, own, bool(temperature.notes_on_temperature({"temperature": value})))

    return rule


def or_unscaled(scores: np.ndarray, y: np.ndarray, floor: float) -> Fitted:
    """The rule of the heads: the mode, or no scaling where the held-out samples are less likely by it."""
    info = temperature.temperature_info(scores, y, floor)
    at_an_end = bool(temperature.notes_on_temperature(info))
    return Fitted(info["temperature"], info.get("temperature_floor", SMALLEST), at_an_end)


RULES: dict[str, Callable[[np.ndarray, np.ndarray, float], Fitted | None]] = {
    "no scaling": unscaled,
    "likelihood (until 0.1)": likelihood,
    "prior 0.5": posterior(0.5),
    "prior 1": posterior(1.0),
    "prior 2": posterior(2.0),
    "prior 1, no floor": posterior(1.0, with_floor=False),
    "prior 1, or unscaled (the rule)": or_unscaled,
}


def cohort(number: int) -> tuple[str, tuple[Samples, Samples | None, Samples]]:
    """Its size in words, and its three sides; the number decides size, separation and seed."""
    rng = np.random.default_rng([13, number])
    size = list(SIZES)[number % len(SIZES)]
    separation = (0.0, 0.3, 1.0, 3.0)[number // len(SIZES) % 4]
    classes, dim = int(rng.choice([2, 3, 5])), int(rng.choice([32, 256]))
    per_group = int(rng.choice([1, 3]))
    deviation = (1 + np.arange(dim)) ** -rng.uniform(0.3, 1.0)
    along, apart = rng.normal(size=(2, classes, dim)) * deviation
    means = separation * (np.arange(classes)[:, None] * along[0] + 0.5 * apart)

    def side(n: int, prefix: str) -> Samples:
        labels = np.arange(n) // per_group % classes
        of_patient = np.repeat(rng.normal(size=(n, dim)) * 0.5, per_group, axis=0)[:n]
        features = means[labels] + (rng.normal(size=(n, dim)) + of_patient) * deviation
        ids = np.array([f"{prefix}{i:05d}" for i in range(n)])
        groups = np.array([f"{prefix}{i // per_group:05d}" for i in range(n)])
        return Samples(ids, groups, features.astype(np.float32), labels, kind="ordinal")

    low, high = SIZES[size]
    n = max(int(rng.integers(low, high)), 3 * classes * per_group)
    val = side(max(n // 3, classes * per_group), "v") if number % 2 else None
    return size, (side(n, "t"), val, side(TESTED, "q"))


@contextmanager
def held_out_scores(kind: str) -> Iterator[list[tuple[np.ndarray, np.ndarray, float]]]:
    """Collects what the head fits its temperature to: scores, labels and the floor of the scores."""
    calls: list[tuple[np.ndarray, np.ndarray, float]] = []

    def watched(scores: np.ndarray, y: np.ndarray, floor: float = SMALLEST) -> dict[str, Any]:
        calls.append((scores, y, floor))
        return {"temperature": 1.0, "temperature_samples": len(y), "temperature_floor": floor}

    with mock.patch.object(protocols.get(kind), "temperature_info", watched):
        yield calls


def outcomes(sides: tuple[Samples, Samples | None, Samples], settings: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """For each rule whether it ends at a bound, and NLL and ECE of the test samples."""
    head, test = protocols.configured(settings), sides[-1]
    with held_out_scores(settings["kind"]) as calls:
        predictions = head.fit_predict(*sides, 0)
    [(scores, y, floor)] = calls
    for name, rule in RULES.items():
        fitted = rule(scores, y, floor)
        after = predictions.scores if fitted is None else scaled(predictions.scores, fitted.temperature, fitted.floor)
        found = metrics.score(test.labels, after, test.groups, kind="ordinal", metrics=["nll", "ece"], n_boot=0)
        yield name, (fitted is not None and fitted.at_an_end, found["nll"].value, found["ece"].value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohorts", type=int, default=240)
    args = parser.parse_args()
    found: dict[tuple[str, str], dict[str, list[tuple[float, ...]]]] = defaultdict(lambda: defaultdict(list))
    for number in tqdm(range(args.cohorts), unit=" cohorts", dynamic_ncols=True):
        size, sides = cohort(number)
        for head, settings in HEADS.items():
            for rule, values in outcomes(sides, settings):
                for group in ((head, size), (head, "all"), ("all heads", "all")):
                    found[group][rule].append(values)
    for (head, size), by_rule in sorted(found.items()):
        plain = np.array(by_rule["no scaling"], dtype=float)
        print(f"\n{head}, {size} training samples ({len(plain)} cohorts)")
        print(f"  {'rule':32s} at an end  worse NLL  worse ECE  mean NLL  mean ECE")
        for rule in RULES:
            own = np.array(by_rule[rule], dtype=float)
            worse = (own[:, 1:] > plain[:, 1:] + WORSE).mean(axis=0)
            nll, ece = own[:, 1:].mean(axis=0)
            print(f"  {rule:32s} {own[:, 0].mean():9.1%} {worse[0]:10.1%} {worse[1]:10.1%} {nll:9.3f} {ece:9.3f}")


if __name__ == "__main__":
    main()
