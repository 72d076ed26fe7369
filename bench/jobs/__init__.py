"""What the jobs of a sweep leave in the results folder: their records, and a heartbeat that says whether they live."""

from bench.jobs.record import (
    JobRecord,
    Sweep,
    log_path,
    read_records,
    read_sweep,
    sweep_folder,
    sweep_names,
    write_record,
    write_sweep,
)
from bench.jobs.working import Working, current_job, submitting

__all__ = [
    "JobRecord",
    "Sweep",
    "Working",
    "current_job",
    "log_path",
    "read_records",
    "read_sweep",
    "submitting",
    "sweep_folder",
    "sweep_names",
    "write_record",
    "write_sweep",
]
