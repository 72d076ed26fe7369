"""``python -m bench verify PACK``: scores computed again, and what in a pack is not as it says, a sentence each.

Nothing of a pack is run: its rows are JSON, its predictions are columns of numbers and names, and settings that rows
state are read as data and never acted on. Data are read by the settings of this package alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench import frozen, rows
from bench.commands import read_arguments, run_command
from bench.packs.archive import read_pack
from bench.packs.content import Finding, PackedRun, by_side, read_content
from bench.packs.layout import PackRecord
from bench.packs.presets import is_published, other_protocol
from bench.packs.reuse import reused_predictions
from bench.packs.scores import recompute
from bench.packs.sides import OwnData, against_frozen, within_pack
from registry.errors import UserError, first_few

OPTIONS = {"data": "", "salt": "", "cache": ""}
USAGE = """Usage: python -m bench verify PACK.zip [data=DIR] [salt=TEXT] [cache=DIR] [tasks.NAME.FIELD=VALUE ...]

Computes every score and interval of a pack again from its predictions, and names forged values, swapped labels,
predictions of another model, a test side or settings that are not those of the frozen task, and heads whose settings
are not those of the published preset. Nothing of the pack is run. What this cannot find: docs/CONTRIBUTING_RESULTS.md.

  data=DIR      your own copy of the data, which the test sides are compared with too
  salt=TEXT     that the ids of the pack were hashed with
  tasks.NAME.FIELD=VALUE   a setting of the task that is not that of conf/task, as in a run

The exit code is 0 where nothing is found, 1 where something is, 2 where the pack cannot be read."""


@dataclass(frozen=True)
class Verified:
    """What was found in a pack.

    Attributes
    ----------
    findings : list of Finding
    notes : list of str
        What could not be checked, and what a reader must know.
    n_rows, n_runs : int
        All rows, and those with predictions.
    n_same : int
        Scores that were computed again, with their intervals, and are as the rows have them.
    """

    findings: list[Finding]
    notes: list[str]
    n_rows: int
    n_runs: int
    n_same: int


def verify_command(arguments: Sequence[str]) -> int:
    """The command; gives its exit code."""
    return run_command(
        arguments,
        USAGE,
        _verify,
        lambda text: [rows.printable_text(line) for line in text.splitlines()],
    )


def _verify(arguments: Sequence[str]) -> int:
    pack, options, changes = _parsed(arguments)
    found = verify(pack, options["data"], options["salt"], options["cache"], changes)
    for finding in found.findings:
        print(finding.text)
    for note in found.notes:
        print(f"note: {rows.printable_text(note)}")
    count = len(found.findings)
    print(
        f"{pack}: {found.n_rows} rows, {found.n_runs} with predictions; {found.n_same} scores computed again are the "
        f"same with their intervals. {f'Findings: {count}' if count else 'Nothing is found'}."
    )
    return 1 if count else 0


def verify(
    pack: Path, data: str = "", salt: str = "", cache: str = "", changes: Mapping[str, Sequence[str]] | None = None
) -> Verified:
    """Check a pack.

    Parameters
    ----------
    data, salt, cache : str
        As of the command; "" for none.
    changes : mapping of str to sequence of str
        By task its settings that are not those of conf/, such as ``split.folds=5``.

    Raises
    ------
    UserError
        If the pack cannot be read, or the data cannot.
    """
    with tempfile.TemporaryDirectory(prefix="pfmbench-verify-") as folder:
        unpacked = Path(folder) / "pack"
        unpacked.mkdir()
        record, faults = read_pack(pack, unpacked)
        findings = [Finding("damaged file", f"{fault}.") for fault in faults]
        content, n_rows, more = read_content(unpacked, record)
        findings += more
        own = OwnData(Path(data), changes or {}, salt, Path(cache or folder)) if data else None
        if own and record.is_hashed and not salt:
            raise UserError(
                f"The ids of {pack} are hashed: add salt=TEXT, that they were hashed with, or leave out data=."
            )
        notes: list[str] = []
        n_same = _check_runs(content, record, own, findings, notes)
    return Verified(findings, notes, n_rows, len(content), n_same)


def _check_runs(
    content: list[PackedRun], record: PackRecord, own: OwnData | None, findings: list[Finding], notes: list[str]
) -> int:
    """Add findings and notes on all runs; gives the number of scores that are as the rows have them."""
    published = frozen.frozen_tasks()
    n_same, by_heads = 0, []
    for run in content:
        found = recompute(run)
        findings += found.findings
        n_same += found.n_same
        by_heads += [f"{metric} of {run.row.protocol}" for metric in found.by_heads]
        findings += other_protocol(run)
        if run.row.task in published:
            findings += against_frozen(run, published[run.row.task], hashed=record.is_hashed)
        if own:
            findings += own.findings(run)
    for alike in by_side(content):
        findings += within_pack(alike)
        findings += reused_predictions(alike)

    def is_compared(task: str) -> bool:
        return own is not None or (task in published and bool(published[task].cohort))

    notes += _notes(content, record, by_heads, is_compared)
    return n_same


def _notes(
    content: list[PackedRun],
    record: PackRecord,
    by_heads: list[str],
    is_compared: Callable[[str], bool],
) -> list[str]:
    """What could not be checked."""
    notes = []
    if record.version != (own_version := version("pfmbench")):
        notes.append(f"The pack is of pfmbench {record.version[:40]} and this is {own_version}: presets may differ.")
    if by_heads:
        names = first_few(dict.fromkeys(by_heads))
        notes.append(f"{len(by_heads)} scores are not told by predictions, so they were not computed again ({names}).")
    if others := sorted({run.row.protocol for run in content if not is_published(run)}):
        notes.append(f"No published preset has the name {first_few(others)}.")
    if unknown := sorted({run.row.task for run in content if not is_compared(run.row.task)}):
        notes.append(
            f"The samples of {first_few(unknown)} are not frozen: data=DIR compares the test sides with your own copy."
        )
    if record.left_out:
        notes.append(f"{record.left_out} rows of the results folder are not in the pack.")
    return notes


def _parsed(arguments: Sequence[str]) -> tuple[Path, dict[str, str], dict[str, list[str]]]:
    """The pack, the options, and by task the settings that are changed."""
    own: list[str] = []
    changes: dict[str, list[str]] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if equals and name.startswith("tasks.") and name.count(".") >= 2:
            _, task, field = name.split(".", 2)
            changes.setdefault(task, []).append(f"{field}={value}")
        else:
            own.append(argument)
    takes = f"those are {'=, '.join(OPTIONS)}= and tasks.NAME.FIELD="
    found = read_arguments(own, OPTIONS, takes, words=True)
    if len(found.words) != 1:
        raise UserError(f"{len(found.words)} packs are named and one is verified: python -m bench verify PACK.zip.")
    return Path(found.words[0]).expanduser(), found.options, changes
