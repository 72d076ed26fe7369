"""The grid of a slide's tiles in the cache, valid while the slide, its mask and its coordinates are the same files."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bench.files import stamp
from bench.hdf5 import layout_of, new_hdf5
from bench.integrity import DamagedFileError, without_footer
from bench.slides import Grid, find_coords
from registry.errors import UserError


def slide_content(slide: Any, coords: Path | None, mpp_default: float | None = None) -> str:
    """All of a manifest's row that can change the slide's tiles; files that are not there count as none.

    `mpp_default` is the task's, of slides without a resolution; it leaves no trace where the manifest has one.
    """
    places = [slide.path, slide.mask]
    if coords is not None:
        with contextlib.suppress(UserError):
            places.append(str(find_coords(coords, slide.id)))
    mpp = f"{slide.mpp} or {mpp_default}" if mpp_default is not None and math.isnan(slide.mpp) else str(slide.mpp)
    return " ".join([mpp, *(stamp(place) if os.path.exists(place) else "" for place in places)])


def write_grid(path: Path, slide: str, source: str, grid: Grid, attributes: Mapping[str, Any]) -> None:
    """Write a grid and what its coordinates mean.

    Parameters
    ----------
    slide : str
        Its id.
    source : str
        What identifies the slide's files (`slide_content`): of two slides they may agree in size and time.
    """
    rest = {k: v for k, v in asdict(grid).items() if k not in ("coords", "tissue")}
    record = {"slide": slide, "source": source, "grid": rest, "coords": dict(attributes)}
    with new_hdf5(path, record) as file:
        coords = file.create_dataset("coords", data=grid.coords, track_times=False)
        for name, value in attributes.items():
            coords.attrs[name] = value
        tissue = file.create_dataset("tissue", data=grid.tissue, track_times=False)
        file.attrs["grid"], file.attrs["source"] = json.dumps(rest), source
        record["layout"] = layout_of(coords, tissue)


def read_grid(path: Path, slide: str, source: str) -> tuple[Grid, dict[str, Any]] | None:
    """The grid and what its coordinates mean; None where the file is missing, damaged or of another slide."""
    try:
        content, record = without_footer(path.read_bytes())
    except (OSError, DamagedFileError):
        return None
    if (record.get("slide"), record.get("source")) != (slide, source):
        return None
    coords, tissue = (_array(content, *record["layout"][name]) for name in ("coords", "tissue"))
    rest: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in record["grid"].items()}
    return Grid(coords=coords, tissue=tissue, **rest), record["coords"]


def _array(content: bytes, offset: int | None, shape: list[int], dtype: str) -> np.ndarray:
    found = np.empty(shape, dtype)
    if offset is not None:
        found.ravel()[:] = np.frombuffer(content, dtype, found.size, offset)
    return found
