"""For every setting of every head, a value that is not its default, and the settings that it is tried beside."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from bench.protocols import networks

Case = tuple[dict[str, Any], Any]
ONE = {"n_strengths": 1, "c_min": 1.0, "c_max": 1.0}
BOOSTED = {"n_estimators": 5}
FOREST = {"trees": 3}

DEVICE = "device"
MEMORY = "memory_gib"
PACKING = "pack_tiles"
RESOURCES = (DEVICE, MEMORY, PACKING)  # they do not change what is predicted, but for rounding

# The settings of the head that a case changes, and the value of the field; the defaults otherwise.
CASES: dict[str, dict[str, Case]] = {
    "linear": {
        "c_min": ({"n_strengths": 3}, 1e3),
        "c_max": ({"n_strengths": 3}, 1e-5),
        "n_strengths": ({}, 1),
        "standardise": (ONE, True),
        "class_weight": (ONE, "balanced"),
        "tol": (ONE, 0.1),
        "max_iter": (ONE, 1),
    },
    "linear_sgd": {
        "learning_rates": ({"steps": 60}, [0.1]),
        "weight_decays": ({"steps": 60}, [10.0]),
        "decoupled": ({"steps": 60}, False),
        "batch_size": ({"steps": 60}, 16),
        "schedule": ({"steps": 60}, "constant"),
        "steps": ({"steps": 60}, 3),
        "epochs": ({"steps": None, "epochs": 2, "patience_share": None}, 20),
        "patience_share": ({"steps": 60}, 0.02),
        "metric": ({"steps": 60, "learning_rates": [0.003]}, "f1_macro"),
        "binary_logits": ({"steps": 60}, 2),
    },
    "linear_sklearn": {
        "c": ({}, 0.01),
        "class_weight": ({}, "balanced"),
        "combine_train_val": ({}, True),
        "max_iter": ({}, 2),
    },
    "linear_uni": {"c": ({}, 0.1), "max_iter": ({}, 2)},
    "knn": {
        "k": ({}, [7]),
        "metric": ({}, "l2"),
        "centre": ({}, True),
        "ties": ({"k": [4]}, "first"),
        "chosen_by": ({"metric": "l2"}, "f1_macro"),
        "of_equals": ({"k": [1, 2], "ties": "nearest"}, "smallest"),
        "fit_validation": ({}, False),
    },
    "prototype": {},
    "prototype_topk": {"topk": ({}, 2)},
    "retrieval": {
        "k": ({}, [7]),
        "metric": ({}, "l2"),
        "centre": ({}, True),
        "ties": ({}, "right"),
        "divisor": ({"k": [60]}, "k"),
        "fit_validation": ({}, False),
    },
    "centre_robustness": {
        "k": ({"repeats": 0}, 3),
        "m": ({"repeats": 0}, 2),
        "centres": ({"repeats": 0}, ["x", "z"]),
        "repeats": ({"repeats": 1}, 2),
        "train_samples": ({"repeats": 1}, 15),
    },
    "consistency": {"k": ({}, 3)},
    "simpleshot": {
        "shots": ({"episodes": 20}, [3]),
        "episodes": ({"shots": [1]}, 30),
        "centre": ({"episodes": 20}, "support"),
        "normalise": ({"episodes": 20, "centre": "support"}, "means"),
        "result": ({"episodes": 20}, "majority"),
        "ways": ({"episodes": 20}, 2),
        "queries": ({"episodes": 20}, 3),
        "fit_validation": ({"episodes": 20}, False),
    },
    "label_efficiency": {"percent": ({}, [30.0]), "repeats": ({"percent": [10.0]}, 5), "c": ({}, 0.01)},
    "ridge": {
        "alpha_min": ({"n_strengths": 3}, 1e5),
        "alpha_max": ({"n_strengths": 3}, 1e-2),
        "n_strengths": ({}, 2),
        "standardise": ({"n_strengths": 3}, False),
        "pca": ({"n_strengths": 3}, 3),
    },
    "ridge_hest": {"pca": ({}, 3), "standardise": ({}, False), "intercept": ({}, False)},
    "boosted": {
        "pca": (BOOSTED, 3),
        "standardise": (BOOSTED, False),
        "n_estimators": (BOOSTED, 2),
        "learning_rate": (BOOSTED, 0.3),
        "max_depth": (BOOSTED, 1),
        "min_child_weight": (BOOSTED, 30.0),
        "subsample": (BOOSTED, 0.4),
        "colsample_bytree": (BOOSTED, 0.3),
        "reg_lambda": (BOOSTED, 30.0),
    },
    "forest": {
        "pca": (FOREST, 3),
        "standardise": (FOREST, False),
        "trees": (FOREST, 2),
        "max_depth": (FOREST, 2),
        "max_features": (FOREST, 0.3),
        "min_samples_leaf": (FOREST, 9),
    },
    "cox": {
        "alphas": ({}, [0.3]),
        "l1_ratio": ({}, 1.0),
        "standardise": ({}, True),
        "max_iter": ({"alphas": [0.01]}, 1),
    },
    "by_slide": {"head": ({}, "pooled"), "settings": ({"head": "pooled"}, {"pool": "max"})},
    "pooled": {
        "pool": ({"head": "prototype"}, "max"),
        "head": ({}, "prototype"),
        "settings": ({}, {"n_strengths": 1}),
    },
}

SMALL = {"dim": 8, "epochs": 4, "batch": 5, "learning_rate": 1e-2, "dropout": 0.1, "precision": "float32"}
LAST = {**SMALL, "keep": "last"}
ALWAYS = {**SMALL, "min_epochs": 0}

TRAINING: dict[str, Case] = {
    "optimiser": ({**SMALL, "weight_decay": 0.1}, "adam"),
    "beta1": (SMALL, 0.5),
    "beta2": (SMALL, 0.5),
    "learning_rate": (SMALL, 1e-3),
    "weight_decay": (SMALL, 1.0),
    "gradient_factor": ({**SMALL, "optimiser": "adam", "weight_decay": 0.1}, 0.01),
    "schedule": (SMALL, "constant"),
    "warmup_epochs": (SMALL, 3),
    "final_rate": (LAST, 1e-3),
    "epochs": (SMALL, 2),
    "batch": (SMALL, 3),
    "rest": ({**SMALL, "batch": 7}, "carry"),
    "sampling": (SMALL, "balanced"),
    "bag_size": (SMALL, 4),
    "bag_size_test": (SMALL, 4),
    "keep": ({**SMALL, "learning_rate": 0.1, "epochs": 12}, "last"),
    "monitor": ({**SMALL, "epochs": 12}, "balanced_accuracy"),
    "ties": ({**SMALL, "learning_rate": 1e-6, "monitor": "balanced_accuracy"}, "last"),
    "refit": (SMALL, False),
    "patience": ({**ALWAYS, "learning_rate": 0.1, "epochs": 14, "patience": 6, "dropout": 0.5}, 1),
    "min_epochs": ({**SMALL, "learning_rate": 0.1, "epochs": 14, "patience": 1, "dropout": 0.5, "min_epochs": 14}, 0),
    "class_weight": (SMALL, "balanced"),
    "initial_weights": (SMALL, "xavier_normal"),
}
TARGETS: dict[str, Case] = {
    "binary_logits": (SMALL, 1),
    "survival_loss": (SMALL, "cox"),
    "intervals": (SMALL, 2),
}
WIDTHS: dict[str, Case] = {"dim": (SMALL, 16), "dropout": (SMALL, 0.6)}
POOLING: dict[str, Case] = {
    **WIDTHS,
    "relu": (SMALL, False),
    "dropout_input": (SMALL, 0.5),
    "hidden": (SMALL, [4]),
}
ATTENTION: dict[str, Case] = {**POOLING, "attention_dim": (SMALL, 3), "gated": (SMALL, False)}
CLUSTERING: dict[str, Case] = {
    "instances": (SMALL, 2),
    "instance_share": (SMALL, 0.9),
    "subtyping": (SMALL, True),
}
HEADS: dict[str, Case] = {
    "heads": (SMALL, 2),
    "attention_dim": (SMALL, 3),
    "gated": (SMALL, True),
    "dropout": (SMALL, 0.6),
}
SHARED = ("class_weight",)  # of `TRAINING`, tried with every network; the rest with one


def of_network(network: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Of these settings the ones that the network has."""
    own = {field.name for field in fields(networks.get(network))}
    return {name: value for name, value in settings.items() if name in own}


LISTED: dict[str, dict[str, Case]] = {
    "abmil": {**ATTENTION, **TRAINING, **TARGETS},
    "abmil_multihead": {**HEADS, **TRAINING, **TARGETS},
    "clam_sb": {**ATTENTION, **CLUSTERING, **TRAINING},
    "clam_mb": {**ATTENTION, **CLUSTERING, **TRAINING},
    "mil_fc": {**WIDTHS, **TRAINING},
    "mean": {**POOLING, **TRAINING, **TARGETS},
    "max": {**POOLING, **TRAINING, **TARGETS},
    "dsmil": {**TRAINING, **TARGETS},
    "transmil": {name: ({**base, "epochs": 2}, v) for name, (base, v) in {**WIDTHS, **TRAINING, **TARGETS}.items()},
}
NETWORKS = {
    network: {name: (of_network(network, base), value) for name, (base, value) in table.items()}
    for network, table in LISTED.items()
}
PRECISION = "precision"
"""Its case depends on the processor, so it has a test of its own."""
