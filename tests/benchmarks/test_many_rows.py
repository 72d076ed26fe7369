"""The folder of many rows is up to date by a real plan, and a job reads of it its own rows and no others."""

from pathlib import Path

import pytest

from benchmarks import scaling
from benchmarks.many_jobs import counted
from benchmarks.many_rows import fill, make_folder, planned_runs


@pytest.mark.slow
def test_a_job_whose_rows_stand_reads_its_own_rows_and_lists_nothing(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, models=4, tasks=2, heads=2, seeds=2, samples=20)
    assert fill(folder, 20) == 4 * 2 * 2 * 2
    assert all(run.is_done(features) for run, features in planned_runs(folder))
    found = counted(folder, folder.results)
    assert (found["rows"], found["predictions"], found["listed"]) == (4, 4, 0)
    assert found["others"] <= 1  # that the folder can be written is tried


def test_the_tables_of_scaling_follow_from_the_sizes() -> None:
    sizes = scaling.Sizes()
    text = list(scaling.lines(sizes))
    (tcga,) = (line for line in text if line.startswith("| TCGA | 330,000 |"))
    assert "| 6.64 TB |" in tcga
    assert scaling.of_slide(sizes, 1024) == pytest.approx(11_376 + 104_000_000 / 10_678 * 2064)
    assert scaling.bytes_of(1_500_000) == "1.5 MB"
