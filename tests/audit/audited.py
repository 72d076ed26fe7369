"""Small audited tasks for tests: made-up samples, and heads that are fitted to them without a configuration."""

from __future__ import annotations

import numpy as np

from bench.audit import AuditedTask, Predicted
from bench.protocols import Samples, configured

HEADS = {"linear": {"kind": "linear", "n_strengths": 5}, "knn": {"kind": "knn", "k": [1, 5, 20]}}


def audited(n_groups=40, per_group=4, seed=0, classes=2, heads=("linear",), **more):
    """A task whose groups have one label each; ids, controls and features are set by `more`."""
    rng = np.random.default_rng(seed)
    groups = np.repeat([f"case{number:03d}" for number in range(n_groups)], per_group)
    labels = np.repeat(rng.permutation(np.arange(n_groups) % classes), per_group)
    side = np.repeat(np.where(rng.permutation(n_groups) % 2, "train", "test"), per_group)
    ids = np.array([f"{group}_{place}" for place, group in enumerate(groups)])
    of = {
        "ids": ids,
        "groups": groups,
        "labels": labels,
        "sides": (side,),
        "classes": tuple(f"class{c}" for c in range(classes)),
    } | more
    configs = {name: configured(HEADS[name]) for name in heads}

    def fit(head, features, fold_seed):
        parts = []
        for sides in of["sides"]:
            every = Samples(
                of["ids"], of["groups"], np.asarray(features, np.float32), of["labels"], of["classes"], "classes"
            )
            found = configs[head].fit_predict(
                every.take(sides == "train"), None, every.take(sides == "test"), fold_seed
            )
            parts.append(found)
        return Predicted(
            *(np.concatenate([getattr(one, name) for one in parts]) for name in ("ids", "groups", "y_true", "scores"))
        )

    fields = {"paths": of["ids"], "index": np.full(len(groups), -1)} | of
    return AuditedTask(
        name="made_up",
        cohort="0" * 8,
        kind="classes",
        metric="balanced_accuracy",
        unit="tile",
        fit=fit,
        heads=tuple(heads),
        **fields,
    )
