"""Whether a file of predictions can be decoded within the limits of a pack, known before it is decoded.

A few bytes of Parquet can stand for any number of values: a column that repeats one long text, or a page that is packed
again. So a file of a pack has the columns, types and packing of those that `bench.rows` writes, and no others.
"""

from __future__ import annotations

import re
from pathlib import Path

from bench.packs.layout import LARGEST_PREDICTIONS, LONGEST_ID, MOST_COLUMNS, MOST_NUMBERS

COLUMN = re.compile(r"id|group|y_true(_\d+)?|(score|scaled)_\d+")
NAMES = ("id", "group")
TYPES = ("INT64", "DOUBLE")
PACKING = ("SNAPPY", "UNCOMPRESSED")


def too_much(path: Path) -> str:
    """Why a file is not decoded, as the end of a sentence; "" where it can be.

    Raises
    ------
    OSError, ValueError, pyarrow.ArrowException
        If it is no Parquet file.
    """
    import pyarrow.parquet as pq

    found = pq.read_metadata(path)
    if found.num_columns > MOST_COLUMNS:
        return f"has {found.num_columns:,} columns, more than {MOST_COLUMNS:,}"
    columns = [found.schema.column(place) for place in range(found.num_columns)]
    for column in columns:
        expected = ("BYTE_ARRAY",) if column.path in NAMES else TYPES
        if not COLUMN.fullmatch(column.path) or column.physical_type not in expected or column.max_repetition_level:
            return "has a column that predictions have not"
    if found.num_rows * max(1, len(columns)) > MOST_NUMBERS:
        return f"has {found.num_rows:,} samples in {len(columns):,} columns, more than {MOST_NUMBERS:,} numbers"
    groups = [found.row_group(place) for place in range(found.num_row_groups)]
    if any(group.column(place).compression not in PACKING for group in groups for place in range(found.num_columns)):
        return "is packed in a way that predictions are not"
    size = sum(group.column(place).total_uncompressed_size for group in groups for place in range(found.num_columns))
    if size > LARGEST_PREDICTIONS:
        return f"has {size / 2**20:,.0f} MiB unpacked, more than {LARGEST_PREDICTIONS >> 20}"
    return _long_names(path)


def _long_names(path: Path) -> str:
    """Whether ids are longer than names are; a text that many samples share is read once."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, read_dictionary=list(NAMES)) as file:
        table = file.read(columns=list(NAMES), use_threads=False)
    for column in table.columns:
        for chunk in column.chunks:
            longest = pc.max(pc.binary_length(chunk.dictionary)).as_py() if len(chunk.dictionary) else 0
            if longest > LONGEST_ID:
                return f"has an id of {longest:,} bytes, more than {LONGEST_ID:,}"
            if longest * len(chunk) > LARGEST_PREDICTIONS * 4:
                return "has ids that are too long together"
    return ""
