"""How a MIL network is trained: the settings that all networks share, and the learning rate of each step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.protocols.abmil_optimisers import OPTIMISERS
from bench.protocols.settings import DROPOUT, FROM_ONE, FROM_ZERO, POSITIVE, check_settings

REDUCED_EPOCHS, REDUCED_SHARE = 5, 1 / 3  # the defaults of torch's ConstantLR, which is the default of eva's heads


@dataclass
class Schedule:
    """How a network is trained.

    Attributes
    ----------
    optimiser : "adam", "adamw" or "lookahead_radam", as in `bench.protocols.abmil_optimisers`
    beta1, beta2 : of the optimiser's running means of the gradient and of its square
    gradient_factor : factor of the gradient of a step, which with Adam matters beside `weight_decay` and tiny gradients
    schedule : "constant"; after `warmup_epochs` of linear rise half a cosine to `final_rate`: "cosine" step by step,
        "cosine_by_epoch" with the same rate in all steps of an epoch, "cosine_from_zero" with a rise that starts at 0;
        or "reduced_start", a third of the rate in the first five epochs
    batch : bags a step
    rest : what the bags after the last full step of an epoch do: a "step" of their own, or "carry" their gradient, with
        the weight of bags of a full step, over to the first step of the next epoch. Fewer bags than `batch` are a step
    sampling : "shuffled", each bag once an epoch; or of classes and grades "balanced", as many draws with replacement
        as there are bags, every class as probable as another
    bag_size : tiles drawn anew from a larger bag each time; null takes all
    bag_size_test : tiles drawn from a larger bag that is predicted, the same ones each time; null takes all
    keep : "best" epoch on validation, or the "last" one
    monitor : "loss", "balanced_accuracy" or "auroc_and_accuracy" (`bench.protocols.abmil_monitors`) of the validation
        bags; without classes or grades it is always the loss
    ties : the "first" or the "last" of equally good epochs is the best one
    refit : without a validation side and with keep=best, train once more on all bags for as many epochs as the best one
        has; false leaves the network that learned without the held-out fold, as the repositories of the presets do
    patience, min_epochs : epochs without improvement that end the training, never before min_epochs; null never does
    pack_tiles : bags are packed together up to this many tiles; 0 takes one bag at a time
    precision : of the training steps: "float32", "bfloat16" autocast, or "auto": bfloat16 on a GPU and on a CPU that
        has instructions for it; validation and prediction are always in float32
    """

    optimiser: str = "adamw"
    beta1: float = 0.9
    beta2: float = 0.999
    learning_rate: float = 1e-4
    weight_decay: float = 1e-5
    gradient_factor: float = 1.0
    schedule: str = "cosine"
    warmup_epochs: int = 1
    final_rate: float = 0.0
    epochs: int = 20
    batch: int = 1
    rest: str = "step"
    sampling: str = "shuffled"
    bag_size: int | None = None
    bag_size_test: int | None = None
    keep: str = "best"
    monitor: str = "loss"
    ties: str = "first"
    refit: bool = True
    patience: int | None = 10
    min_epochs: int = 15
    pack_tiles: int = 0
    precision: str = "auto"

    def __post_init__(self) -> None:
        check_settings(
            "abmil",
            self,
            optimiser=tuple(OPTIMISERS),
            beta1=DROPOUT,
            beta2=DROPOUT,
            schedule=("constant", "cosine", "cosine_by_epoch", "cosine_from_zero", "reduced_start"),
            rest=("step", "carry"),
            sampling=("shuffled", "balanced"),
            keep=("best", "last"),
            monitor=("loss", "balanced_accuracy", "auroc_and_accuracy"),
            ties=("first", "last"),
            precision=("auto", "float32", "bfloat16"),
            learning_rate=POSITIVE,
            gradient_factor=POSITIVE,
            weight_decay=FROM_ZERO,
            final_rate=FROM_ZERO,
            warmup_epochs=FROM_ZERO,
            epochs=FROM_ONE,
            batch=FROM_ONE,
            bag_size=FROM_ONE,
            bag_size_test=FROM_ONE,
            patience=FROM_ONE,
            min_epochs=FROM_ZERO,
            pack_tiles=FROM_ZERO,
        )


def steps_an_epoch(how: Schedule, bags: int) -> int:
    """Steps of an epoch of so many bags."""
    return max(1, bags // how.batch) if how.rest == "carry" else math.ceil(bags / how.batch)


def learning_rate(how: Schedule, step: int, steps_an_epoch: int) -> float:
    """Rate at a step: linear rise over the warm-up, then by the schedule, whose epochs count from the first step.

    A cosine goes down to the final rate.
    """
    warmup, total = how.warmup_epochs * steps_an_epoch, how.epochs * steps_an_epoch
    if step < warmup:
        return how.learning_rate * (step + (how.schedule != "cosine_from_zero")) / warmup
    if how.schedule == "constant":
        return how.learning_rate
    if how.schedule == "reduced_start":
        return how.learning_rate * reduced_start(step // steps_an_epoch)
    if how.schedule == "cosine_by_epoch":
        step -= step % steps_an_epoch
    progress = (step - warmup) / max(1, total - warmup)
    return how.final_rate + (how.learning_rate - how.final_rate) * 0.5 * (1 + math.cos(math.pi * progress))


def reduced_start(epoch: int) -> float:
    """Share of the learning rate in an epoch, counted from 0: a third in the first five, then all of it."""
    return REDUCED_SHARE if epoch < REDUCED_EPOCHS else 1.0
