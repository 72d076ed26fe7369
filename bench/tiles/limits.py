"""The ranges of the settings of tiles and tilings, which the schema of tasks and the grid of slides check."""

from __future__ import annotations

from registry.errors import UserError

MPP = (0.02, 1000.0)  # microns per px: below it light resolves nothing, above it a slide is a few pixels
AUTHORS = "or null for what each model's authors mean"


def check_tile(name: str, *, size: int | None, mpp: float | None) -> None:
    """Refuse a size and a resolution that no stored tile can have.

    Parameters
    ----------
    name : str
        What the settings are of, such as ``tasks.tiles``.
    size : int or None
        Shorter side of the tiles, px; None where unknown.
    mpp : float or None
        Microns per px; None where unknown.

    Raises
    ------
    UserError
        Naming the setting that is out of range.
    """
    if size is not None and size < 1:
        raise UserError(f"{name}.tile_size is {size} and must be 1 or more, or null where it is not known.")
    if mpp is not None and not MPP[0] <= mpp <= MPP[1]:
        raise UserError(
            f"{name}.mpp is {mpp} and must be from {MPP[0]:g} to {MPP[1]:g}, or null where it is not known."
        )


def check_tiling(
    name: str,
    *,
    size: int | None,
    mpp: float | None,
    overlap: int,
    min_tissue: float,
    max_tiles: int | None,
    seed: int,
) -> None:
    """Refuse settings that no tiles can be cut by.

    Parameters
    ----------
    name : str
        What the settings are called, such as ``tasks.slides.tiling``.
    size, mpp, overlap, min_tissue, max_tiles, seed
        As in `bench.tasks.Tiling`.

    Raises
    ------
    UserError
        Naming the first setting that is out of range.
    """
    shared = "0 or more" if size is None else f"from 0 to less than the size of a tile, {size} px"
    for setting, value, fits, wanted in (
        ("size", size, size is None or size >= 1, f"1 or more, {AUTHORS}"),
        ("mpp", mpp, mpp is None or MPP[0] <= mpp <= MPP[1], f"from {MPP[0]:g} to {MPP[1]:g}, {AUTHORS}"),
        ("overlap", overlap, overlap >= 0 and (size is None or overlap < size), shared),
        ("min_tissue", min_tissue, 0 <= min_tissue <= 1, "from 0 to 1"),
        ("max_tiles", max_tiles, max_tiles is None or max_tiles >= 1, "1 or more, or null for all tiles"),
        ("seed", seed, 0 <= seed < 2**32, "from 0 to 2**32 - 1"),
    ):
        if not fits:
            raise UserError(f"{name}.{setting} is {value} and must be {wanted}.")
