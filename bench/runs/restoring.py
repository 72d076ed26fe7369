"""Tiles that are decoded once, corrupted once by each corruption, and restored by every restorer."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from bench.frontends import Clean, FrontEnd, LpipsWeights, seeds_of
from bench.progress import Bar, progress_bar
from bench.runs.fit import sentence_of
from bench.targets import UNTOUCHED
from bench.tiles import Batch, TileSource, read_batches
from registry.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MOST_KEPT = 2**30
"""Bytes of decoded tiles that are kept from one corruption to the next; more are decoded again for each."""


@dataclass(frozen=True, eq=False)
class Case:
    """A restorer, or none, on tiles behind a corruption, or on clean tiles."""

    corruption: FrontEnd | None
    restorer: FrontEnd | None

    @property
    def corrupted_by(self) -> str:
        """As rows call it; "" for nothing."""
        return self.corruption.name if self.corruption else ""

    @property
    def restored_by(self) -> str:
        """As rows call it."""
        return self.restorer.name if self.restorer else UNTOUCHED

    @property
    def front_ends(self) -> list[FrontEnd]:
        return [front_end for front_end in (self.corruption, self.restorer) if front_end]


@dataclass(frozen=True)
class Measured:
    """What a case made of the tiles.

    Attributes
    ----------
    rows : int64 [N]
        Positions of the tiles that could be read.
    values : float64 [N, 3]
        PSNR, SSIM and LPIPS of each; the last is NaN where it was not measured.
    tiles_per_s : float or None
        Of the restorer alone; None where there is none.
    """

    rows: Int[np.ndarray, " tile"]
    values: Float[np.ndarray, "tile measure"]
    tiles_per_s: float | None


class Restoring:
    """The cases of a task on its tiles, one corruption after the other.

    In memory are the decoded tiles, if they are at most `MOST_KEPT`, a few batches of them otherwise, and three
    numbers for each tile and case of one corruption.

    Parameters
    ----------
    source : TileSource
    cases : sequence of Case
        One at least; those of one corruption follow one another.
    lpips : LpipsWeights or None
        None where LPIPS is not measured.
    label : str
        Of the progress bar.
    skip_unreadable : bool
        Whether tiles that cannot be read are left out; they are an error otherwise.

    Attributes
    ----------
    failures : list of str
        A sentence for each front-end that failed, whose cases are then left out.
    summary : str
        How much was done, and how fast.
    """

    def __init__(
        self,
        source: TileSource,
        cases: Sequence[Case],
        *,
        lpips: LpipsWeights | None,
        label: str,
        device: str,
        batch_size: int,
        workers: int,
        skip_unreadable: bool,
        progress: bool,
    ):
        self._source, self._cases, self._label, self._device = source, list(cases), label, device
        self._batch_size, self._workers, self._lpips_weights = batch_size, workers, lpips
        self._skip_unreadable, self._progress = skip_unreadable, progress
        self._kept: list[Batch] | None = None
        self._sizes: set[tuple[int, int]] = set()
        self._loaded: dict[str, Callable[[Tensor, Tensor], Tensor]] = {}
        self._failed: set[str] = set()
        self.failures: list[str] = []
        self.summary = ""

    def run(self) -> Iterator[tuple[Case, Measured]]:
        """The cases that did not fail, those of a corruption as soon as they are done.

        Raises
        ------
        UserError
            If the weights of LPIPS are damaged, or a tile cannot be read, is too small, or is of a size that a
            front-end cannot take: before the first case is there.
        """
        import torch

        began, restored = time.perf_counter(), 0
        self._load(torch.device(self._device))
        total = len(self._source) * len(self._cases)
        with progress_bar(self._label, "tiles", total, shown=self._progress, leave=False) as bar:
            for _, cases in groupby(self._cases, key=lambda case: case.corrupted_by):
                found = self._of_corruption([case for case in cases if self._works(case)], bar)
                restored += sum(len(measured.rows) for measured in found.values())
                yield from found.items()
        seconds = time.perf_counter() - began
        self.summary = f"{restored} tiles measured in {seconds:.0f} s, {restored / seconds:.1f} a second"

    def _load(self, device: torch.device) -> None:
        self._lpips = self._lpips_weights.load(device) if self._lpips_weights else None
        for name, front_end in self._front_ends().items():
            try:
                self._loaded[name] = front_end.load(device)
            except Exception as error:  # so that the others run
                self._drop(name, error)

    def _front_ends(self) -> dict[str, FrontEnd]:
        return {front_end.name: front_end for case in self._cases for front_end in case.front_ends}

    def _works(self, case: Case) -> bool:
        return self._failed.isdisjoint(front_end.name for front_end in case.front_ends)

    def _of_corruption(self, cases: Sequence[Case], bar: Bar) -> dict[Case, Measured]:
        """All cases of one corruption that do not fail."""
        import torch

        rows: list[np.ndarray] = []
        values: dict[Case, list[np.ndarray]] = {case: [] for case in cases}
        seconds = dict.fromkeys(cases, 0.0)
        with closing(self._batches()) as batches, torch.inference_mode():
            for batch in batches if cases else ():
                self._check(batch)
                if not len(batch):
                    continue
                rows.append(batch.rows)
                tiles = batch.tiles.to(self._device)
                seeds = torch.from_numpy(seeds_of([self._source.ids[row] for row in batch.rows])).to(self._device)
                clean, corrupted = Clean(tiles, self._lpips), self._applied(cases[0].corruption, tiles, seeds)
                for case in cases if corrupted is not None else ():
                    began = time.perf_counter()
                    restored = self._applied(case.restorer, corrupted, seeds)
                    if restored is None:
                        continue
                    if restored.is_cuda:
                        torch.cuda.synchronize(restored.device)
                    seconds[case] += time.perf_counter() - began
                    measured = (clean.psnr(restored), clean.ssim(restored), clean.lpips(restored))
                    values[case].append(np.stack(measured, axis=1))
                    bar.update(len(batch))
        if cases and not rows:
            raise UserError(f"No tile of the task {self._label} could be read.")
        order = np.argsort(np.concatenate(rows)) if rows else np.empty(0, np.int64)
        return {
            case: Measured(
                np.concatenate(rows)[order],
                np.concatenate(values[case])[order],
                len(order) / seconds[case] if case.restorer and seconds[case] else None,
            )
            for case in cases
            if self._works(case)
        }

    def _batches(self) -> Generator[Batch, None, None]:
        """The decoded tiles, kept the first time if they are few enough."""
        if self._kept is not None:
            yield from self._kept
            return
        in_memory: list[Batch] = []
        size = 0
        with closing(read_batches([self._source], self._batch_size, workers=self._workers)) as batches:
            for batch in batches:
                size += batch.tiles.nbytes
                in_memory = [*in_memory, batch] if size <= MOST_KEPT else []
                yield batch
        if size <= MOST_KEPT:
            self._kept = in_memory

    def _check(self, batch: Batch) -> None:
        """What cannot be read or is of a size that cannot be measured ends the pass."""
        if batch.unreadable and not self._skip_unreadable:
            raise next(iter(batch.unreadable.values()))
        size = (int(batch.tiles.shape[-2]), int(batch.tiles.shape[-1]))
        if len(batch) and size not in self._sizes:
            for front_end in self._front_ends().values():
                front_end.check(*size)
            self._sizes.add(size)

    def _applied(self, front_end: FrontEnd | None, tiles: Tensor | None, seeds: Tensor) -> Tensor | None:
        """The tiles behind a front-end; None where it failed, now or before."""
        if front_end is None or tiles is None:
            return tiles
        if front_end.name in self._failed:
            return None
        try:
            return self._loaded[front_end.name](tiles, seeds)
        except Exception as error:  # so that the others run
            self._drop(front_end.name, error)
            return None

    def _drop(self, name: str, error: Exception) -> None:
        """Leave out the cases of a front-end that failed."""
        self.failures.append(sentence_of(error, name))
        self._failed.add(name)
