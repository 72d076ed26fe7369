"""Records of jobs on disk: read back as they were written, and damaged ones named."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from job_records import LATER, SWEEP, add_sweep, key_of_run, record_of, running

from bench.jobs import JobRecord, Sweep, log_path, read_records, read_sweep, sweep_names, write_record, write_sweep
from bench.jobs.record import STATES, record_path
from registry.errors import UserError

TEXT = st.text(max_size=8)
ROWS = st.fixed_dictionaries(
    {
        **dict.fromkeys(("task", "model", "frontend", "protocol", "cohort", "head"), TEXT),
        **dict.fromkeys(("seed", "fold"), st.integers(0, 2**70)),
    },
    optional={"kind": TEXT, "primary_metric": TEXT, "baseline": st.booleans(), "track": TEXT},
)
RECORDS = st.builds(
    JobRecord,
    sweep=st.sampled_from([SWEEP, LATER]),
    number=st.integers(0, 10**6),
    task=TEXT,
    models=st.lists(TEXT, max_size=3).map(tuple),
    part=st.none() | TEXT,
    engine=TEXT,
    overrides=st.lists(TEXT, max_size=3).map(tuple),
    settings=TEXT,
    state=st.sampled_from(STATES),
    job_id=TEXT,
    host=TEXT,
    pid=st.integers(0, 2**31),
    starts=st.integers(0, 9),
    failures=st.lists(TEXT, max_size=3).map(tuple),
    rows=st.lists(ROWS, max_size=2).map(tuple),
)


@pytest.mark.slow
@given(record=RECORDS)
def test_any_record_comes_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, record: JobRecord) -> None:
    results = tmp_path_factory.mktemp("results")
    assert write_record(results, record) == record
    assert read_records(results) == ([record], [])


def test_names_of_files_that_are_no_utf_8_come_back(tmp_path: Path) -> None:
    record = record_of(overrides=("data=/x/\udcff.svs",), failures=("\x1b[31mred\n",))
    write_record(tmp_path, record)
    assert read_records(tmp_path) == ([record], [])


def test_records_lie_where_the_page_says_and_come_in_order(tmp_path: Path) -> None:
    for record in (record_of(sweep=LATER), record_of(11), record_of(2)):
        write_record(tmp_path, record)
    assert (tmp_path / f"sweeps/{SWEEP}/jobs/00011.json").is_file()
    assert log_path(tmp_path, record_of(11)) == tmp_path / f"sweeps/{SWEEP}/jobs/00011.log"
    assert [(one.sweep, one.number) for one in read_records(tmp_path)[0]] == [(SWEEP, 2), (SWEEP, 11), (LATER, 0)]
    assert [one.number for one in read_records(tmp_path, SWEEP)[0]] == [2, 11]
    assert sweep_names(tmp_path) == [SWEEP, LATER]


def test_a_folder_without_sweeps_has_no_records(tmp_path: Path) -> None:
    assert read_records(tmp_path) == ([], [])
    assert read_records(tmp_path / "nowhere", SWEEP) == ([], [])
    assert sweep_names(tmp_path / "nowhere") == []
    assert read_sweep(tmp_path, SWEEP) is None


def test_the_record_of_a_sweep_comes_back(tmp_path: Path) -> None:
    sweep = Sweep(SWEEP, "python -m bench sweep 'model=a,b'", "slurm", "5e771", "2026-11-22T04:10:33+00:00")
    write_sweep(tmp_path, sweep)
    assert read_sweep(tmp_path, SWEEP) == sweep
    path = tmp_path / "sweeps" / SWEEP / "sweep.json"
    path.write_text(path.read_text()[:-9])
    assert read_sweep(tmp_path, SWEEP) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema": 2}, "it is of schema 2, and this version reads 1"),
        ({"state": "lost"}, "its state is 'lost'"),
        ({"number": 4}, "it is the record of another job than its name says"),
        ({"sweep": LATER}, "it is the record of another job than its name says"),
        ({"number": "3"}, "number is '3'"),
        ({"starts": True}, "starts is True"),
        ({"pid": -1}, "pid is -1"),
        ({"models": "uni"}, "models is 'uni'"),
        ({"failures": [1]}, "failures is [1]"),
        ({"host": None}, "host is None"),
        ({"further": 1}, "further is missing or unknown"),
        ({"rows": [{"task": "tiles"}]}, "a row is {'task': 'tiles'}"),
        ({"rows": [{**dataclasses.asdict(key_of_run()), "baseline": "no"}]}, "a row is {"),
    ],
)
def test_a_damaged_record_is_named_and_the_others_are_read(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    add_sweep(tmp_path, [record_of(2), record_of(3)])
    path = record_path(tmp_path, SWEEP, 3)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    records, (sentence,) = read_records(tmp_path)
    assert [one.number for one in records] == [2]
    assert f"{path} ({reason}" in sentence
    assert "run the sweep again" in sentence


@pytest.mark.parametrize("content", ["", "{", "[" * 10_000, "[]", '{"schema": 1', "\x80", "null"])
def test_a_torn_record_is_named(tmp_path: Path, content: str) -> None:
    add_sweep(tmp_path, [record_of(2)])
    record_path(tmp_path, SWEEP, 2).write_bytes(content.encode("latin-1"))
    records, (sentence,) = read_records(tmp_path)
    assert records == []
    assert "00002.json (it is not " in sentence


def test_of_many_damaged_records_few_are_named(tmp_path: Path) -> None:
    add_sweep(tmp_path, [record_of(number) for number in range(30)])
    for number in range(30):
        record_path(tmp_path, SWEEP, number).write_text("{")
    _, (sentence,) = read_records(tmp_path)
    assert sentence.count(".json") == 20
    assert "; and 10 more." in sentence


def test_what_a_killed_writer_leaves_is_not_read(tmp_path: Path) -> None:
    add_sweep(tmp_path, [record_of(2)])
    path = record_path(tmp_path, SWEEP, 2)
    path.with_name(f".{path.name}.12345678.tmp").write_text("{")
    path.with_name(".00003.json").write_text("{")
    assert read_records(tmp_path) == ([record_of(2)], [])


def test_a_queued_record_does_not_replace_that_of_a_job_that_has_started(tmp_path: Path) -> None:
    """The id of a job is known after it was submitted, when it may run already."""
    started = running(job_id="77")
    write_record(tmp_path, started)
    assert write_record(tmp_path, record_of(job_id="77")) == started
    assert read_records(tmp_path) == ([started], [])
    waiting = record_of(1)
    write_record(tmp_path, waiting)
    write_record(tmp_path, dataclasses.replace(waiting, job_id="78"))
    assert read_records(tmp_path)[0][1].job_id == "78"


def test_lost_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'lost' is none of queued, running, done, failed"):
        write_record(tmp_path, record_of(state="lost"))


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "sweeps").write_text("a file")
    with pytest.raises(UserError, match="results=DIR"):
        write_record(tmp_path, record_of())
