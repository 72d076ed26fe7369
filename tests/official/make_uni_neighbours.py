"""Runs UNI's kNN, prototypes, few-shot episodes and top-k vote on small inputs and writes `uni_neighbours.npz`.

    python tests/official/make_uni_neighbours.py --official CHECKOUT_OF_mahmoodlab/UNI

The checkout is of the commit below; the environment needs torch, scikit-learn, pandas, tqdm and faiss-cpu.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from few_shot_inputs import SHOTS, TOP_K, side, tile_bags
from official_helpers import arguments, write

COMMIT = "mahmoodlab/UNI 42715efc11722a496e0a67f3369505a8f277206c"
EPISODES = 40
WAYS, QUERIES = 3, 6


def main() -> None:
    """Make the inputs, run the authors' code, write what it gave."""
    args = arguments(__doc__ or "")
    fewshot, protonet = official(args.official)
    (x, y), (query, answers) = (
        (torch.from_numpy(features), torch.from_numpy(labels)) for features, labels in (side("train"), side("test"))
    )
    made: dict[str, np.ndarray] = {}
    _, neighbours, _, prototypes = fewshot.eval_knn(x, y, query, answers, num_workers=1)
    made["knn"] = np.asarray(neighbours["preds_all"], dtype=np.uint8)
    made["prototype"] = np.asarray(prototypes["preds_all"], dtype=np.uint8)
    for name, shots, ways, queries in [(f"all_{s}", s, -1, len(answers)) for s in SHOTS] + [("ways", 2, WAYS, QUERIES)]:
        made |= {
            f"{name}_{key}": own for key, own in episodes(fewshot, (x, y, query, answers), shots, ways, queries).items()
        }
    bags, labels = tile_bags("train")
    model = protonet.ProtoNet()
    model.fit(
        torch.from_numpy(np.concatenate(bags)), torch.from_numpy(np.repeat(labels, [len(b) for b in bags])), False
    )
    test_bags = [torch.from_numpy(bag) for bag in tile_bags("test")[0]]
    made["topk"] = np.array([protonet.prototype_topk_vote(model, bag, TOP_K) for bag in test_bags], dtype=np.uint8)
    nearest = [model.get_topk_queries(bag, topk=TOP_K)[2].mean(axis=1) for bag in test_bags]
    made["topk_distance"] = np.array(nearest, dtype=np.float32)
    write(args.to, "uni_neighbours", COMMIT, made)


def official(checkout: Path) -> tuple[ModuleType, ModuleType]:
    """The authors' two modules, without the rest of their package."""
    package = ModuleType("official_uni")
    package.__path__ = [str(checkout / "uni/downstream/eval_patch_features")]
    sys.modules["official_uni"] = package
    return import_module("official_uni.fewshot"), import_module("official_uni.protonet")


def episodes(
    fewshot: ModuleType, data: tuple[torch.Tensor, ...], shots: int, ways: int, queries: int
) -> dict[str, np.ndarray]:
    """Supports, queries in the order of rows, predictions and metrics of the episodes that the authors' sampler draws.

    With as many queries as there are test samples all are taken, as in the authors' notebooks: their default of -1 is
    an error of torch in their sampler.
    """
    drawn, predicted = [], []
    measure, sampler = fewshot.get_eval_metrics, fewshot.FewShotEpisodeSampler

    class Watched(sampler):  # type: ignore[valid-type, misc]
        def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for support, query in super().__iter__():
                drawn.append((np.reshape(support, (self.n_way, shots)), query))
                yield support, query

    def watched(targets: torch.Tensor, guesses: torch.Tensor, **options: object) -> dict[str, float]:
        predicted.append(guesses.numpy())
        return dict(measure(targets, guesses, **options))

    fewshot.FewShotEpisodeSampler, fewshot.get_eval_metrics = Watched, watched
    torch.manual_seed(shots)
    table, _ = fewshot.eval_fewshot(*data, n_iter=EPISODES, n_way=ways, n_shot=shots, n_query=queries)
    fewshot.FewShotEpisodeSampler, fewshot.get_eval_metrics = sampler, measure
    found = {
        "support": np.array([support for support, _ in drawn], dtype=np.uint8),
        "predicted": np.array([guesses[np.argsort(rows)] for guesses, (_, rows) in zip(predicted, drawn, strict=True)]),
        "accuracy": table[f"Kw{shots}s_acc"].to_numpy(),
        "balanced_accuracy": table[f"Kw{shots}s_bacc"].to_numpy(),
    }
    found["query"] = np.array([np.sort(rows) for _, rows in drawn], dtype=np.uint8)
    return found


if __name__ == "__main__":
    main()
