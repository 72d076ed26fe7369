"""Run HIPT's attention-based network and training loop on bags from seeds, and write abmil_hipt.npz.

python tests/official/make_abmil_hipt.py --official HIPT/2-Weakly-Supervised-Subtyping --commit 780fafae
"""

from __future__ import annotations

import contextlib
import io
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from mil_helpers import bags, balanced_orders, checkout, fill_official, save, summary_official

_, commit = checkout(
    *(
        "torchvision",
        "models.model_dsmil",
        "models.model_dgcn",
        "models.model_cluster",
        "models.model_hierarchical_mil",
    ),
    "datasets.dataset_generic",
)
setattr(np, "Inf", np.inf)  # noqa: B010  # the name that numpy 2 has no more

from models.model_clam import CLAM_SB  # noqa: E402
from utils import core_utils, utils  # noqa: E402

SIZES, EPOCHS = [20, 33, 17, 40, 25, 18], 3
LABELS = [0, 1, 0, 0, 1, 0]
SETTINGS = SimpleNamespace(opt="adam", lr=2e-4, reg=1e-5)  # the defaults of main.py
NAMES = {
    f"{own}.{part}": f"attention_net.{other}.{part}"
    for own, other in (
        *(("embed.1", "0"), ("v.0", "3.attention_a.0"), ("u.0", "3.attention_b.0"), ("w", "3.attention_c")),
    )
    for part in ("weight", "bias")
} | {f"classify.0.{part}": f"classifiers.{part}" for part in ("weight", "bias")}


def run(dim: int) -> dict[str, np.ndarray]:
    """Outputs before and after a training with the defaults of `main.py` and `--no_inst_cluster`."""
    torch.manual_seed(1)
    network = CLAM_SB(path_input_dim=dim, dropout=True, n_classes=2)
    weights = [p.detach() for name, p in network.named_parameters() if name in NAMES.values() and p.ndim > 1]
    biases = [p.detach() for name, p in network.named_parameters() if name in NAMES.values() and p.ndim == 1]
    found = {
        "initial_sd": np.array([float(p.std() * np.sqrt(sum(p.shape) / 2)) for p in weights]),
        "initial_bias": np.array([float(p.abs().max()) for p in biases]),
    }
    fill_official(network, NAMES)
    tiles = [torch.from_numpy(b) for b in bags(0, SIZES, dim)]

    def outputs() -> tuple[np.ndarray, np.ndarray]:
        network.eval()
        with torch.no_grad():
            each = [network(x) for x in tiles]
        attention = [torch.softmax(raw, 1)[0] for _, _, _, raw, _ in each]
        return torch.cat([e[0] for e in each]).numpy(), torch.cat(attention).numpy()

    found["logits"], found["attention"] = outputs()
    optimiser = utils.get_optim(network, SETTINGS)
    torch.manual_seed(2)
    for epoch, order in enumerate(balanced_orders(3, EPOCHS, LABELS)):
        loader: Any = [(tiles[i], torch.tensor([LABELS[i]])) for i in order]
        with contextlib.redirect_stdout(io.StringIO()):
            core_utils.train_loop(epoch, network, loader, optimiser, 2, None, torch.nn.CrossEntropyLoss())
    found["trained_logits"], _ = outputs()
    found["trained"] = summary_official(network, NAMES)
    return {f"{dim}_{name}": array for name, array in found.items()}


def class_weights() -> np.ndarray:
    """The weights of the bags by which HIPT draws them."""
    of_class = [np.flatnonzero(np.array(LABELS) == c) for c in (0, 1)]

    class Slides:
        slide_cls_ids = of_class

        def __len__(self) -> int:
            return len(LABELS)

        def getlabel(self, row: int) -> int:
            return LABELS[row]

    weights = utils.make_weights_for_balanced_classes_split(Slides()).numpy()
    return np.asarray(weights / weights.sum())


if __name__ == "__main__":
    arrays = {**run(16), **run(384)}
    save("abmil_hipt", commit, sizes=np.array(SIZES), labels=np.array(LABELS), weights=class_weights(), **arrays)
