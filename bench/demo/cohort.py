"""The made-up patients: their tissue, their scanner, their side of the split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.demo.scanner import SCANNERS, Stain
from bench.demo.textures import Traits
from registry.errors import UserError

SYNTHETIC = "Synthetic phantom tissue drawn by a program; no patient, no diagnosis, not for clinical use."
_ROUND = ("train", "test", "val", "train", "test", "train")


@dataclass(frozen=True)
class Patient:
    """One made-up patient."""

    number: int
    name: str
    label: str
    split: str
    traits: Traits
    stain: Stain


def enrol(seed: int, stream: int, prefix: str, labels: Sequence[str]) -> list[Patient]:
    """Make one patient a label, so that every label and scanner is in every split.

    The patients of one label and scanner go to train, test and val in the ratio 3 : 2 : 1.

    Parameters
    ----------
    stream
        Number of the random stream, so that two cohorts of one seed share no patient.
    prefix
        What the patients' names begin with.
    labels
        One a patient; the empty string where patients have none.

    Raises
    ------
    UserError
        If a label has fewer than six patients: two scanners times three splits.
    """
    fewest = len(SCANNERS) * len(set(_ROUND))
    for label in set(labels) or {""}:
        if labels.count(label) < fewest:
            raise UserError(
                f"The built-in cohort needs at least {fewest} patients of each label, one for each scanner and split."
            )
    seen: dict[tuple[str, int], int] = defaultdict(int)
    of_label: dict[str, int] = defaultdict(int)
    people = []
    for number, label in enumerate(labels):
        scanner = of_label[label] % len(SCANNERS)
        of_label[label] += 1
        place = seen[label, scanner]
        seen[label, scanner] += 1
        rng = np.random.default_rng([seed, stream, number])
        people.append(
            Patient(
                number=number,
                name=f"{prefix}{number:03d}",
                label=label,
                split=_ROUND[place % len(_ROUND)],
                traits=Traits.of(rng),
                stain=Stain.of(SCANNERS[scanner], rng),
            )
        )
    return people
