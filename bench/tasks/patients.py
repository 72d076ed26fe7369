"""From a table of slides to samples that are patients, each with all of its slides."""

from __future__ import annotations

import pandas as pd

from bench.tasks.config import TaskConfig
from registry.errors import UserError, first_few


def by_patient(slides: pd.DataFrame, task: TaskConfig, origin: str) -> pd.DataFrame:
    """One row a patient, in the order of their first slides: its id is the patient's, its answer that of its slides.

    Parameters
    ----------
    slides : DataFrame
        A row a slide, complete: ``id``, ``group`` (the patient), the columns of the answer.

    Raises
    ------
    UserError
        If no patient is named, or two slides of a patient have different labels, split labels or folds.
    """
    if (slides["group"] == slides["id"]).all():
        raise UserError(
            f"tasks.{task.name}.unit is patient and {origin} names no patients: add a column patient, or leave "
            "the unit at slide."
        )
    for column in [*task.targets, *(name for name in ("split", "fold") if name in slides)]:
        values = slides.groupby("group", sort=False)[column].unique()
        several = values[values.map(len) > 1]
        if len(several):
            patient = several.index[0]
            of_patient = slides[slides["group"] == patient]
            named = first_few(f"{value} for {name}" for name, value in of_patient[["id", column]].to_numpy())
            more = f"; {len(several) - 1} more patients likewise" if len(several) > 1 else ""
            raise UserError(
                f"The slides of the patient {patient} of {origin} have different values of {column} ({named}){more}: "
                f"a sample is a patient here and has one, so mend the table, or set tasks.{task.name}.unit=slide."
            )
    patients = slides.drop_duplicates("group").copy()
    patients["id"] = patients["group"]
    if "centre" in slides:  # a patient of several centres is of none
        several_centres = slides.groupby("group")["centre"].nunique() > 1
        patients.loc[patients["group"].map(several_centres), "centre"] = ""
    return patients
