"""Stages that overlap: what is written when, what fails alone, and that everything ends."""

from __future__ import annotations

import dataclasses
import os
import threading
import time

import numpy as np
import pytest
import torch
from claim_helpers import until
from embedding_helpers import Means, N, contents, expected, make_job

from bench.embedding import EmbeddingSettings, Shard, embed, shards_of
from bench.embedding.forward import Forward
from bench.embedding.times import PassTimes, StageTimes
from registry.errors import UserError

HOW = EmbeddingSettings(batch_size=7, workers=2, progress=False)


@pytest.fixture(autouse=True)
def _all_threads_end():
    yield
    left = [t.name for t in threading.enumerate() if t.name.startswith(("read", "open", "fill", "shards", "write"))]
    assert not left


class OutOfMemoryError(Exception):
    """Under torch's name."""


class Small(Means):
    """Has memory for a few tiles."""

    def __init__(self, most):
        super().__init__()
        self.most, self.sizes = most, []

    def __call__(self, tiles):
        self.sizes.append(len(tiles))
        if len(tiles) > self.most:
            raise OutOfMemoryError("out of memory")
        return super().__call__(tiles)


def embed_one(shards, job, how=HOW):
    return embed(shards, [job], how)[job.key]


def test_batches_cross_the_borders_of_shards_and_the_files_are_the_same(tmp_path, source):
    network = Means()
    one, many = make_job(tmp_path / "one", Means()), make_job(tmp_path / "many", network)
    embed_one(shards_of(source, N), one)
    made = embed_one(shards_of(source, 3), many)
    assert network.calls == -(-N // 7)
    assert len(made.files) == 17
    np.testing.assert_array_equal(made.features(), embed_one(shards_of(source, N), one).features())


def test_a_file_is_there_before_the_next_shard_is_made(tmp_path, source):
    """Tissue is found slide by slide, while the slides before are embedded and written."""
    job = make_job(tmp_path, Means())
    shards = shards_of(source, 7)

    def laid():
        for position, shard in enumerate(shards):
            if position >= 3:
                until(job.path(shards[position - 3].name).is_file, "the files wait for what is made after them")
            yield shard

    made = embed_one(laid(), job)
    assert made.error is None
    np.testing.assert_allclose(made.features(), expected(source), rtol=1e-3)


def test_nothing_is_loaded_for_shards_that_are_made_one_by_one_and_stand(tmp_path, source):
    job = make_job(tmp_path, Means())
    embed_one(iter(shards_of(source, 7)), job)
    again = dataclasses.replace(job, load=lambda: pytest.fail("it was loaded"))
    made = embed_one(iter(shards_of(source, 7)), again)
    np.testing.assert_allclose(made.features(), expected(source), rtol=1e-3)


def test_a_shard_with_a_tile_that_cannot_be_read_leaves_no_file(tmp_path, source):
    """Its other tiles are all there when the error comes, and a file with a gap would be taken for complete."""
    open(source.paths[9], "wb").close()
    job = make_job(tmp_path, Means())
    with pytest.raises(UserError, match=r"009\.png"):
        embed_one(shards_of(source, 5), job)
    assert contents(job.folder).keys() == {"000000000-000000005.h5"}


@pytest.mark.parametrize("lazy", [False, True])
def test_models_that_lack_different_shards(tmp_path, source, lazy):
    first, second = Means(), Means(2.0)
    one, two = make_job(tmp_path, first, "one"), make_job(tmp_path, second, "two")
    shards = shards_of(source, 7)
    embed_one(shards[2:4], one)
    embed_one([*shards[:1], *shards[5:]], two)
    made = embed(iter(shards) if lazy else shards, [one, two], HOW)
    for job, scale in ((one, 1.0), (two, 2.0)):
        assert made[job.key].error is None
        np.testing.assert_allclose(made[job.key].features(), scale * expected(source), rtol=1e-3)
    before = first.calls + second.calls
    embed(shards, [one, two], HOW)
    assert first.calls + second.calls == before


def test_an_error_of_the_making_leaves_the_shards_before_it(tmp_path, source):
    job = make_job(tmp_path, Means())

    def laid():
        yield from shards_of(source, 7)[:4]
        raise UserError("The slide 4 is corrupt.")

    with pytest.raises(UserError, match="slide 4"):
        embed_one(laid(), job)
    assert len(contents(job.folder)) == 4


class Gone:
    """A slide whose file vanished after its grid was laid, or that breaks off while it is read."""

    def __init__(self, source, where):
        self.source, self.where = source, where

    def __len__(self):
        return len(self.source)

    def open(self):
        if self.where == "opening":
            raise UserError("The slide b.svs does not exist.")
        return self

    shape = (8, 8)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def read_into(self, out, rows):
        raise UserError("The slide b.svs does not exist.")


@pytest.mark.parametrize("where", ["opening", "reading"])
def test_slides_that_share_a_batch_with_a_failing_one_are_complete(tmp_path, source, where):
    """The slides share batches of seven tiles: the first ends in the middle of one."""
    shards = [
        Shard("a", source.part(0, 10)),
        Shard("b", Gone(source.part(10, 20), where)),
        Shard("c", source.part(20, 30)),
    ]
    job = make_job(tmp_path, Means())
    with pytest.raises(UserError, match=r"b\.svs"):
        embed_one(shards, job)
    assert contents(job.folder).keys() == {"a.h5"}
    alone = make_job(tmp_path / "alone", Means())
    embed_one(shards[:1], alone)
    assert contents(alone.folder) == contents(job.folder)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_whatever_ends_it_ends_all_threads(tmp_path, source, error):
    class Interrupted(Means):
        def __call__(self, tiles):
            if self.calls == 3:
                raise error
            return super().__call__(tiles)

    job = make_job(tmp_path, Interrupted())
    with pytest.raises(error):
        embed_one(shards_of(source, 7), job)
    assert len(contents(job.folder)) == 3, "what was computed before is written"


@pytest.mark.slow
@pytest.mark.parametrize("full", ["features", "timing"])
def test_a_disk_that_fills_while_the_writer_is_behind(tmp_path, source, monkeypatch, full):
    from bench.embedding import store, times_log

    written = []

    def no_space(path, *arguments, **keywords):
        written.append(path)
        time.sleep(0.01)
        if len(written) > 2:
            raise OSError(28, os.strerror(28), str(path))
        return plain(path, *arguments, **keywords)

    module, name = (store, "new_hdf5") if full == "features" else (times_log, "_append")
    plain = getattr(module, name)
    monkeypatch.setattr(module, name, no_space)
    network = Means()
    job, other = make_job(tmp_path / "full", network), make_job(tmp_path / "too", Means(2.0), "other")
    found = embed(shards_of(source, 2), [job, other], HOW)
    for key in (job.key, other.key) if full == "features" else ():
        assert "The disk of" in str(found[key].error)
        assert "is full: make room" in str(found[key].error)
    monkeypatch.undo()
    if full == "timing":
        assert [found[key].error for key in (job.key, other.key)] == [None, None], "features are worth more than times"
        assert found[job.key].times.tiles < N
    made = embed_one(shards_of(source, 2), job)
    np.testing.assert_allclose(made.features(), expected(source), rtol=1e-3)


@pytest.mark.parametrize("most", [1, 2, 3, 6])
def test_out_of_memory_halves_the_batch_with_a_message(tmp_path, source, most):
    lines = []
    network = Small(most)
    job = make_job(tmp_path, network)
    made = embed_one(shards_of(source, 20), job, dataclasses.replace(HOW, batch_size=8, say=lines.append))
    assert made.error is None
    np.testing.assert_allclose(made.features(), expected(source), rtol=1e-3)
    fits = {1: 1, 2: 2, 3: 2, 6: 4}[most]
    halvings = [line for line in lines if "runs out of GPU memory" in line]
    assert len(halvings) == len([size for size in network.sizes if size > network.most]) <= 3
    assert f"goes on with {fits} tile" in halvings[-1]
    assert made.notes == [
        f"GPU memory ran out: features were made with batches halved to {fits} tile{'' if fits == 1 else 's'}"
    ]
    found = embed_one(shards_of(source, 20), dataclasses.replace(job, load=lambda: pytest.fail("it was loaded")))
    assert found.notes == made.notes, "another process that finds the features says so too"


def test_a_tile_that_does_not_fit_alone_is_one_sentence(tmp_path, source):
    job, good = make_job(tmp_path / "hungry", Small(0), "hungry"), make_job(tmp_path / "good", Means())
    found = embed(shards_of(source, 20), [job, good], HOW)
    assert str(found[job.key].error).startswith("hungry runs out of GPU memory with a single tile: ")
    assert found[good.key].error is None


@pytest.mark.parametrize(
    ("batch_size", "tiles", "computed_as"), [(32, 1, 16), (32, 15, 16), (32, 17, 17), (8, 3, 8), (1, 1, 1)]
)
def test_a_batch_of_few_tiles_is_filled_up(batch_size, tiles, computed_as):
    """Few images take other kernels on a CPU, and a resumed run leaves another number of tiles for the last batch."""
    network = Small(64)
    pixels = torch.randint(0, 256, (tiles, 3, 4, 4), dtype=torch.uint8)
    computed = Forward("m", network, batch_size)(pixels)
    assert network.sizes == [computed_as]
    np.testing.assert_array_equal(computed.wait()[0], Means()(pixels))


@pytest.mark.parametrize("model", ["efficientnet_lite0", pytest.param("random_vit_s16", marks=pytest.mark.slow)])
def test_features_do_not_depend_on_the_batch(model):
    """Bit for bit, as a resumed run has other batches: at other places, and fewer tiles in the last."""
    import registry

    forward = Forward(model, registry.load(model, device="cpu", precision="float32"), 32)
    pixels = torch.randint(0, 256, (20, 96, 96, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    tiles = pixels.permute(0, 3, 1, 2)
    together = forward(tiles).wait()[0]
    for start, stop in ((0, 1), (3, 5), (7, 20)):
        np.testing.assert_array_equal(forward(tiles[start:stop]).wait()[0], together[start:stop])


def test_the_times_of_the_stages_are_beside_the_features(tmp_path, source):
    lines = []
    job = make_job(tmp_path, Means(pause=0.01))
    made = embed_one(shards_of(source, 20), job, dataclasses.replace(HOW, say=lines.append))
    times = made.times
    assert times.tiles == N
    assert times.forward >= 8 * 0.01
    assert min(times.read, times.wait, times.write) > 0
    assert made.seconds == pytest.approx(times.wait + times.forward)
    shares = times.shares()
    assert shares["wait"] + shares["forward"] == pytest.approx(1, abs=1e-3)
    (line,) = lines
    assert f": {N} tiles in " in line
    assert "m " in line
    assert "waiting for tiles" in line


def test_times_come_back_and_are_shared_out():
    times = StageTimes(4, 1.0, 2.0, 3.0, 4.0)
    assert StageTimes.of(times.as_dict()) == times
    halved = dataclasses.replace(times, halved=8)
    assert StageTimes.of(halved.as_dict()) == halved
    assert (times + halved + dataclasses.replace(times, halved=4)).halved == 4
    assert times.share(1) + times.share(3) == times


@pytest.mark.parametrize(
    ("data", "read", "advice"),
    [(0.0, 20.0, ""), (5.0, 19.0, "more processor cores"), (5.0, 2.0, "faster storage")],
)
def test_the_line_says_what_would_help(data, read, advice):
    times = PassTimes(2, 1000, 10.0, data, 0.5, read, 1.0, {"uni": 4.0})
    line = times.line("pcam")
    assert line.startswith("pcam: 1,000 tiles in 10 s (100 tiles/s): uni 40%; waiting for tiles ")
    assert advice in line
    assert ("would help" in line) == bool(advice)
    assert PassTimes(2).line("pcam") == ""
