"""Processes that embed the same shards at once, with a stand-in that writes down each tile which it sees."""

import contextlib
import hashlib
import multiprocessing
import os
import time
from collections import Counter
from pathlib import Path

from embedding_helpers import Means, N, make_job

from bench.embedding import EmbeddingSettings, embed, shards_of

FORK = multiprocessing.get_context("fork")
PATIENCE_S = 300.0  # for which a process is waited for, on a machine that is busy or stands still


class Logged(Means):
    """Writes a line a tile to a file, with the process; copies that fill a batch up count once."""

    def __init__(self, log, scale=1.0, pause=0.0):
        super().__init__(scale, pause)
        self.log = log

    def __call__(self, tiles):
        seen = dict.fromkeys(hashlib.sha256(tile.numpy().tobytes()).hexdigest()[:16] for tile in tiles.contiguous())
        handle = os.open(self.log, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.write(handle, "".join(f"{tile} {os.getpid()}\n" for tile in seen).encode())
        os.close(handle)
        return super().__call__(tiles)


class Meeting(Logged):
    """Waits at its first batch for the same model in other processes."""

    def __init__(self, log, barrier):
        super().__init__(log)
        self.barrier = barrier

    def __call__(self, tiles):
        if not self.calls:
            self.barrier.wait(PATIENCE_S)
        return super().__call__(tiles)


class Paused(Logged):
    """Says that it has begun, waits for a word before its second batch, and then goes on or fails."""

    def __init__(self, log, began, word, error=None):
        super().__init__(log)
        self.began, self.word, self.error = began, word, error

    def __call__(self, tiles):
        if self.calls:
            self.began.set()
            assert self.word.wait(PATIENCE_S)
            if self.error is not None:
                raise self.error
        return super().__call__(tiles)


def seen(log):
    """How often each tile was embedded, and by how many processes any."""
    lines = [line.split() for line in Path(log).read_text().splitlines()] if Path(log).exists() else []
    return Counter(tile for tile, _ in lines), len({process for _, process in lines})


def embedded(source, jobs, say, *, shard_tiles=2, batch_size=2, lazy=False, **changes):
    """Embed, in this process."""
    how = EmbeddingSettings(batch_size=batch_size, workers=2, progress=False, say=say, **changes)
    shards = shards_of(source, shard_tiles)
    return embed(iter(shards) if lazy else shards, jobs, how, label="tiles")


def child(target, *arguments, **keywords):
    """A process that runs a function, begun."""
    started = FORK.Process(target=target, args=arguments, kwargs=keywords)
    started.start()
    return started


def lines_to(path):
    """What writes lines to a file, from any process."""

    def say(line):
        with open(path, "a") as file:
            file.write(f"{line}\n")

    return say


def until(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@contextlib.contextmanager
def ended(*processes):
    """None of the processes outlives the block."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def logged_job(cache, log, model="m", **how):
    return make_job(cache, Logged(log, **how), model)


def all_once(log, processes):
    counts, n = seen(log)
    assert n == processes
    assert len(counts) == N
    assert set(counts.values()) == {1}, "a tile was embedded twice"


def claims_in(folder, *, of_killed=False):
    """Claims and files that are half written, of which a process that is killed or still at work leaves some."""
    return sorted(folder.rglob("*.claim")) + ([] if of_killed else sorted(folder.rglob(".*.tmp")))


def claimed_and_made(folder):
    """Names of the shards with a claim and, looked up after them, of those with features.

    Of a shard that is finished between the two looks both are there, and so they are while its claim is removed.
    """
    claimed = {path.stem for path in claims_in(folder, of_killed=True)}
    return claimed, {path.stem for path in folder.rglob("*.h5")}
