"""One pass over tiles: each is decoded once, corrupted once a corruption, and restored by every restorer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int
from tqdm import tqdm

from bench.frontends import Clean, FrontEnd, seeds_of
from bench.runs.fit import sentence_of
from bench.targets import UNTOUCHED
from bench.tiles import Batch, TileSource, read_batches
from registry.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


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
    values : float64 [N, 2]
        PSNR and SSIM of each.
    tiles_per_s : float or None
        Of the restorer alone; None where there is none.
    """

    rows: Int[np.ndarray, " tile"]
    values: Float[np.ndarray, "tile measure"]
    tiles_per_s: float | None


class Restoring:
    """The cases of a task on its tiles.

    In memory are a few batches of tiles and two numbers for each tile and case.

    Parameters
    ----------
    source : TileSource
    cases : sequence of Case
        One at least; those of one corruption follow one another.
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
        label: str,
        device: str,
        batch_size: int,
        workers: int,
        skip_unreadable: bool,
        progress: bool,
    ):
        self._source, self._cases, self._label, self._device = source, list(cases), label, device
        self._batch_size, self._workers = batch_size, workers
        self._skip_unreadable, self._progress = skip_unreadable, progress
        self._values = {case: np.full((len(source), 2), np.nan) for case in cases}
        self._seconds = dict.fromkeys(self._values, 0.0)
        self._read = np.zeros(len(source), bool)
        self._sizes: set[tuple[int, int]] = set()
        self._loaded: dict[str, Callable[[Tensor, Tensor], Tensor]] = {}
        self.failures: list[str] = []
        self.summary = ""

    def run(self) -> dict[Case, Measured]:
        """The cases that did not fail.

        Raises
        ------
        UserError
            If a tile cannot be read, is too small, or is of a size that a front-end cannot take.
        """
        import torch

        began = time.perf_counter()
        self._load(torch.device(self._device))
        total = len(self._source) * len(self._cases)
        with (
            tqdm(
                total=total,
                desc=self._label,
                unit=" tiles",
                dynamic_ncols=True,
                disable=not self._progress,
                leave=False,
            ) as bar,
            closing(read_batches([self._source], self._batch_size, workers=self._workers)) as batches,
            torch.inference_mode(),
        ):
            for batch in batches:
                if not self._cases:
                    break
                self._check(batch)
                if len(batch):
                    self._measure(batch, bar)
        rows = np.flatnonzero(self._read)
        if self._cases and not len(rows):
            raise UserError(f"No tile of the task {self._label} could be read.")
        seconds = time.perf_counter() - began
        restored = len(rows) * len(self._cases)
        self.summary = f"{restored} tiles measured in {seconds:.0f} s, {restored / seconds:.1f} a second"
        return {case: self._found(case, rows) for case in self._cases}

    def _load(self, device: torch.device) -> None:
        for name, front_end in self._front_ends().items():
            try:
                self._loaded[name] = front_end.load(device)
            except Exception as error:
                self._drop(name, error)

    def _front_ends(self) -> dict[str, FrontEnd]:
        return {front_end.name: front_end for case in self._cases for front_end in case.front_ends}

    def _check(self, batch: Batch) -> None:
        """What cannot be read or is of a size that cannot be measured ends the pass."""
        if batch.unreadable and not self._skip_unreadable:
            raise next(iter(batch.unreadable.values()))
        size = (int(batch.tiles.shape[-2]), int(batch.tiles.shape[-1]))
        if len(batch) and size not in self._sizes:
            for front_end in self._front_ends().values():
                front_end.check(*size)
            self._sizes.add(size)

    def _measure(self, batch: Batch, bar: tqdm[Any]) -> None:
        import torch

        tiles = batch.tiles.to(self._device)
        seeds = torch.from_numpy(seeds_of([self._source.ids[row] for row in batch.rows])).to(self._device)
        clean = Clean(tiles)
        for _, own in groupby(list(self._cases), key=lambda case: case.corrupted_by):
            cases = list(own)
            corrupted = self._applied(cases[0].corruption, tiles, seeds)
            if corrupted is None:
                continue
            for case in cases:
                self._restore(case, corrupted, seeds, clean, batch.rows)
                bar.update(len(batch))
        self._read[batch.rows] = True

    def _restore(
        self, case: Case, corrupted: Tensor, seeds: Tensor, clean: Clean, rows: Int[np.ndarray, " tile"]
    ) -> None:
        began = time.perf_counter()
        restored = self._applied(case.restorer, corrupted, seeds)
        if restored is None:
            return
        if restored.is_cuda:
            import torch

            torch.cuda.synchronize(restored.device)
        self._seconds[case] += time.perf_counter() - began
        self._values[case][rows] = np.stack([clean.psnr(restored), clean.ssim(restored)], axis=1)

    def _applied(self, front_end: FrontEnd | None, tiles: Tensor, seeds: Tensor) -> Tensor | None:
        """The tiles behind a front-end; None where it failed, now or before."""
        if front_end is None:
            return tiles
        if front_end.name not in self._loaded:
            return None
        try:
            return self._loaded[front_end.name](tiles, seeds)
        except Exception as error:  # so that the others run
            self._drop(front_end.name, error)
            return None

    def _drop(self, name: str, error: Exception) -> None:
        """Leave out the cases of a front-end that failed."""
        self.failures.append(sentence_of(error, name))
        self._loaded.pop(name, None)
        self._cases = [case for case in self._cases if name not in (case.corrupted_by, case.restored_by)]

    def _found(self, case: Case, rows: Int[np.ndarray, " tile"]) -> Measured:
        rate = len(rows) / self._seconds[case] if case.restorer and self._seconds[case] else None
        return Measured(rows, self._values[case][rows], rate)
