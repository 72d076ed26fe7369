"""Decoded uint8 tiles, in order, from image files and HDF5 arrays, as one stream, and the ranges of their settings."""

from bench.tiles.ahead import Ahead, in_order
from bench.tiles.batch import Batch, Exceptions, OpenTiles, Tiles
from bench.tiles.decode import MAX_TILE_PX, Look, decode_tile, reason_of
from bench.tiles.limits import check_tile, check_tiling
from bench.tiles.source import TileSource
from bench.tiles.stream import ReadingTime, read_batches

__all__ = [
    "MAX_TILE_PX",
    "Ahead",
    "Batch",
    "Exceptions",
    "Look",
    "OpenTiles",
    "ReadingTime",
    "TileSource",
    "Tiles",
    "check_tile",
    "check_tiling",
    "decode_tile",
    "in_order",
    "read_batches",
    "reason_of",
]
