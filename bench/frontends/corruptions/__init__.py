"""Corruptions of five severities each."""

KINDS: tuple[str, ...] = ()
