"""Run DSMIL's network, training and choice of epoch on bags from seeds, and write dsmil.npz.

python tests/official/make_dsmil.py --official dsmil-wsi --commit 80465ed
"""

from __future__ import annotations

import contextlib
import io
from argparse import Namespace
from typing import Any

import numpy as np
import torch
from mil_helpers import Names, bags, checkout, fill_official, orders, save, summary_official

_, commit = checkout("torchvision", "torchvision.transforms", "torchvision.transforms.functional")

import dsmil  # noqa: E402
import train_tcga  # noqa: E402

DIM, SIZES, EPOCHS = 16, [20, 33, 17, 40, 25, 18, 1, 22], 3
NAMES: Names = {
    f"{own}.{part}": f"{other}.{part}"
    for own, other in (
        ("instance", "i_classifier.fc.0"),
        ("query.0", "b_classifier.q.0"),
        ("query.2", "b_classifier.q.2"),
        ("bag", "b_classifier.fcc"),
    )
    for part in ("weight", "bias")
}


def build(outputs: int) -> torch.nn.Module:
    """The network as `init_model` in `main` makes it: orthogonal weights, no biases."""
    instances = dsmil.FCLayer(in_size=DIM, out_size=outputs)
    of_bag = dsmil.BClassifier(input_size=DIM, output_class=outputs, dropout_v=0, nonlinear=1)
    network = dsmil.MILNet(instances, of_bag)
    for layer in network.modules():
        if isinstance(layer, torch.nn.Linear | torch.nn.Conv1d):
            torch.nn.init.orthogonal_(layer.weight)
            torch.nn.init.constant_(layer.bias, 0)
    return network


def run(classes: int) -> dict[str, np.ndarray]:
    """Outputs before and after a training, and after each epoch the number by which it would be chosen."""
    outputs = 1 if classes == 2 else classes
    torch.manual_seed(1)
    network = build(outputs)
    found = {"initial": summary_official(network, NAMES)}
    fill_official(network, NAMES)
    labels = [i % classes for i in range(len(SIZES))]
    tiles = [torch.from_numpy(b) for b in bags(0, SIZES, DIM)]
    own = [torch.tensor([float(y)]) if outputs == 1 else torch.eye(classes)[y] for y in labels]
    files = {i: torch.cat([x, y.expand(len(x), -1)], dim=1) for i, (x, y) in enumerate(zip(tiles, own, strict=True))}
    torch.load = lambda name, **_: files[name]  # type: ignore[assignment]
    torch.cuda.FloatTensor = lambda x: x  # type: ignore[assignment,misc]

    def logits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        network.eval()
        with torch.no_grad():
            each = [network(x) for x in tiles]
        return (
            torch.cat([of_bag for _, of_bag, _, _ in each]).numpy(),
            torch.stack([of_tiles.max(0)[0] for of_tiles, _, _, _ in each]).numpy(),
            torch.cat([weights.mean(1) for _, _, weights, _ in each]).numpy(),
        )

    found["logits"], found["second_stream"], found["attention"] = logits()
    args: Any = Namespace(feats_size=DIM, dropout_patch=0, num_classes=outputs, average=False)
    loss = torch.nn.BCEWithLogitsLoss()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.0001, betas=(0.5, 0.9), weight_decay=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS, 0.000005)
    losses, chosen_by = [], []
    for order in orders(3, EPOCHS, len(SIZES)):
        train_tcga.shuffle = lambda names, order=order: [names[i] for i in order]
        with contextlib.redirect_stdout(io.StringIO()):
            losses.append(train_tcga.train(args, list(files), network, loss, optimiser))
            _, accuracy, areas, _ = train_tcga.test(args, list(files), network, loss)
        scheduler.step()
        chosen_by.append(train_tcga.get_current_score(accuracy, areas))
    found |= {"losses": np.array(losses), "chosen_by": np.array(chosen_by)}
    found["trained_logits"], _, _ = logits()
    found["trained"] = summary_official(network, NAMES)
    return found


if __name__ == "__main__":
    arrays = {f"{classes}_{key}": array for classes in (2, 3) for key, array in run(classes).items()}
    save("dsmil", commit, sizes=np.array(SIZES), dim=np.array(DIM), epochs=np.array(EPOCHS), **arrays)
