"""The values that the settings of a head may have, and the sentences for those that they may not have."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import UnionType
from typing import Any, get_args, get_type_hints

from registry.errors import UserError

DEVICES = re.compile(r"auto|cpu|cuda(:\d+)?")


@dataclass(frozen=True)
class Range:
    """Finite numbers from `low` up, or up to `high`; an open end is not among them."""

    low: float
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return bool(above and below and math.isfinite(value))

    def __str__(self) -> str:
        low = f"above {self.low:g}" if self.open_low else f"{self.low:g} or more"
        if self.high == math.inf:
            return low
        return f"{low} and {'below' if self.open_high else 'at most'} {self.high:g}"


POSITIVE = Range(0, open_low=True)
FROM_ZERO = Range(0)
FROM_ONE = Range(1)
SHARE = Range(0, 1)
DROPOUT = Range(0, 1, open_high=True)


def check_settings(head: str, config: Any, /, **allowed: Range | tuple[str | int | None, ...]) -> None:
    """Check each named setting, and the name of the device where the head has one.

    A setting must be in its range, or one of the values. Null is in every range, because the schema decides where it is
    allowed. A list has one value or more, all of them in the range.

    Raises
    ------
    UserError
        If one is not; the sentence has the setting, its value and what it may be.
    """
    for name, values in allowed.items():
        own = getattr(config, name)
        what = f"{name}={'null' if own is None else own} of the {head} head"
        if isinstance(values, tuple):
            if own not in values:
                known = " or ".join("null" if v is None else str(v) for v in values)
                raise UserError(f"{what} is unknown: it must be {known}.")
        elif isinstance(own, Sequence):
            if not len(own):
                raise UserError(f"{what} is empty: name one value or more, each {values}.")
            if not all(value in values for value in own):
                raise UserError(f"{what} is out of range: each value must be {values}.")
        elif own is not None and own not in values:
            raise UserError(f"{what} is out of range: it must be {values}.")
    device = getattr(config, "device", "auto")
    if not DEVICES.fullmatch(device):
        raise UserError(f"device={device} of the {head} head is unknown: it must be auto, cpu, cuda or cuda:N.")


def nearest_name(name: str, known: Sequence[str]) -> str | None:
    """The known name that is spelt most alike, or else one with a word in common; None without any."""
    alike = get_close_matches(name, known, 1)
    words = set(name.split("_"))
    return next((k for k in [*alike, *known] if k in alike or words & set(k.split("_"))), None)


def wrong_type(head_type: str, schema: type, name: str, value: Any) -> str:
    """The sentence for a setting whose value is not of the type that its `Config` gives it."""
    hint = get_type_hints(schema)[name]
    types = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    wanted = " or ".join(_TYPES[t] for t in types)
    default = getattr(schema(), name)
    example = default
    if isinstance(default, list):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        example = [value] if number and not (types == (list[int],) and isinstance(value, float)) else default
    elif isinstance(default, bool) or default is None:
        example = None
    such_as = f", such as {json.dumps(example)}" if example not in (None, {}, []) else ""
    shown = json.dumps(value, default=str)
    return f"{name}={shown} of the protocol {head_type} is not of the right type: {name} must be {wanted}{such_as}."


_TYPES = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a word",
    type(None): "null",
    list[int]: "a list of whole numbers",
    list[float]: "a list of numbers",
    list[str]: "a list of words",
    dict[str, Any]: "settings by name",
}


def device_of(setting: str) -> str:
    """The device that "auto", "cpu", "cuda" or "cuda:N" means here; "auto" is a GPU where there is one.

    Raises
    ------
    UserError
        If there is no such GPU.
    """
    import torch

    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if setting == "auto":
        return "cuda" if there else "cpu"
    if setting.startswith("cuda") and int(setting.partition(":")[2] or 0) >= there:
        seen = f"PyTorch sees {there} of them" if there else "PyTorch sees none"
        raise UserError(
            f"device={setting} of a head names a GPU that is not there ({seen}): set device to auto or cpu."
        )
    return setting
