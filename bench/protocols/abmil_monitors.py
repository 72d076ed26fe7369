"""The numbers by which an epoch of a MIL network is chosen, from the logits of the validation bags."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from bench.protocols.abmil_losses import Objective
from bench.protocols.base import CLASSIFIED
from bench.protocols.selection import balanced_accuracy


def monitored(
    monitor: str, objective: Objective, logits: Float[Tensor, "bag logit"], labels: Shaped[np.ndarray, "bag ..."]
) -> float:
    """The loss, or minus what `monitor` names; without classes or grades always the loss. Smaller is better."""
    if monitor == "balanced_accuracy" and objective.kind in CLASSIFIED:
        return -float(balanced_accuracy(labels, objective.scores(logits).argmax(1)[None])[0])
    if monitor == "auroc_and_accuracy" and objective.kind in CLASSIFIED:
        return -auroc_and_accuracy(torch.sigmoid(logits).cpu().numpy(), labels)
    return float(objective.loss(logits, objective.target(labels, logits.device)))


def auroc_and_accuracy(scores: Float[np.ndarray, "bag class"], labels: Int[np.ndarray, " bag"]) -> float:
    """Half the sum of all classes' AUROC and of an accuracy: the number by which the code of DSMIL chooses an epoch.

    The accuracy is the share of bags all of whose classes are right at the classes' own thresholds. A threshold is the
    one with the greatest difference of the true and the false positive rate on the same bags. The AUROC of a class that
    none or all of the bags have counts as 1.

    Parameters
    ----------
    scores
        Of each class alone; one column is the second of two classes.
    """
    from sklearn.metrics import roc_auc_score, roc_curve

    own = labels[:, None] == (np.arange(scores.shape[1]) if scores.shape[1] > 1 else 1)
    right, areas = np.ones(len(labels), dtype=bool), []
    for truth, of_class in zip(own.T, scores.T, strict=True):
        if truth.all() or not truth.any():
            areas.append(1.0)
            # A rate of a class without bags is no number, and the first threshold, above all scores, is taken.
            right &= ~truth
            continue
        areas.append(float(roc_auc_score(truth, of_class)))
        false_rate, true_rate, thresholds = roc_curve(truth, of_class)
        right &= (of_class >= thresholds[np.argmin(false_rate - true_rate)]) == truth
    return (sum(areas) + float(right.mean())) / 2
