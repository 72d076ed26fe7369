"""How often an audit finds what was planted, and how often it raises a false alarm on a clean task.

    python -m benchmarks.audit                       # tables: no image is drawn; 200 cohorts a line
    python -m benchmarks.audit --phantom --cohorts 20   # the same on tiles of the built-in synthetic cohort

A cohort has patients with one label each. Clean, every control is drawn without the label: the number of a case, its
date, scanner, centre, the size and JPEG quality of its files, and how many tiles it has. `case number` numbers the
patients of one class first, `centre` takes nine in ten patients of a class from one of two centres. On the phantom the
files are real JPEG files of tumour and stroma, whose names, dates and sizes are read as an audit reads them.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.audit import AuditedTask, Control, Predicted, file_controls, name_controls, run_checks
from bench.demo import make_tiles
from bench.protocols import Head, Samples, configured

PLANTED = ("nothing", "case number", "centre")
HEADS: dict[str, dict[str, Any]] = {"linear": {"kind": "linear", "n_strengths": 9}, "knn": {"kind": "knn"}}
CONFOUNDED = 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=200)
    parser.add_argument("--patients", type=int, nargs="+", default=[24, 60, 200])
    parser.add_argument("--tiles", type=int, default=4, help="tiles a patient")
    parser.add_argument("--heads", nargs="+", default=list(HEADS), choices=list(HEADS))
    parser.add_argument("--planted", nargs="+", default=list(PLANTED), choices=PLANTED)
    parser.add_argument("--phantom", action="store_true", help="tiles of the built-in cohort in place of tables")
    options = parser.parse_args()
    heads = {name: configured(HEADS[name]) for name in options.heads}
    print("planted, patients, cohorts, cohorts with an alarm, planted one found, other alarms by control, s a cohort")
    with tempfile.TemporaryDirectory() as folder:
        tiles = _phantom(Path(folder), max(options.patients)) if options.phantom else None
        for patients in options.patients:
            for planted in options.planted:
                _line(planted, patients, options.cohorts, options.tiles, heads, tiles)


def _line(
    planted: str, patients: int, cohorts: int, per_patient: int, heads: dict[str, Head], tiles: list[list[Path]] | None
) -> None:
    alarmed, found, others, started = 0, 0, Counter[str](), time.monotonic()
    for seed in range(cohorts):
        task = cohort(planted, patients, per_patient, seed, heads, tiles)
        alarms = {one.subject for one in run_checks(task) if one.is_alarm and one.check == "controls"}
        own = {one for one in alarms if planted in one or (planted == "case number" and "group's name" in one)}
        alarmed += bool(alarms)
        found += bool(own)
        others.update(alarms - own)
    seconds = (time.monotonic() - started) / cohorts
    named = ", ".join(f"{name} {count}" for name, count in others.most_common()) or "none"
    print(
        f"{planted}, {patients}, {cohorts}, {alarmed}, {found if planted != 'nothing' else '-'}, {named}, {seconds:.2f}"
    )


def cohort(
    planted: str, patients: int, per_patient: int, seed: int, heads: dict[str, Head], tiles: list[list[Path]] | None
) -> AuditedTask:
    """One cohort: half of the patients are trained on and half tested, both with all labels."""
    rng = np.random.default_rng([patients, seed])
    of_patient = rng.permutation(np.arange(patients) % 2)
    side = np.empty(patients, "U5")
    for label in (0, 1):
        own = rng.permutation(np.flatnonzero(of_patient == label))
        side[own[: len(own) // 2]], side[own[len(own) // 2 :]] = "train", "test"
    order = np.argsort(of_patient, kind="stable") if planted == "case number" else rng.permutation(patients)
    number = np.empty(patients, int)
    number[order] = np.cumsum(rng.integers(1, 9, patients))
    centre = rng.integers(0, 2, patients)
    if planted == "centre":
        centre = np.where(rng.random(patients) < CONFOUNDED, of_patient, 1 - of_patient)
    counts = rng.integers(1, 2 * per_patient, patients) if tiles is None else np.full(patients, per_patient)
    place = np.repeat(np.arange(patients), counts)
    groups = np.array([f"case{one:04d}" for one in number])[place]
    ids = np.array([f"{group}_{rng.integers(10**6):06d}" for group in groups])
    columns = {
        "centre": np.array([f"centre{one}" for one in centre])[place],
        "scanner": np.array([f"scanner{one}" for one in rng.integers(0, 3, patients)])[place],
        "date": np.array([f"20{one:02d}-01-01" for one in rng.integers(5, 25, patients)])[place],
    }
    labels = of_patient[place]
    if tiles is None:
        paths = ids
        controls, _ = name_controls(list(ids), list(groups), [""] * len(ids), [""] * len(ids))
        size, quality = rng.lognormal(size=len(ids)), rng.choice([70.0, 80.0, 90.0], patients)[place]
        controls += [Control("file size", size), Control("JPEG quality", quality)]
        controls += [Control(name, columns[name]) for name in ("scanner", "centre")]
    else:
        paths = np.array([str(tiles[label][rng.integers(len(tiles[label]))]) for label in labels])
        controls, _ = name_controls(list(ids), list(groups), [""] * len(ids), [""] * len(ids))
        of_files, _ = file_controls(list(paths), [True] * len(paths), False, columns)
        controls += [*of_files, Control("centre", columns["centre"])]
    controls.append(Control("number of tiles of the group", counts[place].astype(float)))
    samples = Samples(ids, groups, np.zeros((len(ids), 0), np.float32), labels, ("stroma", "tumour"))
    return AuditedTask(
        name="made_up",
        cohort="0" * 8,
        kind="classes",
        metric="balanced_accuracy",
        classes=samples.classes,
        unit="tile",
        ids=ids,
        groups=groups,
        paths=paths,
        index=np.full(len(ids), -1),
        labels=labels,
        sides=(side[place],),
        fit=_fit(samples, side[place], heads),
        heads=tuple(heads),
        columns=columns,
        controls=controls,
    )


def _fit(samples: Samples, side: np.ndarray, heads: dict[str, Head]) -> Callable[[str, Any, int], Predicted]:
    def fit(name: str, features: Any, seed: int) -> Predicted:
        own = dataclasses.replace(samples, features=np.asarray(features, np.float32))
        found = heads[name].fit_predict(own.take(side == "train"), None, own.take(side == "test"), seed)
        return Predicted(found.ids, found.groups, found.y_true, found.scores)

    return fit


def _phantom(folder: Path, patients: int) -> list[list[Path]]:
    """JPEG files of stroma and of tumour."""
    made = make_tiles(folder / "phantom", patients=max(12, patients // 4), tiles_per_patient=6).parent
    found: list[list[Path]] = [sorted(made.rglob(f"*_{name}.jpg")) for name in ("stroma", "tumour")]
    if not all(found):
        shutil.rmtree(made)
        raise SystemExit("The built-in cohort has no tiles of stroma or tumour.")
    return found


if __name__ == "__main__":
    main()
