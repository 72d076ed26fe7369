"""Attention as GeoJSON that QuPath reads: a tile object a tile, with its attention as measurements."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from bench.data import file_name
from bench.files import atomic_write
from registry.errors import UserError


def write_attention(folder: Path, attention: Path) -> Iterator[Path]:
    """Write ``SLIDE.geojson`` for each slide of an attention file that has coordinates; gives the paths.

    Each feature is a square in level-0 px with ``objectType`` "tile" and the measurements ``attention`` (sums to 1 over
    the slide) and ``attention / mean`` (QuPath 0.4 and later).

    Raises
    ------
    UserError
        If the file is damaged.
    """
    try:
        with h5py.File(attention, "r") as file:
            for name in file:
                found = collection(file[name])
                if found is None:
                    continue
                path = folder / f"{file_name(str(file[name].attrs['slide']))}.geojson"
                with atomic_write(path) as temporary:
                    temporary.write_text(json.dumps(found, separators=(",", ":")), encoding="utf-8")
                yield path
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise UserError(
            f"The attention file {attention} cannot be read ({error}): run its head again, or leave it out."
        ) from error


def collection(group: h5py.Group) -> dict[str, Any] | None:
    """The tiles of one slide as a FeatureCollection; None where the file does not say where they lie."""
    if "coords" not in group or "patch_size_level0" not in group["coords"].attrs:
        return None
    side = int(group["coords"].attrs["patch_size_level0"])
    attention = np.asarray(group["attention"], np.float64)
    features = [
        _tile(x, y, side, share, share * len(attention))
        for (x, y), share in zip(group["coords"][:].tolist(), attention.tolist(), strict=True)
    ]
    return {"type": "FeatureCollection", "features": features}


def _tile(x: int, y: int, side: int, share: float, over_mean: float) -> dict[str, Any]:
    corners = [[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]
    measurements = {"attention": share, "attention / mean": over_mean}
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [corners]},
        "properties": {"objectType": "tile", "measurements": measurements},
    }
