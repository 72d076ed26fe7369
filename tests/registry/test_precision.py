"""A network runs in the precision that is set, or else in what its card advises where the device has it."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import registry
from registry import precision as module
from registry.card import Architecture, Preprocessing
from registry.extractor import FeatureExtractor
from registry.weights import LoadedWeights

REDUCED = registry.card("uni")  # float16
FULL = registry.card("efficientnet_lite0")  # float32
OUTSIDE = registry.card("timm:resnet18")

CUDA, CPU, MPS = "cuda:1", "cpu", "mps"


@pytest.fixture
def instructions(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets what the processor has, as `torch.cpu.get_capabilities` says it."""

    def pretend(**has: bool) -> None:
        module.native_bfloat16.cache_clear()
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)

    yield pretend
    module.native_bfloat16.cache_clear()


@pytest.mark.parametrize(
    ("has", "native"),
    [({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx512_f": True, "avx512_bf16": False}, False)],
)
def test_which_processors_have_bfloat16(instructions: Any, has: dict[str, bool], native: bool) -> None:
    instructions(**has)
    assert registry.native_bfloat16() is native


@pytest.mark.parametrize(
    ("card", "device", "with_instructions", "without"),
    [
        (REDUCED, CPU, "bfloat16", "float32"),
        (FULL, CPU, "float32", "float32"),
        (OUTSIDE, CPU, "float32", "float32"),
        (registry.card("timm:resnet18@random"), CPU, "float32", "float32"),
        (registry.card("uni@random"), CPU, "bfloat16", "float32"),
        (REDUCED, CUDA, "float16", "float16"),
        (FULL, CUDA, "float32", "float32"),
        (OUTSIDE, CUDA, "bfloat16", "bfloat16"),
        (REDUCED, MPS, "float32", "float32"),
    ],
)
def test_what_is_taken_where_nothing_is_set(
    instructions: Any, card: registry.ModelCard, device: str, with_instructions: str, without: str
) -> None:
    instructions(avx512_bf16=True)
    assert registry.resolve_precision(card, None, device) == with_instructions
    instructions()
    assert registry.resolve_precision(card, None, device) == without


@pytest.mark.parametrize("card", [REDUCED, FULL, OUTSIDE], ids=lambda card: card.name)
def test_what_is_set_is_taken_whatever_the_card_says(instructions: Any, card: registry.ModelCard) -> None:
    instructions()  # bfloat16 is emulated then, as the user wants it
    for device, wanted in [(CPU, "float32"), (CPU, "bfloat16"), (CUDA, "float16"), (CUDA, "float32"), (MPS, "float32")]:
        assert registry.resolve_precision(card, wanted, device) == wanted  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "device", "sentence"),
    [
        ("float16", CPU, "precision=float16 is for GPUs: on a CPU set precision=bfloat16"),
        ("bfloat16", MPS, "precision=bfloat16 is for CUDA and for CPUs: on mps set precision=float32"),
    ],
)
def test_a_precision_that_the_device_does_not_have_is_a_sentence(wanted: Any, device: str, sentence: str) -> None:
    with pytest.raises(registry.UserError, match=sentence):
        registry.resolve_precision(REDUCED, wanted, device)


def test_float16_on_a_cpu_is_refused_before_weights_are_looked_for() -> None:
    with pytest.raises(registry.UserError, match="precision=float16 is for GPUs"):
        registry.load("uni", precision="float16")


def extractor(network: torch.nn.Module, card: registry.ModelCard = REDUCED, **settings: Any) -> FeatureExtractor:
    return FeatureExtractor(card, network, LoadedWeights("none"), **settings)


@pytest.mark.parametrize(("wanted", "taken"), [(None, "float16"), ("bfloat16", "bfloat16")])
def test_reduced_precision_is_autocast(wanted: Any, taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(torch, "autocast", lambda *device, **settings: calls.append((*device, settings)))
    extractor(torch.nn.Identity(), precision=wanted)._numerics(torch.device("cuda"))
    assert calls == [("cuda", {"dtype": getattr(torch, taken)})]


def switches() -> list[str]:
    backends: Any = torch.backends
    owners = (backends.cuda.matmul, backends.cudnn.conv, backends.mkldnn.matmul, backends.mkldnn.conv)
    return [owner.fp32_precision for owner in owners]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_float32_takes_no_shorter_products(device: str) -> None:
    before = switches()
    with extractor(torch.nn.Identity(), precision="float32")._numerics(torch.device(device)):
        assert switches() == ["ieee"] * 4
    assert switches() == before


def test_switches_are_as_before_after_an_error() -> None:
    before = switches()
    with pytest.raises(ZeroDivisionError), module.full_float32():
        raise ZeroDivisionError
    assert switches() == before


def test_switches_are_as_before_in_whatever_order_contexts_end() -> None:
    before = switches()
    first, second = module.full_float32(), module.repeatable_float32()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert switches() == ["ieee"] * 4
    second.__exit__(None, None, None)
    assert switches() == before


@pytest.fixture(scope="module")
def tiles() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (33, 32, 32, 3), dtype=torch.uint8, generator=generator).permute(0, 3, 1, 2)


def small(precision: Any) -> FeatureExtractor:
    """A ViT of two blocks on tiles of 32 px with seeded weights."""
    import timm

    card = dataclasses.replace(REDUCED, preprocessing=Preprocessing(size=32, mpp=None, tile_size=32, resize=None))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = timm.create_model("vit_tiny_patch16_224", num_classes=0, depth=2, img_size=32).eval()
    return extractor(network.requires_grad_(False), card, precision=precision)


def test_float32_is_float32_in_a_process_that_allows_less(tiles: torch.Tensor) -> None:
    model = small("float32")
    expected = model(tiles)
    torch.set_float32_matmul_precision("medium")  # bfloat16 on a CPU that has it
    try:
        assert torch.equal(model(tiles), expected)
    finally:
        torch.set_float32_matmul_precision("highest")


def test_bfloat16_on_a_cpu_is_close_to_float32_and_not_it(tiles: torch.Tensor) -> None:
    full, reduced = small("float32")(tiles), small("bfloat16")(tiles)
    assert reduced.dtype == torch.float32
    assert not torch.equal(full, reduced)
    assert torch.cosine_similarity(full.double(), reduced.double()).min() >= 0.999


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_features_of_a_vit_do_not_depend_on_the_batch_by_a_bit(tiles: torch.Tensor, precision: str) -> None:
    """On one thread: several divide the products of one or two images otherwise, so `bench.embedding` fills them up."""
    model = small(precision)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        expected = model(tiles)
        for size in (1, 2, 7, 31, 32):
            in_batches = torch.cat([model(part) for part in tiles.split(size)])
            assert torch.equal(in_batches, expected), size
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "resnet50@random", "random_vit_s16"])
def test_how_tiles_lie_in_memory_changes_no_bit(name: str) -> None:
    tiles = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    model = registry.load(name, precision="float32")
    channels_last = tiles.permute(0, 3, 1, 2)
    assert torch.equal(model(channels_last), model(channels_last.contiguous()))


needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "clang++", "c++"))), reason="no C++ compiler for torch.compile"
)


class Small(torch.nn.Module):
    """A convolution, GELU, mean and a projection: little to compile."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = torch.nn.Conv2d(3, 8, 4, stride=4), torch.nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.nn.functional.gelu(self.stem(x)).mean((2, 3)))


@pytest.fixture
def plugin() -> str:
    card = dataclasses.replace(
        registry.card("random_vit_s16"),
        name="small_to_compile",
        dim=5,
        architecture=Architecture(builder=f"{__name__}:Small"),
        preprocessing=Preprocessing(size=32, mpp=None, tile_size=32, resize=None),
    )
    registry.add(card)
    return card.name


@pytest.mark.slow  # the compiler starts
@needs_compiler
def test_a_compiled_network_gives_the_same_features_but_for_the_last_bits(plugin: str, tiles: torch.Tensor) -> None:
    plain = registry.load(plugin, precision="float32")
    compiled = registry.load(plugin, precision="float32", compile=True)
    for n in (8, 5):  # the last batch is smaller
        torch.testing.assert_close(compiled(tiles[:n]), plain(tiles[:n]), rtol=1e-4, atol=1e-5)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] >= 1, "nothing was compiled"
    assert compiled.network.state_dict().keys() == plain.network.state_dict().keys()


def test_compiling_without_a_compiler_is_a_sentence(plugin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(Path(__file__).parent))
    with pytest.raises(registry.UserError, match=r"compile=true needs a C\+\+ compiler and there is no g\+\+ or"):
        registry.load(plugin, compile=True)
