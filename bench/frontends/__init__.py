"""Front-ends between tile and encoder: corruptions, restorers, and chains of them; uint8 tiles in, uint8 tiles out."""

from bench.frontends.base import FrontEnd, WeightSources
from bench.frontends.catalogue import find
from bench.frontends.chain import Chain, Loaded, chain_of
from bench.frontends.mixture import Mixture
from bench.frontends.names import classical_names, corruption_kinds, restorer_names
from bench.frontends.perceptual import SMALLEST_FOR_LPIPS, LpipsWeights, find_lpips
from bench.frontends.quality import HIGHEST_PSNR, MEASURES, Clean, check_size
from bench.frontends.seeds import seeds_of

__all__ = [
    "HIGHEST_PSNR",
    "MEASURES",
    "SMALLEST_FOR_LPIPS",
    "Chain",
    "Clean",
    "FrontEnd",
    "Loaded",
    "LpipsWeights",
    "Mixture",
    "WeightSources",
    "chain_of",
    "check_size",
    "classical_names",
    "corruption_kinds",
    "find",
    "find_lpips",
    "restorer_names",
    "seeds_of",
]
