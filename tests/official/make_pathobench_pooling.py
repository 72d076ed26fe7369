"""Patho-Bench's mean of the slides of each patient and its linear probe on them, written to pathobench_pooling.npz.

Both repositories lie beside each other; `--official` is the folder of Patho-Bench, TRIDENT the one beside it:

    python tests/official/make_pathobench_pooling.py --official REPOSITORIES/Patho-Bench --commit 660e770+a91fa84
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import h5py
import numpy as np
import torch
from mil_helpers import checkout, empty, save
from pooling_inputs import TRAIN, patients

folder, commit = checkout("seaborn", "sksurv", "sksurv.metrics", "lovely_tensors", "IPython.display", "einops")
trident = ModuleType("trident")  # the package itself imports readers of slides
trident.__path__ = [str(folder.parent / "TRIDENT" / "trident")]
sys.modules["trident"] = trident
empty("trident.IO")

from make_linear_pathobench import Sides  # noqa: E402
from patho_bench.datasets.PatchEmbeddingsDataset import PatchEmbeddingsDataset  # noqa: E402
from patho_bench.experiments.LinearProbeExperiment import LinearProbeExperiment  # noqa: E402
from patho_bench.Pooler import Pooler  # noqa: E402
from trident.slide_encoder_models.load import encoder_factory  # noqa: E402


def pooled(slides: list[list[np.ndarray]], combined: bool) -> np.ndarray:
    """The vector of each patient, with the slides of a patient combined before they are pooled or not."""
    with tempfile.TemporaryDirectory() as place:
        data = []
        for row, own in enumerate(slides):
            names = [f"{row:03d}-{number}" for number in range(len(own))]
            for name, tiles in zip(names, own, strict=True):
                with h5py.File(Path(place) / f"{name}.h5", "w") as file:
                    file["features"], file["coords"] = tiles, np.zeros((len(tiles), 2), np.int64)
                    file["coords"].attrs["patch_size_level0"] = 256
            data.append({"id": f"{row:03d}", "slide_id": names, "folds": ["train"]})
        split: Any = SimpleNamespace(data=data, num_folds=1)
        dataset = PatchEmbeddingsDataset(split, place, combine_slides_per_patient=combined)
        encoder = encoder_factory("mean-resnet50")
        with torch.inference_mode():
            vectors = [
                Pooler.pool(encoder, Pooler.prepare_slide_encoder_input_batch(dataset.collate_fn([dataset[i]])), "cpu")
                for i in dataset.ids
            ]
    return torch.stack(vectors).reshape(len(slides), -1).numpy()


def probed(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Probabilities of the test patients by the default linear probe."""
    with tempfile.TemporaryDirectory() as place:
        experiment = LinearProbeExperiment(
            dataset=Sides(train=(features[:TRAIN], labels[:TRAIN])),
            task_name="task",
            num_classes=2,
            num_bootstraps=1,
            cost=1,
            max_iter=10000,
            balanced_class_weights=False,
            results_dir=place,
        )
        experiment.train()
    return np.asarray(experiment.models[0].predict_proba(torch.from_numpy(features[TRAIN:])))


if __name__ == "__main__":
    inputs, classes = patients()
    means, combined = pooled(inputs, False), pooled(inputs, True)
    save("pathobench_pooling", commit, means=means, combined=combined, scores=probed(means, classes))
