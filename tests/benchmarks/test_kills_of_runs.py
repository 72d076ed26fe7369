"""The benchmark of killed runs sees a bad file where there is one, and none where runs were killed."""

import json
from functools import partial

import pytest

from bench.demo import make_tiles
from benchmarks import kills_of_runs as kills

FILES = {
    "cache/a.h5": b"features",
    "results/predictions/a.parquet": b"scores",
    "results/rows/a.json": json.dumps({"model": "m", "tiles_per_s": 1.0, "info": {"stages": {}}}).encode(),
    "results/leaderboard.csv": b"model,score,tiles_per_s\nm,0.5,1\n",
    "cache/times/a.jsonl": b"3",
    "cache/.a.h5.tmp": b"half",
}


def tree(folder, **changes):
    for name, content in {**FILES, **changes}.items():
        if content is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    return folder


def test_times_speeds_and_logs_are_no_difference(tmp_path):
    row = json.dumps({"model": "m", "tiles_per_s": 2.0, "info": {"stages": {"read": 1}}}).encode()
    other = {"results/rows/a.json": row, "results/leaderboard.csv": b"model,score,tiles_per_s\nm,0.5,9\n"}
    alone, own = tree(tmp_path / "alone"), tree(tmp_path / "own", **other, **{"cache/times/a.jsonl": b"4"})
    assert kills.faults(own, alone) == kills.faults(own, alone, complete=True) == []


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("cache/a.h5", b"featurez", "other bytes"),
        ("results/predictions/a.parquet", b"", "other bytes"),
        ("results/rows/a.json", b'{"model": "m"', "JSONDecodeError"),
        ("results/rows/a.json", b'{"model": "n", "info": {}}', "another row"),
        ("results/leaderboard.csv", b"model,score,tiles_per_s\nm,0.", "an incomplete table"),
        ("cache/b.h5", b"", "nobody else has it"),
    ],
)
def test_a_bad_file_is_named_at_once(tmp_path, name, content, fault):
    found = kills.faults(tree(tmp_path / "own", **{name: content}), tree(tmp_path / "alone"))
    assert len(found) == 1
    assert name in found[0]
    assert fault in found[0]


def test_what_is_missing_or_another_table_is_named_at_the_end(tmp_path):
    changes = {"cache/a.h5": None, "results/leaderboard.csv": b"model,score,tiles_per_s\nm,0.4,1\n"}
    own, alone = tree(tmp_path / "own", **changes), tree(tmp_path / "alone")
    assert kills.faults(own, alone) == []
    assert [fault.rpartition(": ")[2] for fault in kills.faults(own, alone, complete=True)] == [
        "missing",
        "another table",
    ]


@pytest.mark.slow
def test_killed_runs_leave_no_bad_file(tmp_path):
    data = make_tiles(tmp_path / "data", patients=8, tiles_per_patient=6)
    found = kills.measure(tmp_path / "runs", partial(kills.run_on_tiles, data), 4, cache=True)
    assert found.kills == 4
    assert found.bad == []
    assert found.files > 0
