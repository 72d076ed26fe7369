"""Training sets in which class and centre go together more and more, as PathoROB's average performance drop has them.

At the first split every class comes from all centres alike; at the last, each class comes from the one centre that is
favoured for it. How many groups train a class stays the same, and so do the test samples. The published schedules
(Koemen et al. 2025, arXiv:2507.17845; 2 x 2, 4 x 4 and 6 x 2 classes and centres) are of this kind: slides of the
favoured centre rise one by one while the others fall. Here they are drawn for any numbers of classes, centres and
groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Shaped

TEST_SHARE = 0.2  # of the groups of a class in a centre
VALIDATION_SHARE = 0.1

Rows = Int[np.ndarray, " row"]


@dataclass(frozen=True)
class CorrelatedSplits:
    """One draw: rows of the samples, no group of which is in two of training, validation and test.

    Attributes
    ----------
    train, validation : tuples of int arrays
        One each a split, from no correlation of class and centre to the strongest.
    test : int array
        The same for all splits, of every class in every centre.
    cramers_v : tuple of float
        Cramer's V of class and centre among the training samples of each split, 0 to 1.
    """

    train: tuple[Rows, ...]
    validation: tuple[Rows, ...]
    test: Rows
    cramers_v: tuple[float, ...]


def in_domain_centres(
    labels: Int[np.ndarray, " sample"],
    centres: Int[np.ndarray, " sample"],
    groups: Shaped[np.ndarray, " sample"],
    leave_one: bool,
) -> list[int]:
    """The centres to train on: of those with every class, the ones whose rarest class has the most groups.

    At most as many as there are classes, so that each class can have a centre of its own. Fewer than two where too few
    centres have every class.

    Parameters
    ----------
    leave_one : bool
        Whether of three centres or more at least one is to stay outside as another domain.
    """
    every, of = np.unique(labels), np.unique(centres)
    rarest = {
        int(i): min(len(np.unique(groups[(centres == i) & (labels == j)])) for j in every) for i in of
    }  # groups of its rarest class
    whole = sorted((i for i in rarest if rarest[i]), key=lambda i: (-rarest[i], i))
    return sorted(whole[: min(len(every), max(2, len(of) - leave_one))])


def correlated_splits(
    labels: Int[np.ndarray, " sample"],
    centres: Int[np.ndarray, " sample"],
    groups: Shaped[np.ndarray, " sample"],
    *,
    n_splits: int,
    most_samples: int,
    turn: int,
    rng: np.random.Generator,
) -> CorrelatedSplits | None:
    """Draw the splits of one repeat; None where a class in a centre has too few groups for two of them.

    Parameters
    ----------
    labels, centres : int [N]
        Classes 0..C-1 and centres 0..K-1, every class in every centre, K at most C. Rows of -1 take no part.
    n_splits : int
        At most so many steps of the correlation, two or more.
    most_samples : int
        At most so many training samples, about: groups are left out, then samples of each.
    turn : int
        Which centre is favoured for a class moves on by this number.
    """
    n_classes, n_centres = int(labels.max()) + 1, int(centres.max()) + 1
    group = np.unique(groups, return_inverse=True)[1]
    order = rng.permutation(len(labels))
    of_cell: dict[tuple[int, int, int], list[int]] = {}  # centre, class, group: rows in random order
    for row in order[labels[order] >= 0].tolist():
        of_cell.setdefault((int(centres[row]), int(labels[row]), int(group[row])), []).append(row)
    cells = [(i, j) for i in range(n_centres) for j in range(n_classes)]
    pools = _pools(of_cell, cells, rng)
    most_groups = min(len(pools["train"][cell]) for cell in cells)
    most_groups = min(most_groups, max(n_centres, most_samples // n_classes)) // n_centres * n_centres
    if not most_groups or not all(pools[part][cell] for part in ("validation", "test") for cell in cells):
        return None
    sizes = [len(rows) for (i, j, g), rows in of_cell.items() if g in pools["train"][i, j]]
    each = max(1, min(int(np.median(sizes)), most_samples // (n_classes * most_groups)))

    def rows_of(part: str, cell: tuple[int, int], first: int | None = None) -> list[int]:
        return [row for g in list(pools[part][cell])[:first] for row in of_cell[*cell, g][:each]]

    train, validation = [], []
    for counts in _schedule(n_classes, n_centres, most_groups, n_splits, turn):
        train.append(np.array([row for cell in cells for row in rows_of("train", cell, counts[cell])]))
        held = []
        for cell in cells:
            rows = rows_of("validation", cell)
            held += rows[: -(-counts[cell] * len(rows) // most_groups)]
        validation.append(np.array(held))
    test = np.array([row for cell in cells for row in rows_of("test", cell)])
    correlation = tuple(cramers_v(labels[rows], centres[rows]) for rows in train)
    return CorrelatedSplits(tuple(train), tuple(validation), test, correlation)


def cramers_v(first: Int[np.ndarray, " sample"], second: Int[np.ndarray, " sample"]) -> float:
    """Cramer's V of two nominal variables, 0 to 1; NaN where one of them has one value only."""
    a, b = (np.unique(values, return_inverse=True)[1] for values in (first, second))
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)
    smaller = min(table.shape) - 1
    if not smaller:
        return float("nan")
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    chi_squared = ((table - expected) ** 2 / expected).sum()
    return float(np.sqrt(chi_squared / table.sum() / smaller))


def _pools(
    of_cell: dict[tuple[int, int, int], list[int]],
    cells: Sequence[tuple[int, int]],
    rng: np.random.Generator,
) -> dict[str, dict[tuple[int, int], dict[int, None]]]:
    """The groups of each cell that train, validate and test; a group in several cells has one part in all of them.

    The groups come in random order, and each goes to the test if one of its cells still lacks some there, then likewise
    to validation, and else to training.
    """
    cells_of: dict[int, list[tuple[int, int]]] = {}
    sizes = dict.fromkeys(cells, 0)
    for i, j, g in sorted(of_cell):
        cells_of.setdefault(g, []).append((i, j))
        sizes[i, j] += 1
    lacking = {
        "test": {cell: max(1, int(TEST_SHARE * n)) for cell, n in sizes.items()},
        "validation": {cell: max(1, int(VALIDATION_SHARE * n)) for cell, n in sizes.items()},
    }
    pools: dict[str, dict[tuple[int, int], dict[int, None]]] = {
        part: {cell: {} for cell in cells} for part in ("train", "validation", "test")
    }
    for g in rng.permutation(sorted(cells_of)).tolist():
        part = next((name for name, need in lacking.items() if any(need[cell] > 0 for cell in cells_of[g])), "train")
        for cell in cells_of[g]:
            pools[part][cell][g] = None
            if part != "train":
                lacking[part][cell] -= 1
    return pools


def _schedule(
    n_classes: int, n_centres: int, most_groups: int, n_splits: int, turn: int
) -> list[dict[tuple[int, int], int]]:
    """How many groups of each centre and class train each split; of a class `most_groups` in all."""
    least = most_groups // n_centres
    steps = np.unique(np.round(np.linspace(least, most_groups, n_splits)).astype(int)).tolist()
    schedule = []
    for step, favoured_groups in enumerate(steps):
        counts = {}
        for j in range(n_classes):
            favoured = (j * n_centres // n_classes + turn) % n_centres
            others = [i for i in range(n_centres) if i != favoured]
            part, more = divmod(most_groups - favoured_groups, len(others))
            for place, i in enumerate(others):
                counts[i, j] = part + ((place + j + step) % len(others) < more)
            counts[favoured, j] = favoured_groups
        schedule.append(counts)
    return schedule
