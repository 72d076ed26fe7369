"""Verdicts on tasks: what an audit found, its file in the results folder, and the badge that tables show of it."""

from bench.verdicts.finding import LEVEL, VERDICTS, Finding, Number, Verdict, adjusted

__all__ = ["LEVEL", "VERDICTS", "Finding", "Number", "Verdict", "adjusted"]
