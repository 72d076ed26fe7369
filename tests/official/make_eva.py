"""eva's linear probe and ABMIL head on small inputs, trained by eva's own Trainer, written to eva.npz.

Run it with an interpreter that has kaiko-eva. Initial weights come from `torch.manual_seed`, the order of samples from
the generators that our heads use, given to eva by a sampler; all else is eva's: the head module with its default
scheduler, the metrics, the callbacks of its configurations, the padding of bags, the best checkpoint.
"""

from __future__ import annotations

import importlib.metadata
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from official_helpers import arguments, bags, vectors, write

SEED = 4
# name: classes, samples of the three sides, features, batch, steps, learning rate, patience in epochs
LINEAR = {
    "linear_binary": (2, (90, 60, 200), 24, 16, 400, 3e-3, 14),
    "linear_classes": (3, (90, 60, 200), 24, 16, 400, 3e-3, 14),
    "linear_unequal": (3, (91, 50, 200), 24, 16, 27, 3e-2, 5),
}
# name: classes, bags of the three sides, features, least and most tiles, batch, epochs, learning rate, patience
ABMIL = {
    "abmil_binary": (2, (36, 30, 60), 16, (4, 9), 8, 12, 2e-3, 20),
    "abmil_classes": (3, (36, 30, 60), 16, (4, 9), 8, 12, 2e-3, 4),
}
SIDES = (0, 1, 2)  # seeds of training, validation and test


def main() -> None:
    options = arguments(__doc__ or "")
    arrays: dict[str, np.ndarray] = {}
    for name, (classes, sizes, dim, batch, steps, rate, patience) in LINEAR.items():
        sides = [vectors(n, classes, dim, seed) for n, seed in zip(sizes, SIDES, strict=True)]
        torch.manual_seed(SEED)
        head = torch.nn.Linear(dim, 1 if classes == 2 else classes)
        order = torch.Generator().manual_seed(SEED)
        of_epoch = lambda order=order, n=sizes[0]: torch.randperm(n, generator=order).tolist()  # noqa: E731
        data = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in sides]
        made = trained(head, data, classes, of_epoch, batch, rate, patience, max_steps=steps)
        arrays |= {f"{name}_{key}": value for key, value in made.items()}
    for name, (classes, sizes, dim, tiles, batch, epochs, rate, patience) in ABMIL.items():
        from eva.core.data.transforms import Pad2DTensor
        from eva.vision.models.networks import ABMIL as Network

        pad = Pad2DTensor(pad_size=tiles[1])
        data = []
        for n, seed in zip(sizes, SIDES, strict=True):
            of_side, labels = bags(n, classes, dim, seed, tiles)
            data.append((torch.stack([pad(torch.from_numpy(x)) for x in of_side]), torch.from_numpy(labels)))
        torch.manual_seed(SEED)
        head = Network(input_size=dim, output_size=1 if classes == 2 else classes, projected_input_size=128)
        rng = np.random.default_rng(SEED)
        of_epoch = lambda rng=rng, n=sizes[0]: rng.permutation(n).tolist()  # noqa: E731
        made = trained(head, data, classes, of_epoch, batch, rate, patience, max_epochs=epochs)
        arrays |= {f"{name}_{key}": value for key, value in made.items()}
    write(options.to, "eva", f"kaiko-eva {importlib.metadata.version('kaiko-eva')}", arrays)


def trained(
    head: torch.nn.Module,
    data: list[tuple[torch.Tensor, torch.Tensor]],
    classes: int,
    order: Callable[[], list[int]],
    batch: int,
    rate: float,
    patience: int,
    **length: int,
) -> dict[str, np.ndarray]:
    """What eva predicts by the best checkpoint, and how it came to it.

    `scores` are the probabilities of the test samples, `best_epoch` the epoch of the checkpoint, counted from 0, and
    `validation` the score that is monitored, by epoch. `misread` marks the epochs in which all logits of a batch lay
    between 0 and 1: torchmetrics then takes them for probabilities, so that the score is not that of the predictions.
    """
    import eva
    from eva.core.metrics import AverageLoss, BinaryClassificationMetrics, MulticlassClassificationMetrics
    from eva.core.metrics.structs import MetricsSchema
    from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint

    class Side(torch.utils.data.Dataset):
        def __init__(self, x: torch.Tensor, y: torch.Tensor) -> None:
            self.x, self.y = x, y.float() if classes == 2 else y

        def __len__(self) -> int:
            return len(self.y)

        def __getitem__(self, i: int) -> tuple[torch.Tensor, torch.Tensor, dict[str, Any]]:
            return self.x[i], self.y[i], {}

    class Order(torch.utils.data.Sampler):
        def __init__(self) -> None:
            pass

        def __len__(self) -> int:
            return len(data[0][1])

        def __iter__(self) -> Iterator[int]:
            return iter(order())

    monitor = "val/BinaryBalancedAccuracy" if classes == 2 else "val/MulticlassAccuracy"
    scores: list[float] = []
    misread: list[bool] = []

    class Recorder(Callback):
        def on_validation_epoch_start(self, trainer: Any, module: Any) -> None:
            self.misread = False

        def on_validation_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
            logits = outputs["predictions"]
            self.misread |= classes == 2 and bool(((logits >= 0) & (logits <= 1)).all())

        def on_validation_end(self, trainer: Any, module: Any) -> None:
            if not trainer.sanity_checking:
                scores.append(float(trainer.callback_metrics[monitor]))
                misread.append(self.misread)

    with tempfile.TemporaryDirectory() as folder:
        best = ModelCheckpoint(dirpath=folder, filename="best", save_top_k=1, monitor=monitor, mode="max")
        trainer = eva.Trainer(
            default_root_dir=folder,
            logger=False,
            accelerator="cpu",
            callbacks=[Recorder(), best, EarlyStopping(monitor, min_delta=0, patience=patience, mode="max")],
            enable_progress_bar=False,
            **length,
        )
        metrics = BinaryClassificationMetrics() if classes == 2 else MulticlassClassificationMetrics(classes)
        module = eva.HeadModule(
            head=head,
            criterion=torch.nn.BCEWithLogitsLoss() if classes == 2 else torch.nn.CrossEntropyLoss(),
            optimizer=lambda parameters: torch.optim.AdamW(parameters, lr=rate),
            metrics=MetricsSchema(common=[AverageLoss(), metrics]),
        )
        loaders = [
            torch.utils.data.DataLoader(Side(*data[0]), batch_size=batch, sampler=Order()),
            torch.utils.data.DataLoader(Side(*data[1]), batch_size=batch),
        ]
        trainer.fit(module, *loaders)
        checkpoint = torch.load(best.best_model_path, weights_only=False) if best.best_model_path else None
        if checkpoint is not None:
            module.load_state_dict(checkpoint["state_dict"])
    module.eval()
    with torch.no_grad():
        logits = module(data[2][0])
    if classes == 2:
        logits = torch.stack([torch.zeros_like(logits), logits], 1)
    return {
        "scores": torch.softmax(logits.double(), 1).numpy().astype(np.float32),
        "best_epoch": np.array(-1 if checkpoint is None else checkpoint["epoch"]),
        "validation": np.array(scores),
        "misread": np.array(misread),
    }


if __name__ == "__main__":
    main()
