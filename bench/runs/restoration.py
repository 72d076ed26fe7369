"""The restoration task: corrupted tiles, what restorers make of them, and how near that is to the clean tiles."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np

from bench import metrics, rows, targets, tasks
from bench.files import digest, unwritable
from bench.frontends import (
    HIGHEST_PSNR,
    MEASURES,
    SMALLEST_FOR_LPIPS,
    FrontEnd,
    LpipsWeights,
    check_size,
    classical_names,
    find,
    find_lpips,
)
from bench.protocols import Predictions
from bench.rows import Row, RunKey
from bench.runs.context import RunContext
from bench.runs.devices import n_processors, usual_batch_size
from bench.runs.fit import sentence_of
from bench.runs.frontends import frontend_of, weight_sources
from bench.runs.provenance import finished, made_by
from bench.runs.restoring import Case, Measured, Restoring
from bench.runs.scoring import notes_on_groups
from bench.targets import UNTOUCHED
from bench.tasks import TaskConfig, TrackTiles
from bench.tiles import TileSource
from registry.errors import UserError

KIND, PROTOCOL = "image_quality", "restoration"


def run_restoration(context: RunContext, task: TaskConfig) -> list[str]:
    """Measure what is not up to date in the results; returns a sentence for each failure.

    Raises
    ------
    UserError
        If the data or the settings cannot be used.
    """
    return plan_restoration(context, task).run()


def plan_restoration(context: RunContext, task: TaskConfig) -> RestorationPlan:
    """Read the tiles and find the front-ends; nothing is computed.

    Raises
    ------
    UserError
        If a setting is wrong, the data cannot be used, or tiles are smaller than the window of SSIM.
    """
    track = task.track
    assert track is not None
    config = context.config
    if frontend_of(config).parts:
        raise UserError(
            f"frontend={config.frontend} stands before an encoder, and the task {task.name} has none: leave it out "
            f"and name corruptions and restorers in tasks.{task.name}.track."
        )
    data = Path(config.data) if config.data else None
    tiles = tasks.read_track_tiles(task, data, context.unpacked or context.cache)
    frame = tiles.frame
    source = TileSource(
        frame["id"].tolist(), frame["path"].tolist(), frame["index"].tolist(), max_px=config.max_tile_px
    )
    with source.open() as opened:
        shape = opened.shape
    if shape != (0, 0):  # tiles of other sizes are checked when they come; no size is known where none can be read
        check_size(*shape)
    corruptions = [find(f"{kind}_{severity}") for kind in track.corruptions for severity in track.severities]
    usable: list[FrontEnd] = []
    failures: list[str] = []
    identities: dict[str, str] = {}
    for front_end in [*corruptions, *_restorers(context, track.restorers)]:
        try:
            identities[front_end.name] = front_end.identity
            if shape != (0, 0):
                front_end.check(*shape)
        except UserError as error:
            failures.append(sentence_of(error, front_end.name))
        else:
            usable.append(front_end)
    corruptions = [front_end for front_end in usable if not front_end.restores]
    restorers = [front_end for front_end in usable if front_end.restores]
    cases = [Case(corruption, restorer) for corruption in (None, *corruptions) for restorer in (None, *restorers)]
    lpips, about_lpips = find_lpips(config.weights_dir)
    return RestorationPlan(
        context, task, tiles, source, source.digest(), shape, cases, identities, failures, lpips, about_lpips
    )


def _restorers(context: RunContext, names: Sequence[str]) -> Iterator[FrontEnd]:
    for name in names:
        if name != UNTOUCHED:
            yield find(name, context.config.frontends.get(name), weight_sources(context.config))


@dataclass(frozen=True, eq=False)
class RestorationPlan:
    """What is measured of a task.

    Attributes
    ----------
    tiles : TrackTiles
    source : TileSource
        The same tiles, to be decoded.
    content : str
        Digest of their files.
    shape : (int, int)
        Height and width of the first tile that can be read, px; 0 where there is none.
    cases : list of Case
        Every restorer, and none, on every corruption, and on clean tiles: a row each.
    identities : dict of str to str
        Of the front-ends, by their names; read once, as it may be a digest of large weights.
    failures : list of str
        A sentence for each front-end that cannot be used.
    lpips : LpipsWeights or None
        None where LPIPS is not measured.
    about_lpips : str
        A sentence that says whether it is, and if not, what to do.
    """

    context: RunContext
    task: TaskConfig
    tiles: TrackTiles
    source: TileSource
    content: str
    shape: tuple[int, int]
    cases: list[Case]
    identities: dict[str, str]
    failures: list[str]
    lpips: LpipsWeights | None
    about_lpips: str

    @property
    def keys(self) -> set[RunKey]:
        return {self._key(case) for case in self.cases}

    @cached_property
    def pending(self) -> list[Case]:
        """The cases whose rows are not up to date in the results."""
        return [case for case in self.cases if not self._is_done(case)]

    def restrict_to(self, key: RunKey) -> None:
        self.cases[:] = [case for case in self.cases if self._key(case) == key]

    def text(self) -> str:
        assert self.task.track is not None
        lines = [
            f"{self._described()}; {len(self.pending)} of {len(self.cases)} rows to measure",
            f"  corruptions: {', '.join(self.task.track.corruptions)}",
            f"  restorers: {', '.join(dict.fromkeys(case.restored_by for case in self.cases))}",
            f"  {self.about_lpips}",
        ]
        return "\n".join(lines)

    def run(self) -> list[str]:
        config, context = self.context.config, self.context
        context.say(f"{self._described()}; {len(self.cases) - len(self.pending)} of {len(self.cases)} rows up to date")
        if not self.pending:
            return self.failures
        context.say(f"{self.task.name}: {self.about_lpips}")
        size = config.batch_size or usual_batch_size(context.device, max(self.shape))
        restoring = Restoring(
            self.source,
            self.pending,
            lpips=self.lpips,
            label=self.task.name,
            device=context.device,
            batch_size=size,
            workers=config.workers or n_processors(),
            skip_unreadable=config.on_corrupt.value == "skip",
            progress=context.progress,
        )
        try:
            for case, measured in restoring.run():
                self._write(case, measured)
        except UserError as error:  # of the data or the folder: the same for all cases
            return list(dict.fromkeys([*self.failures, *restoring.failures, str(error)]))
        context.say(f"{self.task.name}: {restoring.summary}")
        return list(dict.fromkeys([*self.failures, *restoring.failures]))

    def _described(self) -> str:
        groups = self.tiles.frame["group"].nunique()
        corruptions = len({case.corrupted_by for case in self.cases} - {""})
        restorers = len({case.restored_by for case in self.cases} - {UNTOUCHED})
        return (
            f"{self.task.name} [{self.tiles.cohort_hash}]  {len(self.tiles)} tiles, {groups} groups, clean and behind "
            f"{corruptions} corruptions, {restorers} restorers and none"
        )

    def _key(self, case: Case) -> RunKey:
        return RunKey(
            task=self.task.name,
            model=case.restored_by,
            frontend=case.corrupted_by,
            protocol=PROTOCOL,
            seed=0,
            fold=0,
            cohort=self.tiles.cohort_hash,
            head=digest(MEASURES)[:8],
        )

    def _identity(self, case: Case) -> list[str]:
        """All that can change what becomes of a tile."""
        return [part for own in case.front_ends for part in (own.name, self.identities[own.name])]

    @cached_property
    def _lpips_identity(self) -> str:
        """Of the weights; "" where LPIPS is not measured."""
        return self.lpips.identity if self.lpips else ""

    def _run_hash(self, case: Case, lpips: str) -> str:
        """Digest of all that can change the row, with the identity of the weights of LPIPS."""
        settings = [self._identity(case), self.context.config.bootstrap, self.tiles.notes, MEASURES, lpips]
        return digest([self.content, self.tiles.cohort_hash, settings, version("pfmbench")])

    def _is_done(self, case: Case) -> bool:
        row = rows.read_row(self.context.results, self._key(case))
        if row is None or not row.ok:
            return False
        lpips = self._lpips_identity or rows.RowInfo(row).lpips  # without weights, one that has LPIPS is up to date
        if row.run_hash != self._run_hash(case, lpips):
            return False
        return rows.has_predictions(self.context.results, row)

    def _notes_on_lpips(self, measured: Measured) -> Iterator[str]:
        missing = int(np.isnan(measured.values[:, -1]).sum())
        if self.lpips and missing:
            of_all = f"{missing} of {len(measured.values)} tiles"
            yield f"LPIPS is not measured of {of_all}, which are below {SMALLEST_FOR_LPIPS} px."

    def _write(self, case: Case, measured: Measured) -> None:
        target = targets.get(KIND)
        ids, groups = (self.tiles.frame[name].to_numpy(str)[measured.rows] for name in ("id", "group"))
        labels = np.empty((len(ids), 0))
        found = metrics.score_all(
            labels, measured.values, None, groups, kind=target.metrics, n_boot=self.context.config.bootstrap
        )
        identical = int((measured.values[:, 0] == HIGHEST_PSNR).sum())
        n_groups = len(np.unique(groups))
        key = self._key(case)
        row = Row(
            **{name: value for name, value in vars(key).items() if name not in ("cohort", "head")},
            cohort_hash=key.cohort,
            head_config_hash=key.head,
            status="ok",
            kind=KIND,
            primary_metric=target.metrics.primary,
            metrics={name: dataclasses.asdict(of.interval()) for name, of in found.items()},
            n_test=len(ids),
            n_groups=n_groups,
            n_skipped=len(self.tiles) - len(ids),
            tiles_per_s=measured.tiles_per_s,
            baseline=case.restored_by in (UNTOUCHED, *classical_names()),
            run_hash=self._run_hash(case, self._lpips_identity),
            version=version("pfmbench"),
            classes=list(target.metrics.metrics),
            info={
                "identity": self._identity(case),
                "psnr_at_most": identical,
                "lpips": self._lpips_identity,
                **made_by(self.context, self.task, None, key),
                "digests": {"data": self.content, "front_ends": digest(self._identity(case))},
                "finished": finished(),
            },
            notes=[*self.tiles.notes, *notes_on_groups(n_groups), *self._notes_on_lpips(measured)],
        )
        predictions = Predictions(ids, groups, labels, measured.values, kind=KIND)
        try:
            rows.write(self.context.results, row, predictions)
        except OSError as error:
            place = rows.row_path(self.context.results, key)
            with contextlib.suppress(TypeError):
                place = Path(error.filename)
            raise unwritable(place, error, "results=DIR") from error
