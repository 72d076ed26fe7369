"""Whole slides: pixels at the true resolution, tissue, and the tiles of a grid."""

from bench.slides.cohort import read_cohort
from bench.slides.interop import coords_attributes, find_bag, find_coords, read_bag, read_coords
from bench.slides.masks import read_mask
from bench.slides.opening import open_slide
from bench.slides.pixels import UnreadableRegion
from bench.slides.preview import write_contact_sheet, write_preview
from bench.slides.reader import SlideFileTiles, SlideTiles
from bench.slides.refusals import unreadable_slide
from bench.slides.resampling import Resample, block_of
from bench.slides.resolution import PLAUSIBLE, NoResolution
from bench.slides.scratch import Scratch
from bench.slides.slide import Slide
from bench.slides.tiling import FINER_TOLERANCE, Grid, from_coords, plan
from bench.slides.tissue import Tissue
from bench.slides.tissue import find as find_tissue

__all__ = [
    "FINER_TOLERANCE",
    "PLAUSIBLE",
    "Grid",
    "NoResolution",
    "Resample",
    "Scratch",
    "Slide",
    "SlideFileTiles",
    "SlideTiles",
    "Tissue",
    "UnreadableRegion",
    "block_of",
    "coords_attributes",
    "find_bag",
    "find_coords",
    "find_tissue",
    "from_coords",
    "open_slide",
    "plan",
    "read_bag",
    "read_cohort",
    "read_coords",
    "read_mask",
    "unreadable_slide",
    "write_contact_sheet",
    "write_preview",
]
