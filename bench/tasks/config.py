"""What a task is: the schema of ``conf/task/*.yaml``. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from omegaconf import MISSING

from bench.settings import PATH, PATHS, of
from bench.tasks.track import Track


class Rare(Enum):
    """What happens to a class with too few groups in train or test."""

    error = "error"
    drop = "drop"


RESERVED = ("protocol", "model", "frontend")


@dataclass
class Split:
    """How samples are split where the data come without a split; a group is never split.

    Attributes
    ----------
    test : float
        Share of the samples drawn for the test, 0..1. Not used where the data name their own.
    val : float
        Share of the samples outside the test drawn for validation, 0..1; 0 draws none, and heads then choose on inner
        folds. Not used where the data name their own.
    seed : int
        Of the draw; the same seed gives the same split whatever the order of the tiles.
    folds : int
        Two or more assign all samples to so many test folds, each tested once by heads that learn from the others,
        whatever split the data come with; 0 has one test set, or the folds that the data name.
    """

    test: float = 0.2
    val: float = 0.0
    seed: int = 0
    folds: int = 0
    repeats: int = 1


class SampleLevel(Enum):
    """What has a label and is a sample."""

    tile = "tile"
    slide = "slide"
    patient = "patient"  # of whom all slides are one bag


class Resample(Enum):
    """How windows of a slide are brought to the size of a tile."""

    exact = "exact"
    fast = "fast"  # averaged over blocks first, which a JPEG decoder does at less than the cost of decoding


@dataclass
class Tiling:
    """How a slide becomes tiles.

    Attributes
    ----------
    size : int or None
        Side of a tile, px at `mpp`; None takes what each model's authors mean.
    mpp : float or None
        Microns per px requested; None takes what each model's authors mean, or 0.5 where they mean none.
    overlap : int
        What neighbouring tiles share, px at `mpp`.
    min_tissue : float
        Least share of a tile that must be tissue, 0..1.
    max_tiles : int or None
        At most so many tiles a slide, chosen by `seed`.
    upsample : bool
        Whether tiles may be made from a slide that is coarser than `mpp`.
    resample : Resample
        How windows that are not of the tile's size are brought to it.
    """

    size: int | None = None
    mpp: float | None = None
    overlap: int = 0
    min_tissue: float = 0.25
    max_tiles: int | None = None
    seed: int = 0
    upsample: bool = False
    resample: Resample = Resample.exact


@dataclass
class TaskConfig:
    """One dataset and what is predicted on it.

    Attributes
    ----------
    name : str
        Its key under ``tasks`` and its name in the table.
    title : str
        What it is, in a line.
    reader : str
        The storage format: a module of `bench.tasks.readers`.
    data : str or None
        Folder or file of this task alone; None takes the run's ``data``.
    folder : list of str
        Names under which the dataset may lie in the data folder, tried in order, before the data folder itself.
    layout : str
        What is expected there, for the message to a user who has it otherwise.
    unit : SampleLevel
        Whether a sample is a tile, a slide, or a patient with all its slides.
    options : dict
        What the reader wants to know; documented in the reader.
    own_options : list of str
        Names in `options` that the task's own YAML makes use of, beside those of the reader.
    mpp : float or None
        Resolution of the tiles, microns per px; None where unknown.
    tile_size : int or None
        Shorter side of the tiles, px; None where they differ or are unknown.
    tiling : Tiling
        How slides become tiles.
    mpp_default : float or None
        Microns per level-0 px of the slides that do not say their resolution and have none in the manifest; None
        refuses them.
    kind : str
        What is predicted of a sample: a target type of `bench.targets`.
    targets : list of str
        Columns of the data that hold the answer: one for classes and grades, one or several of numbers, time and event
        (1, or 0 for a censored time), or one of 0 and 1 a label. Empty takes ``label``, or ``time`` and ``event``.
    classes : list of str
        Class names in the order of their indices, grades from low to high; empty takes the labels found, sorted.
    metric : str
        The score that the task is ranked by; empty takes the primary one of its kind.
    rare : Rare
        What happens to a class with fewer than `min_groups` groups in train or in test.
    min_groups : int
        Two lets heads choose on inner folds and lets a bootstrap by group vary the class.
    split : Split
    track : Track or None
        What is measured behind corruptions and restorers; None, once the task is `configured`, for predictions alone.
    citation, licence, url : str
        Who made it, what may be done with it, where it is to be had.
    cohorts : list of str
        Public cohorts that the tissue comes from, by the names that model cards use.
    synthetic : bool
        Whether it is made up.
    notes : list of str
        What a reader of every row must know.
    """

    # what it is
    name: str = MISSING
    title: str = ""
    # where it is and how it is stored
    reader: str = "tiles"
    data: str | None = of(PATH, None)
    folder: list[str] = field(default_factory=list, metadata={"kind": PATHS})
    layout: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    own_options: list[str] = field(default_factory=list)
    unit: SampleLevel = SampleLevel.tile
    # what a tile is
    mpp: float | None = None
    tile_size: int | None = None
    tiling: Tiling = field(default_factory=Tiling)
    mpp_default: float | None = None
    # what is predicted
    kind: str = "classes"
    targets: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    metric: str = ""
    rare: Rare = Rare.error
    min_groups: int = 2
    split: Split = field(default_factory=Split)
    track: Track | None = field(default_factory=Track)
    # where it comes from
    citation: str = ""
    licence: str = ""
    url: str = ""
    cohorts: list[str] = field(default_factory=list)
    synthetic: bool = False
    notes: list[str] = field(default_factory=list)


def register() -> None:
    """Make the schema known to Hydra as ``task/schema``, from which every task's YAML starts."""
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(group="task", name="schema", node=TaskConfig)
