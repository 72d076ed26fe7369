"""What the jobs of a sweep leave in the results folder: their records, and a heartbeat that says whether they live."""

from bench.jobs.lost import lost_rows
from bench.jobs.queue import reasons_of_waiting, slurm_queue
from bench.jobs.record import (
    JobRecord,
    Sweep,
    log_path,
    read_record,
    read_records,
    read_sweep,
    sweep_folder,
    sweep_names,
    write_record,
    write_sweep,
)
from bench.jobs.state import declare_dead, state_of, states
from bench.jobs.status import status_command, status_text
from bench.jobs.working import Working, current_job, submitting

__all__ = [
    "JobRecord",
    "Sweep",
    "Working",
    "current_job",
    "declare_dead",
    "log_path",
    "lost_rows",
    "read_record",
    "read_records",
    "read_sweep",
    "reasons_of_waiting",
    "slurm_queue",
    "state_of",
    "states",
    "status_command",
    "status_text",
    "submitting",
    "sweep_folder",
    "sweep_names",
    "write_record",
    "write_sweep",
]
