"""The site local: a process a job on this machine, by submitit's local executor."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.jobs import sweep_folder, write_record
from bench.sweeps.waiting import ENDED, standing, title
from bench.sweeps.work import Work
from registry.errors import UserError

LOOK_S = 0.2  # between two looks at the processes


def run_processes(
    phases: Sequence[Sequence[Work]],
    launcher: Mapping[str, Any],
    at_once: int | None,
    say: Callable[[str], None],
) -> None:
    """Run the jobs of each phase, so many at a time; the next phase begins when all of one have ended.

    Parameters
    ----------
    launcher : mapping
        Settings of hydra-submitit-launcher's local launcher.
    at_once : int or None
        None is one for the GPUs of each job, and one where there are no GPUs.
    """
    gpus = own_gpus()
    each = min(int(launcher.get("gpus_per_node") or 1), len(gpus))
    free = list(range(at_once or (len(gpus) // each if each else 1)))
    total, ended = sum(map(len, phases)), 0
    for phase in phases:
        queue, running = list(phase), dict[int, tuple[Work, Any]]()
        while queue or running:
            while queue and free:
                work, slot = queue.pop(0), free.pop(0)
                first = slot * each % max(1, len(gpus))
                running[slot] = work, _started(work, launcher, gpus[first : first + each])
                say(f"started: job {work.record.number}, {title(work.record)}")
            for slot, (work, job) in list(running.items()):
                if job.done():
                    del running[slot]
                    free = sorted([*free, slot])
                    ended += 1
                    state = standing(work).state
                    state = state if state in ENDED else "lost"
                    say(f"{state}: job {work.record.number}, {title(work.record)} ({ended} of {total})")
            time.sleep(LOOK_S)


def _started(work: Work, launcher: Mapping[str, Any], gpus: Sequence[str]) -> Any:
    import submitit

    folder = sweep_folder(Path(work.config.results), work.record.sweep).absolute() / ".submitit" / "%j"
    executor = submitit.LocalExecutor(folder=folder, max_num_timeout=int(launcher.get("max_num_timeout") or 0))
    shown = [] if all(name.isdecimal() for name in gpus) else [f"export CUDA_VISIBLE_DEVICES={','.join(gpus)}"]
    executor.update_parameters(
        timeout_min=launcher["timeout_min"],
        gpus_per_node=len(gpus) if not shown else 0,
        visible_gpus=[int(name) for name in gpus] if not shown else (),
        setup=[*(launcher.get("setup") or ()), *shown],
    )
    try:
        job = executor.submit(work)
    except OSError as error:
        raise UserError(f"No process could be started for {title(work.record)}: {error.strerror or error}.") from error
    write_record(Path(work.config.results), replace(work.record, job_id=str(job.job_id)))
    return job


def own_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    count = torch.cuda.device_count()
    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return (named or [str(number) for number in range(count)])[:count]
