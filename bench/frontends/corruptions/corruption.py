"""A corruption by its kind and severity, as a front-end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from registry.errors import UserError, near_match

from .levels import LEVELS, SEVERITIES, Levels

if TYPE_CHECKING:
    import torch

    from bench.frontends.base import Apply, Images, Seeds

KINDS: tuple[str, ...] = tuple(LEVELS)


@dataclass(frozen=True)
class Corruption:
    """One kind of corruption at one severity.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    severity : int
        From 1 to 5.
    """

    kind: str
    severity: int

    @property
    def name(self) -> str:
        return f"{self.kind}_{self.severity}"

    @property
    def restores(self) -> bool:
        return False

    @property
    def identity(self) -> str:
        """The version of the code, and the parameters for each side of tiles that has its own."""
        levels = self._levels
        each = [f"{side} px {levels.at(self.severity, side)}" for side in sorted(levels.by_side)]
        return f"{self.name} version {levels.version}: {'; '.join(each)}"

    @property
    def memory_bytes(self) -> int:
        """A few tables of numbers at most."""
        return 2 * 2**20

    @property
    def _levels(self) -> Levels:
        return LEVELS[self.kind]

    def check(self, height: int, width: int) -> None:
        """Raise UserError, in one sentence, if tiles of this size (px) are too small for it."""
        side = min(height, width)
        least = self._levels.least_side(self._levels.at(self.severity, side))
        if side < least:
            raise UserError(
                f"The corruption {self.name} needs tiles of at least {least} px a side, but these are of "
                f"{width} x {height} px: leave it out, or take larger tiles."
            )

    def load(self, device: torch.device) -> Apply:
        """The function of tiles and seeds, on a device.

        All severities of a kind draw the same numbers for a tile, so that a severity differs from the next one by its
        level only.
        """
        import torch

        from .operators import OPERATORS, WITH_THREADS

        # Apple's GPUs have no float64
        place = torch.device("cpu") if device.type == "mps" else device
        # one tile's numbers fit the cache of a processor: two to three times as fast as a batch of 16 at once
        at_once = 1 if place.type == "cpu" and self.kind not in WITH_THREADS else None
        made: dict[tuple[float, ...], Apply] = {}

        def apply(tiles: Images, seeds: Seeds) -> Images:
            level = self._levels.at(self.severity, min(tiles.shape[-2:]))
            if level not in made:
                made[level] = OPERATORS[self.kind](level, place)
            there = tiles.to(place).contiguous()
            parts = zip(there.split(at_once or len(tiles)), seeds.split(at_once or len(tiles)), strict=True)
            return torch.cat([made[level](some, own) for some, own in parts]).to(tiles.device)

        return apply


def corruption(kind: str, severity: int) -> Corruption:
    """The corruption of a kind at a severity from 1 to 5.

    Raises
    ------
    UserError
        If there is no such kind or severity.
    """
    if kind not in LEVELS:
        raise UserError(
            f"There is no corruption {kind!r}: take one of {', '.join(KINDS)}, followed by _1 to _5."
            f"{near_match(kind, KINDS)}"
        )
    if severity not in SEVERITIES:
        raise UserError(f"There is no corruption {kind}_{severity}: its severity must be from 1 to 5.")
    return Corruption(kind, int(severity))
