"""Patients on both sides of a split, by what the names of samples and files tell of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from bench.audit.audited_task import AuditedTask
from bench.audit.rule import Rule
from bench.verdicts import Finding, Number

ORDER = 60
CHECK = "patients"
PATTERNS = {
    "TCGA barcodes": re.compile(r"(?<![A-Za-z0-9])TCGA[-_.][A-Z0-9]{2}[-_.][A-Z0-9]{4}(?![A-Za-z0-9])"),
    "CPTAC case ids": re.compile(r"(?<![A-Za-z0-9])C3[LN][-_]\d{5}(?!\d)"),
    "GTEx donor ids": re.compile(r"(?<![A-Za-z0-9])GTEX[-_][A-Z0-9]{4,5}(?![A-Z0-9])"),
    "BreakHis slide ids": re.compile(r"(?<![A-Za-z])SOB_[BM]_[A-Z]+[-_]\d+[-_][0-9A-Z]+(?=-)"),
    "words for a patient": re.compile(
        r"(?<![A-Za-z])(?:patient|case|subject|donor|pid)(?:[-_ ]?[A-Za-z]?)[-_ ]?\d+(?![A-Za-z0-9])", re.IGNORECASE
    ),
    "words for a slide": re.compile(
        r"(?<![A-Za-z])(?:slide|wsi)(?:[-_ ]?[A-Za-z]?)[-_ ]?\d+(?![A-Za-z0-9])", re.IGNORECASE
    ),
}
"""What in a name is a patient: where all have a source it is the numbering of that archive or dataset."""
FEWEST_NAMED = 0.5
"""The share of samples whose names must hold a pattern for it to be looked at."""
SHOWN = 3
RULES = (
    Rule(
        "patients on both sides by name",
        f"Names of at least {FEWEST_NAMED:.0%} of the samples hold a patient or slide by one of these patterns: "
        f"{', '.join(PATTERNS)}; and one of them is in the test set and in training or validation of the same fold.",
    ),
)


def findings(task: AuditedTask) -> Iterator[Finding]:
    """A finding for each pattern that the names hold; one that none does otherwise."""
    found = [one for name, pattern in PATTERNS.items() for one in _by_pattern(task, name, pattern)]
    if not found:
        found = [Finding(CHECK, "names", "absent", "No names of patients or slides are known in ids and file names.")]
    yield from found


def named_in(texts: Sequence[str], pattern: re.Pattern[str]) -> np.ndarray:
    """What a pattern finds first in each text, in lower case and one sort of hyphen, str [N]; "" where it is not."""
    matches = (pattern.search(text) for text in texts)
    return np.array([re.sub(r"[-_. ]", "-", match[0].lower()) if match else "" for match in matches])


def _by_pattern(task: AuditedTask, name: str, pattern: re.Pattern[str]) -> Iterator[Finding]:
    texts = [f"{one} {path}" for one, path in zip(task.ids.tolist(), task.paths.tolist(), strict=True)]
    found = named_in(texts, pattern)
    if (found != "").mean() < FEWEST_NAMED or len(set(found.tolist()) - {""}) < 2:
        return
    shared: set[str] = set()
    n_samples = 0
    for side in task.sides:
        tested, learned = (set(found[chosen].tolist()) - {""} for chosen in (side == "test", _is_for_training(side)))
        n_samples += int(np.isin(found[side == "test"], sorted(tested & learned)).sum())
        shared |= tested & learned
    n_tested = sum(int((side == "test").sum()) for side in task.sides)
    n_names = len(set(found.tolist()) - {""})
    numbers: dict[str, Number] = {"n_names": n_names, "n_on_both_sides": len(shared), "n_test_samples": n_samples}
    if shared:
        some = ", ".join(sorted(shared)[:SHOWN])
        sentence = (
            f"{name[0].upper()}{name[1:]} in the names put {len(shared)} of {n_names} on both sides of the split, such "
            f"as {some}: {n_samples} of {n_tested} test samples are of patients that heads learned from. Name the "
            "patient in the column group, and let the split follow it."
        )
        yield Finding(CHECK, name, "warning", sentence, RULES[0].name, "patients on both sides", numbers=numbers)
        return
    sentence = f"By {name} in the names none of {n_names} is on both sides of the split."
    yield Finding(CHECK, name, "clear", sentence, numbers=numbers)


def _is_for_training(side: np.ndarray) -> np.ndarray:
    return (side == "train") | (side == "val")
