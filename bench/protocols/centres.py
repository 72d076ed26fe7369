"""Samples with their centres as numbers, checked for what the measures of centre robustness need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from bench.protocols.base import Samples
from bench.protocols.checks import class_names
from registry.errors import UserError, first_few, near_match


@dataclass(frozen=True)
class CentredSamples:
    """The samples whose centre is known.

    Attributes
    ----------
    features : float [N, D]
    labels, group : int64 [N]
        Classes as in `Samples`, and groups 0..G-1.
    centre : int64 [N]
        Place in `names`; -1 for a sample of another domain.
    measured : bool [N]
        The samples of the centres in `names`; the others serve as another domain.
    names, names_outside : list of str
        The centres that are measured, sorted, and the others.
    notes : list of str
        What was left out.
    """

    features: Float[np.ndarray, "sample feature"]
    labels: Int[np.ndarray, " sample"]
    group: Int[np.ndarray, " sample"]
    centre: Int[np.ndarray, " sample"]
    measured: Bool[np.ndarray, " sample"]
    names: list[str]
    names_outside: list[str]
    notes: list[str]


def centred(samples: Samples, wanted: Sequence[str]) -> CentredSamples:
    """The samples of the centres that are `wanted`, all of them if none is named, and those of the others.

    Samples without a centre are left out with a note, and so are centres with one class only, unless they are named:
    their samples have no neighbour of another class in the centre.

    Raises
    ------
    UserError
        If fewer than two centres are left, a class is of one of them only, or a name in `wanted` is no centre.
    """
    of = samples.acquisition["centre"]
    there = sorted(set(of.tolist()) - {""})
    unknown = [name for name in wanted if name not in there]
    if unknown:
        raise UserError(
            f"centres of the centre_robustness head names {unknown[0]}, which is no centre of the samples: they are of "
            f"{first_few(there)}.{near_match(unknown[0], there)}"
        )
    notes = []
    empty = int((of == "").sum())
    if empty:
        notes.append(f"{empty} samples without a centre are left out of the measures of centres")
    names = sorted(set(wanted))
    if not names:
        lone = [name for name in there if len(np.unique(samples.labels[of == name])) < 2]
        names = [name for name in there if name not in lone]
        if lone and names:
            notes.append(f"centres with samples of one class only are not measured: {', '.join(lone)}")
    check_centres(samples, names, there)
    known = samples.take(of != "")
    of = known.acquisition["centre"]
    measured = np.isin(of, names)
    place = {name: row for row, name in enumerate(names)}
    return CentredSamples(
        np.asarray(known.features, dtype=np.float32),
        known.labels,
        np.unique(known.groups, return_inverse=True)[1],
        np.array([place.get(name, -1) for name in of.tolist()], dtype=np.int64),
        measured,
        names,
        [name for name in there if name not in names],
        notes,
    )


def check_centres(samples: Samples, names: Sequence[str], there: Sequence[str]) -> None:
    """Two centres or more, and every class in two of them. Raises UserError."""
    if len(names) < 2:
        what = "one centre only" if len(there) == 1 else f"{len(there)} centres, of which {len(names)} have two classes"
        named = f" ({first_few(there)})" if there else ""
        raise UserError(
            f"The samples are of {what}{named}, and centre_robustness compares centres: add samples of another centre, "
            "or choose another protocol."
        )
    of = samples.acquisition["centre"]
    for c in np.unique(samples.labels):
        of_class = sorted(set(of[samples.labels == c].tolist()) & set(names))
        if len(of_class) < 2:
            where = f"the centre {of_class[0]} only" if of_class else "none of the centres that are measured"
            raise UserError(
                f"The samples of {class_names(samples, np.array([c]))} are of {where}, so that class and centre cannot "
                "be told apart: leave the class out of the task, or add samples of another centre."
            )
