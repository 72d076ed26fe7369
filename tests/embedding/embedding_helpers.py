"""What the tests of embedding share: a stand-in for an encoder, jobs of it, and what they ought to give."""

import dataclasses
import multiprocessing
import random
import time
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image

from bench.embedding import EmbeddingJob, EmbeddingSettings, FeatureKey, embed, shards_of

N = 50


class Means:
    """A stand-in for an encoder: channel means, slow enough to be killed."""

    device = torch.device("cpu")
    weights = SimpleNamespace(commit="c0ffee", notes=("not the published file",))

    def __init__(self, scale=1.0, pause=0.0):
        self.scale, self.pause, self.calls = scale, pause, 0

    def __call__(self, tiles):
        self.calls += 1
        time.sleep(self.pause)
        return tiles.float().mean((2, 3)) * self.scale


KEY = FeatureKey(
    model="m", card="c", weights="w", options="{}", frontend="", preprocess="device", precision="float32", source="s"
)


def make_job(cache, extractor, model="m", *, tokens=False, **key):
    return EmbeddingJob(dataclasses.replace(KEY, model=model, **key), cache, lambda: extractor, tokens=tokens)


def run(source, *jobs, **changes):
    """Of each job what it has come to."""
    settings = {"batch_size": 7, "workers": 2, "shard_tiles": 20, "progress": False, **changes}
    shards = shards_of(source, settings.pop("shard_tiles"))
    found = embed(shards, jobs, EmbeddingSettings(**settings), label="tiles")
    assert found.keys() == {job.key for job in jobs}
    return [found[job.key] for job in jobs]


def expected(source):
    return np.stack([np.asarray(Image.open(p), np.float32).mean((0, 1)) for p in source.paths])


def contents(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.glob("*.h5"))}


def killed_and_resumed(source, plain, job, kills):
    """Run `plain` undisturbed, kill `kills` runs of `job` at random moments, and finish it.

    Gives the files that were complete before the last run, with their times of modification.
    """
    how = {"batch_size": 2, "shard_tiles": 5}
    began = time.perf_counter()
    run(source, plain, **how)
    lasts = time.perf_counter() - began
    rng = random.Random(kills)
    for _ in range(kills):
        child = multiprocessing.get_context("fork").Process(target=run, args=(source, job), kwargs=how)
        child.start()
        time.sleep(rng.uniform(0, lasts / 2))
        child.kill()
        child.join()
    complete = {p.name: p.stat().st_mtime_ns for p in job.folder.glob("*.h5")}
    run(source, job, **how)
    return complete
