"""Decoded uint8 tiles, in order, from image files and HDF5 arrays."""

from bench.tiles.batch import Batch, read_ahead
from bench.tiles.decode import decode_tile
from bench.tiles.source import TileSource

__all__ = ["Batch", "TileSource", "decode_tile", "read_ahead"]
