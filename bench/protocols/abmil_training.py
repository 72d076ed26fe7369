"""Training a MIL network: bags in steps, a schedule, and the epoch that is best on validation."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import registry
from bench.protocols.abmil_losses import Objective
from bench.protocols.abmil_schedule import OPTIMISERS, Schedule, learning_rate
from bench.protocols.bags import Bags
from bench.protocols.base import CLASSIFIED
from bench.protocols.networks.base import Output
from bench.protocols.selection import balanced_accuracy
from registry.errors import UserError


@dataclass
class History:
    """The course of a training: losses of each epoch, and the epoch whose weights the network ends with."""

    training_loss: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    best_epoch: int = 0


def train(
    network: nn.Module,
    bags: Bags,
    val: Bags | None,
    objective: Objective,
    how: Schedule,
    seed: int,
    device: torch.device,
    stop_after: int | None = None,
) -> History:
    """Train in place; the network ends with the weights of the epoch that `how.keep` names.

    Parameters
    ----------
    stop_after
        Epochs after which the training ends, 1 or more; its learning rates are those of `how.epochs` all the same. None
        trains as many as `how` says.

    Raises
    ------
    UserError
        If the loss is no longer finite.
    """
    rng = np.random.default_rng(seed)
    optimiser = OPTIMISERS[how.optimiser](network.parameters(), lr=how.learning_rate, weight_decay=how.weight_decay)
    steps_an_epoch = math.ceil(len(bags) / how.batch)
    history, best, state, since = History(), math.inf, None, 0
    for epoch in range(stop_after or how.epochs):
        network.train()
        losses = []
        order = rng.permutation(len(bags))
        for step, rows in enumerate(np.split(order, range(how.batch, len(order), how.batch))):
            for settings in optimiser.param_groups:
                settings["lr"] = learning_rate(how, epoch * steps_an_epoch + step, steps_an_epoch)
            optimiser.zero_grad()
            losses.append(_step(network, bags, rows, objective, how, rng, device))
            optimiser.step()
        history.training_loss.append(float(np.mean(losses)))
        if not math.isfinite(history.training_loss[-1]):
            raise UserError(f"The loss is not finite in epoch {epoch + 1}: lower learning_rate of the protocol.")
        if val is not None and how.keep == "best":
            value = _validate(network, val, objective, how, device)
            history.validation.append(value)
            since += 1
            if value < best:
                best, since, history.best_epoch = value, 0, epoch
                state = copy.deepcopy(network.state_dict())
            if how.patience is not None and since >= how.patience and epoch + 1 >= how.min_epochs:
                break
    if state is not None:
        network.load_state_dict(state)
    else:
        history.best_epoch = len(history.training_loss) - 1
    return history


def predict(network: nn.Module, bags: Bags, device: torch.device) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Slide, logits [K] and attention [T] of each bag, from all of its tiles."""
    network.eval()
    for slide in range(len(bags)):
        x = torch.from_numpy(bags.read(slide)).to(device)
        with torch.inference_mode():
            out = network(x, torch.zeros(len(x), dtype=torch.int64, device=device), 1)
        yield slide, out.logits[0].float(), out.attention.float()


def _step(
    network: nn.Module,
    bags: Bags,
    rows: np.ndarray,
    objective: Objective,
    how: Schedule,
    rng: np.random.Generator,
    device: torch.device,
) -> float:
    """Gradients of one step; the loss is a mean over its bags, or joint where the objective is not separable.

    With a joint loss, each bag is computed twice, with the same dropout: once for its logits, and again when their
    gradients are known. So no more bags are in memory at once than otherwise.
    """
    total = 0.0
    logits = []
    for part in _packs(bags, rows, how):
        drawn = [_drawn(bags, int(slide), how.bag_size, rng) for slide in part]
        target = objective.target(bags.labels[part], device)
        forward = partial(_forward, network, bags, part, drawn, objective, how)
        if not objective.separable:
            logits.append(checkpoint(forward, target, use_reentrant=False).logits)
            continue
        out = forward(target)
        loss = objective.loss(out.logits, target)
        if out.own_loss is not None:
            loss = (1 - out.own_share) * loss + out.own_share * out.own_loss
        loss = loss * (len(part) / len(rows))
        loss.backward()
        total += float(loss.detach())
    if logits:
        loss = objective.loss(torch.cat(logits), objective.target(bags.labels[rows], device))
        loss.backward()
        total = float(loss.detach())
    return total


def _forward(
    network: nn.Module,
    bags: Bags,
    part: np.ndarray,
    drawn: list[np.ndarray | None],
    objective: Objective,
    how: Schedule,
    target: Tensor,
) -> Output:
    """The output of the network for some bags, on the device of their target."""
    pieces = [bags.read(int(slide), tiles) for slide, tiles in zip(part, drawn, strict=True)]
    x = torch.from_numpy(np.concatenate(pieces)).to(target.device)
    bag = torch.repeat_interleave(torch.arange(len(part)), torch.tensor([len(p) for p in pieces])).to(target.device)
    with _autocast(how, target.device):
        out: Output = network(x, bag, len(part), target if objective.kind in CLASSIFIED else None)
    return out


def _packs(bags: Bags, rows: np.ndarray, how: Schedule) -> Iterator[np.ndarray]:
    """Rows that go through the network together."""
    pack: list[int] = []
    tiles = 0
    for row in rows:
        size = min(len(bags.features[row]), how.bag_size or len(bags.features[row]))
        if pack and tiles + size > how.pack_tiles:
            yield np.array(pack)
            pack, tiles = [], 0
        pack.append(row)
        tiles += size
    yield np.array(pack)


def _drawn(bags: Bags, slide: int, bag_size: int | None, rng: np.random.Generator) -> np.ndarray | None:
    """The tiles that a step takes of a bag; all of them if nothing is drawn."""
    n = len(bags.features[slide])
    if bag_size is None or n <= bag_size:
        return None
    return np.sort(rng.choice(n, bag_size, replace=False))


def _validate(network: nn.Module, val: Bags, objective: Objective, how: Schedule, device: torch.device) -> float:
    """The number that is to be small: the loss of all validation bags, or minus their balanced accuracy."""
    logits = torch.stack([logits for _, logits, _ in predict(network, val, device)])
    if how.monitor == "balanced_accuracy" and objective.kind in CLASSIFIED:
        return -float(balanced_accuracy(val.labels, objective.scores(logits).argmax(1)[None])[0])
    return float(objective.loss(logits, objective.target(val.labels, device)))


def _autocast(how: Schedule, device: torch.device) -> contextlib.AbstractContextManager[object]:
    return torch.autocast(device.type, torch.bfloat16, enabled=step_precision(how, device) == "bfloat16")


def step_precision(how: Schedule, device: torch.device) -> str:
    """What the steps are computed in on this device, "float32" or "bfloat16"."""
    if how.precision != "auto":
        return how.precision
    return "bfloat16" if device.type == "cuda" or registry.native_bfloat16() else "float32"
