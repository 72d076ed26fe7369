"""The L-BFGS descent of many logistic problems at once (Nocedal and Wright, Numerical Optimization, algorithm 7.4)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bench.protocols.logistic_design import Design, chunks

HISTORY = 12
SINGLE_ITERATIONS = 150  # a problem that needs more is ill-conditioned, and float32 products no longer help it
GAIN = 2e-8  # a problem is solved when the next step would lower the objective by less than this share of it
SLOPE_LEFT = 0.4
LINE_SEARCH_TRIALS = 16
LEAST_CURVATURE = 1e-12  # of saturated probabilities, so that the step along the free bias is bounded


class Descent:
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
                steps, changes, inner = ([x[keep] for x in each] for each in (steps, changes, inner))
            self.iterations[active] += 1

            along = self._forward(direction, dtype)
            cross, square = ((ridge * x * direction).sum((1, 2)) for x in (w, direction))
            size, residual, loss, curvature = self._line_search(logits, along, active, slope, cross, square)
            step = size[:, None, None] * direction
            finite = loss.isfinite() & step.flatten(1).isfinite().all(1)
            if not bool(finite.all()):  # such a problem stays at its last weights, which are saved
                keep = torch.nonzero(finite)[:, 0]
                if not len(keep):
                    return
                active, w, logits, gradient, ridge = active[keep], w[keep], logits[keep], gradient[keep], ridge[keep]
                size, residual, loss, curvature = size[keep], residual[keep], loss[keep], curvature[keep]
                along, step = along[keep], step[keep]
                steps, changes, inner = ([x[keep] for x in each] for each in (steps, changes, inner))
            logits += size[:, None, None].to(dtype) * along
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
        for rows in chunks(len(x)):
            out[:, rows] = flat @ x[rows].to(dtype).T
        return out.view(*w.shape[:2], -1)

    def _backward(self, residual: Tensor) -> Tensor:
        flat, x = residual.flatten(0, 1), self.design.rotated
        if residual.dtype == x.dtype:
            out = (flat @ x).double()
        else:
            out = torch.zeros(len(flat), x.shape[1], dtype=torch.float64, device=x.device)
            for rows in chunks(len(x)):
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
        q = q / (curvature[..., None].clamp_min(LEAST_CURVATURE) * self.design.spectrum + ridge + 1e-300)
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
