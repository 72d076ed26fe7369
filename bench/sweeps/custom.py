"""Any other launcher of Hydra: it gets a command line a job, and each job finds its record by its number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.jobs import read_record, sweep_folder
from bench.sweeps.compose import Composed
from bench.sweeps.waiting import ENDED, standing, title
from bench.sweeps.work import Work
from registry.errors import UserError


def launch(works: Sequence[Work], composed: Composed) -> None:
    """Hand the jobs to the launcher, which returns when they have ended.

    Raises
    ------
    UserError
        If the launcher fails, with its words.
    """
    from hydra._internal.callbacks import Callbacks
    from hydra.core.plugins import Plugins
    from hydra.types import HydraContext
    from omegaconf import open_dict

    if not works:
        return
    results = Path(works[0].config.results)
    folder = sweep_folder(results, works[0].record.sweep).absolute()
    with open_dict(composed.master):
        composed.master.hydra.sweep.dir = str(folder)
    context = HydraContext(config_loader=composed.loader, callbacks=Callbacks())
    try:
        launcher = Plugins.instance().instantiate_launcher(context, run_job, composed.master)
        numbers = [work.record.number for work in works]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        done = launcher.launch([list(work.record.overrides) for work in works], initial_job_idx=numbers[0])
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"The launcher {composed.engine} failed, {type(error).__name__}: {error}.") from error
    for work, one in zip(works, done, strict=True):
        _check(work, one, composed.engine)


def _check(work: Work, done: Any, engine: str) -> None:
    """Raise where a job failed before it could say so in its record."""
    try:
        _ = done.return_value
    except Exception as error:
        if standing(work).state not in ENDED:
            raise UserError(f"The launcher {engine} could not run {title(work.record)}: {error}.") from error


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
