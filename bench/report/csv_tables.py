"""The CSV files of a report."""

from __future__ import annotations

from pathlib import Path

from bench.report.rank_tables import RANKS, SUITES, rank_records, suite_records
from bench.report.report_files import ReportFiles
from bench.report.restoration_tables import RESTORATION, restoration_records
from bench.report.robustness_tables import ROBUSTNESS, SUMMARY, robustness_records, robustness_summary_records
from bench.report.tables import LONG, MEAN, PAIRED, long_records, mean_records, paired_records, wide_records


def write_csv_tables(report: ReportFiles) -> dict[str, Path]:
    """``leaderboard.csv`` and its companions ``_mean``, ``_wide``, ``_paired``, ``_ranks`` and ``_suites``."""
    data, wide = report.data, wide_records(report.data)
    return {
        "leaderboard": report.write_csv("leaderboard.csv", LONG, long_records(data.entries)),
        "means over seeds and folds": report.write_csv("leaderboard_mean.csv", MEAN, mean_records(data)),
        "model by task": report.write_csv("leaderboard_wide.csv", list(wide[0]), wide),
        "paired differences": report.write_csv("leaderboard_paired.csv", PAIRED, paired_records(data, report.margin)),
        "ranks on each task": report.write_csv("leaderboard_ranks.csv", RANKS, rank_records(data.ranked)),
        "mean ranks over tasks": report.write_csv("leaderboard_suites.csv", SUITES, suite_records(report.suites)),
    }


def write_restoration(report: ReportFiles) -> dict[str, Path]:
    """``restoration.csv``, where restorers were measured; one of rows that are gone is removed."""
    records = restoration_records(report.data)
    if not records:
        report.remove([report.folder / "restoration.csv"])
        return {}
    return {"restorers by corruption and severity": report.write_csv("restoration.csv", RESTORATION, records)}


def write_robustness(report: ReportFiles) -> dict[str, Path]:
    """``robustness.csv`` and its summary, where encoders were measured behind corruptions; stale ones are removed."""
    records = robustness_records(report.data)
    if not records:
        report.remove(report.folder / name for name in ("robustness.csv", "robustness_summary.csv"))
        return {}
    summary = robustness_summary_records(report.data)
    return {
        "encoders by corruption and restorer": report.write_csv("robustness.csv", ROBUSTNESS, records),
        "encoders over all corruptions": report.write_csv("robustness_summary.csv", SUMMARY, summary),
    }
