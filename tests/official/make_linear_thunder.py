"""THUNDER's linear probe on small inputs, trained by THUNDER's own function, written to linear_thunder.npz.

Run it with an interpreter that has thunder-bench. The features go to the files that THUNDER reads embeddings from;
initial weights come from `torch.manual_seed`, and the order of samples from the generator that our head uses, given to
THUNDER's loader by a sampler. What it logs to a service on the way is left out.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from official_helpers import arguments, vectors, write

SEED = 0  # THUNDER's own
# name: classes, samples of the three sides, features, batch, epochs
CASES = {"binary": (2, (90, 60, 200), 24, 16, 12), "classes": (3, (90, 60, 200), 24, 16, 12)}
SIDES = {"train": 0, "val": 1, "test": 2}


class Order(torch.utils.data.Sampler):
    """The samples in the order of our head: a permutation an epoch, of one generator."""

    def __init__(self, n: int) -> None:
        self.n, self.generator = n, torch.Generator().manual_seed(SEED)

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[int]:
        return iter(torch.randperm(self.n, generator=self.generator).tolist())


def main() -> None:
    options = arguments(__doc__ or "")
    import h5py
    import thunder
    from omegaconf import OmegaConf
    from thunder.tasks import train_eval_probe

    def loader(data: Any, batch_size: int, shuffle: bool, num_workers: int) -> torch.utils.data.DataLoader:
        sampler = Order(len(data)) if shuffle else None
        return torch.utils.data.DataLoader(data, batch_size=batch_size, sampler=sampler)

    train_eval_probe.DataLoader = loader
    # on a CPU the best checkpoint would share its memory with the weights that are trained on; on a GPU it is a copy
    copy, torch.Tensor.cpu = torch.Tensor.cpu, lambda self: copy(self).clone()  # type: ignore[method-assign]
    train_eval_probe.log_loss = train_eval_probe.log_metrics = lambda *_, **__: None
    settings = OmegaConf.load(Path(thunder.__file__).parent / "config" / "adaptation" / "frozen.yaml")
    arrays: dict[str, np.ndarray] = {}
    for name, (classes, sizes, dim, batch, epochs) in CASES.items():
        sides = {side: vectors(n, classes, dim, seed) for n, (side, seed) in zip(sizes, SIDES.items(), strict=True)}
        config = OmegaConf.create(
            {
                "adaptation": OmegaConf.merge(settings, {"batch_size": batch, "epochs": epochs}),
                "pretrained_model": {"emb_dim": dim},
                "dataset": {"nb_classes": classes},
                "ckpt_saving": {"best_only": True},
            }
        )
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
            for side, (x, y) in sides.items():
                at = Path(folder, "data", "model", side)
                at.mkdir(parents=True)
                for file, values in (("embeddings", x), ("labels", y)):
                    with h5py.File(at / f"{file}.h5", "w") as h5:
                        for i, value in enumerate(values):
                            h5.create_dataset(str(i), data=value)
            torch.manual_seed(SEED)
            best = train_eval_probe.train_probe(
                cfg=config,
                data={},
                dataset_name="data",
                model_name="model",
                embedding_pre_loading=True,
                image_pre_loading=False,
                adaptation_type="frozen",
                task_type="linear_probing",
                criterion=torch.nn.CrossEntropyLoss(),
                device="cpu",
                base_data_folder=folder,
                base_embeddings_folder=folder,
                wandb_base_folder="",
                ckpt_folder=folder,
            )
        weights = best["task_specific_model"]
        logits = torch.from_numpy(sides["test"][0]) @ weights["linear.weight"].T + weights["linear.bias"]
        arrays |= {
            f"{name}_scores": torch.softmax(logits.double(), 1).numpy().astype(np.float32),
            f"{name}_best": np.array([best["lr"], best["weight_decay"], best["epoch"]]),
        }
    write(options.to, "linear_thunder", f"thunder-bench {importlib.metadata.version('thunder-bench')}", arrays)


if __name__ == "__main__":
    main()
