"""Decoded uint8 tiles, in order, from image files and HDF5 arrays, and the ranges of their settings."""

from bench.tiles.batch import Batch, read_ahead
from bench.tiles.decode import decode_tile
from bench.tiles.limits import check_tile, check_tiling
from bench.tiles.source import TileSource

__all__ = ["Batch", "TileSource", "check_tile", "check_tiling", "decode_tile", "read_ahead"]
