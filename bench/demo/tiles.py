"""The built-in cohort as tiles with a manifest."""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from bench.demo.cohort import SYNTHETIC, Patient, enrol
from bench.demo.fields import noise
from bench.demo.folder import build_folder, write, write_csv
from bench.demo.phantom import render
from bench.demo.scanner import scan
from bench.demo.textures import Tissue
from registry.errors import UserError

SIZE = 224
MPP = 0.5
CLASSES = tuple(tissue for tissue in Tissue if tissue is not Tissue.GLASS)
_DOWNSAMPLE = 4
_PATIENTS, _TILES = 0, 1  # random streams


def make_tiles(root: Path, seed: int = 0, patients: int = 24, tiles_per_patient: int = 16) -> Path:
    """Write synthetic H&E-like tiles of 224 px at 0.5 mpp with their manifest; a folder that is whole is left alone.

    Every patient is scanned by one scanner, stands in one split and has every class. About half of the tiles hold a
    second tissue, which covers at most 48 % of them; stain strength and focus differ from tile to tile, so that colour
    alone says little.

    Parameters
    ----------
    root
        The folder to make; it appears only when all of it is written.
    patients
        At least 6, so that both scanners are in every split.
    tiles_per_patient
        At least 6, one for every class.

    Returns
    -------
    The path of `manifest.csv`: columns id, path (relative to the manifest), label, group (the patient), split, centre
    (the scanner), mpp, synthetic.

    Raises
    ------
    UserError
        If there are too few patients or tiles, or the folder cannot be written.
    """
    if tiles_per_patient < len(CLASSES):
        raise UserError(f"The built-in cohort needs at least {len(CLASSES)} tiles a patient, one for every class.")
    people = enrol(seed, _PATIENTS, "phantom", [""] * patients)

    def fill(folder: Path) -> None:
        jobs = [(person, number) for person in people for number in range(tiles_per_patient)]

        def make(job: tuple[Patient, int]) -> dict[str, str]:
            return _write_tile(folder, seed, *job)

        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            rows = list(pool.map(make, jobs))
        write_csv(folder / "manifest.csv", rows)
        write(folder / "README.md", _README.encode())

    recipe = {"kind": "tiles", "seed": seed, "patients": patients, "tiles_per_patient": tiles_per_patient}
    build_folder(Path(root), recipe, fill)
    return Path(root) / "manifest.csv"


def _write_tile(folder: Path, seed: int, person: Patient, number: int) -> dict[str, str]:
    tissue = CLASSES[(number + person.number) % len(CLASSES)]
    pixels = _tile(tissue, person, np.random.default_rng([seed, _TILES, person.number, number]))
    name = f"{person.name}_{number:03d}_{tissue.label}"
    path = Path("tiles") / person.name / f"{name}.jpg"
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90, comment=SYNTHETIC.encode())
    write(folder / path, buffer.getvalue())
    return {
        "id": name,
        "path": path.as_posix(),
        "label": tissue.label,
        "group": person.name,
        "split": person.split,
        "centre": person.stain.scanner.name,
        "mpp": str(MPP),
        "synthetic": "true",
    }


def _tile(tissue: Tissue, person: Patient, rng: np.random.Generator) -> UInt8[np.ndarray, "224 224 3"]:
    side = SIZE // _DOWNSAMPLE
    regions = np.full((side, side), tissue, np.uint8)
    if rng.random() < 0.55:
        turn = rng.uniform(0, 2 * np.pi)
        y, x = np.mgrid[:side, :side] / side - 0.5
        front = x * np.cos(turn) + y * np.sin(turn) + 0.08 * noise((side, side), side / 3, rng)
        other = CLASSES[rng.integers(len(CLASSES))]
        regions[front > np.quantile(front, 1 - rng.uniform(0.15, 0.48))] = other
    haematoxylin, eosin = render(regions, _DOWNSAMPLE, (SIZE, SIZE), MPP, person.traits, rng)
    defocus = abs(rng.normal(0, 0.5))
    return scan(haematoxylin, eosin, MPP, person.stain.restained(0.32, rng), rng, defocus)


_README = f"""# Synthetic tissue tiles

{SYNTHETIC}

`manifest.csv` has one row a tile: `id`, `path` (relative to the manifest), `label`, `group` (the patient), `split`,
`centre` (the scanner), `mpp`, `synthetic`. Tiles are {SIZE} px wide at {MPP} micrometres per pixel.
"""
