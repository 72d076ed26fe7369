"""The levels of every corruption: one table, with the source of each row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

Level = tuple[float, ...]
"""The parameters of a corruption at one severity, as `Levels.parameters` names them."""

SEVERITIES = range(1, 6)

_ZHANG = "Zhang et al. 2022, arXiv 2206.14973, code superjamessyx/robustness_benchmark"
_IMAGENET_C = "Hendrycks and Dietterich 2019, arXiv 1903.12261, as imagecorruptions 1.1.2 has them"


def _any_side(level: Level) -> int:
    return 1


@dataclass(frozen=True)
class Levels:
    """The five levels of one kind of corruption.

    Attributes
    ----------
    parameters : tuple of str
        What the numbers of a level are, with their unit.
    by_side : mapping of int to tuple of Level
        The levels by the side (px) of the tiles for which the source gives them. Tiles of another side take the nearest
        of these, the larger of two equally near; only the shorter side of a tile counts. So 128 px takes the levels
        for 96 px, and 160, 256 and 512 px take those for 224 px: lengths stay in pixels and are never scaled.
    source : str
        Where the levels and the formula are from, and what is our own.
    least_side : callable
        The shortest side of a tile (px) that can be corrupted at a level.
    version : int
        To be raised by a change of the code that changes a byte of its output.
    """

    parameters: tuple[str, ...]
    by_side: Mapping[int, tuple[Level, Level, Level, Level, Level]]
    source: str
    least_side: Callable[[Level], int] = _any_side
    version: int = 1

    def at(self, severity: int, side: int) -> Level:
        """The parameters at a severity from 1 to 5, for tiles whose shorter side is `side` px."""
        nearest = min(self.by_side, key=lambda known: (abs(known - side), -known))
        return self.by_side[nearest][severity - 1]


def _alike(*levels: float) -> Mapping[int, tuple[Level, Level, Level, Level, Level]]:
    """One parameter, and the same levels for tiles of every side."""
    one, two, three, four, five = ((level,) for level in levels)
    return {224: (one, two, three, four, five)}


def _fifth(part: int) -> Level:
    """Part 0 to 4 of each range that LPFM was trained on: blur 0.1 to 12 px, downsampling 1 to 12, noise 0 to 15."""
    ranges = ((0.1, 12.0), (1.0, 12.0), (0.0, 15.0))
    return tuple(round(low + (high - low) * (part + end) / 5, 6) for low, high in ranges for end in (0, 1))


LEVELS: Mapping[str, Levels] = MappingProxyType(
    {
        "pixelate": Levels(
            ("factor of both sides",),
            _alike(0.6, 0.5, 0.4, 0.3, 0.25),
            f"{_ZHANG}: box filter down to int(factor x side) and box filter up",
            least_side=lambda level: next(side for side in range(1, 100) if int(side * level[0]) >= 1),
        ),
        "jpeg": Levels(
            ("quality",),
            _alike(25, 18, 15, 10, 7),
            f"{_ZHANG}: Pillow's encoder at its default subsampling (4:2:0)",
        ),
        "defocus": Levels(
            ("radius of the disk in px", "sigma of the disk's soft edge in px"),
            {
                96: ((3, 0.05), (4, 0.3), (5, 0.3), (6, 0.3), (7, 0.3)),
                224: ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
            },
            f"{_ZHANG}; the levels for 224 px are those of ImageNet-C",
            least_side=lambda level: max(8, int(level[0])) + 1,
        ),
        "motion": Levels(
            ("radius in px", "sigma along the path in px"),
            {
                96: ((5, 1), (5, 2), (5, 3), (5, 4), (6, 5)),
                224: ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
            },
            f"{_ZHANG}, angle uniform from -45 to 45 degrees; the path of pixels as imagecorruptions 1.1.2 draws it in "
            "place of ImageMagick's operator",
            least_side=lambda level: 2 * int(level[0]) + 1,
        ),
        "brightness": Levels(
            ("added to the value of HSV",),
            _alike(0.05, 0.10, 0.15, 0.20, 0.25),
            _ZHANG,
        ),
        "saturation": Levels(
            ("added to the saturation of HSV",),
            _alike(0.05, 0.10, 0.15, 0.20, 0.25),
            f"{_ZHANG}; grey has hue 0 there and turns red, and so it does here",
        ),
        "hue": Levels(
            ("added to the hue of HSV in turns",),
            _alike(0.02, 0.04, 0.06, 0.08, 0.10),
            _ZHANG,
        ),
        "bubbles": Levels(
            ("opacity",),
            _alike(0.1, 0.3, 0.5, 0.7, 0.9),
            f"{_ZHANG} for the opacities; their picture of bubbles is not used: three round bubbles are drawn for each "
            "tile",
        ),
        "marking": Levels(
            ("share of the tile under ink",),
            _alike(0.01, 0.04, 0.09, 0.16, 0.25),
            f"{_ZHANG} for the shares, measured on the first of their two masks; the masks are not used: a stroke of a "
            "pen is drawn for each tile",
        ),
        "gaussian_blur": Levels(
            ("sigma in px",),
            _alike(1, 2, 3, 4, 6),
            f"{_IMAGENET_C}: scikit-image's filter, cut at 4 sigma",
        ),
        "gaussian_noise": Levels(
            ("sigma as a share of 255",),
            _alike(0.08, 0.12, 0.18, 0.26, 0.38),
            _IMAGENET_C,
        ),
        "shot_noise": Levels(
            ("photons at 255",),
            _alike(60, 25, 12, 5, 3),
            _IMAGENET_C,
        ),
        "downsample": Levels(
            ("factor",),
            _alike(2, 3, 4, 6, 8),
            "the factors of super-resolution, x2, x3, x4 and x8, with x6 between; Pillow's bicubic filter down "
            "(antialiased) to int(side / factor), and up",
            least_side=lambda level: int(level[0]),
        ),
        "stain": Levels(
            ("half-width of the factor around 1 and of the shift around 0 of each stain",),
            _alike(0.05, 0.0875, 0.125, 0.1625, 0.2),
            "Tellez et al. 2018, arXiv 1808.05896, equations 5 to 7, for the formula; Tellez et al. 2019, "
            "doi 10.1016/j.media.2019.101544, for the ends, HED-light 0.05 and HED-strong 0.2; equal steps between",
        ),
        "lpfm_chain": Levels(
            (
                "least sigma of the blur in px",
                "greatest",
                "least factor of the downsampling",
                "greatest",
                "least sigma of the noise in levels of 255",
                "greatest",
            ),
            {224: (_fifth(0), _fifth(1), _fifth(2), _fifth(3), _fifth(4))},
            "LPFM, arXiv 2509.01071, code ziniBRC/LPFM: blur, downsampling, noise, bilinear back, with the released "
            "ranges (0.1 to 12 px, 1 to 12, 0 to 15), of which a severity takes one fifth each; its JPEG step is "
            "commented out in the released restoration data and left out here",
            least_side=lambda level: 21,
        ),
    }
)
