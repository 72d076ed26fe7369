"""Verdicts on tasks: what an audit found, its file in the results folder, and the badge that tables show of it."""

from bench.verdicts.finding import LEVEL, VERDICTS, Finding, Number, Verdict, adjusted
from bench.verdicts.verdict_file import CLEAR, Audit, audit_path, merged_badges, read_audit, write_audit

__all__ = [
    "CLEAR",
    "LEVEL",
    "VERDICTS",
    "Audit",
    "Finding",
    "Number",
    "Verdict",
    "adjusted",
    "audit_path",
    "merged_badges",
    "read_audit",
    "write_audit",
]
