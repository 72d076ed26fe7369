"""From the rows of a results folder to what is known of one encoder; nothing is resampled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from bench.metrics import Interval
from bench.passport.evidence import Encoder, Evidence, centres_of, median_of
from bench.results import (
    AUGMENTED,
    AggregatedResult,
    Condition,
    LeaderboardData,
    aggregated,
    conditions_of,
    grouped,
    protocol_names,
    robustness_tasks,
    task_names,
)
from bench.rows import Row, read_rows, warn_once
from registry.errors import UserError, first_few, near_match

HOW = "make bench TASK=robustness MODEL={} DATA=/my/tiles makes them"
RESTORED = "image_quality"


def read_encoder(results: Path, model: str, warn: Callable[[str], None] = warn_once) -> Encoder:
    """What the rows of a results folder say of an encoder.

    Raises
    ------
    UserError
        If there is no such folder, or no robustness row of the encoder in it.
    """
    if not results.is_dir():
        raise UserError(f"There is no folder {results}: name that of the results with results=DIR.")
    rows, sentences = read_rows(results)
    for sentence in sentences:
        warn(sentence)
    return encoder_of(rows, model, results)


def encoder_of(rows: Sequence[Row], model: str, results: Path = Path("results")) -> Encoder:
    """The same from the rows; `results` is named in errors. Raises UserError as `read_encoder`."""
    entries = aggregated(rows)
    found = conditions_of(_unsampled(entries))
    measured = sorted({one.model for one in found if not one.clean})
    if model not in measured:
        raise UserError(_without_rows(model, measured, results))
    own = [row for row in rows if row.ok and row.model == model and row.kind != RESTORED]
    tasks = robustness_tasks(entries)
    return Encoder(
        model,
        list(_evidence(entries, found, model)),
        centres=[of for entry in entries if entry.key.model == model and (of := centres_of(entry))],
        params_m=median_of(row.params_m for row in own),
        tiles_per_s=median_of(row.tiles_per_s for row in own if not row.frontend),
        restorer_speeds=_restorer_speeds(rows),
        failed=[
            f"{entry.key.protocol} behind {entry.key.frontend or 'nothing'}: {' '.join(entry.rows[0].error.split())}"
            for entry in entries
            if entry.key.model == model and entry.key[:2] in tasks and not entry.successful
        ],
        version=", ".join(sorted({row.version for row in own if row.version})),
    )


def _without_rows(model: str, measured: Sequence[str], results: Path) -> str:
    how = HOW.format(model or "NAME")
    if not model:
        which = f"{first_few(measured)} have them" if measured else f"none in {results} has them"
        return f"A passport is of one model with robustness rows: name it with model=NAME ({which}; {how})."
    if not measured:
        return f"No model has robustness rows in {results}: {how}."
    return (
        f"{model} has no robustness rows in {results}, but {first_few(measured)}: {how}.{near_match(model, measured)}"
    )


def _evidence(entries: Sequence[AggregatedResult], found: Sequence[Condition], model: str) -> Iterator[Evidence]:
    """The conditions of the encoder with each head; those of features alone where a task has no head."""
    tasks, protocols = task_names(entries), protocol_names(entries)
    for (task, cohort), of_task in groupby(grouped(found).items(), key=lambda item: item[0][:2]):
        groups = dict(of_task)
        own = {(key[3], key[4]): of for key, of in groups.items() if key[2] == model}
        features = [one for of in own.values() for one in of if one.of_features]
        heads = {head: of for head, of in own.items() if any(not (one.clean or one.of_features) for one in of)}
        names = {protocol for protocol, _ in heads}
        for head, of in (heads or own).items():
            protocol = head[0]
            if protocol.removesuffix(AUGMENTED) not in names - {protocol}:
                augmented = (more for name, more in own.items() if name[0] == protocol + AUGMENTED)
                yield Evidence(
                    tasks[task, cohort],
                    protocols[head],
                    of,
                    of_features=features,
                    augmented=[one for more in augmented for one in more],
                    others={key[2]: others for key, others in groups.items() if key[2] != model and key[3:] == head},
                )


def _restorer_speeds(rows: Iterable[Row]) -> dict[str, float]:
    speeds: dict[str, list[float | None]] = {}
    for row in rows:
        if row.ok and row.kind == RESTORED:
            speeds.setdefault(row.model, []).append(row.tiles_per_s)
    return {name: speed for name, of in sorted(speeds.items()) if (speed := median_of(of)) is not None}


def _unsampled(entries: list[AggregatedResult]) -> LeaderboardData:
    """The entries with the intervals that their rows have, where there is one run; means of several have none."""
    intervals = {}
    for entry in entries:
        if len(entry.successful) == 1:
            for name, of in entry.successful[0].metrics.items():
                if None not in (of["value"], of["ci_low"], of["ci_high"]):
                    intervals[entry.key, name] = Interval(of["value"], of["ci_low"], of["ci_high"])
    return LeaderboardData(entries, intervals, {}, {}, {}, [], {})
