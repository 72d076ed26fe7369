"""The networks of a pass: each is loaded once for all its jobs, with a batch size that fits the device."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from bench.embedding.batch_size import BatchKey, BatchSizes, find_batch_size
from bench.embedding.errors import explained
from bench.embedding.feature_key import FeatureKey
from bench.embedding.forward import Forward
from bench.embedding.job import EmbeddingJob, Shard
from bench.embedding.settings import EmbeddingSettings
from registry.errors import UserError

if TYPE_CHECKING:
    from registry.extractor import FeatureExtractor

FEWER_MODELS = "when it is loaded: set memory_gib lower, so that fewer models are loaded at once, or device=cpu"
SMALLER_BATCH = "on a batch: set a smaller batch_size, or device=cpu"
LARGEST_BATCH = 1024  # that is tried


class Networks:
    """The networks that were loaded, or the error of one that cannot be."""

    def __init__(self, how: EmbeddingSettings):
        self._how = how
        self._loaded: dict[tuple[FeatureKey, bool], Forward | Exception] = {}

    def of(self, job: EmbeddingJob[FeatureExtractor], shard: Shard) -> Forward:
        """The network of a job, loaded if no job before had it; the tiles of the shard tell its batch size.

        Raises
        ------
        Exception
            If it cannot be loaded; the same each time.
        """
        if job.network not in self._loaded:
            self._loaded[job.network] = self._load(job, shard)
        if isinstance(forward := self._loaded[job.network], Exception):
            raise forward
        return forward

    def clear(self) -> None:
        """Let go of all of them."""
        self._loaded.clear()

    def _load(self, job: EmbeddingJob[FeatureExtractor], shard: Shard) -> Forward | Exception:
        mend = FEWER_MODELS
        try:
            extractor = job.load()
            mend = SMALLER_BATCH
            return self._forward_of(job, extractor, shard)
        except Exception as error:
            return explained(job.key.model, error, mend)

    def _forward_of(self, job: EmbeddingJob[FeatureExtractor], extractor: FeatureExtractor, shard: Shard) -> Forward:
        name, size = job.key.model, self._how.batch_size
        halved = partial(_say_halved, self._how.say, name)
        if extractor.device.type == "cuda" and self._how.find_batch_size and (shape := shape_of(shard)):
            sizes, (height, width) = BatchSizes(job.cache), shape
            size = find_batch_size(extractor, height, width, sizes, size, LARGEST_BATCH)
            key = BatchKey.of(extractor, height, width)
            halved = partial(_say_halved, self._how.say, name, remember=partial(sizes.put, key))
        return Forward(name, extractor, size, halved, tokens=job.tokens)


def shape_of(shard: Shard) -> tuple[int, int] | None:
    """Height and width of the tiles; None where they cannot be opened, of which the stream tells in its place."""
    try:
        with shard.tiles.open() as opened:
            return opened.shape
    except UserError:
        return None


def _say_halved(
    say: Callable[[str], None], model: str, size: int, *, remember: Callable[[int], None] = lambda size: None
) -> None:
    remember(size)
    say(f"{model} runs out of GPU memory: it goes on with {size} tile{'' if size == 1 else 's'} a forward pass")
