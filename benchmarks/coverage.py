"""How often the intervals of the tables hold the truth, and how often their tests err, on simulated patients.

    OMP_NUM_THREADS=1 python -m benchmarks.coverage [holdout] [folds] [training] [stars] [--cohorts 200] [--seed 0]

Each cohort is written as rows and predictions and read as `python -m bench report` reads them, so that what is measured
is what the tables print. `bootstrap` is the plain percentile interval over patients, `of tiles` that over tiles, as
other harnesses have it. Models are compared in pairs: equal ones for the level of a test, different ones for its power.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.metrics import resample, score, score_all
from bench.protocols import Predictions
from bench.results import LeaderboardData, read_leaderboard
from bench.rows import Row, write
from registry.text_table import aligned

METRICS = ("accuracy", "balanced_accuracy", "auroc")
SIGNAL = 0.9  # distance of the classes of a score in units of its logit


class Design(NamedTuple):
    """A cohort of one test set: patients, tiles a patient, whether a patient has one label, positive share, signal."""

    patients: int
    tiles: int
    by_patient: bool
    positives: float
    signal: float = SIGNAL

    def __str__(self) -> str:
        labels = "one label a patient" if self.by_patient else "labels mixed in patients"
        good = ", good models" if self.signal > SIGNAL else ""
        share = f"{100 * self.positives:.0f} % positive"
        return f"{self.patients} patients, {self.tiles} tiles each, {labels}, {share}{good}"


HOLDOUTS = [
    Design(patients, tiles, by_patient, positives)
    for tiles, by_patient, positives in (
        (18, False, 0.5),
        (18, True, 0.5),
        (18, True, 0.2),
        (1, True, 0.5),
        (1, True, 0.2),
    )
    for patients in (8, 20, 40, 100)
] + [
    Design(40, 1, True, 0.5, 2 * SIGNAL),
    Design(100, 1, True, 0.2, 2 * SIGNAL),
    Design(20, 18, False, 0.5, 2 * SIGNAL),
]


@dataclass
class Cohort:
    """Labels and patients of the test samples, and the features or scores of two models."""

    y: np.ndarray
    groups: np.ndarray
    of_models: list[np.ndarray]


def scored_cohort(rng: np.random.Generator, design: Design, signals: Sequence[float]) -> Cohort:
    """Scores of models with these signals: half of their errors of patient and tile are shared, as in real models."""
    n = design.patients
    sizes = np.maximum(1, rng.lognormal(np.log(design.tiles) - 0.125, 0.5, n).round()).astype(int)
    groups = np.repeat(np.arange(n), sizes if design.tiles > 1 else 1)
    y = _labels(rng, design, groups)
    while len(np.unique(y)) < 2:
        y = _labels(rng, design, groups)
    of_patient, of_tile = rng.normal(size=n), rng.normal(size=len(y))
    models = []
    for signal in signals:
        error = of_patient[groups] + rng.normal(size=n)[groups] + of_tile + rng.normal(size=len(y))
        logit = signal * (2 * y - 1) + 0.5 * error - (0.35 if design.positives < 0.5 else 0)
        models.append(two_columns(2 * logit))
    return Cohort(y, groups, models)


def _labels(rng: np.random.Generator, design: Design, groups: np.ndarray) -> np.ndarray:
    drawn = rng.random(design.patients)[groups] if design.by_patient else rng.random(len(groups))
    return (drawn < design.positives).astype(int)


def two_columns(logit: np.ndarray) -> np.ndarray:
    p = 1 / (1 + np.exp(-np.clip(logit, -30, 30)))
    return np.stack([1 - p, p], axis=1)


FEATURES = 20


def featured_cohort(rng: np.random.Generator, patients: int, positives: float, n_models: int) -> Cohort:
    """Patients of one tile each, whose features of all models tell as much of the label and share nothing else."""
    y = (rng.random(patients) < positives).astype(int)
    while min(np.bincount(y, minlength=2)) < 2:
        y = (rng.random(patients) < positives).astype(int)
    mean = np.where(np.arange(FEATURES) < 4, 0.45, 0.0)
    models = [(2 * y[:, None] - 1) * mean + rng.normal(size=(patients, FEATURES)) for _ in range(n_models)]
    return Cohort(y, np.arange(patients), models)


def discriminant(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Linear discriminant with a ridge: a head that is cheap enough to be trained 100,000 times."""
    means = x[y == 0].mean(axis=0), x[y == 1].mean(axis=0)
    weights = np.linalg.solve(np.cov(x.T) + 0.3 * np.eye(x.shape[1]), means[1] - means[0])
    return two_columns((new - (means[0] + means[1]) / 2) @ weights)


class Folder:
    """A results folder of one task."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(
        self, model: str, y: np.ndarray, scores: np.ndarray, ids: np.ndarray, groups: np.ndarray, fold: int = 0
    ) -> None:
        """Write a run as the harness does."""
        names = np.array([f"patient{g:05d}" for g in groups])
        of = Predictions(np.array([f"tile{i:06d}" for i in ids]), names, y, scores)
        scored = score_all(y, scores, None, names, n_boot=200)
        row = Row(
            task="simulated",
            model=model,
            frontend="",
            protocol="linear",
            seed=0,
            fold=fold,
            status="ok",
            primary_metric="balanced_accuracy",
            cohort_hash="c",
            head_config_hash="h",
            metrics={name: asdict(one.interval()) for name, one in scored.items()},
            n_test=len(y),
            n_groups=len(set(names)),
            baseline=model.startswith("baseline"),
            classes=["negative", "positive"],
        )
        write(self.path, row, of)

    def read(self) -> LeaderboardData:
        return read_leaderboard(self.path)


class Tally:
    """Shares of cohorts, by name and metric."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], list[float]] = defaultdict(list)

    def add(self, name: str, metric: str, value: float) -> None:
        self.found[name, metric].append(value)

    def lines(self) -> Iterator[list[str]]:
        for name in dict.fromkeys(name for name, _ in self.found):
            cells = [self.found.get((name, metric), []) for metric in METRICS]
            yield [name, *(f"{100 * float(np.mean(of)):.1f}" if of else "-" for of in cells)]


def intervals(tally: Tally, data: LeaderboardData, model: str, truth: dict[str, float]) -> None:
    """Whether the intervals of a model hold the truth, and how wide they are."""
    (entry,) = (entry for entry in data.entries if entry.key.model == model)
    for metric in METRICS:
        found = data.intervals.get((entry.key, metric))
        if found and not np.isnan(found.ci_low):
            tally.add("coverage", metric, found.ci_low <= truth[metric] <= found.ci_high)
            tally.add("mean width x 100", metric, found.ci_high - found.ci_low)
        tally.add("with an interval", metric, bool(found) and not np.isnan(found.ci_low))


def tests(tally: Tally, data: LeaderboardData, name: str) -> None:
    """How often the two models of a folder are called different."""
    for comparison in data.differences.values():
        if comparison.metric in METRICS:
            tally.add(f"{name}, p of the table ({comparison.p_by})", comparison.metric, comparison.p <= 0.05)
            low, high = comparison.difference.interval
            tally.add(f"{name}, interval without 0", comparison.metric, low > 0 or high < 0)


def percentile(tally: Tally, cohort: Cohort, truth: dict[str, float]) -> None:
    """The plain bootstrap of patients and of tiles, for the scores of the first model and the difference."""
    for unit, groups in (("bootstrap", cohort.groups), ("bootstrap of tiles", np.arange(len(cohort.y)))):
        found = resample(cohort.y, dict(enumerate(cohort.of_models)), groups, metrics=METRICS)
        for metric in METRICS:
            draws = found[0][metric].draws
            low, high = np.nanquantile(draws, [0.025, 0.975])
            tally.add(f"coverage, {unit}", metric, low <= truth[metric] <= high)
            low, high = np.nanquantile(draws - found[1][metric].draws, [0.025, 0.975])
            tally.add(f"type I, {unit}", metric, low > 0 or high < 0)


def holdout(cohorts: int, seed: int) -> None:
    """One test set, trained heads as they are."""
    for design in HOLDOUTS:
        rng, tally = np.random.default_rng(seed), Tally()
        many = scored_cohort(rng, design._replace(patients=400_000 // design.tiles), [design.signal])
        truth = {m: one.value for m, one in score(many.y, many.of_models[0], many.groups, n_boot=0).items()}
        for _ in range(cohorts):
            for name, signals in (
                ("type I", (design.signal, design.signal)),
                ("power", (design.signal, 0.75 * design.signal)),
            ):
                cohort = scored_cohort(rng, design, signals)
                data = table(cohort)
                tests(tally, data, name)
                if name == "type I":
                    intervals(tally, data, "a", truth)
                    percentile(tally, cohort, truth)
        show(str(design), tally)


def table(cohort: Cohort) -> LeaderboardData:
    """The tables of two models on one test set."""
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(Path(path))
        for model, scores in zip("ab", cohort.of_models, strict=True):
            folder.add(model, cohort.y, scores, np.arange(len(cohort.y)), cohort.groups)
        return folder.read()


def folds(cohorts: int, seed: int) -> None:
    """Cross-validation: the truth is the mean score of heads trained on as many patients, on other patients."""
    from sklearn.model_selection import StratifiedKFold

    for patients, n_folds, positives, repeats in (
        *((20, 5, 0.5, 1), (40, 5, 0.5, 1), (40, 10, 0.5, 1), (100, 5, 0.5, 1)),
        *((40, 5, 0.2, 1), (100, 5, 0.2, 1), (40, 5, 0.5, 5)),
    ):
        rng, tally, truths = np.random.default_rng(seed), Tally(), defaultdict(list)
        other = featured_cohort(rng, 4000, positives, 1)
        read = []
        for _ in range(max(1, cohorts // repeats)):
            cohort = featured_cohort(rng, patients, positives, 2)
            with tempfile.TemporaryDirectory() as path:
                folder = Folder(Path(path))
                for repeat in range(repeats):
                    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=int(rng.integers(2**31)))
                    for fold, (train, test) in enumerate(splitter.split(cohort.y, cohort.y), 1 + repeat * n_folds):
                        for model, x in zip("ab", cohort.of_models, strict=True):
                            scores = discriminant(x[train], cohort.y[train], x[test])
                            folder.add(model, cohort.y[test], scores, test, cohort.groups[test], fold)
                on_others = discriminant(cohort.of_models[0][train], cohort.y[train], other.of_models[0])
                for metric, one in score(other.y, on_others, other.groups, n_boot=0).items():
                    truths[metric].append(one.value)
                read.append(folder.read())
        truth = {metric: float(np.mean(values)) for metric, values in truths.items()}
        for data in read:
            intervals(tally, data, "a", truth)
            tests(tally, data, "type I")
        again = f", {repeats} repeats" if repeats > 1 else ""
        show(f"{patients} patients, {n_folds} folds{again}, {100 * positives:.0f} % positive", tally)


def training(cohorts: int, seed: int) -> None:
    """Two equally good models on one test set: one trained head each, and ten on 80 % of the training patients."""
    for n_train, n_test in ((40, 40), (40, 200), (40, 1000), (200, 1000)):
        rng, tally = np.random.default_rng(seed), Tally()
        for _ in range(cohorts):
            train, test = featured_cohort(rng, n_train, 0.5, 2), featured_cohort(rng, n_test, 0.5, 2)
            for name, n_repeats in (("these heads", 1), ("10 repeats", 10)):
                with tempfile.TemporaryDirectory() as path:
                    folder = Folder(Path(path))
                    for repeat in range(n_repeats):
                        part = stratified_part(rng, train.y, 0.8) if n_repeats > 1 else np.arange(n_train)
                        for model, x, new in zip("ab", train.of_models, test.of_models, strict=True):
                            scores = discriminant(x[part], train.y[part], new)
                            fold = repeat + (n_repeats > 1)
                            folder.add(model, test.y, scores, np.arange(n_test), test.groups, fold)
                    tests(tally, folder.read(), f"type I, {name}")
        show(f"{n_train} training and {n_test} test patients", tally)


def stratified_part(rng: np.random.Generator, y: np.ndarray, share: float) -> np.ndarray:
    """So large a share of each class."""
    members = [np.flatnonzero(y == c) for c in np.unique(y)]
    return np.concatenate([rng.choice(m, max(2, round(share * len(m))), replace=False) for m in members])


def stars(cohorts: int, seed: int) -> None:
    """Twenty models and their baselines, all equally good: how many are marked in a table."""
    for patients, n_baselines in ((40, 1), (40, 2), (40, 3), (100, 2)):
        rng, marked = np.random.default_rng(seed), []
        design = Design(patients, 1, True, 0.5)
        for _ in range(cohorts):
            cohort = scored_cohort(rng, design, [SIGNAL] * (20 + n_baselines))
            names = [*(f"model{i}" for i in range(20)), *(f"baseline{i}" for i in range(n_baselines))]
            with tempfile.TemporaryDirectory() as path:
                folder = Folder(Path(path))
                for name, scores in zip(names, cohort.of_models, strict=True):
                    folder.add(name, cohort.y, scores, np.arange(len(cohort.y)), cohort.groups)
                marked.append(sum(bool(over.mark) for over in folder.read().over_baselines.values()))
        print(f"\n20 equal models, {n_baselines} baselines, {patients} patients: {np.mean(marked):.3f} marks a table, "
              f"{100 * np.mean(np.array(marked) > 0):.1f} % of the tables have one")  # fmt: skip


def show(title: str, tally: Tally) -> None:
    print(f"\n{title}")
    print("\n".join(f"  {line}" for line in aligned([["%", *METRICS], *tally.lines()], left=1)), flush=True)


PARTS = {"holdout": holdout, "folds": folds, "training": training, "stars": stars}


def main(arguments: Iterable[str] | None = None) -> None:
    """Print the shares of each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all if none is named")
    parser.add_argument("--cohorts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(list(arguments) if arguments is not None else None)
    for part in args.parts or PARTS:
        print(f"\n== {part}: {args.cohorts} cohorts a line, seed {args.seed}")
        PARTS[part](args.cohorts, args.seed)


if __name__ == "__main__":
    main()
