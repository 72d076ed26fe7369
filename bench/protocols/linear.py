"""Linear probe: L2 logistic regression, its strength chosen among many, refitted on train and validation."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bench.protocols.base import Predictions, Samples
from bench.protocols.checks import check_classes
from bench.protocols.held_out import held_out_info
from bench.protocols.linear_labels import fit_predict_labels
from bench.protocols.linear_settings import Config, strengths_of, weights_of
from bench.protocols.scaling import standardised
from bench.protocols.selection import inner_cv, inner_cv_where_possible, notes_on_end, pool
from bench.protocols.settings import device_of
from bench.protocols.temperature import scaled

__all__ = ["KINDS", "Config", "fit_predict"]

KINDS = ("classes", "ordinal", "multilabel")


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Choose C by the log-loss of held-out samples, every class of the same weight, refit, predict probabilities.

    Log-loss decides and not the balanced accuracy that tasks are ranked by: on separable or few samples the latter is
    the same at many strengths, and of these the strongest leaves the prediction to the free intercept, which follows
    whichever class is larger after the refit. `python -m benchmarks.selection` compares the rules; the figures are in
    `benchmarks/README.md`.

    Grades are classes. Labels that do not exclude each other are fitted each for itself (`linear_labels`).

    The losses of all inner folds are added up. The temperature of `Predictions.calibrated` is fitted to the held-out
    predictions at the chosen C, and at one C too where folds can be made; so are the thresholds of two classes
    (`operating_thresholds`). `info` holds them, C, the gradient norm and objective of the refit, the largest gradient
    norm of the sweep, and the log-loss of each strength.

    Raises
    ------
    UserError
        Samples that cannot be classified (`check_classes`) or folds that cannot be made (`inner_cv`).
    """
    if train.kind == "multilabel":
        return fit_predict_labels(train, val, test, config, seed)
    from bench.protocols.logistic import Design, notes_on, solve

    strengths = strengths_of(config)
    n_classes = check_classes(train, val, test)
    device = device_of(config.device)
    choice = (inner_cv if len(strengths) > 1 else inner_cv_where_possible)(train, val, seed)
    samples = choice.samples if choice else pool(train, val)
    features, test_features = samples.features.astype(np.float32), test.features.astype(np.float32)
    if config.standardise:
        features, test_features = (side.astype(np.float32) for side in standardised(features, test_features))
    y = samples.labels
    design = Design.of(features, device)
    solver = partial(
        solve,
        design,
        y,
        n_classes,
        tol=config.tol,
        max_iter=config.max_iter,
        memory_bytes=int(config.memory_gib * 2**30),
    )
    info: dict[str, Any] = {"c": float(strengths[0])}
    if choice:
        folds, count = len(choice.fit), len(strengths)
        weightings = np.stack([weights_of(y, fit, n_classes, config.class_weight) for fit in choice.fit])
        sweep = solver(np.tile(strengths, folds), weightings, np.repeat(np.arange(folds), count))
        importance = weights_of(y, choice.validation_mask, n_classes, "balanced")
        losses = np.zeros(count)
        for fold in range(folds):
            rows = np.flatnonzero(choice.held_out[fold])
            of_fold = slice(fold * count, (fold + 1) * count)
            for part, losses_of_part in sweep.log_losses(features[rows], y[rows], of_fold):
                losses += losses_of_part @ importance[rows[part]]
        losses /= importance.sum()
        best = int(losses.argmin())
        if count > 1:
            info = {
                "c": float(strengths[best]),
                "chosen_by": choice.by,
                "strengths": strengths.tolist(),
                "validation_log_loss": losses.tolist(),
                "sweep_gradient_norm": float(sweep.gradient_norm.max()),
            }
        mask, out_of_fold_scores = choice.validation_mask, np.zeros((len(y), n_classes))
        for fold in range(folds):
            rows = np.flatnonzero(choice.held_out[fold])
            for part, scores in sweep.probabilities(
                features[rows], slice(fold * count + best, fold * count + best + 1)
            ):
                out_of_fold_scores[rows[part]] = scores[0]
        info |= held_out_info(out_of_fold_scores[mask], y[mask])
    weights = weights_of(y, np.ones(len(y), dtype=bool), n_classes, config.class_weight)
    final = solver(np.array([info["c"]]), weights[None])
    info |= {
        "gradient_norm": float(final.gradient_norm[0]),
        "objective": float(final.objective[0]),
        "iterations": int(final.iterations[0]),
        "converged": bool(final.gradient_norm[0] <= config.tol),
        "notes": [
            *notes_on_end("C", info["c"], strengths, "set c_min or c_max of the protocol beyond it"),
            *notes_on(float(final.gradient_norm[0]), config.tol, config.max_iter),
        ],
    }
    scores = np.concatenate([s[0] for _, s in final.probabilities(test_features)])
    calibrated = scaled(scores, info["temperature"]) if choice else None
    return Predictions.of(test, scores, info, calibrated=calibrated)
