"""Front-ends in a pass over the tiles: decoded once, computed once, the same whatever the batch or a restart."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from embedding_helpers import KEY, Means, contents, killed_and_resumed, run

from bench.embedding import EmbeddingJob, Shard, read_features, shards_of
from bench.frontends import chain_of, seeds_of
from registry.errors import UserError


def job_behind(cache, wanted, extractor=None, model="m"):
    chain, network = chain_of(wanted), extractor or Means()
    key = dataclasses.replace(KEY, model=model, frontend=chain.identity)
    return EmbeddingJob(key, cache, lambda: network, frontend=chain)


def features(job, source, shard_tiles=20):
    return np.concatenate([np.asarray(read_features(job.path(s.name))[0]) for s in shards_of(source, shard_tiles)])


@pytest.mark.parametrize("wanted", ["gaussian_noise_3", "jpeg_5", "bubbles_4", ["shot_noise_2", "median"]])
def test_features_depend_on_the_tile_alone(source, tmp_path, wanted):
    one, other = job_behind(tmp_path / "a", wanted), job_behind(tmp_path / "b", wanted)

    assert all(found.error is None for found in run(source, one, batch_size=7))
    assert all(found.error is None for found in run(source, other, batch_size=31, shard_tiles=50, workers=1))

    np.testing.assert_array_equal(features(one, source), features(other, source, 50))


def test_a_front_end_is_computed_once_for_all_models_and_the_network_loaded_once(source, tmp_path, monkeypatch):
    from bench.frontends import chain as chains

    applied, loads = [], []
    kept = chains.Behind.__call__

    def counted(self, chain):
        before = len(self._known)
        found = kept(self, chain)
        applied.extend([len(found)] * (len(self._known) - before))
        return found

    monkeypatch.setattr(chains.Behind, "__call__", counted)
    network = Means()
    every = []
    for model in ("m", "n"):
        for wanted in ("none", "jpeg_3", "jpeg_3+median"):
            job = job_behind(tmp_path, wanted, network, model)
            every.append(dataclasses.replace(job, load=lambda m=model: loads.append(m) or network))

    assert all(found.error is None for found in run(source, *every))

    assert sum(applied) == 2 * len(source), "two front-ends on every tile, for two models and three chains"
    assert sorted(loads) == ["m", "n"]


def test_together_and_alone_are_the_same_files(source, tmp_path):
    wanted = ["none", "gaussian_blur_3", "gaussian_blur_3+unsharp", "unsharp"]
    together = [job_behind(tmp_path / "a", name) for name in wanted]
    run(source, *together)
    alone = [job_behind(tmp_path / "b", name) for name in wanted]
    for job in alone:
        run(source, job)

    assert len({job.folder for job in together}) == len(wanted)
    for first, second in zip(together, alone, strict=True):
        assert contents(first.folder) == contents(second.folder)
        assert len(contents(first.folder)) == 3


def test_killed_runs_and_an_undisturbed_one_leave_the_same_files(source, tmp_path):
    plain = job_behind(tmp_path / "a", "gaussian_noise_2")
    killed = job_behind(tmp_path / "b", "gaussian_noise_2", Means(pause=0.02))

    killed_and_resumed(source, plain, killed, kills=3)

    assert contents(killed.folder) == contents(plain.folder)
    assert len(contents(plain.folder)) == 10


def test_tiles_that_a_front_end_cannot_take_end_this_job_alone(source, tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Picky:
        name: str = "picky"
        restores: bool = True
        identity: str = "1"
        memory_bytes: int = 0

        def check(self, height, width):
            raise UserError(f"picky takes other tiles than {height} x {width} px.")

    bad = job_behind(tmp_path, "none")
    bad = dataclasses.replace(
        bad, key=dataclasses.replace(bad.key, frontend="picky"), frontend=type(bad.frontend)((Picky(),))
    )
    fine, failed = run(source, job_behind(tmp_path, "jpeg_1"), bad)

    assert fine.error is None
    assert "picky takes other tiles" in str(failed.error)
    assert not list(bad.folder.glob("*.h5"))


def test_seeds_of_a_slide_are_of_its_name_and_places():
    class None_:
        def __len__(self):
            return 2

    slide = Shard("slide-a", None_(), coords=np.array([[0, 256], [512, 0]]))

    assert slide.seeds().tolist() == seeds_of(["slide-a 0 256", "slide-a 512 0"]).tolist()
    assert torch.from_numpy(slide.seeds()).dtype == torch.int64
