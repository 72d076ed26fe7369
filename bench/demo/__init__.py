"""The built-in cohort: synthetic H&E-like tiles and slides, the same for the same seed."""

from bench.demo.slides import make_slides
from bench.demo.tiles import make_tiles

__all__ = ["make_slides", "make_tiles"]
