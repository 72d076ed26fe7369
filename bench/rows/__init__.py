"""What a run leaves: a row of scores and the predictions that every score can be computed from again."""

from bench.rows.checksum import with_checksum, without_checksum
from bench.rows.finding import find_row
from bench.rows.info import EVIDENCE, LEVELS, NO_CONTAMINATION, TIMES, CardInfo, Contamination, RowInfo
from bench.rows.merging import ROUNDING, SavedRows, merged_rows, rows_of, why_no_rows
from bench.rows.predictions import SavedPredictions, read_predictions
from bench.rows.printable import printable as printable_text
from bench.rows.removal import FIELDS as ROW_FIELDS
from bench.rows.removal import selected
from bench.rows.row import INTERVALS, SCHEMA, STATUSES, Row
from bench.rows.rows import (
    MOST_NAMED,
    has_predictions,
    predictions_path,
    read_row,
    read_row_files,
    read_rows,
    row_path,
    warn_once,
    write,
    write_lost,
)
from bench.rows.run_key import RunKey, file_name
from bench.rows.samples import mismatch, samples_digest

__all__ = [
    "EVIDENCE",
    "INTERVALS",
    "LEVELS",
    "MOST_NAMED",
    "NO_CONTAMINATION",
    "ROUNDING",
    "ROW_FIELDS",
    "SCHEMA",
    "STATUSES",
    "TIMES",
    "CardInfo",
    "Contamination",
    "Row",
    "RowInfo",
    "RunKey",
    "SavedPredictions",
    "SavedRows",
    "file_name",
    "find_row",
    "has_predictions",
    "merged_rows",
    "mismatch",
    "predictions_path",
    "printable_text",
    "read_predictions",
    "read_row",
    "read_row_files",
    "read_rows",
    "row_path",
    "rows_of",
    "samples_digest",
    "selected",
    "warn_once",
    "why_no_rows",
    "with_checksum",
    "without_checksum",
    "write",
    "write_lost",
]
