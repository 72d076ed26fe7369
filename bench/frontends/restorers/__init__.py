"""Restorers: filters, networks, and what is fitted to each tile."""

NAMES: tuple[str, ...] = ()
