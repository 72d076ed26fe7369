"""What identifies a run: one head on one model's features of one cohort, with one seed and one test fold."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from pathlib import Path


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
        Digest of samples, answers, groups, sides of all folds, and metric.
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
        """``results/ROOM/TASK/COHORT/MODEL[+FRONTEND]/PROTOCOL-HEAD-seedSEED[-foldFOLD].SUFFIX``.

        Names are percent-encoded where a file system needs it.
        """
        folder = file_name(self.model) + (f"+{file_name(self.frontend)}" if self.frontend else "")
        fold = f"-fold{self.fold}" if self.fold else ""
        name = f"{file_name(self.protocol)}-{self.head}-seed{self.seed}{fold}.{suffix}"
        return results / room / file_name(self.task) / self.cohort / folder / name


def file_name(name: str) -> str:
    """The name as a file or folder of its own, which never leaves the folder that it is in."""
    quoted = urllib.parse.quote(name, safe="@")
    return "%2E" + quoted[1:] if quoted.startswith(".") else quoted
