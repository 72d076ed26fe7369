"""Embedding: batches of tiles to feature files, tiles of a slide to slide vectors, each shard once."""

from bench.embedding.embedding import Embedding
from bench.embedding.feature_key import FeatureKey
from bench.embedding.host_memory import kept_host_memory
from bench.embedding.job import EmbeddingJob, Shard, shards_of
from bench.embedding.slide_stage import encode
from bench.embedding.stage import EmbeddingSettings, embed, missing_shards
from bench.embedding.store import is_cached, read_features, read_places, write_features

__all__ = [
    "Embedding",
    "EmbeddingJob",
    "EmbeddingSettings",
    "FeatureKey",
    "Shard",
    "embed",
    "encode",
    "is_cached",
    "kept_host_memory",
    "missing_shards",
    "read_features",
    "read_places",
    "shards_of",
    "write_features",
]
