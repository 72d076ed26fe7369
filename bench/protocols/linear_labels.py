"""The linear probe on labels that do not exclude each other: a binary logistic regression of each, solved together."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from bench.protocols.base import Predictions, Samples
from bench.protocols.checks import check_multilabel
from bench.protocols.linear_settings import Config, strengths_of, weights_of
from bench.protocols.scaling import standardised
from bench.protocols.selection import inner_cv, notes_on_end, pool
from bench.protocols.settings import device_of


def fit_predict_labels(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Choose C of each label by its log-loss (of equals, the strongest regularisation), refit, predict probabilities.

    Every label has its own C: labels differ in how rare and how visible they are, and one C would be set by the most of
    them. C is chosen by log-loss and not by balanced accuracy: at a threshold of one half a rare label is never
    predicted at any of the stronger regularisations, and balanced accuracy is the same for all of them. The log-loss
    is the mean over the held-out samples of all inner folds, weighted as the fit is.

    Each label is what the classification of its presence would be at the same C: one logit, the bias free. `info` holds
    lists over labels; nothing is calibrated.

    Raises
    ------
    UserError
        Labels that cannot be learned (`check_multilabel`) or folds that cannot be made (`inner_cv`).
    """
    from bench.protocols.logistic import Design, notes_on, solve

    strengths = strengths_of(config)
    n_labels = check_multilabel(train, val, test)
    device = device_of(config.device)
    choice = inner_cv(train, val, seed) if len(strengths) > 1 else None
    samples = choice.samples if choice else pool(train, val)
    features, test_features = samples.features.astype(np.float32), test.features.astype(np.float32)
    if config.standardise:
        features, test_features = (side.astype(np.float32) for side in standardised(features, test_features))
    y = np.ascontiguousarray(samples.labels.T)
    solver = partial(
        solve,
        Design.of(features, device),
        y,
        2,
        tol=config.tol,
        max_iter=config.max_iter,
        memory_bytes=int(config.memory_gib * 2**30),
    )
    everything = np.ones(len(samples), dtype=bool)
    weights = np.stack([weights_of(one, everything, 2, config.class_weight) for one in y])
    info: dict[str, Any] = {"c": [float(strengths[0])] * n_labels}
    if choice:
        # Problems are folds by labels by strengths.
        folds, count = len(choice.fit), len(strengths)
        weightings = np.stack([weights_of(one, fit, 2, config.class_weight) for fit in choice.fit for one in y])
        sweep = solver(
            np.tile(strengths, folds * n_labels),
            weightings,
            np.repeat(np.arange(folds * n_labels), count),
            np.tile(np.repeat(np.arange(n_labels), count), folds),
        )
        losses = np.zeros((n_labels, count))
        for fold in range(folds):
            rows = np.flatnonzero(choice.held_out[fold])
            problems = slice(fold * n_labels * count, (fold + 1) * n_labels * count)
            for part, logits in sweep.logits(features[rows], problems):
                own = rows[part]
                each = log_loss(logits[..., 0].cpu().numpy().reshape(n_labels, count, -1), y[:, None, own])
                losses += (each * weights[:, None, own]).sum(axis=2)
        losses /= weights[:, choice.validation_mask].sum(axis=1, keepdims=True)
        best = losses.argmin(axis=1)
        info = {
            "c": strengths[best].tolist(),
            "chosen_by": choice.by,
            "strengths": strengths.tolist(),
            "validation_log_loss": losses.tolist(),
            "sweep_gradient_norm": float(sweep.gradient_norm.max()),
        }
    each_once = np.arange(n_labels)
    final = solver(np.array(info["c"]), weights, each_once, each_once)
    info |= {
        "gradient_norm": float(final.gradient_norm.max()),
        "objective": final.objective.tolist(),
        "iterations": final.iterations.tolist(),
        "converged": bool((final.gradient_norm <= config.tol).all()),
        "notes": [
            *(
                note
                for name, c in zip(train.classes or map(str, range(n_labels)), info["c"], strict=True)
                for note in notes_on_end(f"C of {name}", c, strengths, "set c_min or c_max of the protocol beyond it")
            ),
            *notes_on(float(final.gradient_norm.max()), config.tol, config.max_iter),
        ],
    }
    scores = np.concatenate([p[:, :, 1].T for _, p in final.probabilities(test_features)])
    return Predictions.of(test, scores, info)


def log_loss(logits: Float[np.ndarray, "*shape"], labels: Int[np.ndarray, "*other"]) -> Float[np.ndarray, "*shape"]:
    """Binary cross-entropy of each logit, exact where the probability would round to 0 or 1."""
    return np.asarray(np.logaddexp(0, np.where(labels > 0, -logits, logits)))
