"""The times of many feature files are in few files, and no process spoils what another one notes."""

import json
import multiprocessing
import os

import pytest
from embedding_helpers import Means, N, contents, make_job, run

from bench.embedding import times_of
from bench.embedding.times import StageTimes
from bench.embedding.times_log import read_times, write_times
from registry.errors import UserError


def note(folder, first, count):
    for number in range(first, first + count):
        write_times(folder / f"{number}.h5", StageTimes(number, forward=1.0))


def logs(folder):
    return sorted((folder / "times").iterdir())


def test_a_folder_of_features_has_one_file_more_and_not_one_a_shard(tmp_path, source):
    job = make_job(tmp_path, Means())
    (made,) = run(source, job, shard_tiles=5)
    assert len(contents(job.folder)) == N // 5
    assert sum(path.is_file() for path in job.folder.rglob("*")) == N // 5 + 1
    assert made.times.tiles == N
    assert {read_times(path).tiles for path in job.folder.glob("*.h5")} == {5}


def test_each_process_has_a_log_of_its_own(tmp_path):
    note(tmp_path, 0, 3)
    children = [
        multiprocessing.get_context("fork").Process(target=note, args=(tmp_path, first, 50)) for first in (3, 53)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    assert len(logs(tmp_path)) == 3
    assert times_of(tmp_path / f"{number}.h5" for number in range(103)).tiles == sum(range(103))


def test_what_was_noted_last_counts_and_half_a_line_is_left_out(tmp_path):
    file = tmp_path / "a.h5"
    write_times(file, StageTimes(3, forward=1.0))
    assert read_times(file) == StageTimes(3, forward=1.0)
    write_times(file, StageTimes(3, forward=2.0))
    assert read_times(file).forward == 2.0
    (log,) = logs(tmp_path)
    os.utime(log, ns=(0, 0))
    killed = tmp_path / "times" / "other.jsonl"
    killed.write_text(json.dumps({"file": "a.h5", **StageTimes(3, forward=4.0).as_dict()}) + '\n{"file": "b.h5", "ti')
    assert read_times(file).forward == 4.0
    assert read_times(tmp_path / "b.h5") == StageTimes()
    assert times_of([]) == StageTimes()


def test_times_of_an_earlier_version_beside_the_file_are_read(tmp_path):
    (tmp_path / "a.timing.json").write_text(json.dumps(StageTimes(3, forward=1.0).as_dict()))
    (tmp_path / "b.timing.json").write_text("{")
    assert read_times(tmp_path / "a.h5") == StageTimes(3, forward=1.0)
    assert read_times(tmp_path / "b.h5") == StageTimes()
    write_times(tmp_path / "a.h5", StageTimes(3, forward=2.0))
    assert read_times(tmp_path / "a.h5").forward == 2.0


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "times").write_text("")
    with pytest.raises(UserError, match=r"times cannot be written .*cache=DIR"):
        write_times(tmp_path / "a.h5", StageTimes())
