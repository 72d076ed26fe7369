"""Runs Patho-Bench's retrieval on small inputs and writes `pathobench_retrieval.npz`.

    python tests/official/make_pathobench_retrieval.py --official CHECKOUT_OF_mahmoodlab/Patho-Bench

The checkout is of the commit below; the environment needs torch. Its plotting library is not needed.
"""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import torch
from few_shot_inputs import CLASSES, side
from official_helpers import arguments, write

COMMIT = "mahmoodlab/Patho-Bench 660e77044640e3d7d2f1150cc6721e97454993bf"
K = [1, 5, 10]


def main() -> None:
    """Make the inputs, run the authors' code, write what it gave."""
    args = arguments(__doc__ or "")
    sys.modules.setdefault("seaborn", SimpleNamespace(set_style=lambda name: None))  # type: ignore[arg-type]
    retriever, measures = (official(args.official, name) for name in ("Retriever", "RetrievalMixin"))
    (x, y), (query, labels) = (
        (torch.from_numpy(features), torch.from_numpy(classes)) for features, classes in (side("train"), side("test"))
    )
    made = {}
    for similarity in ("l2", "cosine"):
        for centre in (False, True):
            model = retriever.Retriever(similarity, centre)
            model.fit(x, y)
            found = model.retrieve(query, max(K))
            measured = measures.RetrievalMixin()
            measured.num_classes = CLASSES
            scores = measured.retrieval_metrics(labels, found, K)["overall"]
            name = similarity + ("_centred" if centre else "")
            made[f"{name}_labels"] = found.numpy().astype(np.uint8)
            made[name] = np.array([[scores[f"top{k}_acc"], scores[f"mv@{k}_acc"], scores[f"mAP@{k}"]] for k in K])
    write(args.to, "pathobench_retrieval", COMMIT, made)


def official(checkout: Path, name: str) -> ModuleType:
    """One module of the authors."""
    spec = spec_from_file_location(name, checkout / f"patho_bench/experiments/utils/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
