"""Embedding: batches of tiles to feature files, slides' tiles to slide vectors, each unit of work once."""

from bench.embed.embedding import Embedding
from bench.embed.slide_stage import encode
from bench.embed.stage import Job, Unit, embed, shards
from bench.embed.store import feature_folder, is_whole, read_features, read_places, write_features

__all__ = [
    "Embedding",
    "Job",
    "Unit",
    "embed",
    "encode",
    "feature_folder",
    "is_whole",
    "read_features",
    "read_places",
    "shards",
    "write_features",
]
