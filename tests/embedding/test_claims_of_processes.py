"""Several processes on the same shards: the work is done once, and whatever ends one of them, the others end well."""

import os
import random
import signal
import time

import numpy as np
import pytest
from claim_helpers import (
    FORK,
    PATIENCE_S,
    Logged,
    Meeting,
    Paused,
    child,
    embedded,
    ended,
    lines_to,
    logged_job,
    seen,
    until,
)
from embedding_helpers import Means, N, contents, expected, make_job
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.embedding import Embedding, Shard, embed, encode, shards_of
from bench.embedding.claims import Claims
from benchmarks import kills
from registry.errors import UserError


@pytest.fixture(autouse=True)
def _never_stale(monkeypatch):
    """So that a test which needs a claim to become stale by its heartbeat does not end."""
    monkeypatch.setattr(Claims.__init__, "__kwdefaults__", {"beat_s": 1e4, "stale_s": 1e5})


def all_once(log, processes):
    counts, n = seen(log)
    assert n == processes
    assert len(counts) == N
    assert set(counts.values()) == {1}, "a tile was embedded twice"


def claims_in(folder, *, of_killed=False):
    """Claims and files that are half written, of which a process that is killed leaves some."""
    return sorted(folder.rglob("*.claim")) + ([] if of_killed else sorted(folder.rglob(".*.tmp")))


@pytest.fixture
def alone(tmp_path, source):
    """What one process makes."""
    job = make_job(tmp_path / "alone", Means())
    embedded(source, [job], lambda line: None)
    return contents(job.folder)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("processes", [2, 3])
def test_processes_that_begin_together_share_the_work(tmp_path, source, alone, processes, lazy):
    """A process that waits for the others holds 16 batches at most, so that something is left for each of them."""
    log, few = tmp_path / "log", {"shard_tiles": 1, "batch_size": 1}
    job = make_job(tmp_path / "cache", Meeting(log, FORK.Barrier(processes)))
    outcome = FORK.Queue()

    def work():
        made = embedded(source, [job], lambda line: None, lazy=lazy, **few)[job.key]
        np.testing.assert_allclose(made.features(), expected(source), rtol=1e-3)
        outcome.put(made.error)

    several = [child(work) for _ in range(processes)]
    with ended(*several):
        assert [outcome.get(timeout=PATIENCE_S) for _ in several] == [None] * processes
        for one in several:
            one.join(PATIENCE_S)
    assert [one.exitcode for one in several] == [0] * processes
    all_once(log, processes)
    one = make_job(tmp_path / "one", Means())
    embedded(source, [one], lambda line: None, **few)
    assert contents(job.folder) == contents(one.folder)
    assert claims_in(tmp_path) == []


def test_one_has_another_model_beside_the_same(tmp_path, source, alone):
    log, other_log = tmp_path / "log", tmp_path / "other"
    job = make_job(tmp_path / "cache", Meeting(log, FORK.Barrier(2)))
    other = logged_job(tmp_path / "cache", other_log, "other", scale=2.0)
    few = {"shard_tiles": 2, "batch_size": 1}
    two = [child(embedded, source, jobs, lambda line: None, **few) for jobs in ([job], [job, other])]
    with ended(*two):
        for one in two:
            one.join(PATIENCE_S)
    assert [one.exitcode for one in two] == [0, 0]
    all_once(log, 2)
    all_once(other_log, 1)
    assert contents(job.folder) == alone
    assert len(contents(other.folder)) == len(alone)
    assert claims_in(tmp_path) == []


class TestThatIsWaitedFor:
    @pytest.fixture
    def work(self, tmp_path, source):
        """A process that stands before its second batch, with the shards that it holds, and one that did the rest."""
        log = tmp_path / "log"
        began, word = FORK.Event(), FORK.Event()

        def begin(error=None, ends=embedded):
            first = child(
                ends, source, [make_job(tmp_path / "cache", Paused(log, began, word, error))], lambda line: None
            )
            assert began.wait(PATIENCE_S)
            job = logged_job(tmp_path / "cache", log)
            lines = tmp_path / "lines"
            second = child(embedded, source, [job], lines_to(lines))
            until(lambda: lines.exists() and "waiting" in lines.read_text(), "it is waited for and nobody says so")
            return first, second, job, word, lines

        return begin

    def test_and_ends_well(self, tmp_path, work, alone):
        first, second, job, word, lines = work()
        with ended(first, second):
            held = len(claims_in(tmp_path))
            assert len(contents(job.folder)) + held == len(alone)
            assert 1 < held < len(alone) - 1
            word.set()
            first.join(PATIENCE_S)
            second.join(PATIENCE_S)
        assert [first.exitcode, second.exitcode] == [0, 0]
        all_once(tmp_path / "log", 2)
        assert contents(job.folder) == alone
        assert claims_in(tmp_path) == []
        found = [line for line in lines.read_text().splitlines() if "waiting for" in line and "being made" in line]
        assert len(found) == 1
        assert f"tiles: {held} feature files are being made by the process {first.pid} on " in found[0]

    @pytest.mark.parametrize("error", [RuntimeError("boom"), UserError("bad"), KeyboardInterrupt(), SystemExit(3)])
    def test_and_fails(self, tmp_path, work, alone, error):
        """Its error is its own, and the other makes what it has not made."""
        first, second, job, word, _ = work(error)
        with ended(first, second):
            word.set()
            first.join(PATIENCE_S)
            second.join(PATIENCE_S)
        assert second.exitcode == 0
        assert contents(job.folder) == alone
        assert claims_in(tmp_path) == []
        all_once(tmp_path / "log", 2)

    def test_and_is_killed(self, tmp_path, work, alone):
        first, second, job, _, lines = work()
        with ended(first, second):
            os.kill(first.pid, signal.SIGKILL)
            second.join(PATIENCE_S)
        assert second.exitcode == 0
        assert contents(job.folder) == alone
        assert claims_in(tmp_path, of_killed=True) == []
        assert f"the process {first.pid} on " in lines.read_text()

    def test_and_the_waiting_is_interrupted(self, tmp_path, work, alone):
        first, second, job, word, _ = work()
        with ended(first, second):
            held = claims_in(tmp_path)
            os.kill(second.pid, signal.SIGINT)
            second.join(PATIENCE_S)
            assert second.exitcode == 1
            assert claims_in(tmp_path) == held, "those of the other process"
            word.set()
            first.join(PATIENCE_S)
        assert first.exitcode == 0
        assert contents(job.folder) == alone
        assert claims_in(tmp_path) == []


@pytest.mark.slow
def test_kills_at_random_moments(tmp_path):
    """Of two processes on one dataset, one of which is started again each time."""
    found = kills.measure(tmp_path, 12)
    assert found.kills == 12
    assert found.bad == []
    assert found.redone == 0
    claimed = 17 * kills.BATCH_SIZE  # tiles of a process at most, if none of its files stood
    assert found.repeated <= found.kills * claimed


def test_a_process_that_was_killed_keeps_the_next_from_nothing(tmp_path, source, alone):
    log, began = tmp_path / "log", FORK.Event()
    killed = child(
        embedded, source, [make_job(tmp_path / "cache", Paused(log, began, FORK.Event()))], lambda line: None
    )
    with ended(killed):
        assert began.wait(PATIENCE_S)
    assert claims_in(tmp_path), "it held some"
    said, job = [], logged_job(tmp_path / "cache", log)
    [made] = embedded(source, [job], said.append).values()
    assert made.error is None
    assert contents(job.folder) == alone
    assert claims_in(tmp_path, of_killed=True) == []
    assert "ended before" in said[0]
    assert not [line for line in said if "being made" in line]


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


def test_a_large_shard_is_not_claimed_long_before_it_is_read(tmp_path, source):
    """Each takes minutes, and the last ones are for who is ready for them."""
    most = []

    class Looks(Means):
        def __call__(self, tiles):
            time.sleep(0.05)  # in which threads could claim all that they are allowed to
            most.append(len(claims_in(tmp_path)))
            return super().__call__(tiles)

    job = make_job(tmp_path, Looks())
    embed_small = {"shard_tiles": 10, "batch_size": 1}
    assert embedded(source, [job], lambda line: None, **embed_small)[job.key].error is None
    assert max(most) == 3, "16 tiles wait for the device at most, and the shard after them is not begun"


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
    """Tiles in memory, which can be opened once it is their turn."""

    def __init__(self, pixels, gone=None):
        self.pixels, self.shape, self.gone = pixels, pixels.shape[1:3], gone

    def __len__(self):
        return len(self.pixels)

    def __enter__(self):
        if self.gone is not None and not self.gone.exists():
            raise UserError(f"The slide {self.gone} does not exist.")
        return self

    def __exit__(self, *exception):
        pass

    def prepare(self):
        pass

    def open(self):
        return self

    def read_into(self, out, rows):
        from bench.tiles.batch import Exceptions

        out[:] = self.pixels[rows.start : rows.stop]
        return Exceptions()


from bench.embedding import EmbeddingSettings  # noqa: E402

HOW = EmbeddingSettings(batch_size=4, workers=1, progress=False)


class Encoder:
    """A stand-in for a slide encoder: the mean of a slide's tiles."""

    def __init__(self):
        from types import SimpleNamespace

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
    said = []
    with Claims(lambda line: None) as theirs:
        assert theirs.take(path, path.is_file)

        def say(line):
            said.append(line)
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
    assert len(said) == 1
    assert "slides: a feature file is being made by the process" in said[0]
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


def test_shards_stay_those_of_their_process(tmp_path, source):
    """With a barrier between them, as on several devices of one run, no process waits for another."""
    log = tmp_path / "log"
    shards = shards_of(source, 2)
    job = make_job(tmp_path, Logged(log))
    parts = [child(embed, shards[k::2], [job], HOW) for k in range(2)]
    with ended(*parts):
        for one in parts:
            one.join(PATIENCE_S)
    assert [one.exitcode for one in parts] == [0, 0]
    all_once(log, 2)
