"""The figures of a report as files, and those of an earlier report that no longer hold."""

from __future__ import annotations

from pathlib import Path

from bench.files import unwritable
from bench.plots import save_plots
from bench.report.rank_tables import suite_diagram
from bench.report.report_files import ReportFiles
from bench.rows import file_name


def write_rank_diagrams(report: ReportFiles) -> dict[str, Path]:
    """A diagram ``critical_difference-PROTOCOL.svg`` for each head that was fitted on enough tasks.

    Its name has ``-HEAD`` where the protocol has several settings. An earlier one of a head that has none now is
    removed. Where plots are drawn, they have the diagram, and there is none beside the tables.
    """
    protocols = [suite.protocol for suite in report.suites]
    written: dict[str, Path] = {}
    stale: set[Path] = set()
    for suite in report.suites:
        head = file_name(suite.head).replace("-", "+")
        alone, with_head = (_diagram_name(suite.protocol, *parts) for parts in ((), (head,)))
        stale |= {report.folder / alone, report.folder / with_head}
        svg = suite_diagram(suite) if report.plots == "none" else None
        if svg is not None:
            several = protocols.count(suite.protocol) > 1
            what = f"ranks with {suite.protocol}" + (f" [{suite.head}]" if several else "")
            written[what] = report.write(with_head if several else alone, svg)
    report.remove(stale - set(written.values()))
    return written


def write_plots(report: ReportFiles) -> dict[str, Path]:
    """The plots in ``plots/``; those that an earlier report drew of results that are gone are removed."""
    folder = report.folder / "plots"
    try:
        return {"plots": folder} if save_plots(folder, report.drawn) else {}
    except OSError as error:
        raise unwritable(folder / "plot", error, report.option) from error


def _diagram_name(protocol: str, *head: str) -> str:
    return f"{'-'.join(['critical_difference', file_name(protocol), *head])}.svg"
