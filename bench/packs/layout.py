"""What a pack is: the names of its files, the record that lists them, and the limits within which it is read.

A pack is a zip with ``pack.json``, the rows under ``rows/TASK/COHORT/MODEL/FILE.json`` and their predictions under
``predictions/``, the same path. Unpacked it is a results folder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

FORMAT = "pfmbench pack"
SCHEMA = 1
"""Raised when a file or a field changes its name or meaning."""
RECORD = "pack.json"
PLAIN, HASHED = "plain", "hashed"

PART = r"[^/\\\x00-\x1f.][^/\\\x00-\x1f]{0,254}"
NAME = re.compile(rf"rows/{PART}/{PART}/{PART}/{PART}\.json|predictions/{PART}/{PART}/{PART}/{PART}\.parquet")
"""Names of the files of a pack beside its record: no part is empty, begins with a dot, or holds a slash."""

LARGEST_PACK = 2**30  # bytes of the zip
LARGEST_CONTENT = 2**32  # bytes of all files unpacked
LARGEST_RECORD = 2**25  # bytes of pack.json
LARGEST_ROW = 2**22  # bytes of a row; those of runs have some thousands
LARGEST_PREDICTIONS = 2**29  # bytes of the predictions of a run
MOST_FILES = 60_000  # below the 65,535 from which on a zip needs the fields of ZIP64
MOST_NUMBERS = 2**27  # samples times columns of the predictions of a run
MOST_COLUMNS = 2**14  # of the predictions of a run
LONGEST_ID = 4096  # characters of an id or a group


@dataclass(frozen=True)
class PackRecord:
    """The content of ``pack.json``.

    Attributes
    ----------
    version : str
        Of this package, by which the pack was made.
    ids : str
        "plain", or "hashed" where ids and groups are hashes with a salt.
    rows : int
        Rows in the pack, failed ones too.
    left_out : int
        Rows of the results folder that are not in the pack.
    files : dict of str to str
        The sha256 of each file by its name.
    """

    version: str
    ids: str
    rows: int
    left_out: int
    files: dict[str, str] = field(default_factory=dict)
    format: str = FORMAT
    schema: int = SCHEMA

    @property
    def is_hashed(self) -> bool:
        """Whether ids and groups are hashes."""
        return self.ids == HASHED
