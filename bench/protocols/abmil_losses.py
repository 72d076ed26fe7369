"""The objectives of MIL networks, by the kind of their labels, and how logits become scores."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from bench.protocols.base import CLASSIFIED, Samples
from bench.protocols.checks import check_label_columns, check_labels, check_values
from bench.protocols.scaling import deviation, finite
from bench.protocols.survival import check_survival


@dataclass
class Objective:
    """Softmax cross-entropy for classes; the other kinds derive from it.

    Attributes
    ----------
    logits : number of network outputs
    separable : whether the loss of a step is a mean over bags, so that they may be taken one at a time
    weights : of the classes [C]; of a multi-label task, of the absence and presence of each label [L, 2]
    """

    logits: int
    kind: str = "classes"
    separable: bool = True
    weights: np.ndarray | None = None

    def target(self, labels: Shaped[np.ndarray, "bag ..."], device: torch.device) -> Tensor:
        return torch.from_numpy(np.asarray(labels)).to(device)

    def loss(self, logits: Float[Tensor, "bag logit"], target: Tensor) -> Tensor:
        weights = None if self.weights is None else torch.from_numpy(self.weights).to(logits)
        each = torch.nn.functional.cross_entropy(logits, target, reduction="none")
        return (each if weights is None else each * weights[target]).mean()

    def scores(self, logits: Float[Tensor, "bag logit"]) -> Float[np.ndarray, "bag score"]:
        return np.asarray(torch.softmax(logits.double(), 1).cpu().numpy())


class Sigmoid(Objective):
    """Binary cross-entropy of two classes, with one logit: that of the second."""

    def loss(self, logits: Float[Tensor, "bag logit"], target: Tensor) -> Tensor:
        each = torch.nn.functional.binary_cross_entropy_with_logits(
            logits[:, 0], target.to(logits.dtype), reduction="none"
        )
        if self.weights is not None:
            each = each * torch.from_numpy(self.weights).to(logits)[target]
        return each.mean()

    def scores(self, logits: Float[Tensor, "bag logit"]) -> Float[np.ndarray, "bag score"]:
        second = torch.sigmoid(logits.double()).cpu().numpy()
        return np.concatenate([1 - second, second], axis=1)


class OneAgainstRest(Objective):
    """Binary cross-entropy of each class against the others, the mean over classes; scores are scaled to a sum of 1."""

    def loss(self, logits: Float[Tensor, "bag logit"], target: Tensor) -> Tensor:
        own = torch.nn.functional.one_hot(target, self.logits).to(logits.dtype)
        each = torch.nn.functional.binary_cross_entropy_with_logits(logits, own, reduction="none").mean(1)
        if self.weights is not None:
            each = each * torch.from_numpy(self.weights).to(logits)[target]
        return each.mean()

    def scores(self, logits: Float[Tensor, "bag logit"]) -> Float[np.ndarray, "bag score"]:
        logs = torch.nn.functional.logsigmoid(logits.double())
        return np.asarray(torch.softmax(logs, 1).cpu().numpy())


class MultiLabel(Objective):
    """Binary cross-entropy, the mean over labels."""

    def target(self, labels: Shaped[np.ndarray, "bag ..."], device: torch.device) -> Tensor:
        return torch.from_numpy(np.asarray(labels, dtype=np.float32)).to(device)

    def loss(self, logits: Float[Tensor, "bag logit"], target: Tensor) -> Tensor:
        each = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        if self.weights is not None:
            absent, present = torch.from_numpy(self.weights).to(logits).unbind(1)
            each = each * torch.where(target > 0, present, absent)
        return each.mean()

    def scores(self, logits: Float[Tensor, "bag logit"]) -> Float[np.ndarray, "bag score"]:
        return np.asarray(torch.sigmoid(logits.double()).cpu().numpy())


@dataclass
class Regression(Objective):
    """Squared error of targets in units of their deviation over the training bags."""

    level: np.ndarray = field(default_factory=lambda: np.zeros(1))
    spread: np.ndarray = field(default_factory=lambda: np.ones(1))

    def target(self, labels: Shaped[np.ndarray, "bag ..."], device: torch.device) -> Tensor:
        scaled = (labels.reshape(len(labels), -1) - self.level) / self.spread
        return torch.from_numpy(finite(scaled.astype(np.float32))).to(device)

    def loss(self, logits: Float[Tensor, "bag logit"], target: Tensor) -> Tensor:
        return (logits - target).square().mean()

    def scores(self, logits: Float[Tensor, "bag logit"]) -> Float[np.ndarray, "bag score"]:
        return finite(logits.double().cpu().numpy() * self.spread + self.level)


class Cox(Objective):
    """Negative partial log-likelihood over the bags of a step, with Breslow's ties (Cox 1972; Breslow 1974)."""

    def target(self, labels: Shaped[np.ndarray, "bag ..."], device: torch.device) -> Tensor:
        return torch.from_numpy(np.asarray(labels, dtype=np.float64)).to(device)

    def loss(self, logits: Float[Tensor, "bag logit"], target: Tensor) -> Tensor:
        risk, time, event = logits[:, 0], target[:, 0], target[:, 1] > 0
        at_risk = time[None] >= time[:, None]
        total = torch.logsumexp(risk[None].expand(len(risk), -1).masked_fill(~at_risk, -torch.inf), 1)
        return torch.where(event, total - risk, 0.0).sum() / event.sum().clamp_min(1)

    def scores(self, logits: Float[Tensor, "bag logit"]) -> Float[np.ndarray, "bag score"]:
        return np.asarray(logits.double().cpu().numpy())


@dataclass
class DiscreteTime(Objective):
    """Hazards of time intervals (Zadeh and Schmid 2020, arXiv:2006.06295), cut at quantiles of the event times.

    With hazards h_j = sigmoid(logit_j) and S_j = prod_{i <= j} (1 - h_i), an event in interval j costs
    -log S_{j-1} - log h_j, a censoring -log S_j. The risk is minus the sum of S.
    """

    cuts: np.ndarray = field(default_factory=lambda: np.empty(0))

    def target(self, labels: Shaped[np.ndarray, "bag ..."], device: torch.device) -> Tensor:
        interval = np.searchsorted(self.cuts, labels[:, 0], side="right")
        return torch.from_numpy(np.stack([interval, labels[:, 1] > 0], axis=1).astype(np.int64)).to(device)

    def loss(self, logits: Float[Tensor, "bag logit"], target: Tensor) -> Tensor:
        interval, event = target[:, :1], target[:, 1] > 0
        survived = torch.nn.functional.logsigmoid(-logits)
        through = survived.cumsum(1).gather(1, interval)[:, 0]
        before = through - survived.gather(1, interval)[:, 0]
        died = torch.nn.functional.logsigmoid(logits).gather(1, interval)[:, 0]
        return -torch.where(event, before + died, through).mean()

    def scores(self, logits: Float[Tensor, "bag logit"]) -> Float[np.ndarray, "bag score"]:
        survival = torch.nn.functional.logsigmoid(-logits.double()).cumsum(1).exp()
        return np.asarray(-survival.sum(1, keepdim=True).cpu().numpy())


def objective(
    train: Samples,
    val: Samples | None,
    test: Samples,
    class_weight: str | None,
    survival: str = "discrete",
    intervals: int = 4,
    binary_logits: int = 2,
) -> Objective:
    """The objective for the labels' kind.

    Raises
    ------
    UserError
        If the labels cannot be learned from.
    """
    if train.kind in CLASSIFIED:
        n_classes = check_labels(train, val, test)
        counts = np.bincount(train.labels, minlength=n_classes)
        weights = len(train) / (n_classes * counts) if class_weight else None
        if n_classes == 2 and binary_logits == 1:
            return Sigmoid(1, train.kind, weights=weights)
        return Objective(n_classes, train.kind, weights=weights)
    if train.kind == "multilabel":
        n_labels = check_label_columns(train, val, test)
        present = (train.labels > 0).sum(axis=0)
        counts = np.stack([len(train) - present, present], axis=1)
        return MultiLabel(n_labels, "multilabel", weights=len(train) / (2 * counts) if class_weight else None)
    if train.kind == "regression":
        check_values(train, val, test)
        values = train.labels.reshape(len(train), -1).astype(np.float64)
        return Regression(values.shape[1], "regression", level=values.mean(axis=0), spread=deviation(values))
    check_survival(train, val, test)
    if survival == "cox":
        return Cox(1, "survival", separable=False)
    times = train.labels[train.labels[:, 1] > 0, 0]
    cuts = np.unique(np.quantile(times, np.arange(1, intervals) / intervals))
    return DiscreteTime(len(cuts) + 1, "survival", cuts=cuts)
