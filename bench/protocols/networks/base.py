"""The output that every MIL network has for its bags, and the settings that every network has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from bench.protocols.abmil_losses import Objective, objective
from bench.protocols.abmil_schedule import Schedule
from bench.protocols.base import CLASSIFIED, KINDS, Samples
from bench.protocols.settings import Range, check_settings
from registry.errors import UserError


@dataclass
class Output:
    """The output of a network for some bags.

    Attributes
    ----------
    logits : [B, K]
    attention : [T]
        Of each tile, summing to 1 in each bag.
    own_loss : scalar or None
        A loss of the network's own, with the share `own_share` in the loss of a step.
    second_stream : [B, K] or None
        Further logits, which share the loss of a step with the first and have no part in the prediction.
    """

    logits: Float[Tensor, "bag logit"]
    attention: Float[Tensor, " tile"]
    own_loss: Tensor | None = None
    own_share: float = 0.0
    second_stream: Float[Tensor, "bag logit"] | None = None

    @property
    def streams(self) -> list[Tensor]:
        """The logits that have a loss."""
        return [self.logits] if self.second_stream is None else [self.logits, self.second_stream]


@dataclass
class NetworkSettings(Schedule, ABC):
    """Settings of a network that takes classes and grades, and of its training.

    A network's own settings derive from this, or from `AnyTarget`.

    Attributes
    ----------
    network
        The name of the network, which is that of its file; it is the default of a derived class.
    class_weight
        "balanced" or null; of classes and grades, or of the presence of each label. Regression and survival have none.
    initial_weights : "own" or "xavier_normal"
        The network's own first weights; or those of Glorot and Bengio 2010 in all linear layers, with biases of 0.
    """

    network: str = ""
    class_weight: str | None = None
    initial_weights: str = "own"
    device: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_settings("abmil", self, class_weight=(None, "balanced"), initial_weights=("own", "xavier_normal"))
        own = type(self).network
        if self.network != own:
            raise UserError(
                f"network={self.network} of the abmil head has the settings of network={own}: take "
                f"bench.protocols.networks.get('{self.network}'), which has that network's."
            )

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of target that the network takes, of `KINDS`."""
        return CLASSIFIED

    def objective(self, train: Samples, val: Samples | None, test: Samples) -> Objective:
        """The objective that the network is trained for.

        Raises
        ------
        UserError
            If the labels cannot be learned from.
        """
        return objective(train, val, test, self.class_weight)

    @abstractmethod
    def build(self, features: int, logits: int) -> nn.Module:
        """The network for tiles of so many features, with fresh weights.

        Its forward pass takes tiles [T, D], the bag of each tile [T], the number of bags and, in training on classes,
        their labels, and returns an `Output`.
        """


@dataclass
class AnyTarget(NetworkSettings):
    """Settings of a network that takes every kind of target.

    Attributes
    ----------
    binary_logits
        Outputs for two classes: 2 and a softmax, as CLAM and its followers have, or 1 and a sigmoid, as eva has in its
        binary tasks (``output_size: 1``, ``BCEWithLogitsLoss``).
    survival_loss, intervals
        "discrete" with this many time intervals, or "cox", which compares the bags of a step and needs a batch of more
        than one; it is for survival alone.
    """

    binary_logits: int = 2
    survival_loss: str = "discrete"
    intervals: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        check_settings("abmil", self, binary_logits=(1, 2), survival_loss=("discrete", "cox"), intervals=Range(2))

    @property
    def kinds(self) -> tuple[str, ...]:
        """All kinds of target, or survival alone with Cox's likelihood."""
        return ("survival",) if self.survival_loss == "cox" else KINDS

    def objective(self, train: Samples, val: Samples | None, test: Samples) -> Objective:
        """As of `NetworkSettings`, for every kind of target."""
        return objective(train, val, test, self.class_weight, self.survival_loss, self.intervals, self.binary_logits)
