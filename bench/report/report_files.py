"""Writing the files of a report: each in one go, and an error names the file and the option of its folder."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.files import atomic_write, unwritable
from bench.plots import Choice, Plot, plots_of
from bench.report.cells import safe_cell
from bench.report.columns import Table
from bench.results import LeaderboardData, SuiteRanks, suite_ranks


@dataclass(frozen=True)
class ReportFiles:
    """What a report is made of, and the folder that its files are written to.

    Attributes
    ----------
    folder : Path
        The results folder, or another.
    data : LeaderboardData
        With one entry at least.
    margin : float
        Of equivalence, above 0.
    option : str
        The setting that names the folder, for errors.
    plots : "best", "all" or "none"
        Which plots are drawn, as of `bench.plots.plots_of`.
    """

    folder: Path
    data: LeaderboardData
    margin: float
    option: str = "results=DIR"
    plots: Choice = "none"

    @cached_property
    def drawn(self) -> list[Plot]:
        """The plots, those of unchanged inputs as an earlier report wrote them."""
        return list(plots_of(self.data, self.folder, self.plots))

    @cached_property
    def suites(self) -> list[SuiteRanks]:
        """The suites of heads that were fitted on two tasks or more, without what is measured behind front-ends."""
        found = suite_ranks([block for block in self.data.ranked if not block.measured])
        return [suite for suite in found if len(suite.tasks) + len(suite.left_out) > 1]

    def write(self, name: str, content: str | bytes) -> Path:
        """Write one file; gives its path.

        Raises
        ------
        UserError
            If it cannot be written.
        """
        path = self.folder / name
        try:
            with atomic_write(path) as temporary:
                temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        except OSError as error:
            raise unwritable(path, error, self.option) from error
        return path

    def write_csv(self, table: Table, records: Iterable[Mapping[str, str]], columns: Sequence[str] = ()) -> Path:
        """Write a table line by line, as the lines of many runs together take gigabytes; gives its path.

        Parameters
        ----------
        records : iterable of mapping
            A line each, by the names of the columns.
        columns : sequence of str
            The heading, in the order of the cells; that of the table if there is none.

        Raises
        ------
        UserError
            If it cannot be written.
        """
        path, names = self.folder / table.file, columns or table.names
        try:
            with atomic_write(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow([safe_cell(name) for name in names])
                writer.writerows(map(safe_cell, map(record.__getitem__, names)) for record in records)
        except OSError as error:
            raise unwritable(path, error, self.option) from error
        return path

    def remove(self, paths: Iterable[Path]) -> None:
        """Remove files of an earlier report; those that are not there are no error.

        Raises
        ------
        UserError
            If one cannot be removed.
        """
        for path in paths:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise unwritable(path, error, self.option) from error
