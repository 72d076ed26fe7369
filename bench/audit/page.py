"""The page of an audit: verdict, numbers of every check, pictures and rules, as Markdown and as one HTML file."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.audit.audited_task import AuditedTask
from bench.audit.every import checks
from bench.files import atomic_write, unwritable
from bench.passport import Block, Bullets, Gallery, Heading, Page, Paragraph, Picture, Table, html, markdown
from bench.verdicts import LEVEL, Audit, Finding, audit_path

TITLES = {
    "controls": "Controls that see no tissue",
    "nulls": "Networks without training, and colour",
    "stain": "Stain and centre",
    "power": "What the test side can show",
    "duplicates": "Near-duplicates",
    "patients": "Patients named in ids and file names",
    "labels": "Labels that predictions contradict",
}
INTRODUCTION = (
    "Can this task tell models apart? This page has the scores that the heads of the models reach on the same test "
    "samples where they see no tissue (the name or the size of a file), a network that was never trained, or colour "
    "alone. A score of a model on this task means something only where it is better than these."
)
VERDICTS_IN_WORDS = (
    "clear: nothing was found, which does not show that there is nothing.",
    "absent: the data lack what the check needs.",
    "note: worth knowing, and no alarm.",
    "warning: an alarm; look at it before you rely on differences between models.",
    "failure: an alarm; the task does not measure tissue.",
)
COUNTED = {"samples": "test samples", "groups": "groups (patients)"}
NO_ALARM = "No check raises an alarm, which does not show that there is nothing to find."
NO_MODELS = (
    "No model has a row on this task with these heads in the results folder, so nothing was compared with models: run "
    "models and audit again."
)
Column = tuple[str, Callable[[Finding], str]]


def page_of(audit: Audit, task: AuditedTask | None = None) -> Page:
    """The page; with the task also the pictures that its checks show."""
    return Page(f"{audit.task}: audit", list(_blocks(audit, task)))


def write_page(results: Path, audit: Audit, page: Page) -> tuple[Path, Path]:
    """Write ``audits/TASK/COHORT.md``, its pictures beside it, and ``.html``; gives the two pages.

    Raises
    ------
    UserError
        If the folder cannot be written.
    """
    pages = audit_path(results, audit.task, audit.cohort, "md"), audit_path(results, audit.task, audit.cohort, "html")
    files = {pages[0]: markdown(page).encode(), pages[1]: html(page).encode()}
    for block in page.blocks:
        for _, line in block.lines if isinstance(block, Gallery) else ():
            files |= {pages[0].parent / one.path: one.data for one in line if one is not None}
    place = pages[0]
    try:
        for place, data in files.items():
            with atomic_write(place) as temporary:
                temporary.write_bytes(data)
    except OSError as error:
        raise unwritable(place, error, "results=DIR") from error
    return pages


def _blocks(audit: Audit, task: AuditedTask | None) -> Iterator[Block]:
    yield Paragraph(INTRODUCTION)
    yield Heading(f"Verdict: {audit.badge}")
    alarms = audit.alarms
    yield Bullets([(one.sentence, one.rule) for one in alarms]) if alarms else Paragraph(NO_ALARM)
    yield Paragraph(_measured_on(audit))
    if audit.info.get("models compared with") == []:
        yield Paragraph(NO_MODELS)
    if audit.info.get("notes"):
        yield Paragraph(f"Notes on the data: {'; '.join(audit.info['notes'])}.")
    yield Heading("How to read the tables")
    yield Bullets([(words, "") for words in _reading(audit)])
    for check in (module.__name__.rpartition(".")[2] for module in checks()):
        own = [one for one in audit.findings if one.check == check]
        if own:
            yield from _check(check, own)
            yield from _pictures(audit, task, check, own)
    yield Heading("Rules")
    rules = [rule for module in checks() for rule in module.RULES]
    yield Bullets([(f"{rule.name}: {rule.definition}", "") for rule in rules])
    yield Heading("How it was made")
    made = [[name, _text(value)] for name, value in audit.info.items() if name != "notes"]
    yield Table(["setting", "value"], [*made, ["cohort hash", audit.cohort], ["pfmbench", audit.version]], 2)


def _measured_on(audit: Audit) -> str:
    """How many samples, groups and tests the verdict rests on."""
    info, tests = audit.info, _tests(audit)
    parts = [f"{info[f'test {of}']} {name}" for of, name in COUNTED.items() if f"test {of}" in info]
    samples = f"Measured on {' of '.join(parts)}" if parts else "Measured"
    metric = f" by {info['metric']}" if "metric" in info else ""
    return f"{samples}{metric}, with {tests} {'test' if tests == 1 else 'tests'} against chance."


def _reading(audit: Audit) -> Iterator[str]:
    """What the columns of the tables and the verdicts mean."""
    yield "Brackets: the 95 % interval over groups (patients) of the test samples."
    yield "Chance: what predictions that know nothing of the label score in the mean."
    yield (
        "Range over seeds: the lowest and the highest score, and in brackets of how many seeds; the score beside it is "
        "their mean."
    )
    yield (
        f"p (Holm): how likely a score as high is without information, adjusted for the {_tests(audit)} tests of this "
        f"page. A task without shortcuts gets an alarm from these tests with a probability of {LEVEL:g} at most."
    )
    yield from VERDICTS_IN_WORDS


def _tests(audit: Audit) -> int:
    return sum(one.p is not None for one in audit.findings)


def _check(check: str, own: Sequence[Finding]) -> Iterator[Block]:
    """The scores of a check as a table, and sentences on what has no score and on what is worth a note."""
    yield Heading(TITLES.get(check, check.capitalize()))
    measured = [one for one in own if "value" in one.numbers]
    if measured:
        metric = measured[0].numbers.get("metric", "score")
        columns = [(name.format(metric=metric), cell) for name, cell in COLUMNS]
        filled = [(name, cell) for name, cell in columns if any(map(cell, measured))]
        yield Table([name for name, _ in filled], [[cell(one) for _, cell in filled] for one in measured], 3)
    in_words = [one for one in own if one not in measured or one.verdict == "note"]
    if in_words:
        yield Bullets([(one.sentence, one.rule) for one in in_words])


def _score(one: Finding) -> str:
    value, low, high = (_number(one.numbers.get(name)) for name in ("value", "ci_low", "ci_high"))
    return f"{value} [{low}, {high}]" if low and high else value or "undefined"


def _seeds(one: Finding) -> str:
    lowest, highest = (_number(one.numbers.get(name)) for name in ("lowest", "highest"))
    several = bool(lowest) and one.numbers.get("n_seeds") != 1
    return f"{lowest} to {highest} ({one.numbers.get('n_seeds')})" if several else ""


def _p(one: Finding) -> str:
    return "" if one.p_adjusted is None else "<0.001" if one.p_adjusted < 0.001 else f"{one.p_adjusted:.3f}"


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else ""


COLUMNS: tuple[Column, ...] = (
    ("predicted from", lambda one: one.subject),
    ("head", lambda one: one.head),
    ("verdict", lambda one: one.verdict),
    ("{metric} [95 %]", _score),
    ("chance", lambda one: _number(one.numbers.get("chance"))),
    ("range over seeds", _seeds),
    ("p (Holm)", _p),
)
"""Of the tables of scores; one that no line has a cell of is left out."""


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return (", ".join(map(str, value)) or "none") if isinstance(value, list | tuple) else str(value)


def _pictures(audit: Audit, task: AuditedTask | None, check: str, own: Sequence[Finding]) -> Iterator[Block]:
    """The tiles that a check shows, where its module has ``pictures``."""
    modules: Mapping[str, object] = {module.__name__.rpartition(".")[2]: module for module in checks()}
    show = getattr(modules[check], "pictures", None)
    if task is None or task.tiles is None or show is None:
        return
    lines, most = [], 0
    folder = audit_path(Path(), audit.task, audit.cohort, "md").stem
    for place, (caption, tiles) in enumerate(show(task, own)):
        count = len(tiles)
        names = [f"{folder}/{check}-{place + 1:02d}-{number + 1}.png" for number in range(count)]
        alts = [f"{caption} (tile {number + 1} of {count})" if count > 1 else caption for number in range(count)]
        pictures = [Picture(name, _png(tile), alt) for name, tile, alt in zip(names, tiles, alts, strict=True)]
        lines.append((caption, pictures))
        most = max(most, len(pictures))
    if lines:
        yield Gallery([""] * most, [(caption, [*of, *[None] * (most - len(of))]) for caption, of in lines])


def _png(tile: np.ndarray) -> bytes:
    from PIL import Image

    written = io.BytesIO()
    Image.fromarray(tile).save(written, "PNG")
    return written.getvalue()
