"""What Slurm refuses is one sentence with its own words, and leaves no sweep behind that another would meet."""

import pytest
from private_slurm import free_ports
from sweep_helpers import SLURM, bench, records

ONE = ("model=watched_0", "task=one")


def refusal(done):
    """The sentences of a command that was refused."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("pfmbench: ")]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("hydra.launcher.partition=nowhere", "invalid partition specified: nowhere"),
        ("hydra.launcher.gpus_per_node=1", "Invalid generic resource (gres) specification"),
    ],
)
def test_what_the_site_does_not_have(slurm, cohorts, tmp_path, setting, words):
    [said] = refusal(bench(slurm, tmp_path, "sweep", *SLURM, setting, *ONE, *cohorts))
    assert words in said
    assert "hydra.launcher.partition" in said
    assert records(tmp_path) == []


def test_a_controller_that_does_not_answer(slurm, cohorts, tmp_path, monkeypatch):
    [port] = free_ports(1)
    text = (slurm.root / "conf" / "slurm.conf").read_text()
    lines = [line for line in text.splitlines() if not line.startswith(("SlurmctldPort", "MessageTimeout"))]
    (tmp_path / "slurm.conf").write_text("\n".join([*lines, f"SlurmctldPort={port}", "MessageTimeout=2", ""]))
    monkeypatch.setitem(slurm.environment, "SLURM_CONF", str(tmp_path / "slurm.conf"))
    [said] = refusal(bench(slurm, tmp_path, "sweep", *SLURM, *ONE, *cohorts))
    assert "contact slurm controller" in said
