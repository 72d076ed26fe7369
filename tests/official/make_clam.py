"""Run CLAM's networks, losses, training loops and early stopping on bags from seeds, and write clam.npz.

python tests/official/make_clam.py --official CLAM --commit 53e2409
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import torch
from mil_helpers import Names, bags, checkout, fill_official, orders, save, summary_official

_, commit = checkout("torchvision", "torchvision.transforms", "models.builder")
setattr(np, "Inf", np.inf)  # noqa: B010  # the name that numpy 2 has no more

from models.model_clam import CLAM_MB, CLAM_SB  # noqa: E402
from models.model_mil import MIL_fc, MIL_fc_mc  # noqa: E402
from utils import core_utils  # noqa: E402

DIM, SIZES, EPOCHS = 16, [20, 33, 17, 40, 25, 18], 2

ATTENTION = {
    f"{own}.{part}": f"attention_net.{other}.{part}"
    for own, other in (("embed.1", "0"), ("v.0", "3.attention_a.0"), ("u.0", "3.attention_b.0"), ("w", "3.attention_c"))
    for part in ("weight", "bias")
}


def names(model: str, classes: int) -> Names:
    """Our names of the parameters, and theirs."""
    parts = ("weight", "bias")
    if model == "mil_fc":
        last = "classifier" if classes == 2 else "classifiers"
        return {f"{a}.{p}": f"{b}.{p}" for a, b in (("embed.0", "fc.0"), ("classify", last)) for p in parts}
    cluster = {f"cluster.{c}.{p}": f"instance_classifiers.{c}.{p}" for c in range(classes) for p in parts}
    if model == "clam_mb":
        last = {f"classify.0.{p}": tuple(f"classifiers.{c}.{p}" for c in range(classes)) for p in parts}
    else:
        last = {f"classify.0.{p}": f"classifiers.{p}" for p in parts}
    return {**ATTENTION, **last, **({} if model == "abmil_clam" else cluster)}


def build(model: str, classes: int, subtyping: bool) -> torch.nn.Module:
    if model == "mil_fc":
        network = MIL_fc if classes == 2 else MIL_fc_mc
        return network(dropout=0.25, n_classes=classes, embed_dim=DIM)
    network = CLAM_MB if model == "clam_mb" else CLAM_SB
    return network(dropout=0.25, n_classes=classes, embed_dim=DIM, subtyping=subtyping)


def run(model: str, classes: int, subtyping: bool = False) -> dict[str, np.ndarray]:
    """Outputs before and after a training as `main.py` does it without flags."""
    clusters = model in ("clam_sb", "clam_mb")
    torch.manual_seed(1)
    network = build(model, classes, subtyping)
    own = names(model, classes)
    found = {"initial": summary_official(network, own)}
    fill_official(network, own)
    tiles = [torch.from_numpy(b) for b in bags(0, SIZES, DIM)]
    labels = [torch.tensor([i % classes]) for i in range(len(SIZES))]

    def outputs() -> tuple[np.ndarray, np.ndarray]:
        network.eval()
        with torch.no_grad():
            each = [network(x) for x in tiles]
        weights = []
        for logits, _, _, raw, _ in each:
            if model == "mil_fc":
                sure = raw[:, 1] if classes == 2 else raw.amax(1)
                weights.append((sure == sure.max()).float())
            else:
                branch = int(logits.argmax()) if model == "clam_mb" else 0
                weights.append(torch.softmax(raw, 1)[branch])
        return torch.cat([e[0] for e in each]).numpy(), torch.cat(weights).numpy()

    found["logits"], found["attention"] = outputs()
    if clusters:
        with torch.no_grad():
            losses = [network(x, label=y, instance_eval=True)[4] for x, y in zip(tiles, labels, strict=True)]
        found["instance_loss"] = np.array([float(each["instance_loss"]) for each in losses])
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4, weight_decay=1e-5)
    cross_entropy = torch.nn.CrossEntropyLoss()
    torch.manual_seed(2)
    for epoch, order in enumerate(orders(3, EPOCHS, len(SIZES))):
        loader: Any = [(tiles[i], labels[i]) for i in order]
        with contextlib.redirect_stdout(io.StringIO()):
            if clusters:
                core_utils.train_loop_clam(epoch, network, loader, optimiser, classes, 0.7, None, cross_entropy)
            else:
                core_utils.train_loop(epoch, network, loader, optimiser, classes, None, cross_entropy)
    found["trained_logits"], _ = outputs()
    found["trained"] = summary_official(network, own)
    return found


def stopping() -> dict[str, np.ndarray]:
    """Losses of sequences of epochs, the epochs that are saved, and the one that ends the training."""
    rng = np.random.default_rng(0)
    sequences = [
        np.round(1 + 0.1 * rng.normal(size=120), 1),  # ties
        np.concatenate([[0.5], np.ones(119)]),  # best at once: 50 epochs are not enough
        np.concatenate([np.linspace(1, 0.2, 40), np.full(80, 0.3)]),
        np.concatenate([np.linspace(1, 0.2, 31), np.full(80, 0.3), np.zeros(9)]),
        np.full(120, 0.7),  # nothing but ties
    ]
    saved, last = np.zeros((len(sequences), 120), dtype=bool), []
    for row, losses in enumerate(sequences):
        rule = core_utils.EarlyStopping(patience=20, stop_epoch=50)
        rule.save_checkpoint = lambda *_: saved[row].__setitem__(epoch, True)  # noqa: B023
        for epoch, loss in enumerate(losses):
            with contextlib.redirect_stdout(io.StringIO()):
                rule(epoch, float(loss), None)
            if rule.early_stop:
                break
        last.append(epoch)
    return {"stopping_losses": np.stack(sequences), "stopping_saved": saved, "stopping_last": np.array(last)}


if __name__ == "__main__":
    cases = [("abmil_clam", 3), ("clam_sb", 2), ("clam_mb", 2), ("mil_fc", 2), ("mil_fc", 3)]
    arrays = {f"{m}_{c}_{key}": a for m, c in cases for key, a in run(m, c).items()}
    for model in ("clam_sb", "clam_mb"):
        arrays |= {f"{model}_3_{key}": a for key, a in run(model, 3, subtyping=True).items()}
    save("clam", commit, sizes=np.array(SIZES), dim=np.array(DIM), epochs=np.array(EPOCHS), **arrays, **stopping())
