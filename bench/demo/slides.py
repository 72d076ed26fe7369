"""The built-in cohort as whole slides with the truth of every region."""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tifffile
from jaxtyping import UInt8
from PIL import Image

from bench.demo.anatomy import lay_out
from bench.demo.cohort import SYNTHETIC, Patient, enrol
from bench.demo.folder import build_folder, write, write_csv
from bench.demo.phantom import render
from bench.demo.scanner import scan
from bench.demo.textures import Tissue
from registry.errors import UserError

LABELS = ("normal", "tumour")
TRUTH_UM = 4.0
"""About how many micrometres an element of the truth mask is wide."""

_PATIENTS, _SLIDES = 2, 3  # random streams
_MPP = {"scanner_a": 0.5, "scanner_b": 0.499}
_FINE_MPP = 0.2526
_LEVELS, _FACTOR = 3, 4
_LEAST_SIDE = 600
_COLOURS = {
    Tissue.GLASS: (255, 255, 255),
    Tissue.TUMOUR: (200, 30, 40),
    Tissue.STROMA: (245, 170, 190),
    Tissue.LYMPHOCYTES: (60, 60, 170),
    Tissue.ADIPOSE: (250, 225, 130),
    Tissue.MUCOSA: (120, 180, 110),
    Tissue.NECROSIS: (120, 90, 80),
}


@dataclass(frozen=True)
class Sizes:
    """How large the slides are.

    Attributes
    ----------
    sides : tuple of int
        Least and greatest side in pixels.
    fine_share : float
        Share of the slides that have 0.2526 micrometres per pixel and not about 0.5, from 0 to 1.
    equal_area : bool
        Whether these have sides twice as long, so that they show as much tissue as the others.
    """

    sides: tuple[int, int]
    fine_share: float
    equal_area: bool


def make_slides(
    root: Path,
    seed: int = 0,
    patients: int = 24,
    sides: tuple[int, int] = (2600, 4100),
    fine_share: float = 1 / 3,
    equal_area: bool = False,
) -> Path:
    """Write synthetic H&E-like slides with their truth masks and manifest; a folder that is whole is left alone.

    Slides are pyramidal TIFF files, 3 levels of JPEG tiles of 256 px, the resolution in their tags. Every other patient
    has a tumour, on 3 to 35 % of the tissue. Every eighth patient has two slides. Some slides have 0.2526 micrometres
    per pixel, the others about 0.5.

    Parameters
    ----------
    root
        The folder to make; it appears only when all of it is written.
    patients
        At least 12: two labels in two scanners in three splits.
    sides
        Least and greatest side of a slide in pixels; slides are seldom square. At least 600.
    fine_share
        About which share of the slides has 0.2526 micrometres per pixel, from 0 to 1.
    equal_area
        Whether their sides are twice as long in pixels, so that they show as much tissue as the others.

    Returns
    -------
    The path of `slides.csv`: columns slide (path relative to the table), label, patient, split, centre (the scanner),
    mpp, truth (path of the mask), truth_downsample (level-0 pixels per element of the mask), tumour_share (of the
    tissue), synthetic. A mask is a palette PNG whose values are those of `Tissue`; 0 is glass.

    Raises
    ------
    UserError
        If there are too few patients, the slides are too small, or the folder cannot be written.
    """
    if not _LEAST_SIDE <= sides[0] <= sides[1]:
        raise UserError(
            f"The sides {sides} of the built-in slides must be least, greatest and at least {_LEAST_SIDE} px."
        )
    sizes = Sizes(sides, fine_share, equal_area)
    people = enrol(seed, _PATIENTS, "slidephantom", [LABELS[number % 2] for number in range(patients)])

    def fill(folder: Path) -> None:
        jobs = [(person, number) for person in people for number in range(2 if person.number % 8 == 7 else 1)]

        def make(job: tuple[Patient, int]) -> dict[str, str]:
            return _write_slide(folder, seed, sizes, *job)

        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            rows = list(pool.map(make, jobs))
        write_csv(folder / "slides.csv", rows)
        write(folder / "README.md", _README.encode())

    recipe = {"kind": "slides", "seed": seed, "patients": patients, **asdict(sizes)}
    build_folder(Path(root), recipe, fill)
    return Path(root) / "slides.csv"


def _write_slide(folder: Path, seed: int, sizes: Sizes, person: Patient, number: int) -> dict[str, str]:
    rng = np.random.default_rng([seed, _SLIDES, person.number, number])
    scanner = person.stain.scanner.name
    mpp = _FINE_MPP if rng.random() < sizes.fine_share else _MPP[scanner]
    scale = 2 if mpp == _FINE_MPP and sizes.equal_area else 1
    high, wide = (scale * rng.integers(sizes.sides[0], sizes.sides[1] + 1, 2)).tolist()
    downsample = round(TRUTH_UM / mpp)
    share = float(np.exp(rng.uniform(np.log(0.03), np.log(0.35)))) if person.label == "tumour" else 0.0
    size = -(-high // downsample), -(-wide // downsample)
    regions = lay_out(size, mpp * downsample, share, rng)
    haematoxylin, eosin = render(regions, downsample, (high, wide), mpp, person.traits, rng)
    pixels = scan(haematoxylin, eosin, mpp, person.stain, rng, defocus=abs(rng.normal(0, 0.3)))
    name = f"{person.name}_{number + 1}"
    write(folder / "slides" / f"{name}.tif", _pyramid(pixels, mpp))
    write(folder / "truth" / f"{name}.png", _mask(regions))
    tissue = np.count_nonzero(regions)
    return {
        "slide": f"slides/{name}.tif",
        "label": person.label,
        "patient": person.name,
        "split": person.split,
        "centre": scanner,
        "mpp": str(mpp),
        "truth": f"truth/{name}.png",
        "truth_downsample": str(downsample),
        "tumour_share": f"{np.count_nonzero(regions == Tissue.TUMOUR) / tissue:.4f}",
        "synthetic": "true",
    }


def _pyramid(pixels: UInt8[np.ndarray, "high wide 3"], mpp: float) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    with tifffile.TiffWriter(buffer) as writer:
        for level in range(_LEVELS):
            writer.write(
                np.asarray(image),
                tile=(256, 256),
                photometric="rgb",
                compression="jpeg",
                compressionargs={"level": 82},
                subsampling=(2, 2),
                subfiletype=0 if level == 0 else 1,
                resolution=(1e4 / mpp / _FACTOR**level,) * 2,
                resolutionunit="CENTIMETER",
                description=SYNTHETIC if level == 0 else None,
                software="pfmbench",
                metadata=None,
                maxworkers=1,
            )
            image = image.reduce(_FACTOR)
    return buffer.getvalue()


def _mask(regions: UInt8[np.ndarray, "rows columns"]) -> bytes:
    image = Image.fromarray(regions, "P")
    image.putpalette(np.array([_COLOURS[tissue] for tissue in Tissue], np.uint8).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=False)
    return buffer.getvalue()


_README = f"""# Synthetic slides

{SYNTHETIC}

`slides.csv` has one row a slide: `slide` (relative to the table), `label`, `patient`, `split`, `centre` (the scanner),
`mpp`, `truth`, `truth_downsample`, `tumour_share`, `synthetic`. A truth mask is a palette PNG, one element for every
`truth_downsample` x `truth_downsample` pixels of level 0, with the values
{", ".join(f"{tissue.value} {tissue.label}" for tissue in Tissue)}.
"""
