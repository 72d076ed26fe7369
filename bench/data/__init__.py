"""Cohorts: what is measured on, and how its tiles or slides become samples with features."""

from bench.data.cohort import Cohort, EmbeddingPlan, Encoder, Known, PixelPlan, split_samples, table_of
from bench.data.laying import MPP_TOLERANCE
from bench.data.slide_data import SlideCohort
from bench.data.slide_units import file_name
from bench.data.tile_data import TileCohort

__all__ = [
    "MPP_TOLERANCE",
    "Cohort",
    "EmbeddingPlan",
    "Encoder",
    "Known",
    "PixelPlan",
    "SlideCohort",
    "TileCohort",
    "file_name",
    "split_samples",
    "table_of",
]
