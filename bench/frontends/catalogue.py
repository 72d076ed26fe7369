"""Front-ends by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import registry
from bench.frontends import corruptions, restorers
from bench.frontends.base import FrontEnd, WeightSources
from registry.errors import UserError, near_match

WITH_SEVERITY = re.compile(r"(?P<kind>.+)_(?P<severity>-?\d+)")
NONE = "none"


def find(name: str, settings: Mapping[str, Any] | None = None, weights: WeightSources | None = None) -> FrontEnd:
    """The corruption (``KIND_SEVERITY``) or the restorer of this name.

    Parameters
    ----------
    settings : mapping
        Of a restorer; a corruption has its severity alone.

    Raises
    ------
    UserError
        If there is none of this name, its severity is out of range, or a setting is not one of its own.
    """
    if name in restorers.NAMES or name.removesuffix(registry.RANDOM) in registry.names():
        return restorers.restorer(name, settings, weights)
    found = WITH_SEVERITY.fullmatch(name)
    if found is None or (found["kind"] not in corruptions.KINDS and near_match(name, restorers.NAMES)):
        raise UserError(_unknown(name))
    if settings:
        raise UserError(
            f"frontends.{name} has the setting {next(iter(settings))}, and a corruption has none beside its severity: "
            "leave it out."
        )
    return corruptions.corruption(found["kind"], int(found["severity"]))


def _unknown(name: str) -> str:
    if name in corruptions.KINDS:
        return f"frontend={name} needs a severity from 1 to 5, such as {name}_3."
    kinds = [f"{kind}_{severity}" for kind in corruptions.KINDS for severity in range(1, 6)]
    return (
        f"There is no front-end {name!r}: it is {NONE}, a corruption with its severity "
        f"({', '.join(f'{kind}_1' for kind in corruptions.KINDS[:3])}, ...) or a restorer "
        f"({', '.join(restorers.NAMES)})."
        f"{near_match(name, [*kinds, *corruptions.KINDS, *restorers.NAMES, NONE])}"
    )
