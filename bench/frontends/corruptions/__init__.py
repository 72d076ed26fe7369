"""Corruptions: tiles as a worse slide, scanner or file would have given them, in five severities each."""

from .corruption import KINDS, corruption
from .levels import LEVELS

__all__ = ["KINDS", "LEVELS", "corruption"]
