"""The built-in synthetic cohort as slides, made in the cache folder when it is first read."""

from __future__ import annotations

from pathlib import Path

from bench.slides import read_cohort
from bench.tasks.config import TaskConfig
from bench.tasks.readers import Table

OPTIONS = ("check_files",)
PATIENTS, SIDES, FINE_SHARE = 60, (760, 900), 0.1


def read(task: TaskConfig, root: Path | None, cache: Path) -> Table:
    from bench import demo

    table = demo.make_slides(
        cache / "demo-slides", patients=PATIENTS, sides=SIDES, fine_share=FINE_SHARE, equal_area=True
    )
    return Table(read_cohort(table).drop(columns="split"), str(table))  # so few are tested in folds
