"""Numbers and order in the names of samples and files: what a person who numbered cases may have put into them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from bench.audit.control_values import Control

FEWEST_NUMBERED = 0.5
"""The share of names from which on numbers in them count as a control."""
SPELLED = 0.9
"""The share of names from which on names count as spelling the class."""
LONGEST_NUMBER = 15
ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}$")
DIGITS = re.compile(r"\d+")


def name_controls(
    ids: Sequence[str], groups: Sequence[str], paths: Sequence[str], answers: Sequence[str]
) -> tuple[list[Control], dict[str, str]]:
    """The number and the order in ids, in file names where these differ, and in the names of groups.

    Folders are left out, as those of many datasets are named by class. So is the class where names spell it.

    Parameters
    ----------
    paths : sequence of str
        "" where a sample has no image file of its own.
    answers : sequence of str
        The label of each sample, as people read it.

    Returns
    -------
    (list of Control, dict of str -> str)
        The controls, and a sentence for each that there is none of.
    """
    named = {"id": [_stem(one) for one in ids]}
    of_files = [_stem(one) for one in paths]
    if all(paths) and len(set(paths)) == len(paths) and of_files != named["id"]:
        named["file name"] = of_files
    if list(groups) != list(ids):
        named["group's name"] = [_stem(one) for one in groups]
    controls: list[Control] = []
    absent: dict[str, str] = {}
    for what, stems in named.items():
        if _spelled(stems, answers) >= SPELLED:
            absent[f"class in the {what}"] = (
                f"The {what} spells the class, which is taken out before its number and order are looked at."
            )
            stems = [_without(stem, answer) for stem, answer in zip(stems, answers, strict=True)]
        numbers = np.array([_number(stem) for stem in stems])
        if np.isnan(numbers).mean() > 1 - FEWEST_NUMBERED:
            absent[f"number in the {what}"] = f"There is no number in most names ({what}), so none is a control."
        else:
            controls.append(Control(f"number in the {what}", numbers))
        controls.append(Control(f"order of the {what}", _order(stems)))
    return _distinct(controls), absent


def _distinct(controls: Sequence[Control]) -> list[Control]:
    """Without those that order the samples as an earlier one does, which would be the same test again."""
    found: dict[bytes, Control] = {}
    for control in controls:
        known = ~np.isnan(control.values)
        ranks = np.full(len(known), -1)
        ranks[known] = np.unique(control.values[known], return_inverse=True)[1]
        found.setdefault(ranks.tobytes(), control)
    return list(found.values())


def _stem(name: str) -> str:
    last = re.split(r"[\\/]", name.rstrip("\\/"))[-1]
    return ENDING.sub("", last)


def _number(stem: str) -> float:
    """The last number in a name; NaN where there is none."""
    runs = DIGITS.findall(stem)
    return float(runs[-1][-LONGEST_NUMBER:]) if runs else np.nan


def _order(stems: Sequence[str]) -> np.ndarray:
    """The place of each name among the different ones, numbers in them compared as numbers."""
    distinct = sorted(set(stems), key=_natural)
    place: Mapping[str, int] = {stem: number for number, stem in enumerate(distinct)}
    return np.array([place[stem] for stem in stems], np.float64)


def _natural(stem: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", stem.lower())
    return [(0, int(part), "") if part.isdigit() and part.isascii() else (1, 0, part) for part in parts]


def _token(answer: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9]){re.escape(answer)}(?![A-Za-z0-9])", re.IGNORECASE)


def _spelled(stems: Sequence[str], answers: Sequence[str]) -> float:
    """The share of names that hold their own label as a word."""
    tokens = {answer: _token(answer) for answer in set(answers) if answer}
    return float(
        np.mean(
            [
                answer in tokens and bool(tokens[answer].search(stem))
                for stem, answer in zip(stems, answers, strict=True)
            ]
        )
    )


def _without(stem: str, answer: str) -> str:
    return _token(answer).sub("", stem) if answer else stem
