"""Decoded uint8 tiles, in order, from image files and HDF5 arrays."""

from bench.tiles.decode import decode_tile
from bench.tiles.source import Batch, TileSource

__all__ = ["Batch", "TileSource", "decode_tile"]
