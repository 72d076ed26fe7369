"""A network runs in the precision that is wanted of it, or else in its card's: seen without a GPU."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch

import registry
from registry.extractor import FeatureExtractor
from registry.weights import LoadedWeights

CARD = registry.card("uni")  # bfloat16


def extractor(**settings: Any) -> FeatureExtractor:
    return FeatureExtractor(CARD, torch.nn.Identity(), LoadedWeights("none"), **settings)


@pytest.mark.parametrize("precision", [None, "bfloat16", "float16"])
def test_half_precision_is_autocast_on_a_gpu_only(precision: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    monkeypatch.setattr(torch, "autocast", lambda *device, **settings: taken.append((*device, settings)))
    model = extractor(precision=precision)
    model._numerics(torch.device("cuda"))
    assert taken == [("cuda", {"dtype": getattr(torch, precision or CARD.precision)})]
    assert isinstance(model._numerics(torch.device("cpu")), nullcontext)
    assert len(taken) == 1


def test_float32_on_a_gpu_takes_no_shorter_products() -> None:
    now = torch.backends.cudnn
    before = now.enabled, now.benchmark, now.deterministic, now.allow_tf32
    with extractor(precision="float32")._numerics(torch.device("cuda")):
        assert (now.enabled, now.benchmark, now.deterministic, now.allow_tf32) == (*before[:3], False)
    assert (now.enabled, now.benchmark, now.deterministic, now.allow_tf32) == before
