"""The site laptop: jobs in this process, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.sweeps.waiting import title
from bench.sweeps.work import Work
from registry.errors import UserError


def run_here(works: Sequence[Work], say: Callable[[str], None]) -> list[str]:
    """Do the work of each job; gives sentences on those whose record could not be kept."""
    unrecorded = []
    for number, work in enumerate(works, 1):
        say(f"job {work.record.number}, {title(work.record)} ({number} of {len(works)})")
        try:
            replace(work, own_log=False)()
        except UserError as error:  # of the results folder, which the other jobs may find mended
            unrecorded.append(f"Job {work.record.number} ({title(work.record)}): {error}")
    return unrecorded
