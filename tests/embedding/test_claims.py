"""Claims of one process on files: who gets them, when they are stale, and that they never keep anybody from working."""

import json
import multiprocessing
import os
import signal
import time
from types import SimpleNamespace

import pytest
from claim_helpers import PATIENCE_S, until
from hypothesis import given
from hypothesis import strategies as st

from bench.embedding import claims as module
from bench.embedding.claims import BEAT_S, NAMELESS_S, STALE_S, SURE_S, Claims
from bench.embedding.process import is_alive, this_process
from bench.embedding.store import sweep

HOUR = 3600.0
ELSEWHERE = {"host": "node7", "machine": "node7 another-boot", "pid": 4711, "started": "1", "job": "12_3"}


class Machine:
    """Clocks that a test moves: one that counts on, and that of the file system, which is `ahead` of this machine's."""

    def __init__(self, monkeypatch, ahead=0.0):
        self.now, self.ahead = time.time(), ahead
        self.while_asleep = lambda: None
        monkeypatch.setattr(module, "file_system_now", lambda folder: self.now + self.ahead)
        monkeypatch.setattr(
            module,
            "time",
            SimpleNamespace(monotonic=lambda: self.now - 1e9, time=time.time, sleep=self.sleep),
        )

    def sleep(self, seconds):
        self.now += seconds
        self.while_asleep()


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


@pytest.fixture
def told():
    return []


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.h5"


def foreign(path, touched, text=None):
    """The claim of a process of another machine on a feature file."""
    claim = path.with_suffix(".claim")
    claim.write_bytes(json.dumps(ELSEWHERE).encode() if text is None else text)
    os.utime(claim, (touched, touched))
    return claim


def test_a_file_has_one_maker_until_it_stands(path, told):
    with Claims(told.append) as one, Claims(told.append) as other:
        assert one.take(path, path.is_file)
        assert one.take(path, path.is_file), "its own already"
        assert not other.take(path, path.is_file)
        assert other.is_aside(path)
        assert [p.name for p in path.parent.iterdir()] == ["a.claim"]
        path.touch()
        one.release(path)
        assert not path.with_suffix(".claim").exists()
        assert other.wait() is False
        assert not other.is_aside(path)
        assert not other.take(path, path.is_file)
    assert [p.name for p in path.parent.iterdir()] == ["a.h5"]
    assert told == []


def test_a_waiting_process_takes_over_a_released_file(path, told):
    with Claims(told.append) as one, Claims(told.append, "pcam") as other:
        assert one.take(path, path.is_file)
        assert not other.take(path, path.is_file)
        one.give_up(path.parent)
        assert other.wait() is True
        assert not one.take(path, path.is_file)
        one.give_up(path.parent)
        assert one.wait() is False, "a model that failed waits for nothing"


def test_a_file_that_was_finished_between_two_looks_is_not_made_again(path, told):
    looks = iter([False, True])
    with Claims(told.append) as claims:
        assert not claims.take(path, lambda: next(looks))
        assert list(path.parent.iterdir()) == [], "nor is it claimed"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_whatever_ends_a_process_removes_its_claims(path, told, error):
    def work():
        with Claims(told.append) as claims:
            assert claims.take(path, path.is_file)
            assert path.with_suffix(".claim").exists()
            raise error

    with pytest.raises(error):
        work()
    assert list(path.parent.iterdir()) == []


def test_the_process_waited_for_is_reported_once(path, machine, told):
    foreign(path, machine.now)
    looks = []

    def finish():
        looks.append(machine.now)
        foreign(path, machine.now)
        if len(looks) == 40:
            path.touch()

    machine.while_asleep = finish
    with Claims(told.append, "pcam") as claims:
        assert not claims.take(path, path.is_file)
        assert claims.wait() is False
    assert told == [
        "pcam: a feature file is being made by the process 4711 on node7, job 12_3: waiting for it",
    ]
    assert looks[1] - looks[0] < 1 < looks[-1] - looks[-2] <= 5, "a file system is not asked all the time"


class TestStale:
    """Of another machine, whose processes cannot be looked up."""

    @given(
        wrong=st.floats(-2.9 * HOUR, 2.9 * HOUR),
        pauses=st.lists(st.floats(0.1, 2 * BEAT_S), min_size=1, max_size=25),
        looks=st.floats(0.5, 2 * BEAT_S),
    )
    def test_a_process_that_lives_keeps_its_claim_however_wrong_its_clock_is(
        self, tmp_path_factory, wrong, pauses, looks
    ):
        path = tmp_path_factory.mktemp("claims") / "a.h5"
        with pytest.MonkeyPatch.context() as patch:
            machine = Machine(patch)
            beats = [machine.now + sum(pauses[:i]) for i in range(len(pauses) + 1)]
            claim = foreign(path, beats[0] + wrong)
            with Claims(lambda line: None) as claims:
                while machine.now < beats[-1]:
                    for beat in beats:
                        if machine.now - looks < beat <= machine.now:
                            os.utime(claim, (beat + wrong, beat + wrong))
                    assert not claims.take(path, path.is_file)
                    machine.now += looks
        assert json.loads(claim.read_text()) == ELSEWHERE

    @given(wrong=st.floats(-9 * HOUR, 9 * HOUR), own=st.floats(-2 * HOUR, 2 * HOUR))
    def test_the_claim_of_one_that_ended_is_taken_over_whatever_the_clocks_say(self, tmp_path_factory, wrong, own):
        path = tmp_path_factory.mktemp("claims") / "a.h5"
        with pytest.MonkeyPatch.context() as patch:
            machine = Machine(patch, ahead=own)
            claim = foreign(path, machine.now + wrong)
            began = machine.now
            with Claims(lambda line: None) as claims:
                assert claims.take(path, path.is_file) or claims.wait()
                assert json.loads(claim.read_text())["pid"] == os.getpid()
            assert machine.now - began <= STALE_S + 6

    @pytest.mark.parametrize(
        ("age", "patience"),
        [(SURE_S + 60, 0), (STALE_S + 1, 2.25 * BEAT_S), (HOUR, 2.25 * BEAT_S), (5.0, STALE_S - 5), (-HOUR, STALE_S)],
    )
    def test_what_is_old_by_the_clock_of_the_file_system_is_watched_for_a_shorter_time(
        self, path, machine, told, age, patience
    ):
        machine.ahead = -HOUR  # the clock of this machine does not matter
        foreign(path, machine.now + machine.ahead - age)
        with Claims(told.append) as claims:
            if patience:
                assert not claims.take(path, path.is_file)
                machine.now += patience - 1
                assert not claims.take(path, path.is_file)
                machine.now += 2
            assert claims.take(path, path.is_file)
        assert told[-1].startswith("the process 4711 on node7, job 12_3 ended before a was complete")
        assert list(path.parent.iterdir()) == []

    @pytest.mark.parametrize("text", [b"", b"?", b"[1]", b'{"pid": "x"}', b'{"pid": -1}', b"\xff\xfe"])
    def test_a_claim_that_says_nothing(self, path, machine, told, text):
        """A process was killed between making and writing it, or another program writes such files."""
        foreign(path, machine.now, text)
        with Claims(told.append) as claims:
            assert not claims.take(path, path.is_file)
            machine.now += NAMELESS_S + 1
            assert claims.take(path, path.is_file) == (text == b"")
            machine.now += STALE_S
            assert claims.take(path, path.is_file)


class TestOfThisMachine:
    def hold(self, path, ready):
        with Claims(lambda line: None) as claims:
            assert claims.take(path, path.is_file)
            ready.set()
            time.sleep(600)

    @pytest.mark.parametrize("reaped", [True, False])
    def test_the_claim_of_a_killed_process_is_taken_at_once(self, path, told, reaped):
        fork = multiprocessing.get_context("fork")
        ready = fork.Event()
        child = fork.Process(target=self.hold, args=(path, ready))
        child.start()
        assert ready.wait(PATIENCE_S)
        with Claims(told.append) as claims:
            assert not claims.take(path, path.is_file)
            child.kill()
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            if reaped:
                child.join()
            assert claims.take(path, path.is_file), "and so it is if nobody asked for its exit code yet"
        child.join()
        assert child.exitcode == -signal.SIGKILL
        (line,) = told
        assert f"the process {child.pid} on " in line

    def test_another_process_that_got_the_number_of_an_ended_one_holds_nothing(self, path, machine, told):
        old = {**this_process(), "started": "1"}
        foreign(path, machine.now, json.dumps(old).encode())
        with Claims(told.append) as claims:
            assert claims.take(path, path.is_file)

    def test_a_process_that_stands_still_loses_its_claim(self, path, machine, told):
        """As one that Slurm suspended: it lives, and does not beat."""
        foreign(path, machine.now, json.dumps(this_process()).encode())
        with Claims(told.append) as claims:
            assert not claims.take(path, path.is_file)
            assert claims.wait() is True
        assert told[0].endswith("waiting for it")

    def test_who_lives(self, monkeypatch):
        monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "7")
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
        own = this_process()
        assert own["job"] == "7_3"
        assert is_alive(own) is True
        assert is_alive({**own, "pid": 2**22 + 1}) is False, "beyond the largest number of a process"
        assert is_alive({**own, "machine": "other"}) is None
        assert is_alive({}) is None


def test_the_heartbeat(path, tmp_path, told):
    taken_over = tmp_path / "b.h5"
    with Claims(told.append, beat_s=0.01) as claims:
        for own in (path, taken_over):
            assert claims.take(own, own.is_file)
        other = taken_over.with_suffix(".claim")
        replacement = tmp_path / "new"
        replacement.write_text("of another process")
        os.utime(replacement, (0, 0))
        replacement.rename(other)
        claim = path.with_suffix(".claim")

        def beats(number):
            for _ in range(number):
                os.utime(claim, (0, 0))
                until(lambda: claim.stat().st_mtime, "nobody touches it")

        beats(2)  # one may have looked at the other claim just before it was replaced, and then touched it
        os.utime(other, (0, 0))
        beats(3)
        assert other.stat().st_mtime == 0, "it is no more ours to touch"
    assert [p.name for p in tmp_path.iterdir()] == ["b.claim"], "nor to remove"


def test_two_that_take_over_the_same_claim(path, machine, told, monkeypatch):
    """Both found it stale; the second renames what is the new claim of the first by then."""
    foreign(path, 0.0)
    plain = os.rename
    with Claims(told.append) as first, Claims(told.append) as second:

        def too_late(source, target):
            monkeypatch.setattr(os, "rename", plain)
            assert first.take(path, path.is_file)
            plain(source, target)

        monkeypatch.setattr(os, "rename", too_late)
        assert not second.take(path, path.is_file)
        assert second.is_aside(path)
        assert path.with_suffix(".claim").read_bytes() == first._text
        assert [p.name for p in path.parent.iterdir()] == ["a.claim"]


@pytest.mark.parametrize("where", ["open", "write"])
@pytest.mark.parametrize("number", [13, 28, 30, 95])  # EACCES, ENOSPC, EROFS, ENOTSUP
def test_where_no_claim_can_be_made_everybody_works(path, told, monkeypatch, where, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, where, refuse)
    with Claims(told.append) as one, Claims(told.append) as other:
        assert one.take(path, path.is_file)
        assert other.take(path, path.is_file)
        one.release(path)
    assert list(path.parent.iterdir()) == []
    assert told == []


def test_a_stale_claim_in_a_folder_that_cannot_be_written(path, told, monkeypatch):
    claim = foreign(path, 0.0)

    def read_only(*_):
        raise OSError(30, os.strerror(30))

    monkeypatch.setattr(os, "rename", read_only)
    with Claims(told.append) as claims:
        assert claims.take(path, path.is_file)
    assert claim.exists()


@pytest.mark.parametrize(("off", "word"), [(HOUR, "ahead of"), (-HOUR, "behind"), (10.0, "")])
def test_a_wrong_clock_is_reported_once(tmp_path, told, monkeypatch, off, word):
    plain = time.time
    monkeypatch.setattr(time, "time", lambda: plain() + off)
    with Claims(told.append, "pcam") as claims:
        for name in "ab":
            assert claims.take(tmp_path / f"{name}.h5", lambda: False)
    assert len(told) == bool(word)
    if word:
        assert f"pcam: the clock of this machine is 60 minutes {word}" in told[0]
        assert str(tmp_path) in told[0]


def test_claims_that_nobody_came_upon_go_after_a_day(path):
    old, young = foreign(path, time.time() - 25 * HOUR), foreign(path.with_name("b.h5"), time.time() - HOUR)
    sweep(path.parent)
    assert not old.exists()
    assert young.exists()
