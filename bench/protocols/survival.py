"""What survival labels must satisfy, and how well risks order them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from bench.metrics import score
from bench.protocols.base import Samples
from bench.protocols.checks import named_splits
from registry.errors import UserError, first_few


def check_survival(train: Samples, val: Samples | None, test: Samples) -> None:
    """Check that labels are times above 0 and events of 0 or 1, that training and test have events, and that training
    samples can be compared: an event before another sample's time.

    Raises
    ------
    UserError
        The sentence names the first samples concerned.
    """
    for side, name in named_splits(train, val, test):
        if side.labels.ndim != 2 or side.labels.shape[1] != 2:
            raise UserError("This head predicts survival, but the task's labels are not pairs of time and event.")
        time, event = side.labels[:, 0], side.labels[:, 1]
        bad = ~(np.isfinite(time) & (time > 0) & np.isin(event, (0, 1)))
        if bad.any():
            raise UserError(
                f"{bad.sum()} {name} samples have a time that is not above 0 or an event that is not 0 or 1 "
                f"({first_few(side.ids[bad])}): mend their labels."
            )
        if side is not val and not event.any():
            raise UserError(
                f"No {name} sample has an event: survival cannot be learned or scored from censored times alone."
            )
        if side is train and not comparable(side.labels):
            alike = (side.labels == side.labels[0]).all()
            what = f"have the same time, {time[0]:g}, and event" if alike else "have no event before another's time"
            raise UserError(
                f"All {len(side)} training samples {what}, so there is no order of survival to learn: look at the "
                "columns of time and event."
            )


def comparable(labels: Float[np.ndarray, "sample time_and_event"]) -> bool:
    """Whether any pair is comparable, in the sense of `concordance`."""
    time, event = labels[:, 0], labels[:, 1] > 0
    last = time.max()
    return bool((time[event] < last).any() or (event.any() and (time[~event] == last).any()))


def nothing_to_choose_by(what: str, by: str, mend: str) -> UserError:
    """The error of a choice by survival where no pair of samples is comparable."""
    return UserError(
        f"{what} is chosen by {by}, where no two samples' survival can be compared, because no event comes before "
        f"another sample's time: {mend}."
    )


def concordance(
    time: Float[np.ndarray, " sample"], event: Bool[np.ndarray, " sample"], risk: Float[np.ndarray, " sample"]
) -> float:
    """Harrell's C-index as in the rows of results (`bench.metrics.survival.c_index`); NaN without comparable pairs."""
    labels, alone = np.stack([time, event], axis=1).astype(np.float64), np.arange(len(time))
    return score(labels, risk[:, None], alone, kind="survival", metrics=["c_index"], n_boot=0)["c_index"].value
