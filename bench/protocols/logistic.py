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

HISTORY = 12
SINGLE_ITERATIONS = 150  # a problem that needs more is ill-conditioned, and float32 products no longer help it
GAIN = 2e-8  # a problem is solved when the next step would lower the objective by less than this share of it
COARSE = 4
SLOPE_LEFT = 0.4
LINE_SEARCH_TRIALS = 16
ROWS_PER_CHUNK = 8192


@dataclass(frozen=True)
class Design:
    """Features of the training samples, centred and turned into the eigenbasis of X'X.

    Attributes
    ----------
    rotated : float32 [N, R + 1]
        Coordinates in the basis, R <= min(N, D), and a last column of ones for the bias.
    basis : float64 [D, R]
        Orthonormal columns.
    centre : float64 [D]
        Mean of the features; the free bias absorbs it.
    spectrum : float64 [R + 1]
        Mean square of each column of `rotated`.
    """

    rotated: Float[Tensor, "sample coordinate"]
    basis: Float[Tensor, "feature axis"]
    centre: Float[Tensor, " feature"]
    spectrum: Float[Tensor, " coordinate"]

    @classmethod
    def of(cls, features: Float[np.ndarray, "sample feature"], device: torch.device | str = "cpu") -> Design:
        x = torch.from_numpy(np.ascontiguousarray(features, dtype=np.float32)).to(device)
        n, d = x.shape
        centre = x.mean(0, dtype=torch.float64)
        if n > d:
            gram = torch.zeros(d, d, dtype=torch.float64, device=x.device)
            for rows in _chunks(n):
                block = x[rows].double() - centre
                gram.addmm_(block.T, block)
            basis = torch.linalg.eigh(gram).eigenvectors
        else:
            _, scale, right = torch.linalg.svd(x.double() - centre, full_matrices=False)
            basis = right[scale > scale[0] * 1e-9].T.contiguous()
        rotated = torch.ones(n, basis.shape[1] + 1, device=x.device)
        spectrum = torch.zeros(basis.shape[1] + 1, dtype=torch.float64, device=x.device)
        for rows in _chunks(n):
            rotated[rows, :-1] = ((x[rows].double() - centre) @ basis).float()
            spectrum += rotated[rows].double().square().sum(0)
        return cls(rotated, basis, centre, spectrum / n)


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
        for rows in _chunks(len(features), 2048):
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
    search = _Search(design, target, whose, shares, which, penalty, tol)
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


class _Search:
    """The L-BFGS search of some problems; a problem that is solved leaves the batch."""

    def __init__(
        self,
        design: Design,
        target: Float[Tensor, "labelling logit sample"],
        whose: Int[Tensor, " problem"],
        shares: Float[Tensor, "weighting sample"],
        which: Int[Tensor, " problem"],
        penalty: Float[Tensor, " problem"],
        tol: float,
    ) -> None:
        problems, columns = len(penalty), design.rotated.shape[1]
        device = design.rotated.device
        self.design, self.target, self.whose, self.shares = design, target, whose, shares
        self.which, self.penalty, self.tol = which, penalty, tol
        self.weights = torch.zeros(problems, target.shape[1], columns, dtype=torch.float64, device=device)
        self.objective = torch.full((problems,), torch.inf, dtype=torch.float64, device=device)
        self.gradient_norm = torch.full_like(self.objective, torch.inf)
        self.iterations = torch.zeros(problems, dtype=torch.int64, device=device)
        self.penalised = torch.ones(columns, dtype=torch.float64, device=device)
        self.penalised[-1] = 0

    def run(self, problems: Tensor, max_iter: int) -> None:
        """Solve these problems, each from its weights as they stand."""
        if len(problems):
            self._descend(problems, torch.float32, min(max_iter, SINGLE_ITERATIONS))
            self._descend(problems, torch.float64, max_iter)

    def _descend(self, active: Tensor, dtype: torch.dtype, max_iter: int) -> None:
        """Run L-BFGS with products in `dtype` until each problem is solved or can go no further in this precision."""
        w = self.weights[active]
        logits = self._forward(w, dtype)
        residual, loss, curvature = self._residual(logits, active)
        gradient = self._backward(residual) + self._ridge(active) * w
        steps: list[Tensor] = []
        changes: list[Tensor] = []
        inner: list[Tensor] = []
        for iteration in range(max_iter + 1):
            ridge = self._ridge(active)
            objective = loss + 0.5 * (ridge * w.square()).sum((1, 2))
            norm = gradient.flatten(1).norm(dim=1)
            direction = -self._two_loop(gradient, steps, changes, inner, curvature, ridge)
            slope = (direction * gradient).sum((1, 2))
            self.weights[active], self.objective[active], self.gradient_norm[active] = w, objective, norm
            done = ((norm <= self.tol) & (-slope <= GAIN * objective)) | (slope >= 0)
            if iteration == max_iter or bool(done.all()):
                return
            if bool(done.any()):
                keep = torch.nonzero(~done)[:, 0]
                active, w, logits, gradient = active[keep], w[keep], logits[keep], gradient[keep]
                direction, slope, ridge = direction[keep], slope[keep], ridge[keep]
                steps, changes, inner = ([x[keep] for x in kept] for kept in (steps, changes, inner))
            self.iterations[active] += 1

            along = self._forward(direction, dtype)
            cross, square = ((ridge * x * direction).sum((1, 2)) for x in (w, direction))
            size, residual, loss, curvature = self._line_search(logits, along, active, slope, cross, square)
            logits += size[:, None, None].to(dtype) * along
            step = size[:, None, None] * direction
            w = w + step
            previous, gradient = gradient, self._backward(residual) + ridge * w
            change = gradient - previous
            product = (step * change).sum((1, 2))
            useful = product > 1e-12 * step.flatten(1).norm(dim=1) * change.flatten(1).norm(dim=1)
            steps.append(step)
            changes.append(change)
            inner.append(torch.where(useful, 1 / product, 0.0))
            if len(steps) > HISTORY:
                del steps[0], changes[0], inner[0]

    def _ridge(self, active: Tensor) -> Tensor:
        return self.penalty[active, None, None] * self.penalised

    def _forward(self, w: Tensor, dtype: torch.dtype) -> Tensor:
        flat, x = w.flatten(0, 1).to(dtype), self.design.rotated
        if dtype == x.dtype:
            return (flat @ x.T).view(*w.shape[:2], -1)
        out = torch.empty(len(flat), len(x), dtype=dtype, device=x.device)
        for rows in _chunks(len(x)):
            out[:, rows] = flat @ x[rows].to(dtype).T
        return out.view(*w.shape[:2], -1)

    def _backward(self, residual: Tensor) -> Tensor:
        flat, x = residual.flatten(0, 1), self.design.rotated
        if residual.dtype == x.dtype:
            out = (flat @ x).double()
        else:
            out = torch.zeros(len(flat), x.shape[1], dtype=torch.float64, device=x.device)
            for rows in _chunks(len(x)):
                out.addmm_(flat[:, rows], x[rows].double())
        return out.view(*residual.shape[:2], -1)

    def _residual(self, logits: Tensor, active: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weighted residuals [P,K,N], mean cross-entropy [P], mean p(1-p) [P,K]."""
        shares = self.shares[self.which[active]].to(logits.dtype)[:, None]
        target = self.target if len(self.target) == 1 else self.target[self.whose[active]]
        if target.shape[1] == 1:
            p = torch.sigmoid(logits)
            entropy = torch.nn.functional.softplus(logits) - target * logits
        else:
            log_p = torch.log_softmax(logits, 1)
            p = log_p.exp()
            entropy = -(target * log_p).sum(1, keepdim=True)
        loss = (entropy * shares).sum((1, 2), dtype=torch.float64)
        curvature = (p * (1 - p) * shares).sum(2, dtype=torch.float64)
        return (p - target) * shares, loss, curvature

    def _two_loop(
        self,
        gradient: Tensor,
        steps: list[Tensor],
        changes: list[Tensor],
        inner: list[Tensor],
        curvature: Tensor,
        ridge: Tensor,
    ) -> Tensor:
        q = gradient.clone()
        alphas = []
        for s, y, rho in zip(reversed(steps), reversed(changes), reversed(inner), strict=True):
            alpha = (rho * (s * q).sum((1, 2)))[:, None, None]
            q -= alpha * y
            alphas.append(alpha)
        q = q / (curvature[..., None] * self.design.spectrum + ridge + 1e-300)
        for s, y, rho, alpha in zip(steps, changes, inner, reversed(alphas), strict=True):
            beta = (rho * (y * q).sum((1, 2)))[:, None, None]
            q += s * (alpha - beta)
        return q

    def _line_search(
        self, logits: Tensor, along: Tensor, active: Tensor, slope: Tensor, cross: Tensor, square: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Step sizes at which the slope has fallen to SLOPE_LEFT of itself, and residual, loss, curvature there.

        The objective is convex along the line, so its derivative decides; it keeps its precision where differences of
        the objective have lost theirs. `cross` and `square` are the penalty's derivative at 0 and its growth.
        """
        size = torch.ones_like(slope)
        residual, loss, curvature = self._residual(logits + along, active)
        now = (residual * along).sum((1, 2), dtype=torch.float64) + cross + square
        low, low_slope = torch.zeros_like(size), slope.clone()
        high, high_slope = torch.full_like(size, torch.inf), torch.zeros_like(size)
        for _ in range(LINE_SEARCH_TRIALS):
            i = torch.nonzero(~(now.abs() <= SLOPE_LEFT * slope.abs()))[:, 0]
            if not len(i):
                break
            descending = now[i] < 0
            low[i], low_slope[i] = (
                torch.where(descending, size[i], low[i]),
                torch.where(descending, now[i], low_slope[i]),
            )
            high[i], high_slope[i] = (
                torch.where(descending, high[i], size[i]),
                torch.where(descending, high_slope[i], now[i]),
            )
            share = (low_slope[i] / (low_slope[i] - high_slope[i])).clamp(0.1, 0.9)
            size[i] = torch.where(high[i].isinf(), 3 * low[i], low[i] + share * (high[i] - low[i]).nan_to_num(posinf=0))
            trial = logits[i] + size[i, None, None].to(logits.dtype) * along[i]
            residual[i], loss[i], curvature[i] = self._residual(trial, active[i])
            now[i] = (residual[i] * along[i]).sum((1, 2), dtype=torch.float64) + cross[i] + size[i] * square[i]
        return size, residual, loss, curvature


def _chunks(n: int, size: int = ROWS_PER_CHUNK) -> Iterator[slice]:
    for start in range(0, n, size):
        yield slice(start, min(n, start + size))
