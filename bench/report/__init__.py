"""Tables made from the rows and predictions of a results folder, and from nothing else."""

from bench.report.cells import safe_cell
from bench.report.places import files_text
from bench.report.rank_tables import rank_records
from bench.report.schema import TEXT_COLUMNS
from bench.report.show import table_text
from bench.report.tables import long_records, mean_records, paired_records
from bench.report.write import check_margin, write_tables

__all__ = [
    "TEXT_COLUMNS",
    "check_margin",
    "files_text",
    "long_records",
    "mean_records",
    "paired_records",
    "rank_records",
    "safe_cell",
    "table_text",
    "write_tables",
]
