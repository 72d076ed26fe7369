"""Any other launcher of Hydra: it gets a command line a job, and each job finds its record by its number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.jobs import read_record, sweep_folder, write_record
from bench.sweeps.compose import Composed
from bench.sweeps.waiting import standing
from bench.sweeps.work import Work
from registry.errors import UserError


def launch(works: Sequence[Work], composed: Composed) -> None:
    """Hand the jobs to the launcher, which returns when they have ended. A job that it could not run has failed."""
    from hydra._internal.callbacks import Callbacks
    from hydra.core.plugins import Plugins
    from hydra.types import HydraContext
    from omegaconf import open_dict

    if not works:
        return
    folder = sweep_folder(Path(works[0].config.results), works[0].record.sweep).absolute()
    with open_dict(composed.master):
        composed.master.hydra.sweep.dir = str(folder)
        quoted = str(folder).replace("\\", "\\\\").replace("'", "\\'")
        composed.master.hydra.overrides.hydra.append(f"hydra.sweep.dir='{quoted}'")  # jobs compose their own settings
    context = HydraContext(config_loader=composed.loader, callbacks=Callbacks())
    try:
        launcher = Plugins.instance().instantiate_launcher(context, run_job, composed.master)
        overrides = [list(work.record.overrides) for work in works]
        done = launcher.launch(overrides, initial_job_idx=works[0].record.number)
    except Exception as error:
        for work in works:
            _fail(work, f"the launcher {composed.engine} failed, {_words(error)}")
        return
    for work, one in zip(works, done, strict=True):
        try:
            _ = one.return_value
        except Exception as error:
            _fail(work, f"the launcher {composed.engine} could not run it, {_words(error)}")


def _fail(work: Work, sentence: str) -> None:
    """Note why a job failed that did not start, and so could not say it itself."""
    if standing(work).state == "queued":
        write_record(Path(work.config.results), replace(work.record, state="failed", failures=(sentence,)))


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0].rstrip('.')}."


def run_job(config: Any) -> list[str]:
    """What the launcher runs for each job: the work of the record that has the job's number."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    hydra = HydraConfig.get()
    folder = Path(str(hydra.sweep.dir))
    settings = OmegaConf.to_object(config)
    number = int(hydra.job.num)
    record = read_record(folder.parents[1], folder.name, number)
    if record is None:
        raise UserError(
            f"The record of job {number} is not in {folder} as this machine sees it: results= and cache= must lie on a "
            "file system that all machines of the jobs share."
        )
    return Work(record, settings, str(Path.cwd()), own_log=False)()  # type: ignore[arg-type]
