"""In what the heads of one protocol differ, where a results folder has several settings of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from bench.results.aggregated_result import AggregatedResult
from bench.rows import Row, RowInfo

Head = tuple[str, str]
"""Protocol, and digest of its settings."""


def differing_settings(entries: Iterable[AggregatedResult]) -> dict[Head, str]:
    """The settings in which each head differs from others of its protocol, such as ``k=[5]; metric=cosine``.

    Empty where a protocol has one head, where the rows of one do not say their settings, and where heads differ in what
    is no setting, as in the columns of the manifest that they compare samples by.
    """
    of_protocol: dict[str, dict[str, Mapping[str, Any]]] = {}
    for entry in entries:
        heads = of_protocol.setdefault(entry.key.protocol, {})
        if not heads.get(entry.key.head):
            heads[entry.key.head] = next((found for row in entry.rows if (found := _settings(row))), {})
    return {
        (protocol, head): _text(settings, [one for other, one in heads.items() if other != head])
        for protocol, heads in of_protocol.items()
        for head, settings in heads.items()
    }


def _settings(row: Row) -> Mapping[str, Any]:
    """The settings of the row's head; empty where it does not say."""
    protocols = RowInfo(row).config.get("protocols")
    if not isinstance(protocols, dict):
        return {}
    names = [name for name in protocols if row.protocol == name or row.protocol.startswith(f"{name}-")]
    found = protocols[max(names, key=len)] if names else {}
    return found if isinstance(found, dict) else {}


def _text(settings: Mapping[str, Any], others: list[Mapping[str, Any]]) -> str:
    if not others or not settings or not all(others):
        return ""
    names = [name for name in sorted(settings) if any(one.get(name) != settings[name] for one in others)]
    return "; ".join(f"{name}={_value(settings[name])}" for name in names)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
