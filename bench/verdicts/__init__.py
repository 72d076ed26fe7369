"""Verdicts on tasks: what an audit found, its file in the results folder, and the badge that tables show of it."""

from bench.verdicts.finding import LEVEL, VERDICTS, Finding, Number, Verdict, adjusted
from bench.verdicts.pages import ENDINGS, page_links, page_path
from bench.verdicts.verdict_file import AUDITS, CLEAR, Audit, audit_path, merged_audits, read_audit, write_audit

__all__ = [
    "AUDITS",
    "CLEAR",
    "ENDINGS",
    "LEVEL",
    "VERDICTS",
    "Audit",
    "Finding",
    "Number",
    "Verdict",
    "adjusted",
    "audit_path",
    "merged_audits",
    "page_links",
    "page_path",
    "read_audit",
    "write_audit",
]
