"""Predictions that two models share: they cannot both be of their model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata

from bench.packs.content import Finding, PackedRun

FEWEST_SCORES = 20
"""Different scores from which on two models cannot order all samples alike by chance; votes of a few neighbours, and a
task that every model solves, have fewer."""
RESTORED = "image_quality"
"""The kind of rows whose models are restorers: two of them may well leave tiles alike."""
DIGITS = 9  # in which scores are compared, so that noise of rounding hides no copy


def reused_predictions(runs: Sequence[PackedRun]) -> Iterator[Finding]:
    """A finding for each set of models whose runs on one test side order all samples alike, in every column."""
    orders: dict[bytes, list[PackedRun]] = defaultdict(list)
    for run in runs:
        if run.row.kind == RESTORED:
            continue
        order = np.argsort(run.predictions.ids, kind="stable")
        scores = run.predictions.scores[order]
        if (ranks := _ranks(scores)) is not None:
            ids = "\0".join(run.predictions.ids[order].tolist())
            orders[ranks.tobytes() + ids.encode(errors="surrogatepass")].append(run)
    for alike in orders.values():
        models = {(run.row.model, run.row.frontend): run for run in alike}
        if len({model for model, _ in models}) > 1:
            names = " and ".join(run.name for run in models.values())
            yield Finding(
                "reused predictions",
                f"{names} order all {len(alike[0].predictions.ids)} samples alike, as no two models do: one of them "
                "has the predictions of another.",
            )


def _ranks(scores: Float[np.ndarray, "sample column"]) -> Int[np.ndarray, "column sample"] | None:
    """Ranks of the samples in each column; None where there are too few different scores to know a model by."""
    rounded = np.round(np.nan_to_num(scores), DIGITS)
    if max(len(np.unique(column)) for column in rounded.T) < FEWEST_SCORES:
        return None
    return np.stack([rankdata(column, method="dense") for column in rounded.T]).astype(np.int64)
