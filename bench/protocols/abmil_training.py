"""Training a MIL network: bags in steps, a schedule, and the epoch that is best on validation."""

from __future__ import annotations

import contextlib
import copy
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import registry
from bench.protocols.abmil_losses import Objective
from bench.protocols.abmil_monitors import monitored
from bench.protocols.abmil_optimisers import OPTIMISERS
from bench.protocols.abmil_schedule import Schedule, learning_rate, steps_an_epoch
from bench.protocols.abmil_stopping import BestEpoch
from bench.protocols.bags import Bags
from bench.protocols.base import CLASSIFIED
from bench.protocols.networks.base import Output
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
    optimiser = OPTIMISERS[how.optimiser](network, how.learning_rate, how.weight_decay, (how.beta1, how.beta2))
    steps = steps_an_epoch(how, len(bags))
    carried, pending = how.rest == "carry" and len(bags) >= how.batch, False
    history, best, state = History(), BestEpoch(how.patience, how.min_epochs, how.ties), None
    for epoch in range(stop_after or how.epochs):
        network.train()
        losses = []
        order = _order(bags, objective, how, rng)
        for step, rows in enumerate(np.split(order, range(how.batch, len(order), how.batch))):
            if not pending:
                optimiser.zero_grad()
            factor = how.gradient_factor * (len(rows) / how.batch if carried else 1)
            losses.append(_step(network, bags, rows, objective, how, rng, device, factor))
            pending = carried and len(rows) < how.batch
            if pending:
                continue
            for settings in optimiser.param_groups:
                settings["lr"] = learning_rate(how, epoch * steps + step, steps)
            optimiser.step()
        history.training_loss.append(float(np.mean(losses)))
        if not math.isfinite(history.training_loss[-1]):
            raise UserError(f"The loss is not finite in epoch {epoch + 1}: lower learning_rate of the protocol.")
        if val is not None and how.keep == "best":
            history.validation.append(_validate(network, val, objective, how, seed, device))
            if best.improves(epoch, history.validation[-1]):
                state = copy.deepcopy(network.state_dict())
            if best.ends(epoch):
                break
    history.best_epoch = len(history.training_loss) - 1
    if state is not None:
        network.load_state_dict(state)
        history.best_epoch = best.epoch
    return history


def predict(
    network: nn.Module, bags: Bags, how: Schedule, seed: int, device: torch.device
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Slide, logits [K] and attention [T] of each bag, from all of its tiles or from `how.bag_size_test` of them.

    Which tiles are drawn follows from the seed and the slide's id alone; the attention of the others is 0.
    """
    network.eval()
    for slide in range(len(bags)):
        rng = np.random.default_rng([seed, zlib.crc32(str(bags.ids[slide]).encode())])
        drawn = _drawn(bags, slide, how.bag_size_test, rng)
        x = torch.from_numpy(bags.read(slide, drawn)).to(device)
        with torch.inference_mode():
            out = network(x, torch.zeros(len(x), dtype=torch.int64, device=device), 1)
            attention = out.attention.float()
            if drawn is not None:
                attention = attention.new_zeros(len(bags.features[slide])).index_copy(
                    0, torch.from_numpy(drawn).to(device), attention
                )
        yield slide, out.logits[0].float(), attention


def _step(
    network: nn.Module,
    bags: Bags,
    rows: np.ndarray,
    objective: Objective,
    how: Schedule,
    rng: np.random.Generator,
    device: torch.device,
    factor: float,
) -> float:
    """Add the gradients of one step, times the factor, and give its loss.

    The loss is a mean over the bags of the step, or joint where the objective is not separable.
    A network with a second stream of logits has the mean of the losses of both.

    With a joint loss, each bag is computed twice, with the same dropout: once for its logits, and again when their
    gradients are known. So no more bags are in memory at once than otherwise.
    """
    total = 0.0
    streams: list[list[Tensor]] = []
    for part in _packs(bags, rows, how):
        drawn = [_drawn(bags, int(slide), how.bag_size, rng) for slide in part]
        target = objective.target(bags.labels[part], device)
        forward = partial(_forward, network, bags, part, drawn, objective, how)
        if not objective.separable:
            streams.append(checkpoint(forward, target, use_reentrant=False).streams)
            continue
        out = forward(target)
        loss = _mean_loss(objective, out.streams, target)
        if out.own_loss is not None:
            loss = (1 - out.own_share) * loss + out.own_share * out.own_loss
        loss = loss * (len(part) / len(rows))
        (loss * factor).backward()
        total += float(loss.detach())
    if streams:
        joined = [torch.cat(parts) for parts in zip(*streams, strict=True)]
        loss = _mean_loss(objective, joined, objective.target(bags.labels[rows], device))
        (loss * factor).backward()
        total = float(loss.detach())
    return total


def _order(bags: Bags, objective: Objective, how: Schedule, rng: np.random.Generator) -> np.ndarray:
    """The bags of an epoch in their order."""
    if how.sampling == "shuffled" or objective.kind not in CLASSIFIED:
        return rng.permutation(len(bags))
    weights = 1 / np.bincount(bags.labels)[bags.labels]
    return rng.choice(len(bags), len(bags), p=weights / weights.sum())


def _mean_loss(objective: Objective, streams: list[Tensor], target: Tensor) -> Tensor:
    """The mean of the streams' losses."""
    losses = [objective.loss(logits, target) for logits in streams]
    return losses[0] if len(losses) == 1 else torch.stack(losses).mean()


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


def _validate(
    network: nn.Module, val: Bags, objective: Objective, how: Schedule, seed: int, device: torch.device
) -> float:
    """What the validation bags say of the network, smaller is better."""
    logits = torch.stack([logits for _, logits, _ in predict(network, val, how, seed, device)])
    return monitored(how.monitor, objective, logits, val.labels)


def _autocast(how: Schedule, device: torch.device) -> contextlib.AbstractContextManager[object]:
    return torch.autocast(device.type, torch.bfloat16, enabled=step_precision(how, device) == "bfloat16")


def step_precision(how: Schedule, device: torch.device) -> str:
    """What the steps are computed in on this device, "float32" or "bfloat16"."""
    if how.precision != "auto":
        return how.precision
    return "bfloat16" if device.type == "cuda" or registry.native_bfloat16() else "float32"
