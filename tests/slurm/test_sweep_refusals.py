"""What Slurm refuses is one sentence with its own words, and leaves nothing that would stop the next sweep."""

import pytest
from private_slurm import MAX_ARRAY_SIZE, free_ports
from sweep_helpers import SLURM, bench
from watched_models import NAMES, embedded

ONE = ("model=watched_0", "task=one")


def refusal(done):
    """The sentences of a command that was refused."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("pfmbench: ")]


def test_a_partition_that_does_not_exist(slurm, cohorts, tmp_path):
    nowhere = (*SLURM, "hydra.launcher.partition=nowhere")
    [said] = refusal(bench(slurm, tmp_path, "sweep", *nowhere, *ONE, *cohorts))
    assert "invalid partition specified: nowhere" in said
    assert "hydra.launcher.partition" in said

    done = bench(slurm, tmp_path, "sweep", *SLURM, *ONE, *cohorts)
    assert done.returncode == 0, done.stderr
    assert embedded(tmp_path, "watched_0") > 0


def test_more_cpus_than_a_node_has(slurm, cohorts, tmp_path):
    [said] = refusal(bench(slurm, tmp_path, "sweep", *SLURM, "hydra.launcher.cpus_per_task=999", *ONE, *cohorts))
    assert "Requested node configuration is not available" in said


def test_a_controller_that_does_not_answer(slurm, cohorts, tmp_path, monkeypatch):
    [port] = free_ports(1)
    text = (slurm.root / "conf" / "slurm.conf").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("SlurmctldPort")]
    (tmp_path / "slurm.conf").write_text("\n".join([*lines, f"SlurmctldPort={port}", "MessageTimeout=2", ""]))
    monkeypatch.setitem(slurm.environment, "SLURM_CONF", str(tmp_path / "slurm.conf"))
    [said] = refusal(bench(slurm, tmp_path, "sweep", *SLURM, *ONE, *cohorts))
    assert "contact slurm controller" in said


@pytest.mark.parametrize("n_jobs", [MAX_ARRAY_SIZE, MAX_ARRAY_SIZE + 1])
def test_an_array_up_to_the_limit_of_the_site(slurm, cohorts, tmp_path, n_jobs):
    several = (f"model={','.join(NAMES[:n_jobs])}", "task=one", *cohorts)
    done = bench(slurm, tmp_path, "sweep", *SLURM, *several)
    assert done.returncode == 0, done.stderr
