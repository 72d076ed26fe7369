"""Whether rows are of the published task of their name, and the rows of one task where a folder has several of a name.

The cohort hash is of the samples, labels, groups, split and metric; the task digest also of what a tile is. Rows that
share the one and not the other are of the same samples seen otherwise, which is another task.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable

from bench.frozen import frozen_tasks
from bench.rows import Row, RowInfo, SavedRows
from registry.errors import first_few

SAMPLES, SETTINGS, CHANGED, OWN, NOT_RECORDED = "samples", "settings", "changed", "own", ""
"""What `frozen_status` gives: the frozen samples and tiles; the frozen settings, of a task whose samples nobody froze;
another task under a published name; a task of no published name; rows that do not say."""


def frozen_status(rows: Iterable[Row]) -> str:
    """Whether rows of one task and cohort are of the published task of their name."""
    row = next((row for row in rows if RowInfo(row).task_digest), None)
    if row is None:
        return NOT_RECORDED
    published = frozen_tasks().get(row.task)
    if published is None:
        return OWN
    if published.digest:
        return SAMPLES if RowInfo(row).task_digest == published.digest else CHANGED
    return SETTINGS if RowInfo(row).task_settings_digest == published.settings else CHANGED


def task_digest_of(rows: Iterable[Row]) -> str:
    """The task digest that rows of one task and cohort have; "" where none says it."""
    return next((digest for row in rows if (digest := RowInfo(row).task_digest)), "")


def name_of_other_task(task: str, cohort: str, rows: Iterable[Row]) -> str:
    """What a task is called that has the name of a published one and is another; "" where it is not another."""
    own = list(rows)
    if frozen_status(own) != CHANGED:
        return ""
    return f"{task} [{task_digest_of(own) if cohort == frozen_tasks()[task].cohort else cohort}]"


def without_other_tasks(saved: SavedRows) -> tuple[SavedRows, list[str]]:
    """The rows, of each task and cohort those of one task digest, and a sentence for each digest that is left out.

    The digest that stays is the published one, or else that of most rows. Rows that do not say theirs stay.
    """
    digests: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in saved.rows:
        if digest := RowInfo(row).task_digest:
            digests[row.task, row.cohort_hash][digest] += 1
    used = {pair: _used(pair[0], counted) for pair, counted in digests.items() if len(counted) > 1}
    if not used:
        return saved, []
    left_out: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    rows = []
    for row in saved.rows:
        digest = RowInfo(row).task_digest
        if digest and digest != used.get((row.task, row.cohort_hash), digest):
            left_out[row.task, row.cohort_hash, digest].append(row)
        else:
            rows.append(row)
    sentences = [
        f"Left out of the tables {'is 1 row' if len(own) == 1 else f'are {len(own)} rows'} of {task} with the task "
        f"digest {digest} ({first_few(sorted({row.model for row in own}))}), as the others have {used[task, cohort]}: "
        "the same samples with tiles of another size, resolution or grid are another task, so give it another name."
        for (task, cohort, digest), own in sorted(left_out.items())
    ]
    return dataclasses.replace(saved, rows=rows), sentences


def _used(task: str, counted: Counter[str]) -> str:
    published = frozen_tasks().get(task)
    if published is not None and published.digest in counted:
        return published.digest
    return min(counted, key=lambda digest: (-counted[digest], digest))
