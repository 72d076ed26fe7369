"""The names of all corruptions and restorers."""

from __future__ import annotations


def corruption_kinds() -> tuple[str, ...]:
    """Corruptions without their severity: ``jpeg``, not ``jpeg_3``."""
    from bench.frontends import corruptions

    return tuple(corruptions.KINDS)


def restorer_names() -> tuple[str, ...]:
    """All restorers."""
    from bench.frontends import restorers

    return tuple(restorers.NAMES)


def classical_names() -> tuple[str, ...]:
    """The restorers that are filters."""
    from bench.frontends import restorers

    return restorers.CLASSICAL
