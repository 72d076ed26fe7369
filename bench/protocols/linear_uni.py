"""The linear probe of the UNI repository, its unsquared penalty included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from bench.protocols.base import Predictions, Samples
from bench.protocols.checks import check_classes
from bench.protocols.held_out import held_out_info_of
from bench.protocols.selection import inner_cv_where_possible, pool
from bench.protocols.settings import FROM_ONE, POSITIVE, check_settings, device_of
from bench.protocols.temperature import scaled


@dataclass
class Config:
    """Settings of UNI's probe.

    Attributes
    ----------
    c
        Inverse strength; null is the repository's D K / 100 for D features and K classes.
    max_iter
        Iterations of L-BFGS.
    """

    c: float | None = None
    max_iter: int = 1000
    device: str = "auto"

    def __post_init__(self) -> None:
        check_settings("linear_uni", self, c=POSITIVE, max_iter=FROM_ONE)


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Minimise mean cross-entropy + |W| / (2 C) over train and validation, with the norm itself and not its square.

    Full-batch L-BFGS with strong Wolfe line search from zero, float32, bias not penalised, features as they are; one
    logit a class, for two classes too. `c` is therefore not scikit-learn's.

    Raises
    ------
    UserError
        Samples that cannot be classified.
    """
    n_classes = check_classes(train, val, test)
    where = device_of(config.device)
    choice = inner_cv_where_possible(train, val, seed)
    scores, info = _fitted(choice.samples if choice else pool(train, val), test, n_classes, config, where)
    held_out = held_out_info_of(choice, n_classes, lambda fit, query: _fitted(fit, query, n_classes, config, where)[0])
    calibrated = scaled(scores, held_out["temperature"]) if held_out else None
    return Predictions.of(test, scores, info | held_out, calibrated=calibrated)


def _fitted(
    samples: Samples, test: Samples, n_classes: int, config: Config, where: str
) -> tuple[Float[np.ndarray, "query class"], dict[str, Any]]:
    """Class probabilities of the test samples, and how the fit went."""
    import torch

    x = torch.from_numpy(samples.features.astype(np.float32)).to(where)
    y = torch.from_numpy(samples.labels).to(where)
    c = config.c if config.c is not None else x.shape[1] * n_classes / 100
    head = torch.nn.Linear(x.shape[1], n_classes, device=where)
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    optimiser = torch.optim.LBFGS(head.parameters(), line_search_fn="strong_wolfe", max_iter=config.max_iter)

    def closure() -> float:
        optimiser.zero_grad()
        objective = torch.nn.functional.cross_entropy(head(x), y) + 0.5 / c * head.weight.norm()
        objective.backward()
        return float(objective.detach())

    optimiser.step(closure)
    objective = closure()
    gradient = torch.cat([p.grad.flatten() for p in head.parameters() if p.grad is not None])
    with torch.inference_mode():
        logits = head(torch.from_numpy(test.features.astype(np.float32)).to(where)).double()
        scores = torch.softmax(logits, 1).cpu().numpy()
    info: dict[str, Any] = {"c": float(c), "objective": objective, "gradient_norm": float(gradient.norm())}
    state = optimiser.state[head.weight]
    if state["n_iter"] >= config.max_iter or state["func_evals"] >= config.max_iter * 5 // 4:  # torch's max_eval
        info["notes"] = [
            f"UNI's linear probe did not converge in max_iter={config.max_iter} iterations: it ended at a gradient "
            f"norm of {info['gradient_norm']:.2g}."
        ]
    return scores, info
