"""Drawing a train, validation and test split of samples in which no group is split."""

from __future__ import annotations

import hashlib

import numpy as np
from jaxtyping import Bool, Int, Shaped

from bench.tasks.config import Split

NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
ATTEMPTS = 20  # orders tried when groups of several classes get in each other's way


def assign_split(
    groups: Shaped[np.ndarray, " tile"],
    labels: Shaped[np.ndarray, " tile"],
    split: Split,
    *,
    min_groups: int = 1,
    test: Bool[np.ndarray, " tile"] | None = None,
) -> Shaped[np.ndarray, " tile"]:
    """The split label of every sample: train, validation or test.

    Parameters
    ----------
    groups : str [N]
        Samples of one group get one split label; the patient where known.
    labels : str or int [N]
        What is stratified by, as far as the groups allow.
    split : Split
    min_groups : int
        Groups of every class in train and in test, wherever there are enough.
    test : bool [N] or None
        The test samples where the data name them; None draws them.

    Returns
    -------
    str [N]
        "train", "val" or "test". The order of the samples does not matter.
    """
    if test is None:
        test = draw(groups, labels, split.test, f"test {split.seed}", min_groups)
    split_labels = np.where(test, "test", "train").astype("U5")
    rest = np.flatnonzero(~test)
    if split.val > 0:
        split_labels[rest[draw(groups[rest], labels[rest], split.val, f"val {split.seed}", 1)]] = "val"
    return split_labels


def draw(
    groups: Shaped[np.ndarray, " tile"],
    labels: Shaped[np.ndarray, " tile"],
    share: float,
    seed: str,
    min_groups: int,
) -> Bool[np.ndarray, " tile"]:
    """Draw groups until every class has about its `share` of samples drawn.

    Groups are taken in the order of a hash of seed and name, so that neither the order of the samples nor the version
    of a random generator matters.
    """
    names, group_of = np.unique(groups.astype(str), return_inverse=True)
    classes, label_of = np.unique(labels, return_inverse=True)
    counts = np.zeros((len(names), len(classes)), np.int64)
    np.add.at(counts, (group_of, label_of), 1)
    best, best_cost = np.zeros(len(names), bool), (np.inf, np.inf)
    for attempt in range(ATTEMPTS):
        drawn = _deal(counts, _shuffled(names, f"{seed}\0{attempt}\0"), share, min_groups)
        cost = _cost(counts, drawn, share, min_groups)
        if cost < best_cost:
            best, best_cost = drawn, cost
        if cost[0] == 0:
            break
    return best[group_of]


def _shuffled(names: Shaped[np.ndarray, " group"], prefix: str) -> Int[np.ndarray, " group"]:
    """Positions of the names in the order of the sha256 of prefix and name."""
    keys = b"".join([hashlib.sha256(f"{prefix}{name}".encode()).digest() for name in names.tolist()])
    words = np.frombuffer(keys, ">u8").reshape(-1, 4).astype(np.uint64)  # as words, digests compare as their bytes do
    return np.lexsort(words.T[::-1])


def _deal(
    counts: Int[np.ndarray, "group class"], order: Int[np.ndarray, " group"], share: float, min_groups: int
) -> Bool[np.ndarray, " group"]:
    """One draw: the rarest class first, its groups in `order` while they bring it nearer to its share of samples."""
    has = counts > 0
    keep, want = (part.tolist() for part in _quota(has.sum(0), min_groups, share))
    target = (share * counts.sum(0)).tolist()
    left, drawn_groups, drawn_tiles = has.sum(0).tolist(), [0] * len(keep), [0.0] * len(keep)
    drawn = np.zeros(len(counts), bool)
    # plain lists of the classes of each group: a step costs a few of them, and there may be a step a tile
    rows, columns = np.nonzero(has)
    starts = np.searchsorted(rows, np.arange(len(counts) + 1)).tolist()
    classes, tiles = columns.tolist(), counts[rows, columns].tolist()

    def may(group: int) -> bool:
        return not drawn[group] and all(left[c] > keep[c] for c in classes[starts[group] : starts[group + 1]])

    def take(group: int) -> None:
        drawn[group] = True
        for cell in range(starts[group], starts[group + 1]):
            left[classes[cell]] -= 1
            drawn_groups[classes[cell]] += 1
            drawn_tiles[classes[cell]] += tiles[cell]

    for label in np.argsort(left, kind="stable").tolist():
        members = order[has[order, label]]
        for group, size in zip(members.tolist(), counts[members, label].tolist(), strict=True):
            if drawn_tiles[label] >= target[label]:
                break
            if drawn_tiles[label] + size / 2 <= target[label] and may(group):
                take(group)
        smallest_first = members[np.argsort(counts[members, label], kind="stable")]
        for group in smallest_first.tolist():
            if drawn_groups[label] >= want[label]:
                break
            if may(group):
                take(group)
    return drawn


def _quota(
    groups: Int[np.ndarray, " class"], min_groups: int, share: float
) -> tuple[Int[np.ndarray, " class"], Int[np.ndarray, " class"]]:
    """Groups of each class that must stay and that should be drawn."""
    keep = np.minimum(min_groups, (groups + 1) // 2)
    want = np.minimum(min_groups, groups - keep) if share > 0 else np.zeros_like(keep)
    return keep, want


def _cost(
    counts: Int[np.ndarray, "group class"], drawn: Bool[np.ndarray, " group"], share: float, min_groups: int
) -> tuple[float, float]:
    """Groups that classes lack in either part, then the mean distance from the share."""
    has = counts > 0
    keep, want = _quota(has.sum(0), min_groups, share)
    lacking = np.maximum(want - has[drawn].sum(0), 0).sum() + np.maximum(keep - has[~drawn].sum(0), 0).sum()
    return float(lacking), float(np.abs(counts[drawn].sum(0) / counts.sum(0) - share).mean())
