"""Tables made from the rows and predictions of a results folder, and from nothing else."""

from bench.report.conditions import (
    AUGMENTED,
    Condition,
    clean_of,
    grouped,
    robustness_tasks,
)
from bench.report.conditions import (
    conditions as conditions_of,
)
from bench.report.leaderboard_data import LeaderboardData, read_leaderboard
from bench.report.rank_tables import rank_records
from bench.report.results import AggregatedResult, aggregated, protocol_names, task_names
from bench.report.robustness_measures import recovery
from bench.report.show import table_text
from bench.report.tables import long_records, mean_records, paired_records
from bench.report.write import check_margin, write_tables

__all__ = [
    "AUGMENTED",
    "AggregatedResult",
    "Condition",
    "LeaderboardData",
    "aggregated",
    "check_margin",
    "clean_of",
    "conditions_of",
    "grouped",
    "long_records",
    "mean_records",
    "paired_records",
    "protocol_names",
    "rank_records",
    "read_leaderboard",
    "recovery",
    "robustness_tasks",
    "table_text",
    "task_names",
    "write_tables",
]
