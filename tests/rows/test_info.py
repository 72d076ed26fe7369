"""Whatever stands in `info` of a row, its fields are of the types that tables, pages and plots expect."""

import math
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from saved_runs import row_of

from bench.rows import EVIDENCE, LEVELS, CardInfo, Contamination, RowInfo

CARD = {
    "title": "UNI",
    "family": "uni",
    "licence": "CC-BY-NC-ND-4.0",
    "gated": True,
    "url": "https://example.org/uni",
    "paper": "Chen 2024",
    "params_m": 303.4,
    "gmacs": 59.7,
    "dim": 1024,
    "tile_size": 256,
    "mpp": 0.5,
    "cohorts": [{"name": "GTEx", "evidence": "stated"}],
    "cohorts_evidence": "stated",
}
FIELDS = ("track", "frontend", "lpips", "device", "finished", "command")
VALUES = [None, True, 3, -1, 1.5, float("nan"), float("-inf"), 10**400, "", "text", [], [[]], {}, {"": {}}, [{"a": 1}]]


def test_fields_of_a_row_as_runs_write_it() -> None:
    info = RowInfo(
        row_of(
            info={
                "model_card": CARD,
                "contamination": {"level": "inferred", "evidence": "It saw TCGA."},
                "peak_memory_mib": 812,
                "config": {"model": "uni"},
                "digests": {"weights": "ab"},
                "versions": {"torch": "2.7.0"},
                "device": "cpu",
                "seconds": {"fit": 0.25},
                "finished": "2025-01-01T00:00:00Z",
                "command": "python -m bench model=uni",
                "weights": {"sha256": "ab", "commit": "", "notes": []},
                "threshold_shift": {"sensitivity": 0.5},
                "chance_centre_accuracy": 0.2,
            }
        )
    )
    assert info.has_card
    assert info.card == CardInfo(**{**CARD, "cohorts": {"GTEx": "stated"}})
    assert info.contamination == Contamination("inferred", "It saw TCGA.")
    assert info.peak_memory_mib == 812
    assert (info.config, info.digests, info.versions) == ({"model": "uni"}, {"weights": "ab"}, {"torch": "2.7.0"})
    assert (info.device, info.finished) == ("cpu", "2025-01-01T00:00:00Z")
    assert info.command == "python -m bench model=uni"
    assert info.seconds == {"fit": 0.25}
    assert info.weights_sha256 == "ab"
    assert info.threshold_shifts == {"sensitivity": 0.5}
    assert info.number("chance_centre_accuracy") == 0.2


def test_an_older_row_says_nothing() -> None:
    info = RowInfo(row_of())
    assert not info.has_card
    assert info.card == CardInfo()
    assert info.contamination == Contamination("unknown", "")
    assert info.peak_memory_mib is None
    assert [info.config, info.digests, info.versions, info.seconds, info.threshold_shifts] == [{}] * 5
    assert [getattr(info, name) for name in FIELDS] == [""] * len(FIELDS)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//host/x", " https://x", "HTTPS:x"])
def test_an_address_that_is_no_link_of_the_web_is_none(url: str) -> None:
    assert RowInfo(row_of(info={"model_card": {"url": url}})).card.url == ""


@pytest.mark.parametrize("value", [True, "0.5", None, float("nan"), float("inf"), 10**400, [0.5]], ids=str)
def test_what_is_no_number_is_none(value: Any) -> None:
    info = RowInfo(row_of(info={"threshold_shift": value, "peak_memory_mib": value, "model_card": {"mpp": value}}))
    assert info.threshold_shifts == {}
    assert info.peak_memory_mib is None
    assert info.card.mpp is None


NAME = st.sampled_from([*CARD, "level", "evidence", "name", "sha256", "fit", "x"])
ANY = st.recursive(
    st.sampled_from(VALUES), lambda items: st.lists(items, max_size=2) | st.dictionaries(NAME, items, max_size=3)
)
RECORDS = ("model_card", "contamination", "config", "digests", "versions", "seconds", "weights", "threshold_shift")
TOP = st.sampled_from([*RECORDS, "peak_memory_mib", *FIELDS])


@settings(max_examples=25)
@given(st.dictionaries(TOP, ANY, max_size=4) | ANY)
def test_types_hold_for_any_json(content: Any) -> None:
    info = RowInfo(row_of(info=content))
    card = info.card
    for field in fields(CardInfo):
        value, hint = getattr(card, field.name), str(field.type)
        allowed = {"str": (str,), "bool | None": (bool, type(None)), "int | None": (int, type(None))}.get(
            hint, (float, type(None)) if "float" in hint else (dict,)
        )
        assert isinstance(value, allowed), field.name
        assert not isinstance(value, float) or (math.isfinite(value) and value >= 0)
    assert {card.cohorts_evidence, *card.cohorts.values()} <= set(EVIDENCE)
    assert info.contamination.level in LEVELS
    texts = [*(getattr(info, name) for name in FIELDS), info.contamination.evidence, info.weights_sha256]
    texts += [*info.digests.values(), *info.versions.values()]
    assert all(isinstance(text, str) for text in texts)
    assert all(math.isfinite(number) for number in [*info.seconds.values(), *info.threshold_shifts.values()])
