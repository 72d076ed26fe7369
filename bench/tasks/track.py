"""What a task with a track does: corruptions, severities and restorers that are measured on its tiles."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int, Shaped

from bench import targets
from bench.targets import RESTORATION, ROBUSTNESS
from registry.errors import UserError, near_match

if TYPE_CHECKING:
    from bench.tasks.config import TaskConfig

TRACKS = (RESTORATION, ROBUSTNESS)
SEVERITIES = range(1, 6)
NOTHING = "none"  # a restorer that leaves tiles as they are, which every track measures


@dataclass
class Track:
    """What is measured beside, or in place of, predictions.

    Attributes
    ----------
    name : str
        ``restoration`` (restored tiles against clean ones) or ``robustness`` (features of encoders).
    corruptions : list of str
        Kinds of corruption, without their severity; empty takes all.
    severities : list of int
        Of each corruption, from 1 to 5.
    restorers : list of str
        Names of restorers; tiles that nothing restores are always measured.
    tiles : int
        How many test tiles at most, drawn by `Split.seed` in the shares of the classes; 0 takes all.
    """

    name: str = ""
    corruptions: list[str] = field(default_factory=list)
    severities: list[int] = field(default_factory=lambda: list(SEVERITIES))
    restorers: list[str] = field(default_factory=list)
    tiles: int = 0


def needs_labels(task: TaskConfig) -> bool:
    """Whether samples without a label are of no use: only restoration is measured without any."""
    return task.track is None or task.track.name != RESTORATION


def check_track(task: TaskConfig) -> None:
    """Complete and check the track of a task; it is None afterwards where nothing of it is set.

    Raises
    ------
    UserError
        If a name is unknown, a severity is out of range, or the samples are no tiles.
    """
    track = task.track = None if task.track == Track() else task.track
    if track is None:
        return
    from bench import frontends

    place = f"tasks.{task.name}.track"
    if track.name not in TRACKS:
        raise UserError(
            f"{place}.name is {track.name or 'empty'} and must be one of {', '.join(TRACKS)}."
            f"{near_match(track.name, TRACKS)}"
        )
    if task.unit.value != "tile":
        raise UserError(f"tasks.{task.name}.unit is {task.unit.value}, and the track {track.name} is of single tiles.")
    kinds, names = frontends.corruption_kinds(), [NOTHING, *frontends.restorer_names()]
    for kind in track.corruptions:
        if kind not in kinds and kind.rpartition("_")[0] in kinds:
            raise UserError(
                f"{place}.corruptions names {kind} with a severity: name the kind, {kind.rpartition('_')[0]}, and the "
                f"severities in {place}.severities."
            )
    _check_names(f"{place}.corruptions", track.corruptions, kinds)
    _check_names(f"{place}.restorers", [name for name in track.restorers if not _restores(name)], names)
    if not track.severities or any(severity not in SEVERITIES for severity in track.severities):
        raise UserError(f"{place}.severities is {track.severities} and must name one or more from 1 to 5.")
    if track.tiles < 0:
        raise UserError(f"{place}.tiles is {track.tiles} and must be 1 or more, or 0 for all tiles.")
    track.corruptions = list(dict.fromkeys(track.corruptions or kinds))
    track.severities = sorted(set(track.severities))
    track.restorers = list(dict.fromkeys([NOTHING, *track.restorers]))


def check_predicted(task: TaskConfig) -> None:
    """Raise UserError if the kind of the task is measured and not predicted."""
    target = targets.get(task.kind)
    if isinstance(target, targets.Measurements):
        raise UserError(
            f"tasks.{task.name}.kind is {task.kind}, which the task {target.track} measures and no head predicts: set "
            f"the kind of the labels, such as classes, and run task={target.track} for the measurements."
        )


def _restores(name: str) -> bool:
    """Whether it is a restorer, such as a model of the registry whose network restores."""
    from bench import frontends

    try:
        return frontends.find(name).restores
    except UserError:
        return False


def _check_names(place: str, named: Iterable[str], known: Collection[str]) -> None:
    for name in named:
        if name not in known:
            raise UserError(
                f"{place} names {name}, which there is not: choose from {', '.join(known)}.{near_match(name, known)}"
            )


def draw_tiles(
    ids: Shaped[np.ndarray, " tile"],
    groups: Shaped[np.ndarray, " tile"],
    labels: Shaped[np.ndarray, " tile"],
    most: int,
    seed: int,
) -> Int[np.ndarray, " drawn"]:
    """Positions of at most so many tiles, ascending: the same ones whatever the order of the tiles.

    Every class has its share of them, rounded up or down, and within a class every group one tile before any has two.

    Parameters
    ----------
    most : int
        0 takes all.
    """
    if not most or most >= len(ids):
        return np.arange(len(ids))
    of_class: dict[str, list[int]] = {}
    for position in _shuffled(ids, seed):
        of_class.setdefault(str(labels[position]), []).append(position)
    names = sorted(of_class)
    exact = {name: most * len(of_class[name]) / len(ids) for name in names}
    wanted = {name: int(exact[name]) for name in names}
    for name in sorted(names, key=lambda name: wanted[name] - exact[name])[: most - sum(wanted.values())]:
        wanted[name] += 1
    drawn = [position for name in names for position in _in_turn(of_class[name], groups)[: wanted[name]]]
    return np.sort(np.array(drawn, np.int64))


def _shuffled(ids: Shaped[np.ndarray, " tile"], seed: int) -> list[int]:
    digests = [sha256(f"{seed}\0{name}".encode()).digest() for name in ids]
    return sorted(range(len(ids)), key=digests.__getitem__)


def _in_turn(positions: Iterable[int], groups: Shaped[np.ndarray, " tile"]) -> list[int]:
    """The first tile of each group, then the second of each, and so on."""
    of_group: dict[str, list[int]] = {}
    for position in positions:
        of_group.setdefault(str(groups[position]), []).append(position)
    return [position for turn in zip_longest(*of_group.values()) for position in turn if position is not None]
