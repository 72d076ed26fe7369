"""Packs: rows and predictions of a results folder in one zip that others can check, and the check."""

from bench.packs.freeze import freeze_command
from bench.packs.submit import submit_command
from bench.packs.verify import verify_command

__all__ = ["freeze_command", "submit_command", "verify_command"]
