"""What an attention head looked at, saved beside its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from bench.embedding import read_places
from bench.hdf5 import new_hdf5


def write_attention(path: Path, attention: Mapping[str, Float[np.ndarray, " tile"]], files: Mapping[str, Path]) -> None:
    """One HDF5 file a run: a group a slide, with `attention` [N] and, where known, `coords` [N, 2] in level-0 px.

    Parameters
    ----------
    attention : mapping
        By the slide's id; sums to 1 in a slide.
    files : mapping
        Feature file of each slide.
    """
    with new_hdf5(path) as file:
        for number, slide in enumerate(sorted(attention)):
            group = file.create_group(f"{number:06d}")  # an id may hold what HDF5 takes for a path
            group.attrs["slide"] = slide
            group.create_dataset("attention", data=attention[slide].astype(np.float32), track_times=False)
            coords, meaning = read_places(files[slide])
            if coords is not None:
                places = group.create_dataset("coords", data=coords, track_times=False)
                for name, value in sorted(meaning.items()):
                    places.attrs[name] = value
