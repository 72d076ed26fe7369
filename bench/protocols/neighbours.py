"""Exact nearest neighbours: float32 products find candidates, float64 decides among them and misses none."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bench.protocols.settings import device_of

SPARE = 16  # candidates beyond k, so that float32 order rarely matters
GATHERED = 2**20  # elements of items that are turned to float64 at a time
DECIMALS = 12  # distances that agree to this many decimals are equal


def nearest(
    query: Float[np.ndarray, "query feature"],
    database: Float[np.ndarray, "item feature"],
    k: int,
    metric: str = "cosine",
    memory_bytes: int = 2**28,
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
    where = device_of(device)
    items, queries = (torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)).to(where) for x in (database, query))
    geometry = _Cosine(items) if metric == "cosine" else _Euclidean(items)
    single = geometry.single(items)
    wanted = min(k + SPARE, len(items))
    # Rounding of vectors and products of length one, as a share of their lengths.
    margin = 4 * np.finfo(np.float32).eps * np.sqrt(items.shape[1])
    size = max(1, memory_bytes // (16 * len(items)))
    found = np.empty((len(queries), k), dtype=np.int64)
    distances = np.empty((len(queries), k))
    for start in range(0, len(queries), size):
        rows = queries[start : start + size]
        compared = geometry.single(rows)
        best, candidates = (compared @ single.T).sub_(geometry.offset).topk(wanted, dim=1)
        candidates = candidates.sort(dim=1).values
        order = _distances(geometry, rows, items, candidates).sort(dim=1, stable=True)
        rows_found, near = candidates.gather(1, order.indices)[:, :k], order.values[:, :k]
        if wanted < len(items):
            # The largest distance found, against the least that any item outside the candidates can have.
            squares = compared.double().square().sum(1)
            outside = geometry.least(squares, best[:, -1], margin)
            enough = outside > near[:, k - 1] + 10.0**-DECIMALS  # false also where float32 overflowed
            for row in torch.nonzero(~enough)[:, 0]:
                everything = torch.arange(len(items), device=where)[None]
                all_distances = _distances(geometry, rows[row, None], items, everything)[0].sort(stable=True)
                rows_found[row], near[row] = all_distances.indices[:k], all_distances.values[:k]
        found[start : start + size], distances[start : start + size] = rows_found.cpu().numpy(), near.cpu().numpy()
    return found, distances


class _Cosine:
    """One minus the cosine: half the squared distance of unit vectors u and v, so taken about the mean of the items.

    The error of float32 then goes with the spread of the vectors, however long their mean is. All-zero vectors stay
    zero, and their distance is one half more than half their squared distance to a unit vector.
    """

    def __init__(self, items: Tensor) -> None:
        lengths = torch.cat([part.double().norm(dim=1) for part in items.split(8192)])
        self.norms = lengths.clamp_min(1e-300)
        total = sum(_units(part).sum(0) for part in items.split(8192))
        self.centre = torch.as_tensor(total, device=items.device) / len(items)
        squares = torch.cat([(_units(part) - self.centre).square().sum(1) for part in items.split(8192)])
        self.scale = float(squares.max()) or 1.0
        self.offset = (0.5 * (squares + (lengths == 0)) / self.scale).float()

    def single(self, x: Tensor) -> Tensor:
        """The float32 vectors that are compared: the higher their product minus `offset`, the nearer."""
        return torch.cat([((_units(part) - self.centre) / self.scale**0.5).float() for part in x.split(8192)])

    def least(self, squares: Tensor, closeness: Tensor, margin: float) -> Tensor:
        """The least distance that a float32 closeness can belong to, of queries with these squared lengths."""
        return 0.5 * self.scale * (squares - 2 * closeness.double() - 2 * margin * (1 + squares))

    def placed(self, x: Tensor) -> Tensor:
        """The float64 vectors whose products give the distance."""
        return x

    def distance(self, probe: Tensor, products: Tensor, rows: Tensor) -> Tensor:
        return 1 - products / self.norms[rows] / probe.norm(dim=1, keepdim=True).clamp_min(1e-300)


class _Euclidean:
    """The squared distance over the largest squared norm about the mean."""

    def __init__(self, items: Tensor) -> None:
        self.centre = items.mean(0, dtype=torch.float64)
        self.squares = torch.cat([(part.double() - self.centre).square().sum(1) for part in items.split(8192)])
        self.scale = float(self.squares.max()) or 1.0
        self.offset = (0.5 * self.squares / self.scale).float()

    def single(self, x: Tensor) -> Tensor:
        return torch.cat([((part.double() - self.centre) / self.scale**0.5).float() for part in x.split(8192)])

    def least(self, squares: Tensor, closeness: Tensor, margin: float) -> Tensor:
        return squares - 2 * closeness.double() - 2 * margin * (1 + squares)

    def placed(self, x: Tensor) -> Tensor:
        return x - self.centre

    def distance(self, probe: Tensor, products: Tensor, rows: Tensor) -> Tensor:
        return (probe.square().sum(1, keepdim=True) + self.squares[rows] - 2 * products) / self.scale


def _units(x: Tensor) -> Tensor:
    """Vectors of length one in float64; all-zero ones stay."""
    return torch.nn.functional.normalize(x.double(), dim=1, eps=1e-300)


def _distances(geometry: _Cosine | _Euclidean, query: Tensor, items: Tensor, rows: Tensor) -> Tensor:
    """Distances [Q, M] of queries [Q, D] to their rows [Q, M] of the items, in float64, a few at a time."""
    out = torch.empty(rows.shape, dtype=torch.float64, device=items.device)
    queries_at_once = max(1, GATHERED // (rows.shape[1] * items.shape[1]))
    items_at_once = max(1, GATHERED // items.shape[1])
    for start in range(0, len(query), queries_at_once):
        part = slice(start, start + queries_at_once)
        probe = geometry.placed(query[part].double())
        for first in range(0, rows.shape[1], items_at_once):
            subset = rows[part, first : first + items_at_once]
            products = torch.bmm(geometry.placed(items[subset].double()), probe[:, :, None])[:, :, 0]
            out[part, first : first + items_at_once] = geometry.distance(probe, products, subset)
    return out.round(decimals=DECIMALS)
