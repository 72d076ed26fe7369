"""What was computed of large blocks, kept beside the tables: a further run costs the block that it is in.

A block's file is named by the digest of all that its numbers follow from: its rows, the bytes of its predictions, the
code and the libraries. So there is nothing that could be out of date: where any of these has changed, the name is
another. The files can be deleted at any time.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import io
import json
import platform
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np

from bench import targets
from bench.files import atomic_write
from bench.integrity import DamagedFileError, with_footer, without_footer
from bench.metrics import Interval, Replicates
from bench.results.aggregated_result import AggregatedResult
from bench.results.baselines import track_of
from bench.results.blocks import BlockResults, block_results
from bench.results.comparisons import Comparison
from bench.results.rank_blocks import RankedBlock
from bench.rows import SavedRows
from bench.statistics import Studentised

FOLDER = "computed"
LEAST_ROWS = 5
"""Rows of a block from which on it is saved: fewer are computed in about 20 ms."""
CODE = (
    "commands.py",
    "files.py",
    "frozen",
    "integrity",
    "metrics",
    "results",
    "rows",
    "statistics",
    "targets",
    "verdicts",
)
PLAIN = ("metric", "p", "p_by", "p_better", "n_runs", "n_test", "n_groups")  # fields of a comparison
LIBRARIES = ("numpy", "pyarrow", "scipy")


class SavedBlocks:
    """The saved blocks of a results folder, which are read, made where they are missing, and removed when unused.

    Parameters
    ----------
    saved : SavedRows
        Of rows of several folders nothing is saved.
    """

    def __init__(self, saved: SavedRows) -> None:
        self._results = saved.folder
        self._predictions_path = saved.predictions_path
        self._used: set[Path] = set()

    def results_of(self, entries: Sequence[AggregatedResult], *, robust: bool) -> BlockResults:
        """As `block_results`, read where they are saved.

        Blocks of a track are never saved, nor those of target types that a plugin describes, whose code is not in the
        digest. A folder that cannot be written is no error.
        """
        rows = [row for entry in entries for row in entry.rows]
        own_kinds = all(targets.is_built_in(row.kind) for row in rows)
        if robust or len(rows) < LEAST_ROWS or track_of(entries[0]) or not own_kinds:
            return block_results(self._predictions_path, entries, robust=robust)
        path = self._path(entries)
        if path is not None and (found := _read(path, entries)) is not None:
            self._used.add(path)
            return found
        computed = block_results(self._predictions_path, entries, robust=robust)
        if path is not None and not computed.faulty and path == self._path(entries):  # no file was replaced meanwhile
            with contextlib.suppress(OSError):
                _write(path, entries, computed)
                self._used.add(path)
        return computed

    def remove_others(self) -> None:
        """Remove the saved blocks that no call of `results_of` has read or written."""
        for path in (self._results / FOLDER).glob("*.npz") if self._results else ():
            if path not in self._used:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)

    def _path(self, entries: Sequence[AggregatedResult]) -> Path | None:
        """Where the block is saved; None where predictions cannot be read, or the rows are of several folders."""
        if self._results is None:
            return None
        found = hashlib.sha256(_code_digest().encode())
        for row in (row for entry in entries for row in entry.rows):
            found.update(json.dumps(vars(row), sort_keys=True).encode())
            if row.ok and row.predictions:
                path = self._predictions_path(row)
                if not path.is_file():  # from a pipe or a device reading might never end
                    return None
                try:
                    found.update(hashlib.sha256(path.read_bytes()).digest())
                except OSError:
                    return None
        return self._results / FOLDER / f"{found.hexdigest()[:32]}.npz"


@functools.cache
def _code_digest() -> str:
    """Digest of the code that the numbers follow from, of the libraries under it, and of the kind of processor."""
    package = Path(__file__).resolve().parents[1]
    files = [
        file for name in CODE for file in ([package / name] if name.endswith(".py") else (package / name).glob("*.py"))
    ]
    found = hashlib.sha256(" ".join([*map(importlib.metadata.version, LIBRARIES), platform.machine()]).encode())
    for file in sorted(files):
        found.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()


def _write(path: Path, entries: Sequence[AggregatedResult], computed: BlockResults) -> None:
    """Numbers as JSON, which has every digit of a float, and the draws as arrays; entries by their places."""
    place = {entry.key: number for number, entry in enumerate(entries)}
    (ranked,) = computed.ranked
    text = {
        "intervals": [[place[key], metric, *astuple(of)] for (key, metric), of in computed.intervals.items()],
        "comparisons": [
            [place[c.a.key], place[c.b.key], *(getattr(c, name) for name in PLAIN), astuple(c.difference)]
            for c in computed.comparisons
        ],
        "metric": ranked.metric,
        "lower_is_better": ranked.lower_is_better,
        "ranked": [[place[key], of.value, len(of.draws)] for key, of in ranked.replicates.items()],
        "left_out": [[place[key], why] for key, why in ranked.left_out.items()],
        "repeats": [[place[key], n] for key, n in computed.repeats.items()],
    }
    draws = np.concatenate([np.empty(0), *(of.draws for of in ranked.replicates.values())])
    content = io.BytesIO()
    np.savez(content, text=np.frombuffer(json.dumps(text).encode(), np.uint8), draws=draws)
    with atomic_write(path) as temporary:
        temporary.write_bytes(with_footer(content.getvalue(), {"block": path.stem}))


def _read(path: Path, entries: Sequence[AggregatedResult]) -> BlockResults | None:
    """A saved block of these entries; None where there is none, or one that is damaged or has another block's name."""
    try:
        content, record = without_footer(path.read_bytes())
    except (OSError, DamagedFileError):
        return None
    if record.get("block") != path.stem:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return _from(json.loads(file["text"].tobytes()), file["draws"], entries)


def _from(text: dict[str, Any], draws: np.ndarray, entries: Sequence[AggregatedResult]) -> BlockResults:
    ends = np.cumsum([n for *_, n in text["ranked"]], dtype=int)
    parts = np.split(draws, ends[:-1]) if len(ends) else []
    replicates = {
        entries[at].key: Replicates(value, own, centre=value, influence=np.empty(0))  # ranks need no interval
        for (at, value, _), own in zip(text["ranked"], parts, strict=True)
    }
    ranked = RankedBlock(
        entries[0].key.block,
        text["metric"],
        text["lower_is_better"],
        replicates,
        frozenset(entry.key for entry in entries if entry.rows[0].baseline),
        {entries[at].key: why for at, why in text["left_out"]},
    )
    return BlockResults(
        intervals={(entries[at].key, metric): Interval(*of) for at, metric, *of in text["intervals"]},
        comparisons=[
            _comparison(entries[a], entries[b], dict(zip(PLAIN, plain, strict=True)), difference)
            for a, b, *plain, difference in text["comparisons"]
        ],
        ranked=[ranked],
        repeats={entries[at].key: n for at, n in text["repeats"]},
    )


def _comparison(
    a: AggregatedResult, b: AggregatedResult, plain: dict[str, Any], difference: Sequence[float]
) -> Comparison:
    plain["p_better"] = np.float64(plain["p_better"])  # as it is computed: tables round it as numpy does
    return Comparison(a=a, b=b, difference=Studentised(*difference), **plain)
