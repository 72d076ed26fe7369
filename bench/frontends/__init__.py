"""Front-ends between tile and encoder: corruptions, restorers, and chains of them; uint8 tiles in, uint8 tiles out."""

from bench.frontends.base import FrontEnd, WeightSources
from bench.frontends.catalogue import find
from bench.frontends.chain import Chain, Loaded, chain_of
from bench.frontends.seeds import seeds_of

__all__ = ["Chain", "FrontEnd", "Loaded", "WeightSources", "chain_of", "find", "seeds_of"]
