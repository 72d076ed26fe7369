"""Runs: what is to be done, the doing of it, and what each row needs."""

from bench.runs.audit import USAGE as AUDIT_USAGE
from bench.runs.audit import AuditOptions, audit_arguments, audit_tasks
from bench.runs.checks import check_settings, check_writable
from bench.runs.configuration import Settings, make_config
from bench.runs.context import RunContext, to_stderr
from bench.runs.devices import devices_of
from bench.runs.evaluate import (
    Outcome,
    embed_cohort,
    evaluate_plan,
    nothing_written,
    prepare,
    run,
)
from bench.runs.fit import Run, sentence_of
from bench.runs.model import PRECOMPUTED
from bench.runs.models import BASELINES, concerns, names_of_models
from bench.runs.multiverse import multiverse_overrides, run_multiverse
from bench.runs.plan import Plan, TaskPlan, blocks_of, keys_of, rows_to_make
from bench.runs.plan_text import Todo, plan_text, todos_of
from bench.runs.presets import preset_digest, preset_names, published_task, stated_digest, stated_task
from bench.runs.published_figures import published_command
from bench.runs.published_protocols import Published, published_protocols
from bench.runs.reporting import print_report, print_tables
from bench.runs.reproduce import reproduce_command
from bench.runs.reproduce_board import reproduce_board_command
from bench.runs.scoring import scored
from bench.runs.worst_cases import draw_worst_cases, drawing

__all__ = [
    "AUDIT_USAGE",
    "BASELINES",
    "PRECOMPUTED",
    "AuditOptions",
    "Outcome",
    "Plan",
    "Published",
    "Run",
    "RunContext",
    "Settings",
    "TaskPlan",
    "Todo",
    "audit_arguments",
    "audit_tasks",
    "blocks_of",
    "check_settings",
    "check_writable",
    "concerns",
    "devices_of",
    "draw_worst_cases",
    "drawing",
    "embed_cohort",
    "evaluate_plan",
    "keys_of",
    "make_config",
    "multiverse_overrides",
    "names_of_models",
    "nothing_written",
    "plan_text",
    "prepare",
    "preset_digest",
    "preset_names",
    "print_report",
    "print_tables",
    "published_command",
    "published_protocols",
    "published_task",
    "reproduce_board_command",
    "reproduce_command",
    "rows_to_make",
    "run",
    "run_multiverse",
    "scored",
    "sentence_of",
    "stated_digest",
    "stated_task",
    "to_stderr",
    "todos_of",
]
