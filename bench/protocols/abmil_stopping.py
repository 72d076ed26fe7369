"""Which epoch of a MIL network's training is the best on validation, and when the training ends."""

from __future__ import annotations

import math


class BestEpoch:
    """The best epoch so far, and the number of epochs since.

    Parameters
    ----------
    patience
        Epochs without improvement that end the training; None never does.
    min_epochs
        Epochs that are trained in any case.
    ties
        Which of equally good epochs is the best one, and starts the count anew: the "first" or the "last".
    """

    def __init__(self, patience: int | None, min_epochs: int, ties: str = "first") -> None:
        self.patience, self.min_epochs, self.ties = patience, min_epochs, ties
        self.value, self.epoch, self.since = math.inf, 0, 0

    def improves(self, epoch: int, value: float) -> bool:
        """Whether this epoch, counted from 0, is the best so far; the smaller value is the better one."""
        better = value <= self.value if self.ties == "last" else value < self.value
        self.since += 1
        if better:
            self.value, self.epoch, self.since = value, epoch, 0
        return better

    def ends(self, epoch: int) -> bool:
        """Whether the training ends with this epoch."""
        return self.patience is not None and self.since >= self.patience and epoch + 1 >= self.min_epochs
