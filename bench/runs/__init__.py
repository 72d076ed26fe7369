"""Runs: what is to be done, the doing of it, and what each row needs."""

from bench.runs.context import RunContext
from bench.runs.evaluate import Outcome, evaluate, prepare, print_report, run
from bench.runs.plan import Plan
from bench.runs.plan_text import plan_text

__all__ = ["Outcome", "Plan", "RunContext", "evaluate", "plan_text", "prepare", "print_report", "run"]
