"""What a run ought to predict, from a plain loop over the samples: no batches, no shards, no cache, no bench.

The features are those of `stand_in_models`, the head is the one nearest neighbour.
"""

from __future__ import annotations

import numpy as np
from stand_in_models import PATH

from bench.rows import read_predictions

NEAREST = ("protocols.knn.k=[1]", "protocols.knn.metric=l2")
USUAL = (f"plugins=[{PATH}]", "null=none", "bootstrap=20", "protocol=knn", *NEAREST)


def means(pixels):
    """The nine numbers of `stand_in_models.Means`, from uint8 pixels [H, W, 3], as the store rounds them."""
    height, width, _ = pixels.shape
    parts = (pixels, pixels[: height // 2], pixels[:, : width // 2])
    of_parts = np.concatenate([part.mean((0, 1), dtype=np.float64) for part in parts]) / 255
    return of_parts.astype(np.float16).astype(np.float64)


def nearest_labels(vectors, labels, tested):
    """By id of each tested sample: the label of the one that is nearest to it among the others.

    Parameters
    ----------
    vectors, labels : dict of id -> float [D], and of id -> str
    tested : collection of ids
        Those without a vector are left out.
    """
    known = [name for name in vectors if name not in tested]
    database = np.stack([vectors[name] for name in known])
    found = {}
    for name in vectors.keys() & set(tested):
        distance = np.linalg.norm(database - vectors[name], axis=1)
        first, second = np.sort(distance)[:2]
        assert second - first > 1e-4, "the test's data must leave no doubt which sample is the nearest"
        found[name] = labels[known[distance.argmin()]]
    return found


def predicted(folder, one, results="results"):
    """Of each tested sample by its id: the predicted label, the true label and the group."""
    saved = read_predictions(folder / results / one["predictions"])
    guess = saved.scores.argmax(1)
    return {
        str(name): (saved.classes[g], saved.classes[y], str(group))
        for name, g, y, group in zip(saved.ids, guess, saved.y_true, saved.groups, strict=True)
    }


def expected(vectors, labels, groups, tested):
    """The same from the plain loop."""
    found = nearest_labels(vectors, labels, tested)
    return {name: (label, labels[name], groups[name]) for name, label in found.items()}
