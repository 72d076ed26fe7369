"""Multiple-instance heads on bags of tiles: ABMIL, mean and max pooling, CLAM-SB, DSMIL and TransMIL in one frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.protocols.abmil_losses import objective
from bench.protocols.abmil_networks import ClamSB, Pooling
from bench.protocols.abmil_training import Schedule, predict, step_precision, train
from bench.protocols.bags import Bags
from bench.protocols.base import CLASSIFIED, KINDS, Predictions
from bench.protocols.dsmil import DSMIL
from bench.protocols.selection import inner
from bench.protocols.settings import DROPOUT, FROM_ONE, SHARE, Range, check_settings, device_of
from bench.protocols.survival import comparable, nothing_to_choose_by
from bench.protocols.temperature import fit_temperature, scaled
from bench.protocols.transmil import HEADS, TransMIL
from registry.errors import UserError

TAKES = "bags"
NETWORKS = ("abmil", "mean", "max", "clam_sb", "dsmil", "transmil")


@dataclass
class Config(Schedule):
    """Settings of the network, and of its training (`Schedule`).

    Attributes
    ----------
    network : one of `NETWORKS`
    dim, attention_dim, gated, relu, dropout_input, dropout, hidden
        As in `Pooling`; DSMIL and TransMIL have dim and dropout only.
    instances, instance_share, subtyping
        CLAM's clustering: tiles at each end, its share of the loss, whether classes exclude each other.
    binary_logits
        Outputs for two classes: 2 and a softmax, as CLAM and its followers have, or 1 and a sigmoid, as eva has in its
        binary tasks (``output_size: 1``, ``BCEWithLogitsLoss``).
    class_weight
        "balanced" or null; of classes and grades, or of the presence of each label. Numbers and survival have none.
    survival_loss, intervals
        "discrete" with this many time intervals, or "cox", which compares the bags of a step and needs a batch of more
        than one; it is for survival alone.
    """

    network: str = "abmil"
    dim: int = 512
    attention_dim: int = 384
    gated: bool = True
    relu: bool = True
    dropout_input: float = 0.0
    dropout: float = 0.25
    hidden: list[int] = field(default_factory=list)
    instances: int = 8
    instance_share: float = 0.3
    subtyping: bool = False
    binary_logits: int = 2
    class_weight: str | None = None
    survival_loss: str = "discrete"
    intervals: int = 4
    device: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_settings(
            "abmil",
            self,
            network=NETWORKS,
            dim=FROM_ONE,
            attention_dim=FROM_ONE,
            dropout_input=DROPOUT,
            dropout=DROPOUT,
            instances=FROM_ONE,
            instance_share=SHARE,
            class_weight=(None, "balanced"),
            survival_loss=("discrete", "cox"),
            intervals=Range(2),
            binary_logits=(1, 2),
        )
        if self.hidden:
            check_settings("abmil", self, hidden=FROM_ONE)
        if self.network == "clam_sb" and self.binary_logits == 1:
            raise UserError("CLAM clusters tiles for each output of the abmil head: set binary_logits=2.")
        if self.network == "clam_sb" and self.survival_loss == "cox":
            raise UserError(
                "CLAM clusters tiles by the class of their bag, and survival has none: choose network=abmil, or leave "
                "survival_loss=discrete."
            )
        if self.network == "transmil" and self.dim % HEADS:
            raise UserError(
                f"dim={self.dim} of the abmil head must be a multiple of transmil's {HEADS} attention heads."
            )


def kinds_of(config: Config) -> tuple[str, ...]:
    """All kinds of target, but for CLAM, whose tiles are clustered by the bag's class, and for Cox's likelihood."""
    if config.survival_loss == "cox":
        return ("survival",)
    return CLASSIFIED if config.network == "clam_sb" else KINDS


def fit_predict(train_bags: Bags, val: Bags | None, test: Bags, config: Config, seed: int) -> Predictions:
    """Train, keep the epoch that validation likes best (or the last), predict whole bags with their attention.

    Where validation is needed and there is none, the first inner fold by group is it.

    Raises
    ------
    UserError
        Labels that cannot be learned, bags without usable features, settings that do not fit the target.
    """
    goal = objective(
        train_bags.table(),
        val.table() if val is not None else None,
        test.table(),
        config.class_weight,
        config.survival_loss,
        config.intervals,
        config.binary_logits,
    )
    if not goal.separable and config.batch < 2:
        raise UserError(
            "Cox's likelihood compares the bags of a step, and one bag compares with none: set batch to 16 or more, or "
            "survival_loss=discrete."
        )
    if goal.kind == "survival" and val is not None and config.keep == "best" and not val.labels[:, 1].any():
        raise UserError(
            "No validation slide has an event, so no epoch can be chosen by it: split the data so that it has some, or "
            "set keep=last."
        )
    widths = {int(f.shape[1]) for side in (train_bags, val, test) if side is not None for f in side.features}
    if len(widths) > 1:
        raise UserError(f"The bags have features of {sorted(widths)} columns: embed all slides with the same model.")
    fitted = train_bags.take(np.argsort(train_bags.ids, kind="stable"))
    by = "validation" if val is not None else "nothing"
    if val is None and config.keep == "best":
        choice = inner(fitted.table(), None, seed)
        fitted, val, by = fitted.take(choice.fit[0]), fitted.take(choice.held_out[0]), f"one of {choice.by}"
    if not goal.separable and config.keep == "best" and val is not None and not comparable(val.labels):
        mend = "give more samples, with events at different times, or set keep=last"
        raise nothing_to_choose_by("The epoch", by, mend)
    device = torch.device(device_of(config.device))
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        network = build(config, fitted.dim, goal.logits).to(device)
        history = train(network, fitted, val, goal, config, seed, device)
        logits, attention = _everything(network, test, device)
        info: dict[str, Any] = {
            "chosen_by": by if config.keep == "best" else "nothing",
            "kept_epoch": history.kept_epoch,
            "precision": step_precision(config, device),
            "training_loss": history.training_loss,
            "validation": history.validation,
        }
        scores = goal.scores(logits)
        calibrated = None
        if val is not None and goal.kind in CLASSIFIED:
            info["temperature"] = fit_temperature(goal.scores(_everything(network, val, device)[0]), val.labels)
            calibrated = scaled(scores, info["temperature"])
    return Predictions.of(test.table(), scores, info, calibrated=calibrated, attention=attention)


def build(config: Config, features: int, logits: int) -> nn.Module:
    """The network of the settings, with fresh weights."""
    if config.network in ("dsmil", "transmil"):
        kind = {"dsmil": DSMIL, "transmil": TransMIL}[config.network]
        return kind(features, logits, dim=config.dim, dropout=config.dropout)
    options: dict[str, Any] = {
        "pool": config.network if config.network in ("mean", "max") else "attention",
        "dim": config.dim,
        "attention_dim": config.attention_dim,
        "gated": config.gated,
        "relu": config.relu,
        "dropout_input": config.dropout_input,
        "dropout": config.dropout,
        "hidden": config.hidden,
    }
    if config.network == "clam_sb":
        clustering: dict[str, Any] = {
            "instances": config.instances,
            "share": config.instance_share,
            "subtyping": config.subtyping,
        }
        return ClamSB(features, logits, **clustering, **options)
    return Pooling(features, logits, **options)


def _everything(network: nn.Module, bags: Bags, device: torch.device) -> tuple[torch.Tensor, dict[str, np.ndarray]]:
    logits, attention = [], {}
    for slide, of_bag, of_tiles in predict(network, bags, device):
        logits.append(of_bag)
        attention[str(bags.ids[slide])] = of_tiles.cpu().numpy()
    return torch.stack(logits), attention
