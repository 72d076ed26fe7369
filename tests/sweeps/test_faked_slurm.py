"""What is sent to Slurm and what its answers become, with small scripts in place of its commands."""

import os
import re
import stat

import pytest
from sweep_commands import bench, records, refused

pytestmark = pytest.mark.usefixtures("forget")
SLURM = ("site=slurm", "hydra.launcher.gpus_per_node=0", "task=one", "null=none")


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Write a command of Slurm into a folder that is alone on the PATH but for the system's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{_without_slurm(tmp_path)}")

    def write(name, text):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return write


def _without_slurm(folder):
    """A folder with the few commands of the system that the scripts need."""
    system = folder / "system"
    system.mkdir()
    for name in ("sh", "cat", "mkdir", "cp", "ls", "wc", "id"):
        (system / name).symlink_to(next(path for path in (f"/usr/bin/{name}", f"/bin/{name}") if os.path.exists(path)))
    return system


def accepting(slurm, folder, max_array="1001"):
    """A Slurm that takes every job, saves its script, and forgets it at once."""
    slurm("srun", "exit 0")
    slurm("squeue", "exit 0")
    slurm("scontrol", f'echo "MaxArraySize            = {max_array}"')
    number = f"mkdir -p {folder}; n=$(ls {folder} | wc -l)"
    slurm("sbatch", f'{number}; cp "$1" {folder}/$n.sh; echo "Submitted batch job $((n + 7))"')


def scripts(folder):
    return [path.read_text() for path in sorted(folder.glob("*.sh"))]


def flags(script):
    return dict(re.findall(r"^#SBATCH --([a-z-]+)=(.*)$", script, re.MULTILINE))


@pytest.fixture
def quickly(monkeypatch):
    monkeypatch.setattr("bench.sweeps.waiting.GRACE_S", 0.1)
    monkeypatch.setattr("bench.sweeps.waiting.FASTEST_S", 0.1)


def test_without_slurm_nothing_is_planned(slurm, common, tmp_path):
    done = bench(tmp_path, "sweep", *SLURM, *common, "model=tiny_a")

    refused(done, "site=slurm needs Slurm", "no sbatch on this machine", "site=laptop")
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("words", "more", "parts"),
    [
        (
            "sbatch: error: invalid partition specified: nowhere\nsbatch: error: Batch job submission failed: Invalid "
            "partition name specified",
            ("hydra.launcher.partition=nowhere",),
            ("invalid partition specified: nowhere", "submitted with partition=nowhere", "conf/site/slurm.yaml"),
        ),
        (
            "sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified",
            ("hydra.launcher.account=nobody",),
            ("Invalid account or account/partition combination", "account=nobody", "hydra.launcher.account=NAME"),
        ),
    ],
)
def test_an_sbatch_error_is_shown_and_leaves_no_records(slurm, common, tmp_path, words, more, parts):
    accepting(slurm, tmp_path / "sent")
    slurm("sbatch", f"cat >&2 <<'END'\n{words}\nEND\nexit 1")
    done = bench(tmp_path, "sweep", *SLURM, *common, *more, "model=tiny_a")

    refused(done, *parts)
    assert not list((tmp_path / "results" / "sweeps").iterdir())


def test_an_array_for_all_jobs_with_the_settings_of_the_site(slurm, common, tmp_path, quickly):
    accepting(slurm, tmp_path / "sent")
    site = ("hydra.launcher.partition=gpu", "hydra.launcher.account=lab", "hydra.launcher.setup=[module load cuda]")
    bench(tmp_path, "sweep", *SLURM, *common, *site, "jobs_at_once=1", "model=tiny_a,tiny_b")

    [script] = scripts(tmp_path / "sent")
    sent = flags(script)
    assert (sent["partition"], sent["account"], sent["array"], sent["time"]) == ("gpu", "lab", "0-1%1", "1440")
    assert (sent["cpus-per-task"], sent["mem"], sent["job-name"]) == ("8", "64GB", "pfmbench")
    assert sent["signal"] == "USR2@120"
    assert "module load cuda" in script
    assert "gpus" not in " ".join(sent)
    assert "dependency" not in sent


def test_shards_are_an_array_that_the_heads_wait_for(slurm, common, tmp_path, quickly):
    accepting(slurm, tmp_path / "sent")
    done = bench(tmp_path, "sweep", *SLURM, *common, "shards=3", "model=tiny_a,tiny_b")

    parts, heads = map(flags, scripts(tmp_path / "sent"))
    assert "2 of them after 3 jobs each that embed parts" in done.stderr
    assert (parts["array"], heads["array"]) == ("0-5%6", "0-1%2")
    assert heads["dependency"] == "afterany:7"
    found = records(tmp_path / "results")
    assert {name[-1] for name in found if len(name) == 3} == {"1/3", "2/3", "3/3"}
    assert found["tiny_a", "one", "2/3"].job_id == "7_1"
    assert found["tiny_b", "one"].job_id == "8_1"


def test_an_array_longer_than_the_site_allows_is_split(slurm, common, tmp_path, quickly):
    accepting(slurm, tmp_path / "sent", max_array="2")
    bench(tmp_path, "sweep", *SLURM, *common, "shards=3", "model=tiny_a")

    sent = [flags(script) for script in scripts(tmp_path / "sent")]
    assert [one.get("array") for one in sent] == ["0-1%2", None, None]
    assert sent[2]["dependency"] == "afterany:7:8"


def test_a_job_that_ends_without_a_word_names_the_file_system(slurm, common, tmp_path, quickly):
    accepting(slurm, tmp_path / "sent")
    done = bench(tmp_path, "sweep", *SLURM, *common, "model=tiny_a,tiny_b")

    assert done.returncode == 2
    assert len(done.sentences) == 2
    for number, sentence in enumerate(done.sentences):
        assert sentence.startswith(f"Job {number} (tiny_")
        assert "it never started its work" in sentence
        assert f"does not see {tmp_path / 'results'}" in sentence


@pytest.mark.slow
def test_the_device_of_the_plan_is_that_of_the_jobs(slurm, common, tmp_path, quickly):
    accepting(slurm, tmp_path / "sent")
    without = ("device=", "hydra.launcher.gpus_per_node=")
    own = [text for text in (*SLURM, *common, "model=tiny_a") if not text.startswith(without)]
    for gpus, device in ((1, "cuda"), (2, "all"), (0, "cpu")):
        results = f"results={device}"
        bench(tmp_path, "sweep", *own, results, f"cache={device}_cache", f"hydra.launcher.gpus_per_node={gpus}")
        [record] = records(tmp_path / device).values()
        assert f"device={device}" in record.overrides


def test_an_array_that_is_refused_after_another_was_taken_is_a_line_a_job(slurm, common, tmp_path, quickly):
    accepting(slurm, tmp_path / "sent", max_array="2")
    taken = (tmp_path / "bin" / "sbatch").read_text().removeprefix("#!/bin/sh\n")
    limit = "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy"
    slurm("sbatch", f"if [ -e {tmp_path / 'sent'} ]; then echo '{limit}' >&2; exit 1; fi\n{taken}")
    done = bench(tmp_path, "sweep", *SLURM, *common, "model=tiny_a,tiny_b,tiny_faulty")

    assert done.returncode == 2
    assert len(scripts(tmp_path / "sent")) == 1
    assert [sentence for sentence in done.sentences if "QOS policy" in sentence] == [done.sentences[-1]]
    states = {name[0]: record.state for name, record in records(tmp_path / "results").items()}
    assert states == {"tiny_a": "queued", "tiny_b": "queued", "tiny_faulty": "failed"}


def test_why_jobs_are_not_started_is_told_once(slurm, common, tmp_path, quickly, monkeypatch):
    monkeypatch.setattr("bench.sweeps.waiting.REASONS_S", 0.0)
    accepting(slurm, tmp_path / "sent")
    asked = tmp_path / "asked"
    asked.mkdir()
    reasons = f"mkdir {asked}/$(ls {asked} | wc -l); echo 7_0 PartitionConfig; echo 7_1 PartitionConfig"
    slurm("squeue", f'case "$*" in *%r*) {reasons};; *) [ -d {asked}/2 ] || {{ echo 7_0; echo 7_1; }};; esac')
    done = bench(tmp_path, "sweep", *SLURM, *common, "model=tiny_a,tiny_b")

    told = [line for line in done.stderr.splitlines() if "PartitionConfig" in line]
    assert len(told) == 1
    assert told[0].startswith("not started: jobs 0, 1, as Slurm says PartitionConfig.")


def test_a_wait_that_is_interrupted_says_that_the_jobs_go_on(slurm, common, tmp_path, monkeypatch):
    accepting(slurm, tmp_path / "sent")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.sweeps.command.wait_for", interrupted)
    done = bench(tmp_path, "sweep", *SLURM, *common, "model=tiny_a")

    refused(done, "the jobs go on", "python -m bench status results=results", "python -m bench report results=results")
    [record] = records(tmp_path / "results").values()
    assert (record.state, record.job_id) == ("queued", "7")
