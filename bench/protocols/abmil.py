"""Multiple-instance heads on bags of tiles: the networks of `bench.protocols.networks` in one frame of training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.protocols import networks
from bench.protocols.abmil_training import predict, step_precision, train
from bench.protocols.bags import Bags
from bench.protocols.base import CLASSIFIED, Predictions
from bench.protocols.held_out import held_out_info
from bench.protocols.networks import NetworkSettings
from bench.protocols.networks.abmil import Settings as Config
from bench.protocols.selection import inner_cv, note_on_groups
from bench.protocols.settings import device_of
from bench.protocols.survival import comparable, nothing_to_choose_by
from bench.protocols.temperature import scaled
from registry.errors import UserError

__all__ = ["TAKES", "Config", "build", "fit_predict", "kinds_of", "schema_of"]

TAKES = "bags"


def schema_of(settings: Mapping[str, Any]) -> tuple[type[NetworkSettings], str]:
    """The settings of the network that is named, `Config` where none is, and the words that name that network.

    Raises
    ------
    UserError
        If there is no such network.
    """
    schema = networks.get(settings.get("network", Config.network))
    return schema, f" with network={schema.network}"


def kinds_of(config: NetworkSettings) -> tuple[str, ...]:
    """The kinds of target that the network takes."""
    return config.kinds


def fit_predict(train_bags: Bags, val: Bags | None, test: Bags, config: NetworkSettings, seed: int) -> Predictions:
    """Train, keep the epoch that is best on validation (or the last), predict each bag with the attention of its tiles.

    Where validation is needed and there is no validation side, the first inner fold by group takes its place; it gives
    the temperature too. With `refit` a network is then trained anew on all bags, with the same seed, for as many epochs
    as the best one has (`info.refit`, `info.epochs`); without, a note says from how many of the groups it learned.

    Raises
    ------
    UserError
        Labels that cannot be learned, bags without usable features, settings that do not fit the target.
    """
    tables = train_bags.table(), None if val is None else val.table(), test.table()
    goal = config.objective(*tables)
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
    every = train_bags.take(np.argsort(train_bags.ids, kind="stable"))
    fitted, by = every, "validation" if val is not None else "nothing"
    if val is None and config.keep == "best":
        choice = inner_cv(every.table(), None, seed)
        fitted, val, by = every.take(choice.fit[0]), every.take(choice.held_out[0]), f"one of {choice.by}"
    if not goal.separable and config.keep == "best" and val is not None and not comparable(val.labels):
        mend = "give more samples, with events at different times, or set keep=last"
        raise nothing_to_choose_by("The epoch", by, mend)
    device = torch.device(device_of(config.device))
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        network = build(config, fitted.dim, goal.logits).to(device)
        history = train(network, fitted, val, goal, config, seed, device)
        info: dict[str, Any] = {
            "chosen_by": by if config.keep == "best" else "nothing",
            "best_epoch": history.best_epoch,
            "precision": step_precision(config, device),
            "training_loss": history.training_loss,
            "validation": history.validation,
        }
        if val is not None and goal.kind in CLASSIFIED:
            info |= held_out_info(goal.scores(_predict_all(network, val, config, seed, device)[0]), val.labels)
        if len(fitted) < len(every) and config.refit:
            info |= {"refit": True, "epochs": history.best_epoch + 1}
            torch.manual_seed(seed)
            network = build(config, every.dim, goal.logits).to(device)
            train(network, every, None, goal, config, seed, device, stop_after=info["epochs"])
        elif len(fitted) < len(every):
            info |= {
                "refit": False,
                "notes": [note_on_groups(fitted.groups, every.groups, ", or set refit=true of the protocol")],
            }
        logits, attention = _predict_all(network, test, config, seed, device)
        scores = goal.scores(logits)
    calibrated = scaled(scores, info["temperature"]) if "temperature" in info else None
    return Predictions.of(test.table(), scores, info, calibrated=calibrated, attention=attention)


def build(config: NetworkSettings, features: int, logits: int) -> nn.Module:
    """The network of the settings, with fresh weights."""
    network = config.build(features, logits)
    if config.initial_weights == "xavier_normal":
        for layer in network.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_normal_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
    return network


def _predict_all(
    network: nn.Module, bags: Bags, config: NetworkSettings, seed: int, device: torch.device
) -> tuple[torch.Tensor, dict[str, np.ndarray]]:
    logits, attention = [], {}
    for slide, of_bag, of_tiles in predict(network, bags, config, seed, device):
        logits.append(of_bag)
        attention[str(bags.ids[slide])] = of_tiles.cpu().numpy()
    return torch.stack(logits), attention
