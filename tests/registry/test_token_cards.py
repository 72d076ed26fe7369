"""Patch tokens and attention of every card, on its network cut to two narrow blocks with seeded weights."""

from __future__ import annotations

import copy
import dataclasses
from contextlib import nullcontext
from functools import cache

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import nn

import registry
from registry.build import build
from registry.card import Architecture, ModelCard
from registry.errors import UserError
from registry.extractor import FeatureExtractor, pool
from registry.tokens import TokenReader, class_attention, reader
from registry.weights import LoadedWeights

NO_TOKENS = {
    "chief": "chief_ctranspath",
    "gigapath_slide": "prov_gigapath",
    "colour": "is statistics of colour",
    "lpfm": "attends across channels",
    "resnet50_layer3": "is no vision transformer",
    **dict.fromkeys(["efficientnet_lite0", "efficientnet_lite2"], r"no vision transformer \(EfficientNet\)"),
    **dict.fromkeys(
        ["resnet50", "lunit_resnet50_bt", "lunit_resnet50_mocov2", "lunit_resnet50_swav"],
        r"no vision transformer \(ResNet\)",
    ),
}
NO_CLASS_TOKEN = {"ctranspath", "chief_ctranspath"}
VARIANTS = [
    (name, choice)
    for name in registry.names()
    if name not in NO_TOKENS
    for choice in [{}, *({o: v} for o, values in registry.card(name).options.items() for v in list(values)[1:])]
]
IDS = ["-".join([name, *choice.values()]) for name, choice in VARIANTS]
REGION = 512  # px, of `hipt`, whose own are 4096


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


def side_of(card: ModelCard) -> int:
    return REGION if card.unit == "region" else card.preprocessing.size


def fill(network: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    for name, parameter in sorted(network.named_parameters()):
        is_scale = parameter.ndim == 1 and name.endswith(("weight", "gamma"))
        parameter.normal_(1.0 if is_scale else 0.0, 0.3 if parameter.ndim == 1 else 0.06, generator=generator)
    return network.eval()


def cut(card: ModelCard) -> ModelCard:
    """The card of a smaller network of the same kind: what its tokens are does not depend on its width."""
    builder, kwargs = card.architecture.builder, dict(card.architecture.kwargs)
    if builder.startswith("timm:vit_"):
        kwargs |= {"embed_dim": 128, "num_heads": 2, "depth": 2, "mlp_ratio": 4.0}
    elif builder.endswith((":RudolfV2", ":GenBioPathFM")):
        kwargs |= {"dim": 96, "heads": 3, "hidden": 64, "depth": 2}
    return dataclasses.replace(card, architecture=Architecture(builder=builder, kwargs=kwargs))


@cache
def network_of(architecture: str) -> nn.Module:
    network = build(next(c.architecture for c in map(cut, EVERY) if repr(c.architecture) == architecture))
    for module in [*network.modules()]:
        blocks = getattr(module, "blocks", None)
        if isinstance(blocks, nn.Sequential | nn.ModuleList):
            module.blocks = blocks[:2]
    return fill(network)


EVERY = [registry.card(name, choice) for name, choice in VARIANTS]


def extractor(name: str, choice: dict[str, str] | None = None) -> FeatureExtractor:
    card = cut(registry.card(name, choice))
    return FeatureExtractor(card, network_of(repr(card.architecture)), LoadedWeights("seeded"), precision="float32")


def tiles_of(card: ModelCard, number: int = 2) -> torch.Tensor:
    side = side_of(card)
    small = torch.rand((number, 3, side // 8, side // 8), generator=torch.Generator().manual_seed(1)) * 255
    return F.interpolate(small, size=(side, side), mode="bilinear").to(torch.uint8)


def recorded(monkeypatch: pytest.MonkeyPatch, found: TokenReader, inputs: torch.Tensor) -> torch.Tensor:
    """Attention of the last block from the queries and keys that torch itself is given, in float64."""
    calls = []
    plain = F.scaled_dot_product_attention

    def record(q, k, v, *args, **kwargs):
        if q.shape[-2] == k.shape[-2]:  # not a pooler, whose queries are other than its keys
            calls.append((q, k))
        return plain(q, k, v, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(F, "scaled_dot_product_attention", record)
        found.forward(inputs)
    q, k = (t.double() for t in calls[-1])
    return torch.softmax(q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5, dim=-1)


def test_cards_without_patch_tokens_are_refused_before_their_weights_are_read():
    for name in registry.names():
        card = registry.card(name)
        if name in NO_TOKENS:
            with pytest.raises(UserError, match=rf"^{name} .*{NO_TOKENS[name]}"):
                registry.check_tokens(card)
        else:
            registry.check_tokens(card)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "colour"])
def test_models_without_patch_tokens_say_so(name):
    model = registry.load(name)
    assert not model.gives_tokens
    assert not model.gives_attention
    for wanted in (model.tokens, model.attention):
        with pytest.raises(UserError, match="no patch tokens"):
            wanted(torch.zeros(1, 3, 224, 224, dtype=torch.uint8))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "choice"), VARIANTS, ids=IDS)
def test_vectors_are_those_of_forward_and_tokens_pool_to_them(name, choice):
    model = extractor(name, choice)
    tiles = tiles_of(model.card)
    found = model.tokens(tiles)
    assert torch.equal(found.vectors, model(tiles))
    assert found.vectors.std() > 0.01
    rows, columns = found.grid
    assert found.patches.shape[:2] == (2, rows * columns)
    assert found.patches.dtype == torch.float32
    kind = model.card.pooling.kind
    if kind == "cls+mean":
        half = found.vectors.shape[1] // 2
        assert torch.equal(found.patches.mean(dim=1), found.vectors[:, half:])
    elif name in NO_CLASS_TOKEN:
        torch.testing.assert_close(found.patches.mean(dim=1), found.vectors)
    else:  # the class token is none of them
        width = found.patches.shape[2]
        classes = found.vectors[:, -width:]
        if classes.shape[1] == width:
            assert (found.patches - classes[:, None]).abs().amax(dim=2).min() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["uni", "virchow2", "conch", "genbio_pathfm", "rudolfv2_s", "hipt_vit256", "ctranspath"]
)
def test_in_bfloat16_vectors_are_those_of_forward_too(name):
    card = extractor(name).card
    model = FeatureExtractor(card, extractor(name).network, LoadedWeights("seeded"), precision="bfloat16")
    tiles = tiles_of(card)
    found = model.tokens(tiles)
    assert torch.equal(found.vectors, model(tiles))
    exact = extractor(name).tokens(tiles)
    assert not torch.equal(found.vectors, exact.vectors)
    assert F.cosine_similarity(found.patches, exact.patches, dim=2).min() > 0.98
    if model.gives_attention:
        maps = model.attention(tiles)
        assert maps.dtype == torch.float32
        torch.testing.assert_close(maps, extractor(name).attention(tiles), atol=0.02, rtol=0.2)


def test_a_compiled_network_gives_no_tokens():
    """Its vectors have last bits of their own, so that tokens beside them would be of another forward pass."""
    card = extractor("kaiko_vits16").card
    network = build(card.architecture)
    network.compile()
    model = FeatureExtractor(card, network, LoadedWeights("seeded"), precision="float32")
    with pytest.raises(UserError, match="kaiko_vits16 is compiled"):
        model.tokens(tiles_of(card))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("name", ["uni", "virchow2", "conch", "genbio_pathfm", "rudolfv2_s", "ctranspath"])
def test_on_cuda_vectors_are_those_of_forward(name, precision):
    here = extractor(name)
    network = copy.deepcopy(here.network).cuda()
    model = FeatureExtractor(here.card, network, LoadedWeights("seeded"), precision=precision).cuda()
    tiles = tiles_of(here.card, 8)
    found = model.tokens(tiles)
    assert torch.equal(found.vectors, model(tiles))
    assert F.cosine_similarity(found.patches.cpu(), here.tokens(tiles).patches, dim=2).min() > 0.98
    if model.gives_attention:
        torch.testing.assert_close(model.attention(tiles).cpu(), here.attention(tiles), atol=0.02, rtol=0.2)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "choice"), VARIANTS, ids=IDS)
def test_attention_is_that_of_the_last_block(name, choice, monkeypatch):
    model = extractor(name, choice)
    tiles = tiles_of(model.card)
    if name in NO_CLASS_TOKEN:
        assert model.gives_tokens
        assert not model.gives_attention
        with pytest.raises(UserError, match=f"^{name} has no class token"):
            model.attention(tiles)
        return
    assert model.gives_attention
    maps = model.attention(tiles)
    found = reader(model.network)
    whole = recorded(monkeypatch, found, model.preprocess(tiles))
    expected = whole[:, :, 0, found.prefix :].reshape(maps.shape).float()
    torch.testing.assert_close(maps, expected, atol=1e-6, rtol=1e-4)
    own = whole[:, :, 0, : found.prefix].sum(-1).reshape(maps.shape[:2]).float()
    torch.testing.assert_close(maps.sum((2, 3)) + own, torch.ones_like(own))
    assert maps.shape[2:] == model.tokens(tiles).grid
    assert maps.std() > 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in registry.names() if name not in NO_TOKENS])
def test_tokens_are_row_by_row(name):
    """What is changed in one patch of the input changes the token of that place most."""
    model = extractor(name)
    found = reader(model.network)
    inputs = model.preprocess(tiles_of(model.card, 1))
    _, before, (rows, columns) = found.forward(inputs)
    row, column = rows - 1, 0
    high, wide = inputs.shape[-2] // rows, inputs.shape[-1] // columns
    changed = inputs.clone()
    changed[..., row * high : (row + 1) * high, column * wide : (column + 1) * wide].neg_()
    difference = (found.forward(changed).patches - before).norm(dim=2)[0]
    assert difference.argmax() == row * columns + column


@pytest.mark.parametrize(
    "name", ["uni", "dinov2_vits14", "virchow2", "h_optimus_0", "kaiko_vits8", "pathdino", "hipt_vit256"]
)
def test_tokens_are_timms(name):
    model = extractor(name)
    tiles = tiles_of(model.card)
    network = model.network
    features = network.forward_features(model.preprocess(tiles))
    assert torch.equal(model.tokens(tiles).patches, features[:, network.num_prefix_tokens :])
    assert network.num_prefix_tokens == (model.card.pooling.patch_start if model.card.pooling.kind != "none" else 1)


def test_tokens_of_genbio_are_those_of_its_channels():
    model = extractor("genbio_pathfm")
    inputs = model.preprocess(tiles_of(model.card))
    found = reader(model.network)
    patches, maps = found.forward(inputs).patches, class_attention(found, inputs, nullcontext())
    turned = inputs[:, [2, 0, 1]]
    dim, heads = patches.shape[2] // 3, maps.shape[1] // 3
    torch.testing.assert_close(
        found.forward(turned).patches.unflatten(2, (3, dim)), patches.unflatten(2, (3, dim))[:, :, [2, 0, 1]]
    )
    torch.testing.assert_close(
        class_attention(found, turned, nullcontext()).unflatten(1, (3, heads)),
        maps.unflatten(1, (3, heads))[:, [2, 0, 1]],
    )


@pytest.mark.parametrize("name", ["hipt_vit256", "kaiko_vits16"])
def test_grids_that_are_no_square(name):
    model = extractor(name)
    found = reader(model.network)
    result = found.forward(torch.randn(1, 3, 96, 160))
    assert result.grid == (6, 10)
    assert class_attention(found, torch.randn(1, 3, 96, 160), nullcontext()).shape[2:] == (6, 10)


@pytest.mark.parametrize(
    ("name", "attention"),
    [
        ("vit_small_patch16_dinov3", True),
        ("eva02_tiny_patch14_224", True),
        ("eva_giant_patch14_224", True),
        ("deit_tiny_distilled_patch16_224", True),
        ("vit_base_patch16_gap_224", False),
        ("vit_base_patch16_siglip_224", False),
    ],
)
def test_other_transformers_of_timm(name, attention, monkeypatch):
    """Rotary positions, biases kept apart, queries and keys of layers of their own, two class tokens, none."""
    network = fill(timm.create_model(name, depth=2, embed_dim=128, num_heads=2, num_classes=0))
    found = reader(network)
    inputs = torch.randn(2, 3, *network.patch_embed.img_size)
    output, patches, (rows, columns) = found.forward(inputs)
    assert torch.equal(output, network(inputs))
    assert patches.shape[1] == rows * columns
    assert (found.attention is not None) == attention
    if attention:
        maps = class_attention(found, inputs, nullcontext())
        expected = recorded(monkeypatch, found, inputs)[:, :, 0, found.prefix :]
        torch.testing.assert_close(maps.flatten(2), expected.float(), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("timm:convnext_tiny", "is no vision transformer"), ("timm:coatnet_0_rw_224", "not known here")],
)
def test_other_networks_of_timm_are_refused(name, sentence):
    with pytest.raises(UserError, match=f"{name} .*{sentence}"):
        registry.check_tokens(registry.card(name))


def test_a_builder_that_cannot_be_tried_is_left_to_the_loaded_network():
    card = dataclasses.replace(
        registry.card("uni"), architecture=dataclasses.replace(registry.card("uni").architecture, builder="no:builder")
    )
    registry.check_tokens(card)


def test_half_precision_tokens_come_as_float32():
    """On a GPU the network may give half precision; what comes out is float32 and pools as the vector did."""
    model = extractor("virchow2")

    class Half(nn.Module):
        prefix_tokens, last_attention = 5, None

        def forward_tokens(self, tiles):
            output = torch.randn(2, 9, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
            return output, output[:, 5:], (2, 2)

    half = FeatureExtractor(model.card, Half(), LoadedWeights("none"), precision="float32")
    found = half.tokens(tiles_of(model.card))
    assert found.patches.dtype == found.vectors.dtype == torch.float32
    assert torch.equal(found.patches.mean(1), found.vectors[:, 8:])
    whole = Half().forward_tokens(None)[0]
    assert torch.equal(found.vectors, pool(whole, model.card.pooling))
