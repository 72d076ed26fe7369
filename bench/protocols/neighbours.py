"""Exact nearest neighbours: float32 products find candidates, float64 decides among them and misses none."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from registry.errors import UserError

SPARE = 16  # candidates beyond k, so that float32 order rarely matters
DECIMALS = 12  # distances that agree to this many decimals are equal


def nearest(
    query: Float[np.ndarray, "query feature"],
    database: Float[np.ndarray, "item feature"],
    k: int,
    metric: str = "cosine",
    memory_bytes: int = 2**30,
    device: str = "auto",
) -> tuple[Int[np.ndarray, "query neighbour"], Float[np.ndarray, "query neighbour"]]:
    """Rows of the database nearest to each query and their distances, from the nearest on; of equals the lower row.

    Distances are float64: one minus the cosine, or the squared Euclidean distance divided by the largest squared norm
    about the database's mean. They are equal if they agree to `DECIMALS` decimals. All-zero vectors have cosine 0.

    Parameters
    ----------
    metric : "cosine" or "l2"
    memory_bytes
        Bound of the working arrays beside the two sets themselves in float32.
    """
    if metric not in ("cosine", "l2"):
        raise UserError(f"metric={metric} of the neighbours is unknown: it is 'cosine' or 'l2'.")
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    items = _placed(database, where)
    queries = _placed(query, where)
    centre = items.mean(0, dtype=torch.float64) if metric == "l2" else None
    scale = 1.0 if centre is None else float((items.double() - centre).square().sum(1).max()) or 1.0
    single = _single(items, centre, scale)
    half_norms = 0.5 * single.square().sum(1) if metric == "l2" else None
    wanted = min(k + SPARE, len(items))
    dim = items.shape[1]
    # Products of vectors of norm |q| and at most 1, and rounding of the vectors themselves.
    margin = 4 * np.finfo(np.float32).eps * np.sqrt(dim)
    size = max(1, min(memory_bytes // (4 * len(items) * 4), memory_bytes // (wanted * dim * 32)))
    found = np.empty((len(queries), k), dtype=np.int64)
    distances = np.empty((len(queries), k))
    for start in range(0, len(queries), size):
        rows = queries[start : start + size]
        compared = _single(rows, centre, scale)
        closeness = compared @ single.T
        if half_norms is not None:
            closeness -= half_norms
        best, candidates = closeness.topk(wanted, dim=1)
        candidates = candidates.sort(dim=1).values
        distance = _distance(rows, items[candidates], centre, scale)
        order = distance.sort(dim=1, stable=True)
        kept, near = candidates.gather(1, order.indices)[:, :k], order.values[:, :k]
        if wanted < len(items):
            # The worst kept distance against the best that any item outside the candidates can have.
            squares = compared.double().square().sum(1)
            outside = (squares - 2 * best[:, -1] if half_norms is not None else 1 - best[:, -1]).double()
            doubt = outside - margin * (1 + squares) * 2 <= near[:, k - 1]
            for row in torch.nonzero(doubt)[:, 0]:
                whole = torch.cat(
                    [_distance(rows[row, None], part[None], centre, scale)[0] for part in items.split(8192)]
                )
                all_of_them = whole.sort(stable=True)
                kept[row], near[row] = all_of_them.indices[:k], all_of_them.values[:k]
        found[start : start + size], distances[start : start + size] = kept.cpu().numpy(), near.cpu().numpy()
    return found, distances


def _placed(x: np.ndarray, device: str) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)).to(device)


def _single(x: Tensor, centre: Tensor | None, scale: float) -> Tensor:
    """What the float32 products compare: unit vectors, or centred vectors of norm about one at most."""
    if centre is None:
        return torch.nn.functional.normalize(x, dim=1)
    return ((x.double() - centre) / scale**0.5).float()


def _distance(query: Tensor, items: Tensor, centre: Tensor | None, scale: float) -> Tensor:
    """Distances [Q, M] of queries [Q, D] to their items [Q, M, D], in float64."""
    q, x = query.double()[:, None], items.double()
    if centre is not None:
        return ((q - x).square().sum(2) / scale).round(decimals=DECIMALS)
    q = q / q.norm(dim=2, keepdim=True).clamp_min(1e-300)
    return (1 - (q * x).sum(2) / x.norm(dim=2).clamp_min(1e-300)).round(decimals=DECIMALS)
