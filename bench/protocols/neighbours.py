"""Exact nearest neighbours: float32 products find candidates, float64 decides among them and misses none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bench.protocols.settings import device_of

SPARE = 16  # candidates beyond k, so that float32 order rarely matters
GATHERED = 2**20  # elements of items that are turned to float64 at a time
PASSED = 256  # rows that are turned to float64 at a time where all are, so that they stay in the processor's cache
AT_ONCE = 512  # queries, at most
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
    found = np.empty((len(query), k), dtype=np.int64)
    distances = np.empty((len(query), k))
    for part in _candidates(query, database, k, metric, memory_bytes, device):
        rows = part.rows.sort(dim=1).values
        order = part.distances(rows).sort(dim=1, stable=True)
        nearest_rows, near = rows.gather(1, order.indices)[:, :k], order.values[:, :k]
        # The largest distance found, against the least that any item outside the candidates can have.
        enough = part.least_outside > near[:, k - 1] + 10.0**-DECIMALS  # false also where float32 overflowed
        for query_row in torch.nonzero(~enough)[:, 0]:
            nearest_rows[query_row], near[query_row] = part.among_all(query_row, k)
        found[part.place], distances[part.place] = nearest_rows.cpu().numpy(), near.cpu().numpy()
    return found, distances


def nearest_rows(
    query: Float[np.ndarray, "query feature"],
    database: Float[np.ndarray, "item feature"],
    k: int,
    metric: str = "cosine",
    memory_bytes: int = 2**28,
    device: str = "auto",
) -> Int[np.ndarray, "query neighbour"]:
    """The rows of `nearest`, in less time: float64 distances are taken only where float32 leaves the order open."""
    found = np.empty((len(query), k), dtype=np.int64)
    for part in _candidates(query, database, k, metric, memory_bytes, device):
        apart = part.closeness[:, :-1] - part.closeness[:, 1:] > part.doubt[:, None]  # false where float32 overflowed
        run = torch.nn.functional.pad(apart.cumsum(1), (1, 0))  # candidates of one run are in no certain order
        open_before, open_after = torch.nn.functional.pad(~apart, (1, 0)), torch.nn.functional.pad(~apart, (0, 1))
        where = torch.nonzero((open_before | open_after) & (run <= run[:, k - 1, None]))
        distance = torch.zeros(part.rows.shape, dtype=torch.float64, device=part.rows.device)
        distance[where[:, 0], where[:, 1]] = part.distances_of_pairs(where[:, 0], part.rows[where[:, 0], where[:, 1]])
        order = part.rows.argsort(dim=1)
        for key in (distance, run):
            order = order.gather(1, key.gather(1, order).sort(dim=1, stable=True).indices)
        rows = part.rows.gather(1, order)[:, :k]
        last = part.closeness.gather(1, (run <= run[:, k - 1, None]).sum(1, keepdim=True) - 1)[:, 0]
        enough = part.closeness[:, -1] + part.doubt_outside < last
        for query_row in torch.nonzero(~enough)[:, 0] if part.rows.shape[1] < len(database) else ():
            rows[query_row] = part.among_all(query_row, k)[0]
        found[part.place] = rows.cpu().numpy()
    return found


def about_mean(
    database: Float[np.ndarray, "item feature"], query: Float[np.ndarray, "query feature"]
) -> tuple[Float[np.ndarray, "item feature"], Float[np.ndarray, "query feature"]]:
    """Both less the mean of the database, in float32."""
    mean = database.mean(axis=0, dtype=np.float64)
    return (database - mean).astype(np.float32), (query - mean).astype(np.float32)


@dataclass(frozen=True)
class _Candidates:
    """The items nearest to some queries by float32, from the nearest on, and what else they may have missed.

    Attributes
    ----------
    place : slice
        Of all queries, those that these are.
    rows : int64 [Q, M]
    closeness : float32 [Q, M]
        The higher, the nearer.
    doubt, doubt_outside : float64 [Q]
        Two of `rows` whose closeness differs by more are in this order by float64 too and not equal; and so are one of
        `rows` and any other item.
    least_outside : float64 [Q]
        The least distance that an item outside `rows` can have.
    """

    place: slice
    rows: Tensor
    closeness: Tensor
    doubt: Tensor
    doubt_outside: Tensor
    least_outside: Tensor
    queries: Tensor
    items: Tensor
    geometry: _Cosine | _Euclidean

    def distances(self, rows: Tensor) -> Tensor:
        return _distances(self.geometry, self.queries, self.items, rows)

    def distances_of_pairs(self, query: Tensor, row: Tensor) -> Tensor:
        return _distances_of_pairs(self.geometry, self.queries, self.items, query, row)

    def among_all(self, query_row: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Rows and distances of the k nearest of all items."""
        everything = torch.arange(len(self.items), device=self.items.device)[None]
        own = _distances(self.geometry, self.queries[query_row, None], self.items, everything)[0].sort(stable=True)
        return own.indices[:k], own.values[:k]


def _candidates(
    query: Float[np.ndarray, "query feature"],
    database: Float[np.ndarray, "item feature"],
    k: int,
    metric: str,
    memory_bytes: int,
    device: str,
) -> Iterator[_Candidates]:
    """The k + `SPARE` items that float32 finds nearest, for as many queries at a time as fit the memory."""
    where = device_of(device)
    items, queries = (torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)).to(where) for x in (database, query))
    geometry = _Cosine(items) if metric == "cosine" else _Euclidean(items)
    single = geometry.single(items, last=0.0)
    squares = torch.cat([part.square().sum(1, dtype=torch.float64) for part in single.split(PASSED)])
    single[:, -1] = -(0.5 * squares + geometry.farther)  # the product with a query whose last value is 1 is closeness
    wanted = min(k + SPARE, len(items))
    rounding = float(np.finfo(np.float32).eps)
    margin = 4 * rounding * items.shape[1] ** 0.5  # of vectors and products of length one
    size = min(AT_ONCE, max(1, memory_bytes // (16 * len(items))))
    products = torch.empty((size, len(items)), device=where)
    for start in range(0, len(queries), size):
        rows = queries[start : start + size]
        compared = geometry.single(rows, last=1.0)
        best, candidates = torch.mm(compared, single.T, out=products[: len(rows)]).topk(wanted, dim=1)
        own = compared[:, :-1].double().square().sum(1)
        error, outside = (
            # of half a squared distance: of products of vectors of these lengths, and of the squares of the items
            margin * (own * longest).sqrt() + 4 * rounding * longest
            for longest in (squares[candidates].amax(1), squares.max())
        )
        least = geometry.unit * (0.5 * own - best[:, -1].double() - outside)
        equal = 10.0**-DECIMALS / geometry.unit
        doubts = 2 * error + equal, error + outside + equal
        yield _Candidates(slice(start, start + size), candidates, best, *doubts, least, rows, items, geometry)


class _Cosine:
    """One minus the cosine: half the squared distance of unit vectors u and v, so taken about the mean of the items.

    The error of float32 then goes with the spread of the vectors, however long their mean is. All-zero vectors stay
    zero, and their distance is one half more than half their squared distance to a unit vector.

    Attributes
    ----------
    unit : float
        The distance that half a squared distance of one between `single` vectors stands for.
    farther : float64 [N]
        By how much an item is farther than its `single` vector says, in half squared distances.
    """

    unit = 1.0

    def __init__(self, items: Tensor) -> None:
        lengths = torch.cat([_lengths(part.double()) for part in items.split(PASSED)])
        self.norms = lengths.clamp_min(1e-300)
        inverse = torch.where(lengths > 0, 1 / self.norms, 0.0)
        self.centre = (inverse.float() @ items).double() / len(items)  # any will do: a near one makes errors small
        self.farther = 0.5 * (lengths == 0).double()

    def single(self, x: Tensor, last: float) -> Tensor:
        """The float32 vectors that are compared, and a last column with this value."""
        return _in_parts(x, last, lambda part: part.div_(_lengths(part)[:, None].clamp_min(1e-300)).sub_(self.centre))

    def placed(self, x: Tensor) -> Tensor:
        """The float64 vectors whose products give the distance."""
        return x

    def distance(self, probe: Tensor, products: Tensor, rows: Tensor) -> Tensor:
        return 1 - products / self.norms[rows] / probe.norm(dim=-1, keepdim=True).clamp_min(1e-300)


class _Euclidean:
    """The squared distance over the largest squared norm about the mean; attributes as `_Cosine`."""

    unit = 2.0

    def __init__(self, items: Tensor) -> None:
        self.centre = items.mean(0, dtype=torch.float64)
        self.squares = torch.cat([(part.double() - self.centre).square().sum(1) for part in items.split(PASSED)])
        self.scale = float(self.squares.max()) or 1.0
        self.farther = torch.zeros_like(self.squares)

    def single(self, x: Tensor, last: float) -> Tensor:
        return _in_parts(x, last, lambda part: part.sub_(self.centre).div_(self.scale**0.5))

    def placed(self, x: Tensor) -> Tensor:
        return x - self.centre

    def distance(self, probe: Tensor, products: Tensor, rows: Tensor) -> Tensor:
        return (probe.square().sum(-1, keepdim=True) + self.squares[rows] - 2 * products) / self.scale


def _in_parts(x: Tensor, last: float, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Rows in float32 that a function makes of them in float64, with a further column of one value."""
    out = torch.empty((len(x), x.shape[1] + 1), device=x.device)
    for own, part in zip(out.split(PASSED), x.split(PASSED), strict=True):
        own[:, :-1] = change(part.double())
    out[:, -1] = last
    return out


def _lengths(x: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x, dim=1)


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


def _distances_of_pairs(
    geometry: _Cosine | _Euclidean, query: Tensor, items: Tensor, which: Tensor, rows: Tensor
) -> Tensor:
    """Distances [P] of the queries `which` [P] to `rows` [P] of the items, as `_distances`."""
    out = torch.empty(rows.shape, dtype=torch.float64, device=items.device)
    at_once = max(1, GATHERED // items.shape[1])
    for start in range(0, len(rows), at_once):
        part = slice(start, start + at_once)
        probe = geometry.placed(query[which[part]].double())
        products = (geometry.placed(items[rows[part]].double()) * probe).sum(1, keepdim=True)
        out[part] = geometry.distance(probe, products, rows[part, None])[:, 0]
    return out.round(decimals=DECIMALS)
