"""Run CLAM's network in PANTHER's training of UNI features on bags from seeds, and write abmil_uni.npz.

python tests/official/make_abmil_uni.py --official PANTHER/src --clam CLAM --commit "PANTHER 15531d3, CLAM 53e2409"

UNI's paper names CLAM as its scaffold, and its authors published no code of their ABMIL. The folder of CLAM may hold
`models/model_clam.py` alone.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from mil_helpers import bags, fill_official, load_file, orders, save, summary_official

CLAM = Path(sys.argv.pop(sys.argv.index("--clam") + 1))
sys.argv.remove("--clam")

from mil_helpers import checkout  # noqa: E402

_, commit = checkout(
    *("torch.utils.tensorboard", "sksurv", "sksurv.metrics", "sksurv.util", "mil_models.tokenizer", "utils.losses"),
    *("mil_models.model_PANTHER", "mil_models.model_OT", "mil_models.model_h2t", "mil_models.model_protocount"),
    *("mil_models.model_linear", "mil_models.model_factory"),
)
setattr(np, "Inf", np.inf)  # noqa: B010  # the name that numpy 2 has no more

from mil_models.components import process_clf  # noqa: E402
from mil_models.model_abmil import ABMIL  # noqa: E402
from mil_models.model_configs import ABMILConfig  # noqa: E402
from training import trainer  # noqa: E402
from utils.utils import EarlyStopping, get_lr_scheduler, get_optim  # noqa: E402

DIM, BAGS, EPOCHS, BATCH, INPUT_DROPOUT = 8, 70, 3, 32, 0.1
SETTINGS = {"opt": "adamW", "lr": 1e-4, "wd": 1e-5, "lr_scheduler": "cosine", "warmup_steps": -1, "warmup_epochs": 1}
PARTS = ("weight", "bias")
LAYERS = {"embed.1": "0", "v.0": "3.attention_a.0", "u.0": "3.attention_b.0", "w": "3.attention_c"}
OF_CLAM = {f"{own}.{part}": f"attention_net.{other}.{part}" for own, other in LAYERS.items() for part in PARTS} | {
    f"classify.0.{part}": f"classifiers.{part}" for part in PARTS
}
HEADS = {"v.0": "attention_a.0", "u.0": "attention_b.0", "w": "attention_c"}
OF_PANTHER = {f"{own}.{part}": f"attention_net.{other}.{part}" for own, other in HEADS.items() for part in PARTS} | {
    **{f"embed.1.{part}": f"mlp.0.{part}" for part in PARTS},
    **{f"classify.0.{part}": f"classifier.{part}" for part in PARTS},
}


def official_clam() -> type[torch.nn.Module]:
    """The network of CLAM, whose package has the name of one of PANTHER's."""
    return load_file(CLAM / "models" / "model_clam.py").CLAM_SB


class Scaffold(torch.nn.Module):
    """CLAM's network as PANTHER's training calls one."""

    def __init__(self) -> None:
        super().__init__()
        self.network = official_clam()(size_arg="big", dropout=0.25, n_classes=2, embed_dim=DIM)

    def forward(self, tiles: torch.Tensor, model_kwargs: dict[str, Any]) -> Any:
        logits = self.network(tiles[0])[0]
        return process_clf(logits, model_kwargs["label"], model_kwargs["loss_fn"])


class Loader:
    """Bags one at a time, in another order each epoch."""

    def __init__(self, tiles: list[torch.Tensor]) -> None:
        self.batches = [{"img": x[None], "label": torch.tensor([i % 2])} for i, x in enumerate(tiles)]
        self.orders = orders(3, EPOCHS, len(tiles))
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        self.epoch += 1
        return iter([self.batches[i] for i in self.orders[self.epoch - 1]])


def run() -> dict[str, np.ndarray]:
    """Outputs before and after a training as PANTHER's script has it, with a rate and decay that act in six steps."""
    tiles = [torch.from_numpy(b) for b in bags(0, [5 + i % 4 for i in range(BAGS)], DIM)]
    scaffold = Scaffold()
    network = scaffold.network
    fill_official(network, OF_CLAM)
    network.eval()
    with torch.no_grad():
        each = [network(x) for x in tiles]
    found = {
        "logits": torch.cat([e[0] for e in each]).numpy(),
        "attention": torch.cat([torch.softmax(e[3], 1)[0] for e in each]).numpy(),
    }
    args = SimpleNamespace(**{**SETTINGS, "lr": 1e-2, "wd": 0.1}, max_epochs=EPOCHS, accum_steps=BATCH)
    loader = Loader(tiles)
    optimiser = get_optim(model=scaffold, args=args)
    scheduler = get_lr_scheduler(args, optimiser, loader)
    torch.manual_seed(2)
    rates = []
    for _ in range(EPOCHS):
        with contextlib.redirect_stdout(io.StringIO()):
            trainer.train_loop_classification(
                scaffold,
                loader,
                optimiser,
                scheduler,
                torch.nn.CrossEntropyLoss(),
                in_dropout=INPUT_DROPOUT,
                accum_steps=BATCH,
            )
        rates.append(optimiser.param_groups[0]["lr"])  # of the step to come
    network.eval()
    with torch.no_grad():
        found["trained_logits"] = torch.cat([network(x)[0] for x in tiles]).numpy()
    found["trained"] = summary_official(network, OF_CLAM)
    found["rates"] = np.array(rates)
    return found


def own_network() -> np.ndarray:
    """Logits of PANTHER's own network with the same weights, without dropout."""
    network = ABMIL(ABMILConfig(in_dim=DIM, n_classes=2), "classification")
    fill_official(network, OF_PANTHER)
    network.eval()
    tiles = bags(0, [5 + i % 4 for i in range(BAGS)], DIM)
    with torch.no_grad():
        return torch.cat([network.forward_no_loss(torch.from_numpy(b)[None])["logits"] for b in tiles]).numpy()


def stopping() -> dict[str, np.ndarray]:
    """Losses of sequences of epochs, the epochs that are saved, and the one that ends the training."""
    rng = np.random.default_rng(0)
    sequences = [
        np.round(1 + 0.1 * rng.normal(size=20), 1),  # ties
        np.concatenate([[0.5], np.ones(19)]),
        np.concatenate([np.linspace(1, 0.2, 8), np.full(12, 0.3)]),
        np.full(20, 0.7),
    ]
    saved, last = np.zeros((len(sequences), 20), dtype=bool), []
    for row, losses in enumerate(sequences):
        rule = EarlyStopping(save_dir="", patience=10, min_stop_epoch=15, better="min")
        rule.save_checkpoint = lambda *_: saved[row].__setitem__(epoch, True)  # noqa: B023
        for epoch, loss in enumerate(losses):
            with contextlib.redirect_stdout(io.StringIO()):
                if rule(epoch, float(loss), None, {}):
                    break
        last.append(epoch)
    return {"stopping_losses": np.stack(sequences), "stopping_saved": saved, "stopping_last": np.array(last)}


if __name__ == "__main__":
    settings = {"dim": np.array(DIM), "epochs": np.array(EPOCHS), "own_network": own_network()}
    save("abmil_uni", commit, **settings, **run(), **stopping())
