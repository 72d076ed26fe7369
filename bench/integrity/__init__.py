"""Checksums of stored files: a footer that a file ends in, and which files were found to agree with theirs."""

from bench.integrity.footer import (
    DamagedFileError,
    Footer,
    append_footer,
    footer_of,
    read_footer,
    with_footer,
    without_footer,
)
from bench.integrity.verified import FileStamp, check_content, remember_verified, stamp_of

__all__ = [
    "DamagedFileError",
    "FileStamp",
    "Footer",
    "append_footer",
    "check_content",
    "footer_of",
    "read_footer",
    "remember_verified",
    "stamp_of",
    "with_footer",
    "without_footer",
]
