"""Rows and predictions in, tables out: a pure function of the results folder, without a network in sight."""

from bench.leaderboard.predictions import SavedPredictions, read_predictions
from bench.leaderboard.rows import (
    Row,
    discard_other_folds,
    has_predictions,
    predictions_path,
    read_row,
    read_rows,
    row_path,
    write,
)
from bench.leaderboard.show import table_text
from bench.leaderboard.standings import Standings, read_standings
from bench.leaderboard.tables import write_tables

__all__ = [
    "Row",
    "SavedPredictions",
    "Standings",
    "discard_other_folds",
    "has_predictions",
    "predictions_path",
    "read_predictions",
    "read_row",
    "read_rows",
    "read_standings",
    "row_path",
    "table_text",
    "write",
    "write_tables",
]
