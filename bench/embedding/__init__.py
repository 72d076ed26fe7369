"""Embedding: batches of tiles to feature files, tiles of a slide to slide vectors, each shard once."""

from bench.embedding.embedding import Embedding
from bench.embedding.feature_key import FeatureKey
from bench.embedding.job import EmbeddingJob, Shard, shards_of
from bench.embedding.settings import EmbeddingSettings
from bench.embedding.slide_stage import encode
from bench.embedding.stage import embed, missing_shards
from bench.embedding.store import is_cached, read_features, read_places, write_features
from bench.embedding.times_log import times_of
from bench.embedding.token_store import TokenWriter, grid_of, read_tokens, tokens_path

__all__ = [
    "Embedding",
    "EmbeddingJob",
    "EmbeddingSettings",
    "FeatureKey",
    "Shard",
    "TokenWriter",
    "embed",
    "encode",
    "grid_of",
    "is_cached",
    "missing_shards",
    "read_features",
    "read_places",
    "read_tokens",
    "shards_of",
    "times_of",
    "tokens_path",
    "write_features",
]
