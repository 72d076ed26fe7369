"""Runs: what is to be done, the doing of it, and what each row needs."""

from bench.runs.configuration import Settings, make_config
from bench.runs.context import RunContext, to_stderr
from bench.runs.devices import devices_of
from bench.runs.evaluate import Outcome, embed_cohort, evaluate_plan, prepare, print_report, run
from bench.runs.models import BASELINES, PRECOMPUTED, concerns
from bench.runs.plan import Plan, blocks_of, keys_of
from bench.runs.plan_text import plan_text
from bench.runs.worst_cases import draw_worst_cases, drawing

__all__ = [
    "BASELINES",
    "PRECOMPUTED",
    "Outcome",
    "Plan",
    "RunContext",
    "Settings",
    "blocks_of",
    "concerns",
    "devices_of",
    "draw_worst_cases",
    "drawing",
    "embed_cohort",
    "evaluate_plan",
    "keys_of",
    "make_config",
    "plan_text",
    "prepare",
    "print_report",
    "run",
    "to_stderr",
]
