"""Where a user says that weights are: the arguments that every step of loading shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Source:
    """The arguments of `registry.load` that say which weights are meant; see there for each."""

    checkpoint: str | Path | None = None
    weights_dir: str | Path | None = None
    revision: str | None = None
    offline: bool = False
    token: str | None = field(default=None, repr=False)
