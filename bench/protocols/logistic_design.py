"""Features in the eigenbasis of X'X, where the preconditioner of the logistic regression is diagonal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

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
            for rows in chunks(n):
                block = x[rows].double() - centre
                gram.addmm_(block.T, block)
            basis = torch.linalg.eigh(gram).eigenvectors
        else:
            _, scale, right = torch.linalg.svd(x.double() - centre, full_matrices=False)
            basis = right[scale > scale[0] * 1e-9].T.contiguous()
        rotated = torch.ones(n, basis.shape[1] + 1, device=x.device)
        spectrum = torch.zeros(basis.shape[1] + 1, dtype=torch.float64, device=x.device)
        for rows in chunks(n):
            rotated[rows, :-1] = ((x[rows].double() - centre) @ basis).float()
            spectrum += rotated[rows].double().square().sum(0)
        return cls(rotated, basis, centre, spectrum / n)


def chunks(n: int, size: int = ROWS_PER_CHUNK) -> Iterator[slice]:
    """Slices of at most `size` rows over n rows."""
    for start in range(0, n, size):
        yield slice(start, min(n, start + size))
