"""What identifies a run: one head on one model's features of one cohort, with one seed and one test fold."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from bench import files
from bench.rows.printable import printable

LONGEST_NAME = 80  # characters of one name in a file name, which has three of them and may have 255 in all


@dataclass(frozen=True, order=True)
class RunKey:
    """The identity of a row, of its paths, its predictions and its attention.

    Attributes
    ----------
    task : str
    model : str
    frontend : str
        What stands between tile and encoder; "" for nothing.
    protocol : str
        Name of the head, as in ``protocol=NAME``.
    seed : int
        Of what the head draws.
    fold : int
        Test fold, from 1 on; 0 where there is one test set.
    cohort : str
        Digest of samples, labels, groups, sides of all folds, and metric.
    head : str
        Digest of the settings of the head.
    """

    task: str
    model: str
    frontend: str
    protocol: str
    seed: int
    fold: int
    cohort: str
    head: str

    def path(self, results: Path, room: str, suffix: str) -> Path:
        """Where the file of this key lies in a results folder: `name` in it."""
        return results / self.name(room, suffix)

    def name(self, room: str, suffix: str) -> str:
        """``ROOM/TASK/COHORT/MODEL[+FRONTEND]/PROTOCOL-HEAD-seedSEED[-foldFOLD].SUFFIX``.

        Names are percent-encoded where a file system needs it, and long ones are shortened. Different keys have
        different paths, as far as digests tell.
        """
        folder = file_name(self.model) + (f"+{file_name(self.frontend)}" if self.frontend else "")
        head = file_name(self.head).replace("-", "+")  # protocol "a" with head "b-c" is not "a-b" with "c"
        fold = f"-fold{self.fold}" if self.fold else ""
        name = f"{file_name(self.protocol)}-{head}-seed{self.seed}{fold}.{suffix}"
        return f"{room}/{file_name(self.task)}/{file_name(self.cohort)}/{folder}/{name}"


@functools.lru_cache(maxsize=4096)
def file_name(name: str) -> str:
    """The name as a file or folder, which never leaves the folder that it is in and is never too long for it.

    An empty name is "%", and a long one ends in "," and its digest: no other name is encoded so.
    """
    return files.file_name(printable(name), longest=LONGEST_NAME)
