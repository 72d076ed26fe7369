"""The page of a report, which shows in a browser what the tables and plots have."""

from __future__ import annotations

from pathlib import Path

from bench.page import leaderboard_page
from bench.report.report_files import ReportFiles

NAME = "leaderboard.html"


def write_page(report: ReportFiles) -> dict[str, Path]:
    """Write ``leaderboard.html``, the last of all files, as it shows the plots and links what lies beside it."""
    return {"page": report.write(NAME, leaderboard_page(report.data, report.drawn, report.folder))}
