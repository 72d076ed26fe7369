"""Several processes on the same shards: the work is done once, and whatever ends one of them, the others end well."""

import os
import signal

import numpy as np
import pytest
from claim_helpers import (
    FORK,
    PATIENCE_S,
    Logged,
    Meeting,
    Paused,
    all_once,
    child,
    claimed_and_made,
    claims_in,
    embedded,
    ended,
    lines_to,
    logged_job,
    until,
)
from embedding_helpers import Means, N, contents, expected, make_job

from bench.embedding import EmbeddingSettings, embed, shards_of
from bench.embedding.claims import Claims
from benchmarks import kills
from registry.errors import UserError

HOW = EmbeddingSettings(batch_size=4, workers=1, progress=False)


@pytest.fixture(autouse=True)
def _never_stale(monkeypatch):
    """So that a test which needs a claim to become stale by its heartbeat does not end."""
    monkeypatch.setattr(Claims.__init__, "__kwdefaults__", {"beat_s": 1e4, "stale_s": 1e5})


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

            def first_batch_is_written():
                claimed, made = claimed_and_made(job.folder)
                return made and not claimed & made

            # another thread writes what the first batch gave, and the second process would wait for this shard too
            until(first_batch_is_written, "the shard of the first batch is not finished")
            lines = tmp_path / "lines"
            second = child(embedded, source, [job], lines_to(lines))
            until(lambda: lines.exists() and "waiting" in lines.read_text(), "it is waited for and nobody says so")

            def each_is_claimed_or_made():
                claimed, made = claimed_and_made(job.folder)
                return len(claimed) + len(made) == len(claimed | made) == N // 2

            # the second says what it waits for while its own last file is written and its claim stands
            until(each_is_claimed_or_made, "a shard is neither made nor claimed, or it is both")
            return first, second, job, word, lines

        return begin

    def test_and_ends_well(self, tmp_path, work, alone):
        first, second, job, word, lines = work()
        with ended(first, second):
            held = len(claims_in(job.folder, of_killed=True))
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

    @pytest.mark.slow
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
            held = claims_in(tmp_path, of_killed=True)
            os.kill(second.pid, signal.SIGINT)
            second.join(PATIENCE_S)
            assert second.exitcode == 1
            assert claims_in(tmp_path, of_killed=True) == held, "those of the other process"
            word.set()
            first.join(PATIENCE_S)
        assert first.exitcode == 0
        assert contents(job.folder) == alone
        assert claims_in(tmp_path, of_killed=True) == []


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
    told, job = [], logged_job(tmp_path / "cache", log)
    [made] = embedded(source, [job], told.append).values()
    assert made.error is None
    assert contents(job.folder) == alone
    assert claims_in(tmp_path, of_killed=True) == []
    assert "ended before" in told[0]
    assert not [line for line in told if "being made" in line]


def test_processes_with_a_part_each(tmp_path, source):
    """As on several devices of one run."""
    log = tmp_path / "log"
    shards = shards_of(source, 2)
    job = make_job(tmp_path, Logged(log))
    parts = [child(embed, shards[k::2], [job], HOW) for k in range(2)]
    with ended(*parts):
        for one in parts:
            one.join(PATIENCE_S)
    assert [one.exitcode for one in parts] == [0, 0]
    all_once(log, 2)
