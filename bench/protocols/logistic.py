"""Multinomial L2 logistic regression: many strengths, folds and weightings solved as one batched problem.

Every problem minimises scikit-learn's objective, divided by C times the sum of the sample weights:

    f(W, b) = sum_i w_i CE(y_i, W x_i + b) / S + |W|^2 / (2 C S),    S = sum_i w_i,

the bias is not penalised, and two classes share one logit, as in scikit-learn. The method is L-BFGS (Nocedal and
Wright, Numerical Optimization, algorithm 7.4) in the eigenbasis of X'X, where the inverse of the Hessian that equal
residuals would give is diagonal and serves as the initial matrix. All problems share each pass over X. Logits are
linear in the weights, so a line search costs no product. The products are float32 until a problem is nearly solved,
float64 after that; the stopping test is always made with float64 products.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bench.protocols.logistic_descent import HISTORY, Descent
from bench.protocols.logistic_design import Design, chunks

COARSE = 4


@dataclass(frozen=True)
class Solution:
    """One linear classifier a problem.

    Attributes
    ----------
    weights : float64 [P, K, D], bias : float64 [P, K]
        K is the number of classes, or 1 for two classes (the logit of the second).
    objective, gradient_norm : float64 [P]
        f of the module's equation and the Euclidean norm of its gradient over weights and bias, the features taken
        about their mean.
    iterations : int [P]
    """

    weights: Float[Tensor, "problem logit feature"]
    bias: Float[Tensor, "problem logit"]
    objective: Float[np.ndarray, " problem"]
    gradient_norm: Float[np.ndarray, " problem"]
    iterations: Int[np.ndarray, " problem"]

    def logits(
        self, features: Float[np.ndarray, "sample feature"], problems: slice = slice(None)
    ) -> Iterator[tuple[slice, Float[Tensor, "problem sample logit"]]]:
        """Logits, a chunk of rows at a time: (rows, float64 [P, rows, K])."""
        weights, bias = self.weights[problems], self.bias[problems]
        for rows in chunks(len(features), 2048):
            x = torch.from_numpy(np.asarray(features[rows], dtype=np.float64)).to(weights.device)
            yield rows, torch.einsum("pkd,nd->pnk", weights, x) + bias[:, None]

    def probabilities(
        self, features: Float[np.ndarray, "sample feature"], problems: slice = slice(None)
    ) -> Iterator[tuple[slice, Float[np.ndarray, "problem sample class"]]]:
        """Class probabilities, a chunk of rows at a time: (rows, float64 [P, rows, C])."""
        for rows, logits in self.logits(features, problems):
            if logits.shape[-1] == 1:
                logits = torch.cat([torch.zeros_like(logits), logits], -1)
            yield rows, torch.softmax(logits, -1).cpu().numpy()

    def log_losses(
        self,
        features: Float[np.ndarray, "sample feature"],
        labels: Int[np.ndarray, " sample"],
        problems: slice = slice(None),
    ) -> Iterator[tuple[slice, Float[np.ndarray, "problem sample"]]]:
        """Negative log-likelihood of each sample's class in nats, exact where the probability would round to 0."""
        for rows, logits in self.logits(features, problems):
            if logits.shape[-1] == 1:
                logits = torch.cat([torch.zeros_like(logits), logits], -1)
            own = torch.from_numpy(np.asarray(labels[rows], dtype=np.int64)).to(logits.device)
            own = own.expand(len(logits), -1)[..., None]
            yield rows, (torch.logsumexp(logits, -1) - logits.gather(-1, own)[..., 0]).cpu().numpy()


def notes_on(gradient_norm: float, tol: float, max_iter: int) -> list[str]:
    """A note where the largest gradient norm of the fits is above the tolerance."""
    if gradient_norm <= tol:
        return []
    return [
        f"The logistic regression did not converge: it ended at a gradient norm of {gradient_norm:.2g}, above {tol:g}, "
        f"after at most {max_iter} iterations (standardised features or a smaller C converge sooner)."
    ]


def solve(
    design: Design,
    labels: Int[np.ndarray, "*labelling sample"],
    n_classes: int,
    strengths: Float[np.ndarray, " problem"],
    sample_weights: Float[np.ndarray, "weighting sample"] | None = None,
    weighting: Int[np.ndarray, " problem"] | None = None,
    labelling: Int[np.ndarray, " problem"] | None = None,
    *,
    tol: float = 1e-6,
    max_iter: int = 2000,
    memory_bytes: int = 2**30,
) -> Solution:
    """Solve all problems.

    Parameters
    ----------
    labels
        Class of each row of the design, 0..n_classes-1; or several labellings of the rows, [Y, N].
    strengths
        C of each problem, scikit-learn's inverse strength of the penalty.
    sample_weights, weighting
        Weightings of the rows (0 leaves a row out: a fold) and which one each problem uses. All ones by default.
    labelling
        Which of the labellings each problem uses; the first by default.
    tol
        Euclidean norm of the gradient at which a problem is solved.
    memory_bytes
        Bound of the working arrays; problems that do not fit together are solved in turns.
    """
    device = design.rotated.device
    n, columns = design.rotated.shape
    logits = 1 if n_classes == 2 else n_classes
    if sample_weights is None:
        sample_weights = np.ones((1, n))
    if weighting is None:
        weighting = np.zeros(len(strengths), dtype=np.int64)
    if labelling is None:
        labelling = np.zeros(len(strengths), dtype=np.int64)
    y = torch.from_numpy(np.atleast_2d(np.asarray(labels, dtype=np.int64))).to(device)
    target = y[:, None].float() if logits == 1 else torch.nn.functional.one_hot(y, n_classes).mT.float().contiguous()
    whose = torch.from_numpy(np.asarray(labelling, dtype=np.int64)).to(device)
    shares = torch.from_numpy(np.asarray(sample_weights, dtype=np.float64)).to(device)
    total = shares.sum(1, keepdim=True)
    which = torch.from_numpy(np.asarray(weighting, dtype=np.int64)).to(device)
    penalty = 1 / (torch.from_numpy(np.asarray(strengths, dtype=np.float64)).to(device) * total[which, 0])
    shares = shares / total

    a_problem = logits * (n * (32 if len(y) == 1 else 40) + columns * (8 * HISTORY + 64))
    at_once = max(1, memory_bytes // a_problem)
    search = Descent(design, target, whose, shares, which, penalty, tol)
    first, later = _coarse(
        np.asarray(strengths, dtype=np.float64), np.asarray(weighting) * len(y) + np.asarray(labelling)
    )
    for problems in np.split(first, range(at_once, len(first), at_once)):
        search.run(torch.from_numpy(problems).to(device), max_iter)
    for problem, neighbours, shares_of in later:
        mixed = torch.tensordot(torch.from_numpy(shares_of).to(device), search.weights[neighbours.tolist()], 1)
        search.weights[problem] = mixed
    rest = np.array([problem for problem, _, _ in later], dtype=np.int64)
    for problems in np.split(rest, range(at_once, len(rest), at_once)):
        search.run(torch.from_numpy(problems).to(device), max_iter)
    rotated = search.weights
    original = rotated[..., :-1] @ design.basis.T
    return Solution(
        original,
        rotated[..., -1] - original @ design.centre,
        search.objective.cpu().numpy(),
        search.gradient_norm.cpu().numpy(),
        search.iterations.cpu().numpy(),
    )


def _coarse(
    strengths: Float[np.ndarray, " problem"], family: Int[np.ndarray, " problem"]
) -> tuple[Int[np.ndarray, " problem"], list[tuple[int, np.ndarray, np.ndarray]]]:
    """Problems to solve first, and for each other one, which of those it starts from and in what shares.

    Along the strengths of one family, of the same weighting and labelling, the solution is smooth in log C. Every
    COARSE-th strength is solved from zero, the others start from the cubic through the four nearest of them.
    """
    first: list[int] = []
    later: list[tuple[int, np.ndarray, np.ndarray]] = []
    for one in np.unique(family):
        own = np.flatnonzero(family == one)
        own = own[np.argsort(strengths[own], kind="stable")]
        at = np.log(strengths[own])
        nodes = np.unique(np.append(np.arange(0, len(own), COARSE), len(own) - 1))
        if len(nodes) < 4 or len(np.unique(at)) < len(at):
            first += own.tolist()
            continue
        first += own[nodes].tolist()
        for i in np.setdiff1d(np.arange(len(own)), nodes):
            near = nodes[np.argsort(np.abs(at[nodes] - at[i]), kind="stable")[:4]]
            shares = [np.prod([(at[i] - at[m]) / (at[j] - at[m]) for m in near if m != j]) for j in near]
            later.append((int(own[i]), own[near], np.array(shares)))
    return np.array(first, dtype=np.int64), later
