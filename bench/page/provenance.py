"""How each value of the page was made: its runs, with the command that makes each again."""

from __future__ import annotations

import json
from typing import Any

from bench.results import AggregatedResult
from bench.rows import Row, RowInfo

MOST_TEXT = 6 * 2**20
"""Characters of all records of runs; beyond, the page has the commands and names the files of the rows."""
ELSEWHERE = {"model_card", "contamination", "command"}
"""Of `info`, what the page shows in places of their own."""


class Pool:
    """Values of JSON that many runs share, each of them once.

    Attributes
    ----------
    values : list
    size : int
        Characters of all of them.
    n_left_out : int
        Runs whose records found no place.
    """

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.size = 0
        self.n_left_out = 0
        self._numbers: dict[str, int] = {}

    def add(self, value: Any) -> int:
        """The number of a value, which is added where it is new."""
        text = json.dumps(value, sort_keys=True)
        if text not in self._numbers:
            self._numbers[text] = len(self.values)
            self.values.append(json.loads(text))
            self.size += len(text)
        return self._numbers[text]


def runs(entry: AggregatedResult, pool: Pool) -> list[dict[str, Any]]:
    """The runs of a result, failed ones too, by seed and fold; rows of earlier versions say less of themselves."""
    return [_run(row, pool) for row in entry.rows]


def _run(row: Row, pool: Pool) -> dict[str, Any]:
    found = {
        "seed": row.seed,
        "fold": row.fold,
        "status": row.status,
        "value": row.value(row.primary_metric),
        "error": row.error,
        "hash": row.run_hash,
        "version": pool.add(row.version),
        "file": row.key.name("rows", "json"),
        "command": RowInfo(row).command,
    }
    if pool.size > MOST_TEXT:
        pool.n_left_out += 1
        return found
    records = {name: value for name, value in row.info.items() if name not in ELSEWHERE and value not in (None, "", {})}
    return found | {"info": {name: pool.add(value) for name, value in sorted(records.items())}}
