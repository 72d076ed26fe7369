"""The page of an audit: verdict, numbers of every check, pictures and rules, as Markdown and as one HTML file."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.audit.audited_task import AuditedTask
from bench.audit.every import checks
from bench.files import atomic_write, unwritable
from bench.passport import Block, Bullets, Gallery, Heading, Page, Paragraph, Picture, Table, html, markdown
from bench.verdicts import LEVEL, Audit, Finding, audit_path

TITLES = {"controls": "Controls that see no tissue", "nulls": "Networks without training, and colour"}
TITLES |= {"stain": "Stain and centre", "power": "What the test side can show"}
INTRODUCTION = (
    "Whether this task can tell models apart: what scores are reached without tissue and without training, by the "
    "heads that models are compared with, on the same test samples. Sentences follow from the numbers by the rules at "
    "the end of the page. The chance that an audit of a task without shortcuts raises an alarm by its tests is at most "
    f"{LEVEL:g} (Holm over all of them). An audit that finds nothing does not show that there is nothing."
)


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
    yield Paragraph(f"Verdict: {audit.badge}. {_tested(audit)}")
    if audit.info.get("notes"):
        yield Paragraph(f"Notes on the data: {'; '.join(audit.info['notes'])}.")
    if audit.sentences:
        yield Bullets([(sentence, "") for sentence in audit.sentences])
    yield Paragraph(INTRODUCTION)
    for check in (module.__name__.rpartition(".")[2] for module in checks()):
        own = [one for one in audit.findings if one.check == check]
        if own:
            yield from _check(check, own)
            yield from _pictures(audit, task, check, own)
    yield Heading("Rules")
    rules = [rule for module in checks() for rule in module.RULES]
    yield Bullets([(f"{rule.name}: {rule.definition}", "") for rule in rules])
    yield Heading("How it was made")
    yield Paragraph(
        "; ".join(f"{name}: {_text(value)}" for name, value in audit.info.items() if name != "notes")
        + f"; pfmbench {audit.version}."
    )


def _tested(audit: Audit) -> str:
    tests = sum(one.p is not None for one in audit.findings)
    counted = ", ".join(
        f"{name}: {audit.info[name]}" for name in ("test samples", "test groups", "metric") if name in audit.info
    )
    return f"{tests} tests were made ({counted})." if counted else f"{tests} tests were made."


def _check(check: str, own: Sequence[Finding]) -> Iterator[Block]:
    yield Heading(TITLES.get(check, check.capitalize()))
    measured = [one for one in own if "value" in one.numbers]
    if measured:
        metric = measured[0].numbers.get("metric", "score")
        yield Table(
            ["what", "head", "verdict", f"{metric} [95 %]", "chance", "range over seeds", "p (Holm)"],
            [_line(one) for one in measured],
            text_columns=3,
        )
    said = [one for one in own if one not in measured or one.verdict not in ("clear", "absent")]
    if said:
        yield Bullets([(one.sentence, one.rule) for one in said])


def _line(one: Finding) -> list[str]:
    value, low, high, chance = (_number(one.numbers.get(name)) for name in ("value", "ci_low", "ci_high", "chance"))
    lowest, highest = (_number(one.numbers.get(name)) for name in ("lowest", "highest"))
    bounds = f" [{low}, {high}]" if low and high else ""
    seeds = (
        f"{lowest} to {highest} ({one.numbers.get('n_seeds')})" if lowest and one.numbers.get("n_seeds") != 1 else ""
    )
    p = "" if one.p_adjusted is None else "<0.001" if one.p_adjusted < 0.001 else f"{one.p_adjusted:.3f}"
    return [one.subject, one.head, one.verdict, f"{value}{bounds}", chance, seeds, p]


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else ""


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _pictures(audit: Audit, task: AuditedTask | None, check: str, own: Sequence[Finding]) -> Iterator[Block]:
    """The tiles that a check shows, where its module has ``pictures``."""
    modules: Mapping[str, object] = {module.__name__.rpartition(".")[2]: module for module in checks()}
    show = getattr(modules[check], "pictures", None)
    if task is None or task.tiles is None or show is None:
        return
    lines, most = [], 0
    folder = audit_path(Path(), audit.task, audit.cohort, "md").stem
    for place, (caption, tiles) in enumerate(show(task, own)):
        names = [f"{folder}/{check}-{place + 1:02d}-{number + 1}.png" for number in range(len(tiles))]
        pictures = [Picture(name, _png(tile), caption) for name, tile in zip(names, tiles, strict=True)]
        lines.append((caption, pictures))
        most = max(most, len(pictures))
    if lines:
        yield Gallery([""] * most, [(caption, [*of, *[None] * (most - len(of))]) for caption, of in lines])


def _png(tile: np.ndarray) -> bytes:
    from PIL import Image

    written = io.BytesIO()
    Image.fromarray(tile).save(written, "PNG")
    return written.getvalue()
