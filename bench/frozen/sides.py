"""Digests of a test side: of its samples by name, and of what remains where names are hashed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped

from bench.files import digest
from bench.frozen.records import FrozenSide


def side_of(
    ids: Shaped[np.ndarray, " sample"],
    groups: Shaped[np.ndarray, " sample"],
    labels: Shaped[np.ndarray, "sample ..."],
    classes: Sequence[str],
) -> FrozenSide:
    """The digests of the test samples, whatever their order.

    Parameters
    ----------
    ids, groups : str [N]
    labels : int64 or float64 [N] or [N, T]
        As heads take them and predictions have them.
    classes : sequence of str
        A name for each column of the scores.
    """
    ids, groups = np.asarray(ids).astype(str), np.asarray(groups).astype(str)
    order = np.argsort(ids, kind="stable")
    names = [ids[order].tolist(), groups[order].tolist()]
    own = labels[order].tolist()
    by_group: dict[str, list[str]] = {}
    for group, label in zip(names[1], own, strict=True):
        by_group.setdefault(group, []).append(repr(label))
    return FrozenSide(
        n_test=len(ids),
        n_groups=len(by_group),
        samples=digest(names),
        labels=digest([names, own, list(classes)]),
        group_sizes=digest(sorted(map(len, by_group.values()))),
        group_labels=digest([sorted(sorted(of) for of in by_group.values()), list(classes)]),
    )
