"""Corruptions of five severities each."""
