"""Tiles to features: the batch-embedding stage and the HDF5 store that caches what it makes."""

from bench.embed.stage import Embedding, Job, Unit, embed, shards
from bench.embed.store import feature_folder, read_features, write_features

__all__ = ["Embedding", "Job", "Unit", "embed", "feature_folder", "read_features", "shards", "write_features"]
