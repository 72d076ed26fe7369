"""Frozen tasks: the published definition of a task, its split and its metric, and the digests that rows are held to."""

from bench.frozen.records import FILE, FrozenSide, FrozenTask, frozen_tasks, read_records, written
from bench.frozen.sides import side_of

__all__ = ["FILE", "FrozenSide", "FrozenTask", "frozen_tasks", "read_records", "side_of", "written"]
