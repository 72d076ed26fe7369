"""What `info` of a row says, with types checked: a row may be old, edited by hand, or of another version.

A field that is not there and one of another type are alike: "", None, or nothing in a list or mapping. So whoever
shows rows needs no case of their own for either, and nothing in `info` can break a table, a page or a plot.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from bench.rows.row import Row

EVIDENCE = ("stated", "inferred", "unknown")
NO_CONTAMINATION = "none"
LEVELS = (*EVIDENCE, NO_CONTAMINATION)
TIMES = ("stages", "seconds", "finished", "peak_memory_mib", "job")
"""Fields of `info` in which two runs that do the same work differ: when, how fast, in how much memory, in which job."""
LINKS = ("https://", "http://")


@dataclass(frozen=True)
class CardInfo:
    """What a row says of the card of its model; "" or None where the row does not say it.

    Attributes
    ----------
    title, family, licence, paper : str
    url : str
        Of http or https; "" otherwise, so that it can be a link of a page.
    gated : bool or None
        Whether the weights want an account and consent.
    params_m : float or None
        Millions of parameters.
    gmacs : float or None
        Billions of multiplications and additions a tile, at the model's own tile size.
    dim : int or None
        Of a feature.
    tile_size : int or None
        Side of the tile that the authors mean, px.
    mpp : float or None
        Microns per px that the authors mean.
    cohorts : dict of str to str
        Public cohorts seen in pretraining, and by what evidence: one of `EVIDENCE`.
    cohorts_evidence : str
        How the list of cohorts is known, one of `EVIDENCE`; "unknown" where the row does not say it.
    """

    title: str = ""
    family: str = ""
    licence: str = ""
    gated: bool | None = None
    url: str = ""
    paper: str = ""
    params_m: float | None = None
    gmacs: float | None = None
    dim: int | None = None
    tile_size: int | None = None
    mpp: float | None = None
    cohorts: Mapping[str, str] = field(default_factory=dict)
    cohorts_evidence: str = "unknown"


@dataclass(frozen=True)
class Contamination:
    """Whether the model saw a cohort of the task in pretraining.

    Attributes
    ----------
    level : str
        "stated" or "inferred" where it did, by the authors' word or by what follows from it; "unknown" where nobody
        says; "none" where it did not. One of `LEVELS`; "unknown" for a row that does not say it.
    evidence : str
        One sentence.
    """

    level: str = "unknown"
    evidence: str = ""


class RowInfo:
    """The fields of `info` of one row, typed.

    Parameters
    ----------
    row : Row
    """

    def __init__(self, row: Row) -> None:
        self._info: Mapping[str, Any] = row.info if isinstance(row.info, dict) else {}

    @property
    def card(self) -> CardInfo:
        """The model's card; all fields empty where the row has none."""
        found = _record(self._info, "model_card")
        listed = found.get("cohorts")
        cohorts = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        gated, url = found.get("gated"), _text(found, "url")
        return CardInfo(
            title=_text(found, "title"),
            family=_text(found, "family"),
            licence=_text(found, "licence"),
            gated=gated if isinstance(gated, bool) else None,
            url=url if url.startswith(LINKS) else "",
            paper=_text(found, "paper"),
            params_m=_amount(found, "params_m"),
            gmacs=_amount(found, "gmacs"),
            dim=_count(found, "dim"),
            tile_size=_count(found, "tile_size"),
            mpp=_amount(found, "mpp"),
            cohorts={name: _one_of(EVIDENCE, one, "evidence") for one in cohorts if (name := _text(one, "name"))},
            cohorts_evidence=_one_of(EVIDENCE, found, "cohorts_evidence"),
        )

    @property
    def has_card(self) -> bool:
        """Whether the row says anything of its model's card."""
        return bool(_record(self._info, "model_card"))

    @property
    def contamination(self) -> Contamination:
        """Whether the model saw the task's cohorts in pretraining."""
        found = _record(self._info, "contamination")
        return Contamination(_one_of(LEVELS, found, "level"), _text(found, "evidence"))

    @property
    def peak_memory_mib(self) -> float | None:
        """Most memory of the device that the embedding took, MiB; None where it was not measured."""
        return _amount(self._info, "peak_memory_mib")

    @property
    def config(self) -> dict[str, Any]:
        """The settings that make this row again, as `bench.config.BenchConfig` has them; empty in older rows."""
        return _record(self._info, "config")

    @property
    def digests(self) -> dict[str, str]:
        """By name: weights, card, data, features, head, samples."""
        return _texts(_record(self._info, "digests"))

    @property
    def task_digest(self) -> str:
        """Of the task on its samples: the cohort hash and what a tile is; "" in older rows."""
        return self._task_digests.get("task", "")

    @property
    def task_settings_digest(self) -> str:
        """Of the settings that define the task, its split and its metric; "" in older rows."""
        return self._task_digests.get("settings", "")

    @property
    def _task_digests(self) -> dict[str, str]:
        return _texts(_record(self._info, "task_digests"))

    @property
    def versions(self) -> dict[str, str]:
        """Of Python, this package and those that it computes with."""
        return _texts(_record(self._info, "versions"))

    @property
    def device(self) -> str:
        """As for torch, and the name of the GPU: "cpu", "cuda:0 (NVIDIA H100)"."""
        return _text(self._info, "device")

    @property
    def seconds(self) -> dict[str, float]:
        """By step: "fit" for fitting, predicting and scoring."""
        found = _record(self._info, "seconds")
        return {name: value for name in found if (value := _amount(found, name)) is not None}

    @property
    def finished(self) -> str:
        """When the row was computed, ISO 8601 in UTC."""
        return _text(self._info, "finished")

    @property
    def command(self) -> str:
        """The command that makes the row again."""
        return _text(self._info, "command")

    @property
    def track(self) -> str:
        """Of a task with a track, as in `bench.targets`."""
        return _text(self._info, "track")

    @property
    def frontend(self) -> str:
        """The identity of what stood between tile and encoder."""
        return _text(self._info, "frontend")

    @property
    def lpips(self) -> str:
        """The identity of the weights of LPIPS."""
        return _text(self._info, "lpips")

    @property
    def weights_sha256(self) -> str:
        """Of the model's weights."""
        return _text(_record(self._info, "weights"), "sha256")

    @property
    def threshold_shifts(self) -> dict[str, float]:
        """By the metric that is computed with a threshold, "" where the row tells of one only, by how much it moved."""
        found = self._info.get("threshold_shift")
        by_name = found if isinstance(found, dict) else {"": found}
        return {name: value for name in by_name if (value := _number(by_name, name)) is not None}

    @property
    def attention(self) -> str:
        """Where the attention lies in the results folder; "" for a path that leads out of it."""
        found = _text(self._info, "attention")
        path = PurePosixPath(found)
        return "" if path.is_absolute() or ".." in path.parts or "\\" in found or ":" in found else found

    def number(self, name: str) -> float | None:
        """A finite number of any other name; None where there is none."""
        return _number(self._info, name)


def _record(info: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = info.get(name)
    return found if isinstance(found, dict) else {}


def _text(info: Mapping[str, Any], name: str) -> str:
    found = info.get(name)
    return found if isinstance(found, str) else ""


def _texts(info: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in info.items() if isinstance(value, str)}


def _number(info: Mapping[str, Any], name: str) -> float | None:
    """A finite number as a float; an int of more digits than a float has is none, nor is a bool."""
    found = info.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        return float(found) if math.isfinite(found) else None
    except OverflowError:
        return None


def _amount(info: Mapping[str, Any], name: str) -> float | None:
    found = _number(info, name)
    return found if found is not None and found >= 0 else None


def _count(info: Mapping[str, Any], name: str) -> int | None:
    found = info.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 2**63 else None


def _one_of(names: tuple[str, ...], info: Mapping[str, Any], name: str) -> str:
    found = _text(info, name)
    return found if found in names else "unknown"
