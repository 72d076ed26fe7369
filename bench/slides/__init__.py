"""Whole slides: pixels at the true resolution, tissue, and the tiles of a grid."""

from bench.slides.pixels import UnreadableRegion
from bench.slides.slide import Slide, open_slide

__all__ = ["Slide", "UnreadableRegion", "open_slide"]
