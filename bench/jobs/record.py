"""The records of sweeps and of their jobs, JSON files in the results folder.

``results/sweeps/SWEEP/sweep.json`` is of the sweep, ``jobs/00012.json`` of a job, with its heartbeat ``00012.alive``
(a file whose modification time is that of the last beat) and its output ``00012.log``.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from bench.files import atomic_write, unwritable
from bench.rows import MOST_NAMED, RunKey

SCHEMA = 1  # raise it when a field of `JobRecord` or `Sweep` changes its name or meaning
DEAD = 0.0  # the modification time of the heartbeat of a job that stopped before its end
STATES = ("queued", "running", "done", "failed")
OF_ROWS = {"kind": str, "primary_metric": str, "baseline": bool, "track": str}  # what a lost row needs beside its key
_KEY = {one.name: int if one.type == "int" else str for one in fields(RunKey)}


@dataclass(frozen=True)
class JobRecord:
    """One job of a sweep: its work, and what became of it as far as it could say so itself.

    Attributes
    ----------
    sweep : str
        Name of the sweep's folder, such as 2026-11-22_04-10-33.
    number : int
        From 0, unique in the sweep.
    task : str
        Name of the dataset's task.
    models : tuple of str
    part : str or None
        As in "2/4": the job embeds a part of the dataset; None: the whole, with its heads.
    engine : str
        "laptop", "local", "slurm", or the name of another launcher of Hydra.
    overrides : tuple of str
        The command line that is this job's work: ``python -m bench OVERRIDES``.
    settings : str
        Digest of everything that can change its rows but task, models and part.
    state : str
        One of `STATES`. That a job is lost is found by `state_of`, and never written.
    job_id : str
        Of the engine, as in "123_4"; empty where it is not known.
    host : str
    pid : int
    submitted, started, ended : str
        ISO times in UTC by the clock of the machine that wrote them: for people, never compared.
    starts : int
        1, and one more for each requeue; 0 before the first.
    failures : tuple of str
        Sentences.
    rows : tuple of dict
        The rows that the job is to make, known once it is planned: the fields of `bench.rows.RunKey`, and where they
        are known `kind`, `primary_metric`, `baseline` and `track` of the row.
    """

    sweep: str
    number: int
    task: str
    models: tuple[str, ...]
    part: str | None
    engine: str
    overrides: tuple[str, ...]
    settings: str
    state: str = "queued"
    job_id: str = ""
    host: str = ""
    pid: int = 0
    submitted: str = ""
    started: str = ""
    ended: str = ""
    starts: int = 0
    failures: tuple[str, ...] = ()
    rows: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Sweep:
    """What was submitted together.

    Attributes
    ----------
    name : str
        Of its folder.
    command : str
        The command line that starts it again, ready for a shell.
    engine : str
    settings : str
        Digest, as in `JobRecord`.
    time : str
        Of its submission, as `JobRecord.submitted`.
    """

    name: str
    command: str
    engine: str
    settings: str
    time: str = ""


def key_of(row: dict[str, Any]) -> RunKey:
    """The key of one of a record's rows."""
    return RunKey(**{name: row[name] for name in _KEY})


def utc_now() -> str:
    """The time of this machine's clock as ISO text in UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def sweep_folder(results: Path, sweep: str) -> Path:
    """Where the files of a sweep lie."""
    return results / "sweeps" / sweep


def record_path(results: Path, sweep: str, number: int) -> Path:
    """Where the record of a job lies."""
    return sweep_folder(results, sweep) / "jobs" / f"{number:05d}.json"


def alive_path(results: Path, record: JobRecord) -> Path:
    """The file whose modification time is the last heartbeat of a job."""
    return record_path(results, record.sweep, record.number).with_suffix(".alive")


def log_path(results: Path, record: JobRecord) -> Path:
    """Where the output of a job goes."""
    return record_path(results, record.sweep, record.number).with_suffix(".log")


def sweep_names(results: Path) -> list[str]:
    """The sweeps of a results folder, oldest first as their names tell; none where there is no such folder."""
    folder = results / "sweeps"
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(path.name for path in found if path.is_dir() and not path.name.startswith("."))


def write_sweep(results: Path, sweep: Sweep) -> None:
    """Write the record of a sweep.

    Raises
    ------
    UserError
        If the folder cannot be written or the disk is full.
    """
    _write(sweep_folder(results, sweep.name) / "sweep.json", asdict(sweep))


def read_sweep(results: Path, sweep: str) -> Sweep | None:
    """The record of a sweep; None where there is none or it is damaged."""
    try:
        return Sweep(**_fields_of(Sweep, _read(sweep_folder(results, sweep) / "sweep.json")))
    except (OSError, ValueError):
        return None


def write_record(results: Path, record: JobRecord) -> JobRecord:
    """Write the record of a job; gives what then stands there.

    A queued record never replaces that of a job which has started since: the one who submits a job learns its id after
    the job may run, and the job knows its id itself.

    Raises
    ------
    ValueError
        If the state is none of `STATES`.
    UserError
        If the folder cannot be written or the disk is full.
    """
    if record.state not in STATES:
        raise ValueError(f"The state {record.state!r} is none of {', '.join(STATES)}.")
    if record.state == "queued":
        standing = read_record(results, record.sweep, record.number)
        if standing is not None and standing.state != "queued":
            return standing
    _write(record_path(results, record.sweep, record.number), asdict(record))
    return record


def read_record(results: Path, sweep: str, number: int) -> JobRecord | None:
    """The record of one job; None where there is none or it is damaged."""
    try:
        return _record(record_path(results, sweep, number))
    except (OSError, ValueError):
        return None


def read_records(results: Path, sweep: str | None = None) -> tuple[list[JobRecord], list[str]]:
    """The records of a sweep, or of all, in their order, and sentences that name the damaged ones with the reason."""
    records, damaged = [], []
    for name in sweep_names(results) if sweep is None else [sweep]:
        for path in sorted((sweep_folder(results, name) / "jobs").glob("*.json")):
            if path.name.startswith("."):
                continue  # what a killed writer left
            try:
                records.append(_record(path))
            except (OSError, ValueError) as error:
                damaged.append(f"{path} ({error})")
    return records, [_sentence(damaged)] if damaged else []


def _sentence(damaged: list[str]) -> str:
    more = f"; and {len(damaged) - MOST_NAMED} more" if len(damaged) > MOST_NAMED else ""
    return (
        f"Records of jobs that cannot be read, whose jobs are not counted: {'; '.join(damaged[:MOST_NAMED])}{more}. "
        "The rows of these jobs are not touched: delete the records, and run the sweep again."
    )


def _write(path: Path, values: dict[str, Any]) -> None:
    text = json.dumps({"schema": SCHEMA, **values}, indent=1)  # ASCII, as names of files may be no UTF-8
    try:
        with atomic_write(path) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise unwritable(path, error, "results=DIR") from error


def _read(path: Path) -> dict[str, Any]:
    """The values of a JSON file of this schema; ValueError with the reason if it holds none."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError("it is not complete JSON") from error
    if not isinstance(values, dict):
        raise ValueError("it is not a record")
    if (schema := values.pop("schema", None)) != SCHEMA:
        raise ValueError(f"it is of schema {schema}, and this version reads {SCHEMA}")
    return values


def _record(path: Path) -> JobRecord:
    """Read the record of a job; ValueError with the reason if the file does not hold that of its name."""
    record = JobRecord(**_fields_of(JobRecord, _read(path)))
    if record.state not in STATES:
        raise ValueError(f"its state is {record.state!r}")
    if (record.sweep, f"{record.number:05d}") != (path.parent.parent.name, path.stem):
        raise ValueError("it is the record of another job than its name says")
    for row in record.rows:
        known = {name: kind for name, kind in OF_ROWS.items() if name in row}
        if not all(isinstance(row.get(name), kind) for name, kind in {**_KEY, **known}.items()):
            raise ValueError(f"a row is {row}"[:200])
    return record


def _fields_of(kind: type[JobRecord] | type[Sweep], values: dict[str, Any]) -> dict[str, Any]:
    """The values as arguments of a record, lists as tuples; ValueError names the first that does not fit."""
    known = {one.name: str(one.type) for one in fields(kind)}
    if unlike := [*(known.keys() - values.keys()), *(values.keys() - known.keys())]:
        raise ValueError(f"{min(unlike)} is missing or unknown")
    for name, value in values.items():
        if not _fits(value, known[name]):
            raise ValueError(f"{name} is {value!r}"[:200])
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _fits(value: Any, annotation: str) -> bool:
    if annotation.startswith("tuple"):
        item = dict if "dict" in annotation else str
        return isinstance(value, list) and all(isinstance(one, item) for one in value)
    if annotation == "int":
        return type(value) is int and value >= 0
    return isinstance(value, str) or (value is None and "None" in annotation)
