"""How far the ranking of models depends on the protocol: scores under several protocols in, table, plot, words out."""

from bench.multiverse.analysis import Multiverse, analysed
from bench.multiverse.paragraph import paragraph
from bench.multiverse.write import write_multiverse

__all__ = ["Multiverse", "analysed", "paragraph", "write_multiverse"]
