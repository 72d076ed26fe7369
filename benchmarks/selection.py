"""Rules by which the linear probe may choose its strength, compared on many cohorts.

    python -m benchmarks.selection [--cohorts 240] [--features DIR ...]

A cohort has training, validation and test samples. Every strength is fitted on the training samples, each rule chooses
one by the validation samples (or by five inner folds, in every second cohort), the probe is fitted again on training
and validation samples, and the test samples say what the choice was worth. The synthetic cohorts differ in size, class
balance, number of classes, width and separation. With ``--features`` cohorts are also drawn from real features: each
DIR holds ``features.npy`` [N, D], ``labels.npy`` [N] and, where the test samples are fixed, ``test.npy`` (bool [N]).

The rules: balanced accuracy with ties to the strongest penalty, to the weakest, to the middle or to the least log-loss;
log-loss of the held-out samples; log-loss in which every class has the same weight; log-loss after the best temperature
of that strength.

The table prints, by group of cohorts, the mean balanced accuracy, AUROC and log-loss of the test samples, the regret in
balanced accuracy against the best strength in hindsight, and the share of cohorts that collapsed: balanced accuracy
that is at least 0.15 below that of the best strength.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from bench.protocols import Samples
from bench.protocols.linear_settings import Config, strengths_of
from bench.protocols.logistic import Design, solve
from bench.protocols.selection import balanced_accuracy, inner_cv

COLLAPSE = 0.15
SMALLEST = 1e-12


@dataclass(frozen=True)
class Cohort:
    """Samples of one simulated study, and the group of cohorts that it is reported with."""

    group: str
    train: Samples
    val: Samples | None
    test: Samples


def log_loss(y: np.ndarray, probabilities: np.ndarray, balanced: bool = False) -> np.ndarray:
    """Mean negative log-likelihood of each strength; with `balanced`, the mean over classes of the class means."""
    loss = -np.log(np.maximum(probabilities[:, np.arange(len(y)), y], SMALLEST))
    if not balanced:
        return loss.mean(axis=1)
    return np.mean([loss[:, y == c].mean(axis=1) for c in np.unique(y)], axis=0)


def refined(y: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Log-loss of each strength after the temperature that is best for it."""
    losses = []
    for p in probabilities:
        logits = np.log(np.maximum(p, SMALLEST))

        def nll(log_t: float, logits: np.ndarray = logits) -> float:
            scaled = logits * np.exp(-log_t)
            return float(np.mean(np.logaddexp.reduce(scaled, axis=1) - scaled[np.arange(len(y)), y]))

        losses.append(minimize_scalar(nll, bounds=(-4, 4), method="bounded").fun)
    return np.array(losses)


def _tied(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    score = balanced_accuracy(y, p.argmax(-1))
    return np.flatnonzero(score == score.max())


RULES: dict[str, Callable[[np.ndarray, np.ndarray], int]] = {
    "balanced accuracy, strongest of equals": lambda y, p: int(_tied(y, p)[0]),
    "balanced accuracy, weakest of equals": lambda y, p: int(_tied(y, p)[-1]),
    "balanced accuracy, middle of equals": lambda y, p: int(_tied(y, p)[len(_tied(y, p)) // 2]),
    "balanced accuracy, log-loss of equals": lambda y, p: int(_tied(y, p)[log_loss(y, p)[_tied(y, p)].argmin()]),
    "log-loss": lambda y, p: int(log_loss(y, p).argmin()),
    "log-loss, classes weighted alike": lambda y, p: int(log_loss(y, p, balanced=True).argmin()),
    "log-loss after the best temperature": lambda y, p: int(refined(y, p).argmin()),
}


def synthetic(number: int) -> Cohort:
    """Gaussian classes in features whose variances fall with their rank; the number decides size, balance and seed."""
    sizes = {"small": (12, 61), "medium": (80, 401), "large": (600, 1601)}
    rng = np.random.default_rng([7, number])
    size = list(sizes)[number % 3]
    balance = ("balanced", "nearly balanced", "20 % positive")[number // 3 % 3]
    classes = int(rng.choice([2, 2, 2, 3, 5])) if balance == "balanced" else 2
    dim = int(rng.choice([64, 384, 1024]))
    deviation = (1 + np.arange(dim)) ** -rng.uniform(0.3, 1.0)
    means = rng.normal(size=(classes, dim)) * deviation * rng.choice([0.05, 0.15, 0.3, 0.6, 1.2]) * 2
    share = {"balanced": None, "nearly balanced": 0.48, "20 % positive": 0.2}[balance]

    def draw(n: int, part: str) -> Samples:
        few = (np.arange(n) < max(2, round((share or 0) * n))).astype(np.int64)
        labels = np.arange(n) % classes if share is None else few
        rng.shuffle(labels)
        features = means[labels] + rng.normal(size=(n, dim)) * deviation
        names = np.array([f"{part}{j:05d}" for j in range(n)])
        return Samples(names, names, features.astype(np.float32), labels.astype(np.int64))

    n = int(rng.integers(*sizes[size])) // 2 * 2 + 4 * classes
    val = draw(max(2 * classes + 1, n // 4), "v") if number % 2 else None
    return Cohort(f"synthetic {size}, {balance}", draw(n, "t"), val, draw(2000, "q"))


def real(folder: Path, number: int) -> Iterator[Cohort]:
    """Training and validation samples drawn from real features; the test samples are fixed, or what is left."""
    features, labels = np.load(folder / "features.npy"), np.load(folder / "labels.npy")
    fixed = np.load(folder / "test.npy") if (folder / "test.npy").is_file() else np.zeros(len(labels), bool)
    for i in range(number):
        rng = np.random.default_rng([11, i])
        present, counts = np.unique(labels, return_counts=True)
        usable = present[counts >= 24]
        classes = usable if i % 2 else rng.permutation(usable)[:2]
        rows = np.flatnonzero(np.isin(labels, classes) & ~fixed)
        rows = rng.permutation(rows)
        most = len(rows) if fixed.any() else int(0.6 * len(rows))
        n = int(rng.choice([share for share in (24, 40, 80, 200, 600, 1600) if share <= most] or [most]))
        chosen = rows[:n]
        tested = np.flatnonzero(fixed & np.isin(labels, classes)) if fixed.any() else rows[n:]
        y = np.searchsorted(np.sort(classes), labels)
        if min(np.bincount(y[chosen], minlength=len(classes)).min(), np.bincount(y[tested]).min()) < 3:
            continue

        def of(rows: np.ndarray, y=y) -> Samples:
            names = np.array([f"{row:06d}" for row in rows])
            return Samples(names, names, features[rows].astype(np.float32), y[rows].astype(np.int64))

        n_val = max(len(classes), n // 4)
        train, val = chosen[n_val:], chosen[:n_val]
        if len(np.unique(y[train])) < len(classes):
            continue
        pair = (of(train), of(val)) if i % 4 < 2 else (of(chosen), None)
        yield Cohort(f"{folder.name}, {'up to 80' if n <= 80 else 'over 80'} to learn from", *pair, of(tested))


def outcome(cohort: Cohort, strengths: np.ndarray) -> tuple[dict[str, int], np.ndarray, np.ndarray, np.ndarray]:
    """The strength that each rule chooses, and balanced accuracy, AUROC and log-loss of the test at every strength."""
    choice = inner_cv(cohort.train, cohort.val, 0)
    samples, y, test = choice.samples, choice.samples.labels, cohort.test
    classes, count, folds = int(y.max()) + 1, len(strengths), len(choice.fit)
    design = Design.of(samples.features)
    which = np.repeat(np.arange(folds), count)
    sweep = solve(design, y, classes, np.tile(strengths, folds), choice.fit.astype(np.float64), which)
    held_out = np.zeros((count, len(y), classes))
    for fold in range(folds):
        rows = np.flatnonzero(choice.held_out[fold])
        for part, p in sweep.probabilities(samples.features[rows], slice(fold * count, (fold + 1) * count)):
            held_out[:, rows[part]] = p
    rows = np.flatnonzero(choice.held_out.any(axis=0))
    chosen = {name: rule(y[rows], held_out[:, rows]) for name, rule in RULES.items()}
    final = solve(design, y, classes, strengths)
    p = np.concatenate([p for _, p in final.probabilities(test.features)], axis=1)
    truth = test.labels
    auroc = [roc_auc_score(truth, q[:, 1]) if classes == 2 else roc_auc_score(truth, q, multi_class="ovr") for q in p]
    return chosen, balanced_accuracy(truth, p.argmax(-1)), np.array(auroc), log_loss(truth, p)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohorts", type=int, default=240, help="synthetic cohorts")
    parser.add_argument("--features", type=Path, nargs="*", default=[], help="folders of real features")
    parser.add_argument("--draws", type=int, default=60, help="cohorts drawn from each folder of real features")
    args = parser.parse_args()
    strengths = strengths_of(Config())
    cohorts = [synthetic(number) for number in range(args.cohorts)]
    for folder in args.features:
        cohorts += real(folder, args.draws)
    found: dict[str, dict[str, list[tuple[float, ...]]]] = defaultdict(lambda: defaultdict(list))
    for cohort in tqdm(cohorts, unit=" cohorts", dynamic_ncols=True):
        chosen, balanced, auroc, loss = outcome(cohort, strengths)
        for rule, i in chosen.items():
            regret = balanced.max() - balanced[i]
            record = (balanced[i], auroc[i], loss[i], regret, float(regret >= COLLAPSE))
            found[cohort.group][rule].append(record)
            found["all"][rule].append(record)
    for group in [*sorted(found.keys() - {"all"}), "all"]:
        print(f"\n{group} ({len(next(iter(found[group].values())))} cohorts)")
        print(f"  {'rule':42s} balanced accuracy   AUROC  log-loss  regret  collapsed")
        for rule in RULES:
            balanced, auroc, loss, regret, collapsed = np.mean(found[group][rule], axis=0)
            print(f"  {rule:42s} {balanced:17.3f} {auroc:7.3f} {loss:9.3f} {regret:7.3f} {collapsed:9.1%}")


if __name__ == "__main__":
    main()
