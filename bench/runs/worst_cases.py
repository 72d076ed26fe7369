"""Pictures of the tiles that corruptions move farthest: clean, corrupted and restored, as PNG files."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from bench import tasks
from bench.config import BenchConfig
from bench.frontends import chain_of, seeds_of
from bench.passport import Draw, Drawn, WorstCase
from bench.runs.configuration import make_config
from bench.runs.frontends import weight_sources
from bench.tiles import Look, decode_tile
from registry.errors import UserError, first_few

if TYPE_CHECKING:
    from pandas import DataFrame

Pixels = UInt8[np.ndarray, "height width 3"]


def drawing(data: str, cache: str, settings: Sequence[str]) -> Draw:
    """What draws cases from the tiles of their tasks.

    Parameters
    ----------
    data, cache : str
        The folders, as for the run that made the rows.
    settings : sequence of str
        Further ones of that run, as ``frontends.siren.steps=200`` or ``tasks.robustness.reader=pcam``.
    """
    return lambda cases: draw_worst_cases(cases, data, cache, settings)


def draw_worst_cases(cases: Sequence[WorstCase], data: str, cache: str, settings: Sequence[str] = ()) -> list[Drawn]:
    """Decode the tile of each case and put it through its front-ends.

    Raises
    ------
    UserError
        If a setting is wrong, the data cannot be used or do not hold the tiles, or a tile cannot be decoded. A restorer
        that cannot be run, as its weights are not there, is a remark of its case.
    """
    config = _config({case.task for case in cases}, data, cache, settings)
    tables = {name: _tiles_by_id(config, name) for name in sorted({case.task for case in cases})}
    for name, table in tables.items():
        missing = [case.tile for case in cases if case.task == name and case.tile not in table]
        if missing:
            raise UserError(
                f"The data {data} hold {len(table)} tiles and not {first_few(missing, 1)}, which the rows of the task "
                f"{name} are of: set data= to the data of that run."
            )
    return [
        _drawn(case, decode_tile(*tables[case.task][case.tile], Look(config.max_tile_px)), config) for case in cases
    ]


def behind(frontend: str, tile: Pixels, name: str, config: BenchConfig) -> tuple[Pixels, str]:
    """A tile behind a front-end, with the seed of its name, and the identity of the front-end.

    Raises
    ------
    UserError
        If the front-end cannot be run on it.
    """
    import torch

    chain = chain_of(frontend, config.frontends, weight_sources(config))
    identity = chain.identity
    chain.check(*tile.shape[:2])
    images = torch.from_numpy(np.ascontiguousarray(tile.transpose(2, 0, 1)))[None]
    seeds = torch.from_numpy(seeds_of([name]))
    with torch.inference_mode():
        for part in chain.parts:
            images = part.load(torch.device("cpu"))(images, seeds)
    return np.ascontiguousarray(images[0].permute(1, 2, 0).numpy()), identity


def _drawn(case: WorstCase, tile: Pixels, config: BenchConfig) -> Drawn:
    corrupted, identity = behind(case.corrupted, tile, case.tile, config)
    identities, restored, remarks = {case.corrupted: identity}, None, []
    if case.restored:
        try:
            pixels, identities[case.restored] = behind(case.restored, tile, case.tile, config)
            restored = _png(pixels)
        except UserError as error:
            remarks.append(f"It is not shown restored: {error}")
    remarks += _differing(case.identities, identities)
    return Drawn(case, _png(tile), _png(corrupted), restored, " ".join(remarks))


def _differing(of_rows: Mapping[str, str], of_pictures: Mapping[str, str]) -> Iterable[str]:
    """A sentence for each front-end whose settings or weights are not those that the rows were made with."""
    for name, identity in of_pictures.items():
        if of_rows.get(name) and of_rows[name] != identity:
            yield f"The picture of {name} is made with other settings, weights or code than its row."


def _png(tile: Pixels) -> bytes:
    from PIL import Image

    written = io.BytesIO()
    Image.fromarray(tile).save(written, "PNG")
    return written.getvalue()


def _config(names: Iterable[str], data: str, cache: str, settings: Sequence[str]) -> BenchConfig:
    """The settings of the run as far as pictures need them."""
    from omegaconf import OmegaConf

    further: dict[str, Any] = OmegaConf.to_container(OmegaConf.from_dotlist(list(settings)))  # type: ignore[assignment]
    changes = further.pop("tasks", {})
    return make_config([], {name: {} for name in sorted(names)} | changes, {}, data, "results", cache, further)


def _tiles_by_id(config: BenchConfig, name: str) -> dict[str, tuple[str, int]]:
    """File and row of each test tile of a task, or of each of its tiles where the data have no split."""
    every = {"name": "restoration", "tiles": 0}  # tiles without labels too, and as many as there are
    task = tasks.configured({"name": name, **config.tasks[name], "track": every})
    frame: DataFrame = tasks.read_track_tiles(
        task, Path(config.data) if config.data else None, Path(config.cache)
    ).frame
    places = zip(frame["path"], frame["index"], strict=True)
    return {str(own): (str(path), int(index)) for own, (path, index) in zip(frame["id"], places, strict=True)}
