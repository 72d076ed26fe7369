"""The nearest class means of many few-shot episodes at once: float32 products, and float64 where they are close."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int

from bench.protocols.settings import device_of

GATHERED = 2**25  # bytes of the supports of the episodes that are looked at together
SAME = 1e-14  # squared distance over squared lengths below which two vectors are the same
DOUBT = 1e-4  # closeness of the best two classes below which float64 decides

Decided = tuple[Int[np.ndarray, "episode query"], Float[np.ndarray, "episode query class"]]


def episodes(
    units: Float[np.ndarray, "sample feature"],
    queries: Float[np.ndarray, "query feature"],
    support: Int[np.ndarray, "episode class shot"],
    memory_bytes: int,
    device: str,
) -> Iterator[Decided]:
    """The nearest class, of equals the first, and the closeness to each, as many episodes at a time as fit the memory.

    Closeness is half of minus the squared distance, but for the query's own square. Float32 products decide except
    where the two nearest classes are closer than `DOUBT`; there float64 does.
    """
    where = device_of(device)
    count, n_classes, _ = support.shape
    x, q = torch.from_numpy(units).to(where), torch.from_numpy(queries).to(where)
    single = q.float()
    rows = torch.from_numpy(support).to(where)
    an_episode = n_classes * (40 * len(q) + 16 * x.shape[1])
    at_once = max(1, memory_bytes // an_episode)
    for start in range(0, count, at_once):
        part = rows[start : start + at_once]  # embedding_bag: means without the gathered supports
        means = torch.nn.functional.embedding_bag(part.flatten(0, 1), x, mode="mean").unflatten(0, part.shape[:2])
        half = 0.5 * means.square().sum(2)
        closeness = (single @ means.float().flatten(0, 1).T).view(len(q), -1, n_classes) - half.float()
        best = closeness.topk(2, dim=2)
        picked = closeness.argmax(2)
        query, episode = torch.nonzero(best.values[..., 0] - best.values[..., 1] < DOUBT, as_tuple=True)
        for first in range(0, len(query), 4096):
            i, e = query[first : first + 4096], episode[first : first + 4096]
            exact = (q[i, None] * means[e]).sum(2) - half[e]
            picked[i, e] = exact.round(decimals=12).argmax(1)
        yield picked.T.cpu().numpy(), closeness.transpose(0, 1).cpu().numpy()


def support_centred(
    features: Float[np.ndarray, "sample feature"],
    queries: Float[np.ndarray, "query feature"],
    support: Int[np.ndarray, "episode class shot"],
    normalise: str,
    memory_bytes: int,
    device: str,
) -> Iterator[Decided]:
    """As `episodes`, of features as they are: each episode is centred on the mean of its own support.

    Queries about that mean are scaled to length one. So are the supports before their class means are taken
    (`normalise="samples"`), or these means themselves (`"means"`).
    """
    where = device_of(device)
    count, n_classes, shots = support.shape
    origin = features.mean(axis=0, dtype=np.float64)  # near the means of the supports, for the sake of float32
    x, q = (torch.from_numpy(np.asarray(side - origin)).to(where) for side in (features, queries))
    single, squares, of_samples = q.float(), q.square().sum(1), x.square().sum(1)
    rows = torch.from_numpy(support).to(where)
    supports = 8 * n_classes * shots * x.shape[1]
    an_episode = (n_classes + 1) * (40 * len(q) + 24 * x.shape[1]) + supports
    at_once = max(1, min(memory_bytes // an_episode, GATHERED // supports))
    for start in range(0, count, at_once):
        part = rows[start : start + at_once]
        own = x[part]
        centre = own.mean((1, 2))
        if normalise == "samples":
            # The mean of (s - m) / |s - m| over the supports s about their mean m, without an array of all s - m.
            both = of_samples[part] + centre.square().sum(1)[:, None, None]
            apart = both - 2 * torch.einsum("ecsd,ed->ecs", own, centre)
            weights = torch.where(apart > SAME * both, apart, torch.inf).rsqrt() / shots
            means = torch.einsum("ecs,ecsd->ecd", weights, own) - weights.sum(2)[..., None] * centre[:, None]
        else:
            means = torch.nn.functional.normalize(own.mean(2) - centre[:, None], dim=2)
        half = 0.5 * means.square().sum(2)
        compared = torch.cat([means, centre[:, None]], 1).float().flatten(0, 1)
        products = (single @ compared.T).view(len(q), -1, n_classes + 1)
        lengths = (squares[:, None] - 2 * products[..., -1] + centre.square().sum(1)).clamp_min(0).sqrt()
        reach = (squares.sqrt()[:, None] + centre.norm(dim=1)) / lengths.clamp_min(1e-300)  # what rounding grows by
        closeness = products[..., :-1] - torch.einsum("ecd,ed->ec", means, centre).float()
        closeness = closeness / lengths[..., None].float().clamp_min(1e-30) - half.float()
        best = closeness.topk(2, dim=2)
        picked = closeness.argmax(2)
        certain = (best.values[..., 0] - best.values[..., 1] >= DOUBT * reach) & (reach < 10)
        query, episode = torch.nonzero(~certain, as_tuple=True)
        for first in range(0, len(query), 4096):
            i, e = query[first : first + 4096], episode[first : first + 4096]
            about = torch.nn.functional.normalize(q[i] - centre[e], dim=1)
            exact = (about[:, None] * means[e]).sum(2) - half[e]
            picked[i, e] = exact.round(decimals=12).argmax(1)
            closeness[i, e] = exact.float()
        yield picked.T.cpu().numpy(), closeness.transpose(0, 1).cpu().numpy()
