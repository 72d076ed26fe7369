"""The times of many feature files are in few files, and no process spoils what another one notes."""

import json
import multiprocessing
import os
import zlib

import pytest
from embedding_helpers import Means, N, contents, make_job, run

from bench.embedding import times_of
from bench.embedding.times import StageTimes
from bench.embedding.times_log import read_times, write_times


def note(folder, first, count):
    for number in range(first, first + count):
        write_times(folder / f"{number}.h5", StageTimes(number, forward=1.0))


def logs(folder):
    return sorted((folder / "times").iterdir())


def test_a_folder_of_features_has_two_files_more_and_not_one_a_shard(tmp_path, source):
    job = make_job(tmp_path, Means())
    (made,) = run(source, job, shard_tiles=5)
    assert len(contents(job.folder)) == N // 5
    others = {path.name for path in job.folder.rglob("*") if path.is_file()} - contents(job.folder).keys()
    assert others == {"verified.json", logs(job.folder)[0].name}
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
    other, note = tmp_path / "other" / "a.h5", StageTimes(3, forward=4.0)
    other.parent.mkdir()
    write_times(other, note)
    killed.write_text(logs(other.parent)[0].read_text() + '{"file": "b.h5", "ti')
    assert read_times(file).forward == 4.0
    assert read_times(tmp_path / "b.h5") == StageTimes()
    assert times_of([]) == StageTimes()


@pytest.mark.parametrize("value", [float("inf"), float("nan"), -1, 10**400, True, "x", None, [1], {}])
@pytest.mark.parametrize("name", ["tiles", "read", "halved", "file"])
def test_a_line_that_holds_no_times_is_left_out(tmp_path, name, value):
    note(tmp_path, 0, 1)
    text = json.dumps({"file": "0.h5", **StageTimes(3, forward=4.0).as_dict(), name: value})
    (log,) = logs(tmp_path)
    with log.open("a") as opened:
        opened.write(f"{text}\t{zlib.crc32(text.encode()):08x}\n")
    assert read_times(tmp_path / "0.h5") == StageTimes(0, forward=1.0)


def test_a_changed_digit_a_missing_checksum_and_a_binary_log_are_no_times(tmp_path):
    note(tmp_path, 5, 1)
    (log,) = logs(tmp_path)
    line = log.read_text()
    for damaged in (line.replace("5,", "6,"), line.partition("\t")[0] + "\n", "[" * 100_000, "\0\udcff"):
        log.write_bytes(damaged.encode(errors="surrogateescape"))
        assert read_times(tmp_path / "5.h5") == StageTimes(), damaged[:80]


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "times").write_text("")
    write_times(tmp_path / "a.h5", StageTimes(3))
    assert read_times(tmp_path / "a.h5") == StageTimes()
