"""The training of the small restorer: every step follows from the seed, the step's number and the weights before it."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float

from bench.files import atomic_write, unwritable
from bench.frontends.restorers.small_network import Shape, SmallNetwork
from bench.frontends.training.degradations import degrade, levels
from bench.frontends.training.mixture import drawn
from bench.frontends.training.tiles import Tiles
from bench.progress import progress_bar
from registry.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    Pixels = Float[Tensor, "tile 3 height width"]

FIRST = 1000  # steps in which only the weights for tiles are learnt, which is quick, before those for pixels
FASTER = 3.0  # times the learning rate in these
WARM_UP = 100  # steps, at the beginning of each of both
COOLING = 0.35  # the last part of the steps, in which the rate falls to zero
MARGIN = 32  # px that a crop is larger while it is degraded, so that not every crop has mirrored edges
AVERAGED = 0.998  # of the moving average of the weights, which is what is saved
FLOOR = 1e-4  # added to a mean squared error: what differs by less than 40 dB matters, and clean tiles do not rule


@dataclass(frozen=True)
class Options:
    """What the weights follow from, beside the tiles and the number of steps.

    Attributes
    ----------
    seed
        Of everything that is drawn.
    shape
        Of the network.
    size, batch
        Crops, px on a side, and how many of them a step takes.
    rate
        Learning rate before it falls.
    precision
        ``bfloat16`` for products of the forward pass, or ``float32``.
    """

    seed: int = 0
    shape: Shape = field(default_factory=Shape)
    size: int = 64
    batch: int = 16
    rate: float = 1e-3
    precision: str = "float32"

    @property
    def side(self) -> int:
        """The crops that are degraded, px."""
        return self.size + MARGIN


class Training:
    """A network, its optimiser and its average, at a step.

    Parameters
    ----------
    options
        What the weights follow from.
    tiles
        Clean tiles.
    device
        Where degradations and network run.
    """

    def __init__(self, options: Options, tiles: Tiles, device: torch.device) -> None:
        self.options, self.tiles, self.device = options, tiles, device
        self.step, self.elapsed, self.steps = 0, 0.0, 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            network = SmallNetwork(options.shape)
        self.network: SmallNetwork = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=0, betas=(0.9, 0.99), weight_decay=1e-4)

    def batch(self, step: int) -> tuple[Pixels, Pixels]:
        """The degraded and the clean crops of a step, in 0..1."""
        options = self.options
        rng = np.random.default_rng([options.seed, step])
        clean = self.tiles.crops(options.batch, options.side, rng).to(self.device).float() / 255
        gain = torch.from_numpy(rng.uniform(0.9, 1.1, (options.batch, 3, 1, 1))).to(clean)
        gamma = torch.from_numpy(rng.uniform(0.8, 1.25, (options.batch, 1, 1, 1))).to(clean)
        clean = levels(clean**gamma * gain)
        noise = torch.Generator(self.device).manual_seed(int(rng.integers(2**62)))
        degraded = degrade(clean, [drawn(rng) for _ in range(options.batch)], noise)
        top, left = (int(rng.integers(MARGIN + 1)) for _ in range(2))
        inner = (..., slice(top, top + options.size), slice(left, left + options.size))
        return degraded[inner], clean[inner]

    def advance(self) -> float:
        """Take one step; returns the batch's mean loss before it, in dB (the less, the better)."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.options.rate * factor(self.step, self.steps)
        degraded, clean = self.batch(self.step)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.precision == "bfloat16"):
            restored = self.network(degraded, locally=self.step >= FIRST)
        loss = decibels(restored.float(), clean)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        if torch.isfinite(norm):
            self.optimiser.step()
        self.step += 1
        share = min(AVERAGED, self.step / (self.step + 9))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                self.average[name].lerp_(value, 1 - share)
        return float(loss.detach())

    def averaged(self) -> SmallNetwork:
        """The network with the moving average of its weights."""
        network = SmallNetwork(self.options.shape)
        network.load_state_dict(self.average)
        return network

    def save(self, path: Path) -> None:
        """Write all that going on from here needs."""
        state = {
            "description": self._description(),
            "step": self.step,
            "steps": self.steps,
            "elapsed": self.elapsed,
            "network": self.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
        }
        try:
            with atomic_write(path) as temporary:
                torch.save(state, temporary)
        except OSError as error:
            raise unwritable(path, error, "--output") from error

    def resume(self, path: Path) -> None:
        """Go on from where `save` was called.

        Raises
        ------
        UserError
            If the file is damaged, or was written with other options or tiles.
        """
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            description = state["description"]
        except Exception as error:
            raise UserError(f"The checkpoint {path} cannot be read: delete it to begin anew.") from error
        own = self._description()
        other = [name for name in own if description.get(name) != own[name]]
        if other:
            raise UserError(
                f"The checkpoint {path} was written with another {' and '.join(other)}: name another --output, or "
                "delete it to begin anew."
            )
        self.step, self.steps, self.elapsed = state["step"], state["steps"], state["elapsed"]
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        for name, value in state["average"].items():
            self.average[name].copy_(value)

    def _description(self) -> dict[str, Any]:
        shape = asdict(self.options.shape) | {"depths": list(self.options.shape.depths)}
        return asdict(self.options) | {"shape": shape, "tiles": self.tiles.sha256, "share": self.tiles.share}


def train(
    training: Training, checkpoint: Path, steps: int, minutes: float, every: float, stop_at: int | None = None
) -> None:
    """Train to the end, with a checkpoint every so many seconds.

    Parameters
    ----------
    training
        At any step.
    checkpoint
        File to write.
    steps
        How many in all; 0 lets `minutes` decide.
    minutes
        How long in all, the time before a restart counted: the number of steps is fixed when the rate begins to fall,
        and that number as `steps` makes the same weights.
    every
        Seconds between checkpoints.
    stop_at
        Stop at this step with a checkpoint, as a run that is ended and resumed.

    Raises
    ------
    UserError
        If the rate has begun to fall towards another number of steps.
    """
    if steps:
        if training.steps not in (0, steps) and training.step > (1 - COOLING) * min(steps, training.steps):
            raise UserError(
                f"The checkpoint {checkpoint} is in the last part of {training.steps} steps, in which the learning "
                f"rate falls: set --steps {training.steps}, or delete it to begin anew."
            )
        training.steps = steps
    started, saved = time.monotonic() - training.elapsed, time.monotonic()
    smooth: float | None = None
    with progress_bar("training", "steps", training.steps or None, initial=training.step) as bar:
        while not training.steps or training.step < training.steps:
            if training.step == stop_at:
                break
            loss = training.advance()
            smooth = loss if smooth is None else 0.99 * smooth + 0.01 * loss
            training.elapsed = time.monotonic() - started
            if not training.steps and training.elapsed >= (1 - COOLING) * minutes * 60:
                training.steps = bar.total = math.ceil(training.step / (1 - COOLING))
            bar.set_postfix_str(f"PSNR {-smooth:.2f} dB", refresh=False)
            bar.update()
            if time.monotonic() - saved > every:
                training.save(checkpoint)
                saved = time.monotonic()
    training.save(checkpoint)


def factor(step: int, steps: int) -> float:
    """The learning rate of a step over the option; `steps` is 0 while it is not known how many there will be."""
    highest, within = (FASTER, step) if step < FIRST else (1.0, step - FIRST)
    falling = min(1.0, (steps - step) / (COOLING * steps)) if steps else 1.0
    return min(highest, highest * (within + 1) / WARM_UP) * falling


def decibels(restored: Pixels, clean: Pixels) -> Float[Tensor, ""]:
    """The mean over tiles of their negative PSNR, so that a mild degradation counts as much as a strong one."""
    errors = (restored - clean).square().mean((1, 2, 3))
    return 10 * torch.log10(errors + FLOOR).mean()
