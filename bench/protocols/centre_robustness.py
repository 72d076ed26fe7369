"""Centre robustness: how far the features speak of the class rather than of the centre that made the samples."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from bench import robustness
from bench.metrics import Estimator, Interval, replicate, score
from bench.protocols.base import Predictions, Samples
from bench.protocols.centres import CentredSamples, centred
from bench.protocols.checks import check_classes
from bench.protocols.knn import break_ties, vote_shares
from bench.protocols.neighbours import nearest
from bench.protocols.selection import pool
from bench.protocols.settings import FROM_ONE, POSITIVE, Range, check_settings, device_of
from registry.errors import UserError

NEEDS = ("centre",)
BLOCKS = 50  # an interval leaves out a hundredth of the groups at a time, which may be larger than the others
FEW = 10  # training samples of a class, below which a row has a note
SPLITS = 8  # at most so many steps of the correlation of class and centre, as PathoROB has on Camelyon


@dataclass
class Config:
    """Settings of the measures; the defaults are the authors'.

    Attributes
    ----------
    k
        Neighbours of the robustness index; null takes the one with the best balanced accuracy of the class for this
        model. PathoROB fixes 11 for Camelyon, 61 for TCGA and 46 for Tolkach's ESCA: models are compared at one k.
    m
        Nearest samples of each type in CRoMa.
    centres
        Names of the centres that are measured and trained on; the others are the other domain of `apd_out`, and in no
        other measure. Empty measures all, and trains on as many centres as there are classes.
    repeats
        Draws of the training sets of the average performance drop; 0 leaves it out.
    train_samples
        At most about so many samples train a classifier of the average performance drop.
    """

    k: int | None = None
    m: int = 5
    centres: list[str] = field(default_factory=list)
    repeats: int = 20
    train_samples: int = 4000
    memory_gib: float = 1.0
    device: str = "auto"

    def __post_init__(self) -> None:
        check_settings(
            "centre_robustness",
            self,
            k=FROM_ONE,
            m=FROM_ONE,
            repeats=Range(0, 10_000),
            train_samples=Range(10),
            memory_gib=POSITIVE,
        )


def check(samples: Samples, config: Config) -> None:
    """What can be said of samples before they have features. Raises UserError as `centred`."""
    centred(samples, config.centres)


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Measure all samples of all sides together: no measure is fitted to what it is computed on but by other groups.

    The metrics are `robustness_index` (PathoROB) and `mari`, `croma` and `croma_ltm10`, `apd_in` and `apd_out`
    (`bench.robustness` has the definitions), and `centre_accuracy`, the balanced accuracy of a linear probe that
    predicts the centre of samples of other groups. Intervals are over groups. Neighbours of the own group are left out.

    Scores are the votes of the k nearest training and validation samples, or of all where there are fewer.

    Raises
    ------
    UserError
        Samples that cannot be classified; fewer than two centres; a class of one centre only; a `k` or a name in
        `centres` that does not fit the samples.
    """
    device_of(config.device)
    n_classes = check_classes(train, val, test)
    learned = pool(train, val)
    samples = centred(pool(learned, test), config.centres)
    memory = int(config.memory_gib * 2**30)
    near, k, of_k = _neighbours(samples, config, memory)
    estimators, info = _of_neighbours(samples, near, k)
    notes = [*samples.notes, *info.pop("notes")]
    drops, of_drops = _drops(samples, config, seed)
    notes += of_drops.pop("notes")
    n_groups = int(samples.group.max()) + 1
    found = replicate(estimators | drops, n_groups, len(samples.labels), n_boot=1, seed=0)
    metrics = {name: asdict(of.interval()) for name, of in found.items()}
    accuracy = _centre_accuracy(samples, seed)
    if accuracy is None:
        notes.append("the centre cannot be predicted from other groups: a centre has one group only")
    else:
        metrics["centre_accuracy"] = asdict(accuracy)
    voters = min(k, len(learned))
    rows, _ = nearest(test.features, learned.features, voters, "cosine", memory, config.device)
    votes = learned.labels[rows]
    scores = break_ties(vote_shares(votes, np.array([voters]), n_classes), votes)[0]
    info |= {
        **of_k,
        **of_drops,
        "m": config.m,
        "excluded_neighbours": "the sample itself and all samples of its group",
        "centres": samples.names,
        "centres_outside": samples.names_outside,
        "measured_samples": int(samples.measured.sum()),
        "chance_centre_accuracy": 1 / len(samples.names),
        "notes": notes,
    }
    return Predictions.of(test, scores, info, metrics=metrics)


def _neighbours(
    samples: CentredSamples, config: Config, memory: int
) -> tuple[robustness.TypedNeighbours, int, dict[str, Any]]:
    """The neighbours among the measured samples, k, and what is said of it."""
    own = samples.measured
    labels, centres, groups = samples.labels[own], samples.centre[own], samples.group[own]
    most = len(labels) - int(np.bincount(groups).max())  # that the sample of the largest group has
    wanted = config.k or max(robustness.candidate_ks(most), default=0)
    if not 1 <= wanted <= most:
        raise UserError(
            f"k={config.k} of the centre_robustness head needs as many samples of other groups, and there are {most}: "
            "set a smaller k, or add groups."
        )
    spare = int(np.bincount(groups).max()) + len(labels) // BLOCKS
    near = robustness.typed_neighbours(
        samples.features[own], labels, centres, groups, k=wanted, m=config.m, spare=spare, memory_bytes=memory
    )
    if config.k:
        return near, config.k, {"k": config.k, "k_chosen_by": "settings"}
    k, accuracies = robustness.chosen_k(near, labels)
    return near, k, {"k": k, "k_chosen_by": "balanced accuracy of the class by neighbours", "k_accuracies": accuracies}


def _of_neighbours(
    samples: CentredSamples, near: robustness.TypedNeighbours, k: int
) -> tuple[dict[str, Estimator], dict[str, Any]]:
    own = samples.measured
    labels, centres, groups = samples.labels[own], samples.centre[own], samples.group[own]
    so, os = robustness.types_of(near.rows, labels, centres)
    first = slice(k + near.so.shape[1] - near.m)  # with those to spare
    weights = [of[:, first] for of in robustness.margin_weights(near, labels, centres, k)]
    rows = near.rows[:, first]
    margins = robustness.margins(near)
    notes = []
    undefined = int(np.isnan(margins).sum())
    if undefined:
        notes.append(
            f"{undefined} of {len(margins)} samples have fewer than {near.m} neighbours of each type, and no "
            "part in CRoMa"
        )
    ks = sorted({k, *robustness.PUBLISHED_K.values()} & set(range(near.fewest + 1)))
    info = {
        "robustness_index_at_k": {str(of): robustness.robustness_index(so[:, :of], os[:, :of]) for of in ks},
        "so_neighbours": int(so[:, :k].sum()),
        "os_neighbours": int(os[:, :k].sum()),
        "croma_below_zero": float((margins <= 0).sum() / max(1, len(margins) - undefined)),
        "notes": notes,
    }
    return {
        "robustness_index": robustness.index_estimator(rows, so[:, first], os[:, first], groups, k),
        "mari": robustness.index_estimator(rows, weights[0], weights[1], groups, k),
        **robustness.margin_estimators(near, groups),
    }, info


def _drops(samples: CentredSamples, config: Config, seed: int) -> tuple[dict[str, Estimator], dict[str, Any]]:
    """The average performance drop in and out of the domain, as far as there are groups enough."""
    if not config.repeats:
        return {}, {"notes": []}
    labels, centre = samples.labels, samples.centre
    inside = np.flatnonzero(samples.measured)
    codes = robustness.in_domain_centres(
        labels[inside], centre[inside], samples.group[inside], leave_one=not samples.names_outside
    )
    if len(codes) < 2:
        return {}, {"notes": ["there is no average performance drop: fewer than two centres have every class"]}
    place = np.full(len(samples.names) + 1, -1)
    place[codes] = np.arange(len(codes))
    trained = samples.measured & (place[centre] >= 0)
    seen, masked = np.where(trained, place[centre], -1), np.where(trained, labels, -1)
    outside = np.flatnonzero(~trained)
    splits: list[robustness.CorrelatedSplits] = []
    found: dict[str, list[robustness.Trial]] = {}
    for repeat in range(config.repeats):
        drawn = robustness.correlated_splits(
            masked,
            seen,
            samples.group,
            n_splits=SPLITS,
            most_samples=config.train_samples,
            turn=repeat,
            rng=np.random.default_rng([seed, repeat]),
        )
        if drawn is None or len(drawn.train) < 2:
            continue
        splits.append(drawn)
        for name, trial in robustness.trials(samples.features, labels, drawn, outside).items():
            found.setdefault(name, []).append(trial)
    if not splits:
        return {}, {"notes": ["there is no average performance drop: too few groups of a class in a centre"]}
    n_groups = int(samples.group.max()) + 1
    drops = {
        f"apd_{name}": robustness.drop_estimator(of, labels, samples.group, n_groups) for name, of in found.items()
    }
    trained_on = [samples.names[code] for code in codes]
    drop_summary = robustness.summary(found, labels, splits)
    fewest = min(len(one.train[0]) for one in splits) // len(np.unique(labels))
    notes = []
    if fewest < FEW:
        notes.append(f"the average performance drop is of classifiers trained on as few as {fewest} samples a class")
    return drops, {**drop_summary, "apd_centres": trained_on, "notes": notes}


def _centre_accuracy(samples: CentredSamples, seed: int) -> Interval | None:
    own = samples.measured
    centres, groups = samples.centre[own], samples.group[own]
    predicted = robustness.centre_predictions(samples.features[own], centres, groups, seed)
    if predicted is None:
        return None
    scores = np.eye(len(samples.names))[predicted]
    return score(centres, scores, groups, metrics=["balanced_accuracy"])["balanced_accuracy"]
