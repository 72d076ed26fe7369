"""Run TRIDENT's ABMIL in Patho-Bench's training on bags from seeds, and write pathobench_abmil.npz.

Both repositories lie beside each other; `--official` is the folder of Patho-Bench, TRIDENT the one beside it:

    python tests/official/make_pathobench_abmil.py --official REPOSITORIES/Patho-Bench --commit 660e770+a91fa84
"""

from __future__ import annotations

import sys
import zlib
from types import ModuleType
from typing import Any

import numpy as np
import torch
from mil_helpers import Names, bags, checkout, empty, fill_official, orders, save, summary_official

folder, commit = checkout("seaborn", "sksurv", "sksurv.metrics", "lovely_tensors", "IPython.display", "trident.IO")
trident = ModuleType("trident")  # the package itself imports readers of slides
trident.__path__ = [str(folder.parent / "TRIDENT" / "trident")]
sys.modules["trident"] = trident
empty("trident.IO")

from patho_bench.datasets.BaseDataset import BaseDataset  # noqa: E402
from patho_bench.experiments.FinetuningExperiment import FinetuningExperiment  # noqa: E402
from patho_bench.optim.NLLSurvLoss import NLLSurvLoss  # noqa: E402
from patho_bench.TrainableSlideEncoder import TrainableSlideEncoder  # noqa: E402
from sklearn.utils.class_weight import compute_class_weight  # noqa: E402
from trident.slide_encoder_models.load import encoder_factory  # noqa: E402

DIM, SIZES, EPOCHS = 24, [20, 33, 17, 40, 25, 18], 3
LABELS = np.array([0, 0, 0, 0, 1, 2])  # the classes are of different sizes, so that their weights would tell
OPTIONS = {
    "abmil_pathobench": {"n_heads": 1, "head_dim": 512, "dropout": 0.25, "gated": False},
    "abmil_multihead": {"n_heads": 8, "head_dim": 256, "dropout": 0.0, "gated": False},
    "gated": {"n_heads": 2, "head_dim": 16, "dropout": 0.1, "gated": True},
}


def names(heads: int, gated: bool) -> Names:
    """Our names of the parameters, and theirs."""
    model, pool = "slide_encoder.model", "slide_encoder.model.image_pooler"
    own = {"embed.0": f"{model}.pre_attention_layers.0", "after.0": f"{model}.post_attention_layers.0"}
    for head in range(heads):
        own |= {f"v.{head}.0": f"{pool}.attention_heads.{head}.0", f"w.{head}": f"{pool}.branching_layers.{head}"}
        own |= {f"u.{head}.0": f"{pool}.gating_layers.{head}.0"} if gated else {}
    own |= {"join": f"{pool}.condensing_layer"} if heads > 1 else {}
    own["classify"] = "classification_head"
    return {f"{a}.{p}": f"{b}.{p}" for a, b in own.items() for p in ("weight", "bias")}


def batch(features: torch.Tensor, label: int) -> dict[str, Any]:
    """One bag as the data sets of Patho-Bench collate it."""
    slide = {"id": ["x"], "features": features[None], "coords": None, "attributes": {"patch_size_level0": [None]}}
    return {"ids": ["x"], "slide": slide, "labels": {"task": torch.tensor([label])}, "current_iter": 0}


def run(options: dict[str, Any]) -> dict[str, np.ndarray]:
    """Outputs before and after a training at the settings of advanced_usage/configs/finetune/abmil.yaml."""
    torch.manual_seed(1)
    encoder = encoder_factory("abmil", pretrained=False, freeze=False, input_feature_dim=DIM, **options)
    weights = compute_class_weight("balanced", classes=np.unique(LABELS), y=LABELS)
    loss = {0: torch.nn.CrossEntropyLoss(weight=torch.from_numpy(weights).float())}
    network = TrainableSlideEncoder(encoder, DIM, "task", 3, loss, "cpu")
    own = names(options["n_heads"], options["gated"])
    found = {"initial": summary_official(network, own)}
    fill_official(network, own)
    tiles = [torch.from_numpy(b) for b in bags(0, SIZES, DIM)]

    def logits() -> np.ndarray:
        network.eval()
        with torch.inference_mode():
            return torch.cat([network(batch(x, 0), output="logits") for x in tiles]).numpy()

    found["logits"] = logits()
    with torch.inference_mode():
        found["losses"] = np.array([float(network(batch(x, y))[0]) for x, y in zip(tiles, LABELS, strict=True)])
        raw = [network.slide_encoder({"features": x[None]}, "cpu", return_raw_attention=True)[1] for x in tiles]
    found["attention"] = torch.cat([torch.softmax(a[0, 0], 1).mean(0) for a in raw]).numpy()

    experiment = FinetuningExperiment.__new__(FinetuningExperiment)
    experiment.model, experiment.num_epochs, experiment.accumulation_steps = network, EPOCHS, 1
    experiment.optimizer_config = {"type": "AdamW", "base_lr": 0.0003, "weight_decay": 0.00001}
    experiment.scheduler_config = {"type": "cosine", "eta_min": 1e-8, "step_on": "accumulation-step"}
    experiment.dataloaders = {"train": [None] * len(SIZES)}
    experiment.optimizer = experiment._init_optimizer()
    experiment.scheduler = experiment._init_scheduler()
    experiment.grad_scaler = torch.amp.GradScaler("cuda", enabled=False)
    experiment.precision, experiment.mode, experiment.view_progress = encoder.precision, "train", "verbose"
    experiment.save_which_checkpoints, experiment.lr_logging_interval = "none", None
    experiment.log_loss = experiment.log_smooth_rank = lambda _: None
    torch.manual_seed(2)
    for experiment.current_epoch, order in enumerate(orders(3, EPOCHS, len(SIZES))):
        experiment.dataloaders["train"] = [batch(tiles[i], int(LABELS[i])) for i in order]
        experiment._run_single_epoch()
    found["trained_logits"] = logits()
    found["trained"] = summary_official(network, own)
    if options["n_heads"] == 1:
        # Of larger bags, tiles are drawn for whichever side is read; here those that our seed draws of the fourth bag.
        drawn = np.sort(np.random.default_rng([3, zlib.crc32(b"003")]).choice(40, 12, replace=False))
        part, _, _ = BaseDataset._sample(tiles[3], 12, False, drawn.tolist())
        with torch.inference_mode():
            found["drawn_logits"] = network(batch(part, 0), output="logits").numpy()
    return found


def survival() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    logits, bins, events = rng.normal(size=(30, 4)), rng.integers(0, 4, 30), rng.integers(0, 2, 30)
    each = [
        NLLSurvLoss(alpha=0.0, eps=1e-7, reduction="mean")(*(torch.tensor(v)[None] for v in (x, [b], [e])))
        for x, b, e in zip(logits, bins, events, strict=True)
    ]
    found = {"logits": logits, "bins": bins, "events": events, "losses": np.array(each)}
    return {f"survival_{name}": array for name, array in found.items()}


if __name__ == "__main__":
    arrays = {f"{name}_{key}": array for name, options in OPTIONS.items() for key, array in run(options).items()}
    shape = {"sizes": np.array(SIZES), "dim": np.array(DIM), "epochs": np.array(EPOCHS), "labels": LABELS}
    save("pathobench_abmil", commit, **shape, **arrays, **survival())
