"""The batch-embedding stage: what is missing, in as many passes over the tiles as the models need that fit together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from bench.embedding.claims import Claims
from bench.embedding.embedding import Embedding, gather
from bench.embedding.errors import free_frames
from bench.embedding.feature_key import FeatureKey
from bench.embedding.job import EmbeddingJob, Shard, Shards
from bench.embedding.one_pass import Pass
from bench.embedding.settings import EmbeddingSettings

if TYPE_CHECKING:
    from registry.extractor import FeatureExtractor


def missing_shards(job: EmbeddingJob[Any], shards: Iterable[Shard]) -> list[Shard]:
    """The shards whose features are not in the store."""
    return [shard for shard in shards if not job.is_cached(shard)]


def embed(
    shards: Iterable[Shard],
    jobs: Sequence[EmbeddingJob[FeatureExtractor]],
    how: EmbeddingSettings,
    *,
    label: str = "",
) -> dict[FeatureKey, Embedding]:
    """Make the features that are not yet in the store, decoding each tile once for all jobs of a pass.

    Models are loaded for the pass that needs them; where not all fit the device together there are several passes.
    What another process makes meanwhile is waited for at the end, and made here after all if that process ends without.

    Parameters
    ----------
    shards : iterable of Shard
        Of a sequence, models are loaded only if a shard is missing. Any other iterable is advanced in a thread while
        the shards before are embedded.
    label : str
        What the progress bar calls the dataset.

    Returns
    -------
    dict of FeatureKey to Embedding
        A job that fails carries its error; the others go on.

    Raises
    ------
    UserError
        If a tile cannot be read and `on_corrupt` is "error"; the files that are complete stay valid.
    """
    jobs = list({job.key: job for job in jobs}.values())
    results = {job.key: Embedding() for job in jobs}
    with closing(Shards(shards)) as known, Claims(how.say, label) as claims:
        left = jobs
        while left:
            if known.complete:
                left = [job for job in left if missing_shards(job, known)]
            done = Pass(known, first_wave(left, how.memory_bytes), how, label, results, claims).run() if left else []
            for job in done:
                if (error := results[job.key].error) is not None:
                    free_frames(error)
                    claims.give_up(job.folder)
            left = [job for job in left if job not in done]
            if not left and claims.wait():
                left = [job for job in jobs if results[job.key].error is None]
        for job in jobs:
            if results[job.key].error is None:
                results[job.key] = gather(job, list(known), how.on_corrupt)
    return results


def first_wave(
    jobs: Sequence[EmbeddingJob[FeatureExtractor]], memory_bytes: int | None
) -> list[EmbeddingJob[FeatureExtractor]]:
    """The first jobs, as many as fit the memory together; one that never fits goes alone."""
    wave: list[EmbeddingJob[FeatureExtractor]] = []
    for job in jobs:
        if wave and memory_bytes is not None and _memory_of([*wave, job]) > memory_bytes:
            break
        wave.append(job)
    return wave


def _memory_of(jobs: Sequence[EmbeddingJob[FeatureExtractor]]) -> int:
    """What the weights of networks and front-ends take, of which each is loaded once."""
    networks = {job.network: job.memory_bytes for job in jobs}
    restorers = {part.name: part.memory_bytes for job in jobs for part in job.frontend.parts}
    return sum(networks.values()) + sum(restorers.values())
