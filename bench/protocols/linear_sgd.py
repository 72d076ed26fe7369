"""Linear heads trained in mini-batches, each as of its best validation epoch: the probes of eva and of THUNDER."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bench.protocols.abmil_schedule import reduced_start
from bench.protocols.base import Predictions, Samples
from bench.protocols.checks import check_classes
from bench.protocols.held_out import held_out_info
from bench.protocols.selection import balanced_accuracy, f1_macro, inner_cv, note_on_groups
from bench.protocols.settings import FROM_ONE, FROM_ZERO, POSITIVE, check_settings, device_of
from bench.protocols.temperature import scaled
from registry.errors import UserError

BETAS, EPSILON = (0.9, 0.999), 1e-8  # torch.optim's defaults, which both peers use
SCHEDULES = ("constant", "reduced_start")
METRICS = {"balanced_accuracy": balanced_accuracy, "f1_macro": f1_macro}


@dataclass
class Config:
    """Settings of the mini-batch probe; the defaults are eva's.

    Attributes
    ----------
    learning_rates, weight_decays
        One head for each pair, all trained together on the same batches.
    decoupled
        Weight decay of AdamW (Loshchilov and Hutter 2019); else it is added to the gradient, as in Adam.
    schedule
        "constant", or "reduced_start": a third of the learning rates in the first five epochs, as in eva.
    steps, epochs
        Length of the training: the one that is not null. An epoch within which `steps` end is not validated in eva, so
        nothing of it can be chosen, and it is left out; only of a training that ends within its first epoch are the
        last weights taken.
    patience_share
        Training ends after this share of all epochs without improvement (eva's values by dataset are a fifth, rounded
        up); null never ends early.
    metric
        "balanced_accuracy" or "f1_macro" of the validation samples, after each epoch; of equals the earliest epoch is
        kept, and in one epoch the first head.
    binary_logits
        Outputs for two classes: 1, trained by binary cross-entropy, as in eva's binary tasks (``out_features: 1``,
        ``BCEWithLogitsLoss``); or 2, trained by softmax cross-entropy, as in THUNDER, which has one output a class
        whatever their number. Two outputs move twice as far apart in a step of Adam as one moves.
    """

    learning_rates: list[float] = field(default_factory=lambda: [3e-4])
    weight_decays: list[float] = field(default_factory=lambda: [0.01])
    decoupled: bool = True
    batch_size: int = 256
    schedule: str = "reduced_start"
    steps: int | None = 12_500
    epochs: int | None = None
    patience_share: float | None = 0.2
    metric: str = "balanced_accuracy"
    binary_logits: int = 1
    device: str = "auto"

    def __post_init__(self) -> None:
        check_settings(
            "linear_sgd",
            self,
            learning_rates=POSITIVE,
            weight_decays=FROM_ZERO,
            batch_size=FROM_ONE,
            schedule=SCHEDULES,
            steps=FROM_ONE,
            epochs=FROM_ONE,
            patience_share=POSITIVE,
            metric=tuple(METRICS),
            binary_logits=(1, 2),
        )
        if (self.steps is None) == (self.epochs is None):
            raise UserError(
                f"The linear_sgd head needs either steps or epochs, the other null, but has steps={self.steps} and "
                f"epochs={self.epochs}."
            )


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Train on the training side, keep the head and epoch that are best on validation; there is no refit.

    Without a validation side, the first inner fold by group takes its place, and a note says so.

    Raises
    ------
    UserError
        Samples that cannot be classified, or folds that cannot be made.
    """
    n_classes = check_classes(train, val, test)
    choice = inner_cv(train, val, seed)
    fit, held_out = choice.samples.take(choice.fit[0]), choice.samples.take(choice.held_out[0])
    where = device_of(config.device)
    steps_an_epoch = math.ceil(len(fit) / config.batch_size)
    steps = config.steps if config.steps is not None else (config.epochs or 0) * steps_an_epoch
    epochs = max(1, steps // steps_an_epoch)
    patience = math.inf if config.patience_share is None else math.ceil(config.patience_share * steps / steps_an_epoch)
    pairs = list(product(config.learning_rates, config.weight_decays))
    heads = _Heads(
        fit.features.shape[1],
        config.binary_logits if n_classes == 2 else n_classes,
        pairs,
        config.decoupled,
        seed,
        where,
    )
    x = torch.from_numpy(fit.features.astype(np.float32)).to(where)
    y = torch.from_numpy(fit.labels).to(where)
    validation = torch.from_numpy(held_out.features.astype(np.float32)).to(where)
    shuffle = torch.Generator().manual_seed(seed)
    best = np.full(len(pairs), -1.0)
    best_epoch = np.zeros(len(pairs), dtype=np.int64)
    best_weight, best_bias = heads.weight.clone(), heads.bias.clone()
    done = 0
    for epoch in range(epochs):
        share = reduced_start(epoch) if config.schedule == "reduced_start" else 1.0
        for rows in torch.randperm(len(x), generator=shuffle).to(where).split(config.batch_size):
            if done < steps:
                heads.step(x[rows], y[rows], share)
                done += 1
        scores = METRICS[config.metric](held_out.labels, _probabilities(heads.logits(validation)).argmax(-1))
        better = np.flatnonzero(scores > best)
        best[better], best_epoch[better] = scores[better], epoch
        best_weight[better], best_bias[better] = heads.weight[better], heads.bias[better]
        if epoch - best_epoch.max() >= patience:
            break
    heads.weight, heads.bias = best_weight, best_bias
    chosen = int(np.lexsort((best_epoch, -best))[0])
    info: dict[str, Any] = {
        "chosen_by": choice.by,
        "learning_rate": pairs[chosen][0],
        "weight_decay": pairs[chosen][1],
        "best_epoch": int(best_epoch[chosen]),
        "epochs": epoch + 1,
        f"validation_{config.metric}": best.tolist(),
    }
    if val is None:
        info["notes"] = [note_on_groups(fit.groups, choice.samples.groups)]
    info |= held_out_info(_probabilities(heads.logits(validation))[chosen], held_out.labels)
    queries = torch.from_numpy(test.features.astype(np.float32)).to(where)
    scores = _probabilities(heads.logits(queries))[chosen]
    return Predictions.of(test, scores, info, calibrated=scaled(scores, info["temperature"]))


class _Heads:
    """Linear heads stacked in one array, each with its own learning rate and weight decay (Kingma and Ba 2015)."""

    def __init__(
        self, dim: int, logits: int, pairs: list[tuple[float, float]], decoupled: bool, seed: int, device: str
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layers = [torch.nn.Linear(dim, logits) for _ in pairs]
        self.weight = torch.stack([layer.weight.detach() for layer in layers]).to(device)
        self.bias = torch.stack([layer.bias.detach() for layer in layers]).to(device)
        self.rate, self.decay = (torch.tensor(v, device=device) for v in zip(*pairs, strict=True))
        self.decoupled = decoupled
        self.moments = [torch.zeros_like(p) for p in (self.weight, self.weight, self.bias, self.bias)]
        self.steps = 0

    def logits(self, x: Float[Tensor, "sample feature"]) -> Float[Tensor, "head sample logit"]:
        heads, k, _ = self.weight.shape
        return (x @ self.weight.flatten(0, 1).T).view(-1, heads, k).transpose(0, 1) + self.bias[:, None]

    def step(self, x: Float[Tensor, "sample feature"], y: Int[Tensor, " sample"], share: float = 1.0) -> None:
        """One step on a batch, at this share of the learning rates."""
        logits = self.logits(x)
        if logits.shape[2] == 1:
            error = torch.sigmoid(logits) - y[:, None]
        else:
            error = torch.softmax(logits, 2) - torch.nn.functional.one_hot(y, logits.shape[2])
        error /= len(x)
        heads, k, dim = self.weight.shape
        of_weight = (error.transpose(1, 2).reshape(heads * k, -1) @ x).view(heads, k, dim)
        self.steps += 1
        self._update(self.weight, of_weight, share, *self.moments[:2])
        self._update(self.bias, error.sum(1), share, *self.moments[2:])

    def _update(self, parameter: Tensor, gradient: Tensor, share: float, mean: Tensor, square: Tensor) -> None:
        shape = (-1,) + (1,) * (parameter.ndim - 1)
        rate, decay = share * self.rate.view(shape), self.decay.view(shape)
        if self.decoupled:
            parameter *= 1 - rate * decay
        else:
            gradient = gradient + decay * parameter
        mean.lerp_(gradient, 1 - BETAS[0])
        square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        scale = square.sqrt() / math.sqrt(1 - BETAS[1] ** self.steps) + EPSILON
        parameter -= rate / (1 - BETAS[0] ** self.steps) * mean / scale


def _probabilities(logits: Float[Tensor, "head sample logit"]) -> Float[np.ndarray, "head sample class"]:
    logits = logits.double()
    if logits.shape[2] == 1:
        logits = torch.cat([torch.zeros_like(logits), logits], 2)
    return np.asarray(torch.softmax(logits, 2).cpu().numpy())
