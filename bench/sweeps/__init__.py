"""Sweeps: a grid of runs as jobs, in this process, in others, or on a cluster."""

from bench.sweeps.sweep import sweep

__all__ = ["sweep"]
