"""The precision of a run is part of the identity of its features: by the device, the card and what the user set."""

import pytest
import torch

from bench.config import BenchConfig, Precision
from bench.runs.models import models_of
from registry import precision as module
from registry.errors import UserError


@pytest.fixture(params=[True, False], ids=["native", "emulated"])
def native(request, monkeypatch):
    """A processor with instructions for bfloat16, and one without."""
    module.native_bfloat16.cache_clear()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": request.param})
    yield request.param
    module.native_bfloat16.cache_clear()


def precisions(device, **settings):
    """Of each model of a run, by name."""
    found = models_of(BenchConfig(model=["efficientnet_lite0", "uni", "resnet50"], **settings), device)
    return {model.name: model.how["precision"] for model in found if model.name != "colour"}


def test_on_a_cpu_the_card_and_the_processor_decide(native):
    reduced = "bfloat16" if native else "float32"
    assert precisions("cpu") == {
        "efficientnet_lite0": "float32",
        "uni": reduced,
        "resnet50": reduced,
        "random_vit_s16": reduced,
    }


def test_a_random_init_baseline_runs_as_its_model(native):
    found = {model.name: model.how["precision"] for model in models_of(BenchConfig(model="uni@random"), "cpu")}
    assert found["uni@random"] == precisions("cpu")["uni"]


@pytest.mark.parametrize("wanted", [Precision.float32, Precision.bfloat16])
def test_what_the_user_sets_goes_for_all_models(native, wanted):
    assert set(precisions("cpu", precision=wanted).values()) == {wanted.value}


def test_on_a_gpu_the_card_decides(native):
    assert precisions("cuda") == {
        "efficientnet_lite0": "float32",
        "uni": "float16",
        "resnet50": "bfloat16",
        "random_vit_s16": "bfloat16",
    }


def test_float16_on_a_cpu_is_refused_when_the_run_is_planned():
    with pytest.raises(UserError, match="precision=float16 is for GPUs"):
        precisions("cpu", precision=Precision.float16)


def test_compiled_kernels_are_part_of_the_key_and_slide_encoders_are_not_compiled():
    plain, compiled = (models_of(BenchConfig(model="random_vit_s16", compile=c), "cuda")[0] for c in (False, True))
    assert plain.feature_key("s").precision == "bfloat16"
    assert compiled.feature_key("s").precision == "bfloat16+compile"
    encoder = models_of(BenchConfig(model="chief@random", compile=True), "cuda")[0]
    assert encoder.tile_encoder.how["compile"]
    assert not encoder.how["compile"]
