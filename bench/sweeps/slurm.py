"""The site slurm: arrays of jobs on a cluster, by submitit with the settings of hydra-submitit-launcher."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.jobs import sweep_folder, write_record
from bench.sweeps.work import Work
from registry.errors import UserError

ANSWER_S = 60  # that Slurm's commands may take
USUAL_ARRAY = 1001  # Slurm's default of MaxArraySize


def check_slurm() -> None:
    """Raise `UserError` where there is no Slurm."""
    missing = [name for name in ("sbatch", "srun", "squeue") if shutil.which(name) is None]
    if missing:
        raise UserError(
            f"site=slurm needs Slurm, and there is no {missing[0]} on this machine: start the sweep on a login node of "
            "the cluster, or take site=laptop or site=local."
        )


def arrays(works: Sequence[Work]) -> list[Sequence[Work]]:
    """The jobs in as few arrays as the cluster allows."""
    longest = longest_array() if works else 1
    return [works[start : start + longest] for start in range(0, len(works), longest)]


def submit(works: Sequence[Work], launcher: Mapping[str, Any], at_once: int | None, after: Sequence[str]) -> str:
    """Submit jobs as one array; gives its id.

    Parameters
    ----------
    launcher : mapping
        Settings of hydra-submitit-launcher's Slurm launcher.
    at_once : int or None
        Jobs of an array that run at a time; None is what the launcher says.
    after : sequence of str
        Ids of arrays that must have ended, well or not, before these jobs start.

    Raises
    ------
    UserError
        If Slurm refuses them, in its own words.
    """
    import submitit

    settings = dict(launcher) | ({"array_parallelism": at_once} if at_once else {})
    results = Path(works[0].config.results)
    folder = sweep_folder(results, works[0].record.sweep).absolute() / ".submitit" / "%j"
    try:
        executor = submitit.AutoExecutor(
            folder=folder, cluster="slurm", slurm_max_num_timeout=int(settings.get("max_num_timeout") or 0)
        )
        executor.update_parameters(**_parameters(settings), **_dependency(after))
        jobs = executor.submit_array(works)
    except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as error:
        raise UserError(_refusal(str(error), settings)) from error
    except (OSError, ValueError, TypeError, subprocess.SubprocessError) as error:
        raise UserError(_refusal(str(error).split("\n")[0], settings)) from error
    for work, job in zip(works, jobs, strict=True):
        write_record(results, replace(work.record, job_id=str(job.job_id)))
    return str(jobs[0].job_id).partition("_")[0]


def longest_array() -> int:
    """The most jobs that an array of this cluster may have."""
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", _answer(["scontrol", "show", "config"]) or "", re.MULTILINE)
    return max(1, int(found[1])) if found else USUAL_ARRAY


def _parameters(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as submitit names them; those that are not set are left out."""
    import dataclasses

    from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf

    common = {one.name for one in dataclasses.fields(BaseQueueConf)} - {"submitit_folder"}
    others = settings.keys() - common - {"_target_", "submitit_folder", "max_num_timeout"}
    found = {name: settings[name] for name in common if name in settings}
    found |= {f"slurm_{name}": settings[name] for name in others}
    if cpus := found.get("cpus_per_task"):  # srun of Slurm 22.05 to 23.02 does not take it over, and binds to one core
        own = found.get("slurm_srun_args") or []
        found["slurm_srun_args"] = [f"--cpus-per-task={cpus}", *own]
    found |= {name: None for name in found if name.endswith(("gpus_per_node", "gpus_per_task")) and not found[name]}
    return {name: value for name, value in found.items() if value not in (None, [], {})}


def _dependency(after: Sequence[str]) -> dict[str, str]:
    return {"slurm_dependency": f"afterany:{':'.join(after)}"} if after else {}


def _refusal(words: str, settings: Mapping[str, Any]) -> str:
    refusal = "; ".join(
        line.strip().removeprefix("sbatch: ").removeprefix("error: ") for line in words.splitlines() if line
    )
    chosen = ", ".join(f"{name}={settings[name]}" for name in ("partition", "account", "qos") if settings.get(name))
    chosen = chosen or "no partition or account named"
    return (
        f"Slurm refused the jobs: {refusal.rstrip('.')}. They were submitted with {chosen}: set "
        "hydra.launcher.partition=NAME, hydra.launcher.account=NAME and the other settings of conf/site/slurm.yaml "
        "on the command line or in a site of your own."
    )


def _answer(command: Sequence[str]) -> str | None:
    """What a command prints; None if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
