"""Runs THUNDER's kNN, SimpleShot and retrieval on small inputs and writes `thunder_neighbours.npz`.

    python tests/official/make_thunder_neighbours.py

The environment needs thunder-bench 0.2.2. What THUNDER logs, stores and bootstraps is left out.
"""

from __future__ import annotations

from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import numpy as np
from few_shot_inputs import SHOTS, side, supports
from official_helpers import arguments, write
from thunder.tasks import image_retrieval, knn_classification, simple_shot
from thunder.utils import downstream_metrics

K_OF_NEIGHBOURS = [1, 3, 5, 10, 20, 30, 40, 50]
K_OF_RETRIEVAL = [1, 3, 5, 10]
EPISODES = 1000  # THUNDER takes no other number


def main() -> None:
    """Make the inputs, run the authors' code, write what it gave."""
    args = arguments(__doc__ or "")
    sides = {name: side(name) for name in ("train", "val", "test")}
    features, labels = ({name: own[i] for name, own in sides.items()} for i in (0, 1))
    none = SimpleNamespace(confidence_interval=SimpleNamespace(low=np.nan, high=np.nan))
    downstream_metrics.bootstrap = lambda *values, **options: none
    stored: dict[str, Any] = {}
    for task in (knn_classification, simple_shot):
        task.log_metrics = lambda *values, **options: None
        task.save_outputs = lambda folder, found: stored.update(found)

    knn_classification.knn(features, labels, K_OF_NEIGHBOURS, "", "")
    (k, found), *_ = stored.items()
    made = {
        "knn_k": np.array(k),
        "knn": predicted(found),
        "knn_scores": scores(found),
    }

    drawn = {
        str(shots): {
            "images": [episode.ravel() for episode in supports(labels["train"], shots, EPISODES, 0)],
            "labels": [np.repeat(np.unique(labels["train"]), shots)] * EPISODES,
        }
        for shots in SHOTS
    }
    simple_shot.get_data = lambda name, folder: {"train_few_shot": drawn}
    stored.clear()
    cfg = SimpleNamespace(dataset=SimpleNamespace())
    simple_shot.simple_shot(cfg, "", "", features["train"], features["test"], labels["test"], "", "")
    for shots in SHOTS:
        own = stored[str(shots)]
        made |= {
            f"shots_{shots}": predicted(own),
            f"shots_{shots}_scores": scores(own),
        }

    found, *_ = image_retrieval.topk_retrieval(
        features["train"], labels["train"], features["test"], labels["test"], K_OF_RETRIEVAL, compute_ci=False
    )
    for k in K_OF_RETRIEVAL:
        made[f"retrieval_{k}"] = predicted(found[k])
        made[f"retrieval_{k}_scores"] = scores(found[k])
    write(args.to, "thunder_neighbours", f"thunder-bench {version('thunder-bench')}", made)


def predicted(found: dict[str, Any]) -> np.ndarray:
    """The class of each test sample."""
    return np.array(found["per_sample_pred"], dtype=np.uint8)


def scores(found: dict[str, Any]) -> np.ndarray:
    """Accuracy, balanced accuracy and macro F1."""
    return np.array([found[name]["metric_score"] for name in ("accuracy", "balanced_accuracy", "f1")])


if __name__ == "__main__":
    main()
