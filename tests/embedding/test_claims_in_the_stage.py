"""Claims in the embedding stage of one process: what fails leaves none, and what stands needs none."""

import os
import random
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from claim_helpers import PATIENCE_S, claims_in, embedded, until
from embedding_helpers import Means, contents, expected, make_job
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.embedding import Embedding, EmbeddingSettings, Shard, embed, encode
from bench.embedding.claims import Claims
from bench.tiles.batch import Exceptions
from registry.errors import UserError

HOW = EmbeddingSettings(batch_size=4, workers=1, progress=False)


@pytest.mark.parametrize("error", [RuntimeError, UserError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_no_claim(tmp_path, source, error):
    class Fails(Means):
        def __call__(self, tiles):
            if self.calls == 2:
                raise error("now")
            return super().__call__(tiles)

    job = make_job(tmp_path, Fails())
    if issubclass(error, Exception):
        assert "now" in str(embedded(source, [job], lambda line: None)[job.key].error)
    else:
        with pytest.raises(error):
            embedded(source, [job], lambda line: None)
    assert claims_in(tmp_path) == []


def test_a_model_that_failed_lets_its_shards_go_while_others_go_on(tmp_path, source):
    """Another process need not wait until this one has ended."""

    class Fails(Means):
        def __call__(self, tiles):
            raise UserError("now")

    class Looks(Means):
        def __call__(self, tiles):
            found.append(claims_in(bad.folder))
            return super().__call__(tiles)

    found = []
    bad, good = make_job(tmp_path, Fails(), "bad"), make_job(tmp_path, Looks(), "good")
    made = embedded(source, [bad, good], lambda line: None)
    assert made[good.key].error is None
    assert found[-1] == []


def test_a_claim_that_is_made_while_its_model_fails_goes_too(tmp_path, source, monkeypatch):
    """Shards are claimed in another thread than the one in which a model fails."""
    claiming, failed = threading.Event(), threading.Event()
    found, plain = [], (Claims.take, Claims.give_up)

    class Fails(Means):
        def __call__(self, tiles):
            assert claiming.wait(PATIENCE_S)
            raise UserError("now")

    class Looks(Means):
        def __call__(self, tiles):
            found.append(claims_in(bad.folder))
            return super().__call__(tiles)

    def take(claims, path, stands):
        if path == bad.path("000000010-000000012"):
            claiming.set()
            assert failed.wait(PATIENCE_S)
        return plain[0](claims, path, stands)

    def give_up(claims, folder):
        plain[1](claims, folder)
        failed.set()

    monkeypatch.setattr(Claims, "take", take)
    monkeypatch.setattr(Claims, "give_up", give_up)
    bad, good = make_job(tmp_path, Fails(), "bad"), make_job(tmp_path, Looks(), "good")
    made = embedded(source, [bad, good], lambda line: None)
    assert made[good.key].error is None
    assert found[-1] == []


def test_features_that_stand_need_no_claim(tmp_path, source, monkeypatch):
    """As in a cache of others, which cannot be written."""
    job = make_job(tmp_path, Means())
    embedded(source, [job], lambda line: None)
    before = {path: path.stat().st_mtime_ns for path in (job.folder, *job.folder.iterdir())}
    monkeypatch.setattr(Claims, "_claim", lambda *_: pytest.fail("a claim on a file that stands"))
    for lazy in (False, True):
        made = embedded(source, [make_job(tmp_path, None)], lambda line: None, lazy=lazy)[job.key]
        np.testing.assert_allclose(made.features(), expected(source), rtol=1e-3)
    assert {path: path.stat().st_mtime_ns for path in (job.folder, *job.folder.iterdir())} == before


@pytest.mark.slow
def test_a_large_shard_is_not_claimed_long_before_it_is_read(tmp_path, source):
    """Each takes minutes, and the last ones are for who is ready for them."""
    most = []

    def claims():
        return len(claims_in(tmp_path, of_killed=True))

    class Looks(Means):
        def __call__(self, tiles):
            if self.calls == 7:
                until(lambda: claims() == 3, "the third shard is never claimed")
            time.sleep(0.05)  # in which threads could claim more than they may
            most.append(claims())
            return super().__call__(tiles)

    job = make_job(tmp_path, Looks())
    embed_small = {"shard_tiles": 10, "batch_size": 1}
    assert embedded(source, [job], lambda line: None, **embed_small)[job.key].error is None
    assert max(most) == 3, "16 tiles wait for the device at most, and the shard after them is not begun"


@pytest.mark.slow
@settings(max_examples=25)
@given(keep=st.floats(0, 0.999), noise=st.integers(0, 2**32))
def test_a_file_that_was_truncated_by_hand_is_made_again(tmp_path_factory, keep, noise):
    """And all others stand; so is one whose beginning was overwritten."""
    folder = tmp_path_factory.mktemp("truncated")
    pixels = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)

    def work(network):
        job = make_job(folder, network)
        made = embed([Shard(str(i), Held(pixels[4 * i : 4 * i + 4])) for i in range(3)], [job], HOW)[job.key]
        assert made.error is None
        return job

    job = work(Means())
    before = contents(job.folder)
    victim = job.path("1")
    if noise % 4:
        os.truncate(victim, int(keep * victim.stat().st_size))
    else:
        data = bytearray(victim.read_bytes())
        n = 1 + int(keep * 100)
        data[:n] = random.Random(noise).randbytes(n)
        victim.write_bytes(data)
    network = Means()
    work(network)
    assert contents(job.folder) == before
    assert network.calls == 1


class Held:
    """Tiles in memory."""

    def __init__(self, pixels):
        self.pixels, self.shape = pixels, pixels.shape[1:3]

    def __len__(self):
        return len(self.pixels)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def prepare(self):
        pass

    def open(self):
        return self

    def read_into(self, out, rows):
        out[:] = self.pixels[rows.start : rows.stop]
        return Exceptions()


class Encoder:
    """A stand-in for a slide encoder: the mean of a slide's tiles."""

    def __init__(self):
        self.card, self.weights, self.calls = SimpleNamespace(name="e"), Means.weights, 0

    def __call__(self, features, coords, patch):
        self.calls += 1
        return features.mean(0, keepdim=True)


@pytest.mark.parametrize("other", ["finishes", "gives up"])
def test_slide_vectors_that_another_process_makes(tmp_path, source, other):
    job = make_job(tmp_path, Means())
    [tiles] = embedded(source, [job], lambda line: None, shard_tiles=10).values()
    encoders = [Encoder(), Encoder()]
    jobs = [make_job(tmp_path, encoder, "e", source="tiles") for encoder in encoders]
    path = jobs[0].folder / tiles.files[2].name
    told = []
    with Claims(lambda line: None) as theirs:
        assert theirs.take(path, path.is_file)

        def say(line):
            told.append(line)
            if other == "finishes":
                only = Embedding([tiles.files[2]], weights=tiles.weights)
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(Claims, "take", lambda self, path, stands: not stands())
                    encode(only, jobs[1], progress=False)
            theirs.release(path)

        made = encode(tiles, jobs[0], label="slides", progress=False, say=say)
    assert made.error is None
    assert [file.name for file in made.files] == [file.name for file in tiles.files]
    assert [encoder.calls for encoder in encoders] == ([4, 1] if other == "finishes" else [5, 0])
    assert len(told) == 1
    assert "slides: a feature file is being made by the process" in told[0]
    assert claims_in(tmp_path) == []


def test_an_encoder_that_fails_leaves_no_claim(tmp_path, source):
    [tiles] = embedded(source, [make_job(tmp_path, Means())], lambda line: None, shard_tiles=10).values()

    class Broken(Encoder):
        def __call__(self, *arguments):
            if self.calls == 2:
                raise RuntimeError("boom")
            return super().__call__(*arguments)

    job = make_job(tmp_path, Broken(), "e", source="tiles")
    made = encode(tiles, job, progress=False)
    assert "boom" in str(made.error)
    assert len(made.files) == 2
    assert claims_in(tmp_path) == []
