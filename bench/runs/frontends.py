"""The front-end of a run, and where its restorers look for weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.config import BenchConfig
from bench.frontends import Chain, WeightSources, chain_of
from registry.errors import UserError, near_match


def frontend_of(config: BenchConfig) -> Chain:
    """What tiles go through before the encoder.

    Raises
    ------
    UserError
        If a name or a setting is unknown, or the weights of a restorer are not there.
    """
    chain = chain_of(config.frontend, config.frontends, weight_sources(config))
    unused = sorted(config.frontends.keys() - {part.name for part in chain.parts} - restorers_of_tracks(config))
    if unused:
        raise UserError(
            f"frontends.{unused[0]} is set and frontend={chain.name or 'none'} does not name {unused[0]}: add it, or "
            f"drop the setting.{near_match(unused[0], [part.name for part in chain.parts])}"
        )
    _ = chain.identity
    return chain


def weight_sources(config: BenchConfig) -> WeightSources:
    """Where restorers look for their weights."""
    return WeightSources(config.checkpoints, config.weights_dir, config.offline)


def restorers_of_tracks(config: BenchConfig) -> set[str]:
    """The restorers that tasks with a track name; the tasks are not checked yet."""

    def of(settings: Any, name: str) -> Any:
        return settings.get(name) if isinstance(settings, Mapping) else getattr(settings, name, None)

    tracks = [of(task, "track") for task in config.tasks.values()]
    return {str(name) for track in tracks if track for name in of(track, "restorers") or ()}
