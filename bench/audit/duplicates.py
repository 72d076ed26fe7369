"""Near-duplicates within a side and across sides: by the tiles' perceptual hash, and by features of a random network.

The hash of a tile is the signs of the 63 lowest frequencies of its cosine transform at 32 x 32 grey levels (Zauner
2010, Implementation and benchmarking of perceptual image hash functions). A tile is compared with another in its eight
orientations, and a pair of near hashes counts where the grey levels correlate too, so that hashes of nearly empty
tiles, which say little, make no pair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
from PIL import Image

from bench.audit.audited_task import AuditedTask
from bench.audit.numbers import plain
from bench.audit.rule import Rule
from bench.verdicts import Finding, Number

ORDER = 50
MOST_TILES = 10_000
"""Samples that are compared at most; of larger tasks as many are drawn."""
SIDE, LOW = 32, 8
MOST_BITS = 6
ALIKE = 0.9
"""Correlation of the grey levels of near-duplicates at 32 x 32 at least: nearly empty tiles have hashes by chance."""
LEAST_DETAIL = 3.0
"""Standard deviation of the grey levels at 32 x 32 below which a tile is too empty to be compared."""
NEAR = 0.1
"""Samples are near-duplicates by features if they are nearer than this share of the median nearest distance."""
COPIED = 2e-3
"""Standardised features that differ by less, by the root of the mean square, are those of copies."""
FEWEST = 20
SHOWN = 5
ROWS_AT_ONCE = 512
RULES = (
    Rule(
        "near-duplicates across sides",
        f"A test tile and a training or validation tile have hashes that differ in at most {MOST_BITS} of 63 bits and "
        f"grey levels at {SIDE} x {SIDE} with a correlation of at least {ALIKE:g}, in any of the eight orientations; "
        f"or, by features, a test sample is nearer to one of them than {NEAR:g} of the median distance of a sample to "
        "its nearest one that is no copy. Within a side it is a note.",
    ),
)
CHECK = "duplicates"


@dataclass(frozen=True)
class Pairs:
    """Pairs of samples that look alike, the test sample first where the pair is across sides.

    Attributes
    ----------
    across, within : int [P, 2]
        Indices of samples, in the order of the nearest pair first.
    n_looked_at : int
        Samples that were compared.
    """

    across: np.ndarray
    within: np.ndarray
    n_looked_at: int


def findings(task: AuditedTask) -> Iterator[Finding]:
    """A finding by tiles, where samples are tiles, and one by features."""
    if task.tiles is None:
        yield Finding(CHECK, "tiles", "absent", "Samples are slides, so tiles are not compared; their features are.")
    else:
        yield _finding(task, "tiles", "their pixels", by_tiles(task))
    networks = task.nulls.get("random network", ())
    if not len(networks) or len(task.ids) < FEWEST:
        yield Finding(CHECK, "features", "absent", "No features were made, so near-duplicates by features are unknown.")
        return
    yield _finding(task, "features", "the features of a random network", by_features(task, networks[0]))


def pictures(task: AuditedTask, found: Sequence[Finding]) -> Iterator[tuple[str, list[np.ndarray]]]:
    """The pairs across sides that the findings name, side by side."""
    assert task.tiles is not None
    place = {name: number for number, name in enumerate(task.ids.tolist())}
    for one in found:
        for number in range(1, SHOWN + 1):
            pair = [str(one.numbers[key]) for key in _keys(number) if key in one.numbers]
            if len(pair) == 2:
                yield f"{pair[0]} (test) and {pair[1]}, by {one.subject}", task.tiles([place[name] for name in pair])


def by_tiles(task: AuditedTask) -> Pairs:
    """Pairs of tiles whose pixels are nearly the same, in any orientation."""
    assert task.tiles is not None
    chosen = _looked_at(task)
    small = np.stack([_small(task.tiles([index])[0]) for index in chosen])
    detailed = small.std(axis=(1, 2)) >= LEAST_DETAIL
    chosen, small = chosen[detailed], small[detailed]
    signs = _signs(small)
    found: dict[tuple[int, int], float] = {}
    for turned in _orientations(small):
        for first, second in _near_hashes(_signs(turned), signs):
            a, b = min(first, second), max(first, second)
            if a == b:
                continue
            correlation = float(np.corrcoef(turned[first].ravel(), small[second].ravel())[0, 1])
            if correlation >= ALIKE:
                found[a, b] = max(correlation, found.get((a, b), -1.0))
    order = sorted(found, key=lambda pair: (-found[pair], pair))
    return _sorted(task, [(int(chosen[a]), int(chosen[b])) for a, b in order], len(chosen))


def by_features(task: AuditedTask, features: Sequence[np.ndarray]) -> Pairs:
    """Pairs of samples whose features, or the means of whose bags, are much nearer than those of others."""
    chosen = _looked_at(task)
    vectors = np.stack([np.asarray(features[index], np.float64).reshape(-1, np.shape(features[index])[-1]).mean(0)
                        for index in chosen])  # fmt: skip
    spread = vectors.std(axis=0)
    vectors = ((vectors - vectors.mean(axis=0)) / np.where(spread > 0, spread, 1)).astype(np.float32)
    every = np.arange(len(chosen))
    nearest, where = _nearest(vectors, every, every)
    copied = COPIED * np.sqrt(vectors.shape[1])
    apart = nearest[nearest > copied]
    limit = max(NEAR * np.median(apart), copied) if len(apart) else copied
    found = [(every, where, nearest)]
    for side in (side[chosen] for side in task.sides):  # a copy on its own side hides none on the other
        tested, learned = np.flatnonzero(side == "test"), np.flatnonzero((side == "train") | (side == "val"))
        if len(tested) and len(learned):
            distance, other = _nearest(vectors, tested, learned)
            found.append((tested, other, distance))
    pairs = {
        (min(a, b), max(a, b)): distance
        for of, to, distances in found
        for a, b, distance in zip(of.tolist(), to.tolist(), distances.tolist(), strict=True)
        if distance < limit
    }
    order = sorted(pairs, key=lambda pair: (pairs[pair], pair))
    return _sorted(task, [(int(chosen[a]), int(chosen[b])) for a, b in order], len(chosen))


def _nearest(vectors: np.ndarray, of: np.ndarray, to: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row of `of` the distance to the nearest other row of `to`, and which it is."""
    squares = (vectors**2).sum(axis=1)
    nearest, where = np.empty(len(of)), np.empty(len(of), np.int64)
    for start in range(0, len(of), ROWS_AT_ONCE):
        rows = of[start : start + ROWS_AT_ONCE]
        distances = squares[rows, None] + squares[to] - 2 * vectors[rows] @ vectors[to].T
        distances[rows[:, None] == to] = np.inf
        place = slice(start, start + len(rows))
        where[place] = to[distances.argmin(axis=1)]
        nearest[place] = np.sqrt(np.maximum(distances.min(axis=1), 0))
    return nearest, where


def _finding(task: AuditedTask, subject: str, words: str, pairs: Pairs) -> Finding:
    tested = len({test for test, _ in pairs.across.tolist()})
    numbers: dict[str, Number] = {
        "n_looked_at": pairs.n_looked_at,
        "n_pairs_across": len(pairs.across),
        "n_pairs_within": len(pairs.within),
        "n_test_samples": tested,
        "share_of_test": plain(tested / max(1, int(task.test.sum()))),
    }
    for number, pair in enumerate(pairs.across[:SHOWN].tolist(), start=1):
        numbers |= dict(zip(_keys(number), (str(task.ids[index]) for index in pair), strict=True))
    if len(pairs.across):
        first, second = (task.ids[index] for index in pairs.across[0])
        other = ""
        if task.kind in ("classes", "ordinal"):
            unlike = sum(task.labels[a] != task.labels[b] for a, b in pairs.across.tolist())
            other = f"; {unlike} of the {len(pairs.across)} pairs have different labels" if unlike else ""
        sentence = (
            f"By {words} {tested} of {int(task.test.sum())} test samples have a near-duplicate in training or "
            f"validation, the nearest being {first} and {second}{other}: a head that remembers the other one "
            "needs no tissue to be right."
        )
        return Finding(CHECK, subject, "warning", sentence, RULES[0].name, "duplicates across sides", "", numbers)
    if len(pairs.within):
        first, second = (task.ids[index] for index in pairs.within[0])
        sentence = (
            f"By {words} {len(pairs.within)} {'pair' if len(pairs.within) == 1 else 'pairs'} of near-duplicates lie "
            f"within a side, the nearest being {first} and {second}, and none is across sides."
        )
        return Finding(CHECK, subject, "note", sentence, RULES[0].name, numbers=numbers)
    sentence = f"By {words} none of {pairs.n_looked_at:,} samples is a near-duplicate of another."
    return Finding(CHECK, subject, "clear", sentence, numbers=numbers)


def _looked_at(task: AuditedTask) -> np.ndarray:
    """The samples with a part in the task, or as many of each side as there is time for."""
    used = np.flatnonzero(np.any([side != "" for side in task.sides], axis=0))
    if len(used) <= MOST_TILES:
        return used
    return np.sort(np.random.default_rng(0).permutation(used)[:MOST_TILES])


def _sorted(task: AuditedTask, pairs: Sequence[tuple[int, int]], n_looked_at: int) -> Pairs:
    """The pairs across sides in any fold, test sample first, and those that are within a side in every fold."""
    across, within = [], []
    for a, b in pairs:
        sides = [(side[a], side[b]) for side in task.sides if side[a] and side[b]]
        first = [one == "test" for one, other in sides if (one == "test") != (other == "test")]
        if first:
            across.append((a, b) if first[0] else (b, a))
        elif sides:
            within.append((a, b))
    empty = np.empty((0, 2), np.int64)
    return Pairs(np.array(across) if across else empty, np.array(within) if within else empty, n_looked_at)


def _keys(number: int) -> tuple[str, str]:
    return f"test sample {number}", f"near-duplicate {number}"


def _small(tile: np.ndarray) -> np.ndarray:
    """A tile as grey levels at 32 x 32, float32."""
    return np.asarray(Image.fromarray(tile).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)


def _orientations(small: np.ndarray) -> Iterator[np.ndarray]:
    """The eight orientations of tiles [N, 32, 32]."""
    for turns in range(4):
        turned = np.rot90(small, turns, axes=(1, 2))
        yield turned
        yield turned[:, :, ::-1]


def _signs(small: np.ndarray) -> np.ndarray:
    """Signs of the low frequencies of tiles, float32 [N, 63] of -1 and 1."""
    low = scipy.fft.dctn(small, axes=(1, 2))[:, :LOW, :LOW].reshape(len(small), -1)[:, 1:]
    return np.where(low > 0, 1, -1).astype(np.float32)


def _near_hashes(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[int, int]]:
    """Rows of both whose hashes differ in few bits."""
    for start in range(0, len(a), ROWS_AT_ONCE):
        bits = (a.shape[1] - a[start : start + ROWS_AT_ONCE] @ b.T) / 2
        for row, column in np.argwhere(bits <= MOST_BITS).tolist():
            yield start + row, column
