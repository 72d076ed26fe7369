"""Where the time of embedding goes: what each stage works and what the device waits for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

STAGES = ("read", "wait", "forward", "write")
LARGEST = 1e15  # of a number in a file: any larger one is damage
LONG_S = 10.0  # seconds of a pass from which on it is worth advice


@dataclass
class StageTimes:
    """Seconds of the stages of some tiles; they overlap, so that their sum may exceed the time that passed.

    Attributes
    ----------
    tiles : int
    read : float
        Work of the threads that read and decode, of all together.
    wait : float
        That the device had no tiles to work on.
    forward : float
        Preprocessing and forward pass, of one model.
    write : float
        Work of the thread that writes files.
    halved : int
        Tiles a forward pass after memory ran out and the batch was halved, the fewest; 0 where it was not.
    """

    tiles: int = 0
    read: float = 0.0
    wait: float = 0.0
    forward: float = 0.0
    write: float = 0.0
    halved: int = 0

    def __add__(self, other: StageTimes) -> StageTimes:
        return StageTimes(
            self.tiles + other.tiles,
            self.read + other.read,
            self.wait + other.wait,
            self.forward + other.forward,
            self.write + other.write,
            min(self.halved, other.halved) or max(self.halved, other.halved),
        )

    @property
    def seconds(self) -> float:
        """What one model alone would have taken: its forward passes, and the waiting for tiles."""
        return self.wait + self.forward

    @property
    def tiles_per_s(self) -> float | None:
        """Rate of one model alone; None where nothing was measured."""
        return self.tiles / self.seconds if self.seconds else None

    def shares(self) -> dict[str, float]:
        """Each stage's seconds as a share of `seconds`; empty where nothing was measured."""
        if not self.seconds:
            return {}
        return {name: round(getattr(self, name) / self.seconds, 4) for name in STAGES}

    def share(self, tiles: int) -> StageTimes:
        """The part of these times that falls on so many of the tiles."""
        part = tiles / self.tiles if self.tiles else 0.0
        return StageTimes(
            tiles, self.read * part, self.wait * part, self.forward * part, self.write * part, self.halved
        )

    def as_dict(self) -> dict[str, float]:
        """For a JSON file."""
        seconds = {name: getattr(self, name) for name in STAGES}
        halved = {"halved": self.halved} if self.halved else {}
        return {"tiles": self.tiles, **{name: round(value, 4) for name, value in seconds.items()}, **halved}

    @classmethod
    def of(cls, stored: Mapping[str, float]) -> StageTimes:
        """From such a file.

        Raises
        ------
        ValueError, KeyError
            If a number is missing, is none, or is not from 0 to 10^15.
        """
        numbers = [stored["tiles"], *(stored[name] for name in STAGES), stored.get("halved", 0)]
        if not all(type(number) in (int, float) and 0 <= number <= LARGEST for number in numbers):
            raise ValueError(f"The times {numbers} are not all numbers of seconds.")
        tiles, read, wait, forward, write, halved = numbers
        return cls(int(tiles), read, wait, forward, write, int(halved))


@dataclass
class PassTimes:
    """Where the wall time of one pass over the tiles went.

    Attributes
    ----------
    workers : int
        Threads that read.
    tiles : int
    wall : float
        Seconds from the first request for tiles to the last file.
    data, models, files : float
        Seconds that the pass waited for tiles, ran models, and waited for the thread that writes.
    read, write : float
        Seconds of work of the reading threads together, and of the writing thread.
    by_model : dict of str to float
        Seconds of forward passes.
    """

    workers: int
    tiles: int = 0
    wall: float = 0.0
    data: float = 0.0
    files: float = 0.0
    read: float = 0.0
    write: float = 0.0
    by_model: dict[str, float] = field(default_factory=dict)

    def line(self, label: str) -> str:
        """One line for a person: the shares of the wall time, and what would make the next run faster."""
        if not self.tiles or self.wall <= 0:
            return ""
        share = {name: seconds / self.wall for name, seconds in self.by_model.items()}
        models = ", ".join(f"{name} {part:.0%}" for name, part in share.items())
        reading = self.read / self.wall / self.workers
        return (
            f"{label}: {self.tiles:,} tiles in {self.wall:.0f} s ({self.tiles / self.wall:.0f} tiles/s): {models}; "
            f"waiting for tiles {self.data / self.wall:.0%}, for files {self.files / self.wall:.0%}; the "
            f"{self.workers} reading thread{'' if self.workers == 1 else 's'} worked {reading:.0%}, the writing one "
            f"{self.write / self.wall:.0%}{self._advice(reading)}"
        )

    def _advice(self, reading: float) -> str:
        if self.wall < LONG_S or self.data < 0.1 * self.wall:
            return ""
        if reading > 0.8:
            return ": more processor cores, or a larger workers=, would help"
        return ": faster storage, or a larger workers=, would help"
