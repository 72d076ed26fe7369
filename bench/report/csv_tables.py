"""The CSV files of a report."""

from __future__ import annotations

from pathlib import Path

from bench.report.leaderboard_columns import LONG, MEAN, MODELS, PAIRED, RANKS, SUITES, WIDE
from bench.report.model_table import model_records
from bench.report.rank_tables import rank_records, suite_records
from bench.report.report_files import ReportFiles
from bench.report.restoration_tables import restoration_records
from bench.report.robustness_tables import robustness_records, robustness_summary_records
from bench.report.tables import long_records, mean_records, paired_records
from bench.report.track_columns import RESTORATION, ROBUSTNESS, SUMMARY
from bench.report.wide_table import wide_columns, wide_records
from bench.results import models_of


def write_csv_tables(report: ReportFiles) -> dict[str, Path]:
    """leaderboard.csv, its companions (``_mean``, ``_wide``, ``_paired``, ``_ranks``, ``_suites``), and models.csv."""
    data = report.data
    wide = [column.name for column in wide_columns(data.entries, data.audits)]
    return {
        "leaderboard": report.write_csv(LONG, long_records(data.entries, data.audits)),
        "means over seeds and folds": report.write_csv(MEAN, mean_records(data)),
        "model by task": report.write_csv(WIDE, wide_records(data), wide),
        "paired differences": report.write_csv(PAIRED, paired_records(data, report.margin)),
        "ranks on each task": report.write_csv(RANKS, rank_records(data.ranked, data.contaminated, data.audits)),
        "mean ranks over tasks": report.write_csv(SUITES, suite_records(report.suites)),
        "models and their cost": report.write_csv(MODELS, model_records(models_of(data.entries))),
    }


def write_restoration(report: ReportFiles) -> dict[str, Path]:
    """``restoration.csv``, where restorers were measured; one of rows that are gone is removed."""
    records = restoration_records(report.data)
    if not records:
        report.remove([report.folder / RESTORATION.file])
        return {}
    return {"restorers by corruption and severity": report.write_csv(RESTORATION, records)}


def write_robustness(report: ReportFiles) -> dict[str, Path]:
    """``robustness.csv`` and its summary, where encoders were measured behind corruptions; stale ones are removed."""
    records = robustness_records(report.data)
    if not records:
        report.remove(report.folder / table.file for table in (ROBUSTNESS, SUMMARY))
        return {}
    return {
        "encoders by corruption and restorer": report.write_csv(ROBUSTNESS, records),
        "encoders over all corruptions": report.write_csv(SUMMARY, robustness_summary_records(report.data)),
    }
