"""Sweeps: a grid of runs as jobs, in this process, in others, or on a cluster."""

from bench.sweeps.command import sweep

__all__ = ["sweep"]
