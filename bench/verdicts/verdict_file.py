"""The file of an audit's verdict, ``results/audits/TASK/COHORT.json``: findings, with a checksum as rows have one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from bench.files import atomic_write, content_of, file_name, unwritable
from bench.rows import printable_text, with_checksum, without_checksum
from bench.verdicts.finding import VERDICTS, Finding

AUDITS = "audits"
"""The folder of all audits in a results folder."""
SCHEMA = 1
CLEAR = "clear"
LARGEST_FILE = 2**26  # bytes of the file of a verdict


@dataclass(frozen=True)
class Audit:
    """The verdict on a task.

    Attributes
    ----------
    task, cohort : str
        The name of the task and its cohort hash.
    findings : tuple of Finding
    version : str
        Of the harness that made it.
    info : dict
        How it was made, JSON values: heads, seeds, network, seconds, numbers of samples and groups.
    """

    task: str
    cohort: str
    findings: tuple[Finding, ...]
    version: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def alarms(self) -> list[Finding]:
        """The findings that are alarms, the gravest first."""
        alarms = [one for one in self.findings if one.is_alarm]
        return sorted(alarms, key=lambda one: -VERDICTS.index(one.verdict))

    @property
    def badge(self) -> str:
        """What stands beside the task in tables: the alarms, the gravest first, or "clear"."""
        return ", ".join(dict.fromkeys(one.badge or one.check for one in self.alarms)) or CLEAR

    @property
    def sentences(self) -> list[str]:
        """One for each alarm, the gravest first."""
        return [one.sentence for one in self.alarms]


def audit_path(results: Path, task: str, cohort: str, ending: str = "json") -> Path:
    """Where an audit of a cohort lies."""
    return results / AUDITS / file_name(task) / f"{file_name(cohort)}.{ending}"


def write_audit(results: Path, audit: Audit) -> Path:
    """Write the file; gives its path.

    Raises
    ------
    UserError
        If the folder cannot be written.
    """
    path = audit_path(results, audit.task, audit.cohort)
    record = {"schema": SCHEMA, **asdict(audit), "findings": [asdict(one) for one in audit.findings]}
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"
    try:
        with atomic_write(path) as temporary:
            temporary.write_text(with_checksum(text), "utf-8")
    except OSError as error:
        raise unwritable(path, error, "results=DIR") from error
    return path


def read_audit(path: Path) -> Audit:
    """Read a file of a verdict.

    Raises
    ------
    ValueError
        If it was changed, is of another schema, or is none.
    OSError
        If it cannot be read.
    """
    try:
        record = json.loads(without_checksum(content_of(path, LARGEST_FILE, "an audit").decode("utf-8")))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise ValueError(f"its schema is not {SCHEMA}")
    names = {one.name for one in fields(Finding)}
    try:
        findings = tuple(Finding(**{key: of[key] for key in names & of.keys()}) for of in record["findings"])
        audit = Audit(
            str(record["task"]), str(record["cohort"]), findings, str(record["version"]), dict(record["info"])
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"it lacks or misstates {error}") from error
    for one in findings:
        _check(one)
    return audit


def _check(finding: Finding) -> None:
    """Raise ValueError with the first field of another type than a finding has, or with text that is not printable."""
    for name, value in vars(finding).items():
        if name == "numbers":
            right = isinstance(value, dict) and all(isinstance(one, float | int | str | None) for one in value.values())
        elif name in ("p", "p_adjusted"):
            right = value is None or (isinstance(value, float | int) and math.isfinite(value))
        else:
            right = isinstance(value, str) and printable_text(value) == value
        if not right or (name == "verdict" and value not in VERDICTS):
            raise ValueError(f"a finding has the {name} {printable_text(str(value)[:80])}")


def audits_of(results: Path) -> Iterator[tuple[Path, Audit | None, str]]:
    """Every verdict of a results folder: its file, the audit or None, and why it cannot be used."""
    for path in sorted((results / AUDITS).glob("*/*.json")):
        try:
            audit = read_audit(path)
        except (OSError, ValueError) as error:
            yield path, None, str(error)
            continue
        if path != audit_path(results, audit.task, audit.cohort):
            yield path, None, "it is the file of another task or cohort"
            continue
        yield path, audit, ""


class MergedAudits(NamedTuple):
    """What several results folders found of their tasks.

    Attributes
    ----------
    badges : dict of (task, cohort hash) -> str
        Of a task that several have audited, the alarms of all of them.
    folders : dict of the same keys -> list of Path
        The results folders with an audit of it, in the order of their names; of those with the same audit the first.
    sentences : list of str
        One for each file that cannot be used.
    """

    badges: dict[tuple[str, str], str]
    folders: dict[tuple[str, str], list[Path]]
    sentences: list[str]


def merged_audits(folders: Iterable[Path]) -> MergedAudits:
    """The verdicts of several results folders."""
    found: dict[tuple[str, str], dict[Path, Audit]] = {}
    sentences = []
    for folder in sorted(folders):
        for path, audit, why in audits_of(folder):
            if audit is None:
                sentences.append(f"The audit {path} cannot be used ({why}): delete it or audit the task again.")
                continue
            own = found.setdefault((audit.task, audit.cohort), {})
            if audit not in own.values():
                own[folder] = audit
    badges = {key: _badge(own.values()) for key, own in found.items()}
    return MergedAudits(badges, {key: list(own) for key, own in found.items()}, sentences)


def _badge(audits: Iterable[Audit]) -> str:
    alarms = [one for audit in audits for one in audit.badge.split(", ") if one != CLEAR]
    return ", ".join(dict.fromkeys(alarms)) or CLEAR
