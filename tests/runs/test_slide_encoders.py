"""The command with models that encode slides and regions."""

import hashlib

import numpy as np
import pytest
import torch
from command_helpers import bench, files, refused, row, rows
from PIL import Image
from slide_command_helpers import features, on_slides

import registry
from bench.embedding import read_features
from bench.slides import read_bag

PLUGIN = """
from registry.card import Architecture, ModelCard, Pooling, Preprocessing, Pretraining, Weights

REST = dict(family="tiny", paper="none", url="none", licence="none", precision="float32",
            pretraining=Pretraining(method="none", data="none"))
CARDS = (
    ModelCard(
        name="tiny_tiles", title="Tiny tile encoder", dim=64, params=0, pooling=Pooling(kind="cls"),
        architecture=Architecture(builder="timm:test_vit", kwargs={"num_classes": 0, "global_pool": ""}),
        preprocessing=Preprocessing(size=160, mpp=0.5, tile_size=160, resize=160), weights=Weights(file="tiles.pth"),
        **REST,
    ),
    ModelCard(
        name="tiny_slides", title="Tiny slide encoder", unit="slide", dim=64, params=0, tile_encoder="tiny_tiles",
        architecture=Architecture(
            builder="registry.architectures.longnet:LongNetSlideEncoder",
            kwargs={"dim_in": 64, "dim": 64, "depth": 2, "heads": 16},
        ),
        preprocessing=Preprocessing(size=160, mpp=0.5, tile_size=160, resize=None, crop=False),
        weights=Weights(file="slides.pth"), **REST,
    ),
)
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A plugin with a tile encoder and a slide encoder, and their checkpoints."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny_slide_models.py").write_text(PLUGIN)
    registry.load_plugins([folder / "tiny_slide_models.py"])
    for name, file in (("tiny_tiles", "tiles.pth"), ("tiny_slides", "slides.pth")):
        network = registry.load(name, weights="random").network
        torch.save({k: v * 2 if v.ndim > 1 else v for k, v in network.state_dict().items()}, folder / file)
    return folder


@pytest.mark.slow
def test_a_slide_encoder_over_its_tile_encoder(tiny, few_slides, tmp_path):
    arguments = (
        f"plugins=[{tiny / 'tiny_slide_models.py'}]",
        "model=[tiny_slides,tiny_tiles]",
        f"checkpoints.tiny_slides={tiny / 'slides.pth'}",
        f"checkpoints.tiny_tiles={tiny / 'tiles.pth'}",
        "protocol=[linear,abmil]",
        "protocols.linear.n_strengths=1",
        "tasks.slides.min_groups=1",
        "protocols.abmil.epochs=2",
    )
    done = on_slides(tmp_path, few_slides, *arguments)
    assert done.returncode == 0, done.stderr
    assert "tiny_slides: one vector a slide, so abmil is left out" in done.stderr
    assert set(rows(tmp_path)) == {
        ("tiny_slides", "linear", 0, 0),
        ("tiny_tiles", "linear", 0, 0),
        ("tiny_tiles", "abmil", 0, 0),
    }
    weights = row(tmp_path, model="tiny_slides")["info"]["weights"]
    assert weights["sha256"] == hashlib.sha256((tiny / "slides.pth").read_bytes()).hexdigest()
    assert weights["tile_encoder"] == row(tmp_path, model="tiny_tiles", protocol="linear")["info"]["weights"]
    vectors, bags = features(tmp_path, "tiny_slides"), features(tmp_path, "tiny_tiles")
    assert set(vectors) == set(bags)
    encoder = registry.load("tiny_slides", checkpoint=tiny / "slides.pth")
    for slide, path in bags.items():
        got, coords, says = read_bag(path.parent, slide)
        with torch.inference_mode():
            own = encoder(torch.from_numpy(got), torch.from_numpy(coords), float(says["patch_size_level0"]))
        np.testing.assert_allclose(read_features(vectors[slide])[0][:].astype(np.float32), own, rtol=2e-3, atol=1e-3)
    before = files(tmp_path, "cache/**/*.h5")
    assert on_slides(tmp_path, few_slides, *arguments, "results=again").returncode == 0
    assert files(tmp_path, "cache/**/*.h5") == before
    vectors[min(vectors)].unlink()
    assert on_slides(tmp_path, few_slides, *arguments, "results=mended").returncode == 0
    assert files(tmp_path, "cache/**/*.h5").keys() == before.keys()
    assert {k: v for k, (_, v) in files(tmp_path, "cache/**/*.h5").items()} == {k: v for k, (_, v) in before.items()}

    alone = [a for a in arguments if "model=" not in a and "protocol" not in a]
    refused(on_slides(tmp_path, few_slides, *alone, "model=tiny_slides", "protocol=abmil"), "one vector a slide")
    refused(on_slides(tmp_path, few_slides, *alone, "model=colour"), "checkpoints.tiny_slides")


def test_what_is_for_slides_is_refused_on_tiles(tiny, tmp_path):
    for label in "xy":
        for i in range(8):
            path = tmp_path / "data" / label / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.random.default_rng(i).integers(0, 256, (160, 160, 3), np.uint8)).save(path)
    arguments = ("task=tiles", "data=data", "null=none", "bootstrap=50")
    refused(
        bench(tmp_path, *arguments, "model=colour", "protocol=abmil"),
        "protocol=abmil",
        "takes slides as bags of tiles",
        "protocol=linear",
    )
    plugin = f"plugins=[{tiny / 'tiny_slide_models.py'}]"
    done = bench(tmp_path, *arguments, plugin, "model=[tiny_slides,colour]", "weights=random")
    refused(done, "tiny_slides@random is for slides")
    assert row(tmp_path, model="colour", protocol="linear")["status"] == "ok"
    assert "left out: ridge (regression, ordinal), cox (survival), abmil (slides)" in done.stderr


@pytest.mark.slow
def test_regions(few_slides, tmp_path):
    """HIPT on regions; slides that are smaller than one say so."""
    heads = ("protocol=[linear,abmil]", "protocols.linear.n_strengths=1", "protocols.abmil.epochs=2")
    arguments = ("model=hipt", "weights=random", *heads, "tasks.slides.min_groups=1")
    done = on_slides(
        tmp_path, few_slides, *arguments, "tasks.slides.tiling.size=256", "tasks.slides.tiling.max_tiles=1"
    )
    assert done.returncode == 0, done.stderr
    assert {one["feature_dim"] for one in rows(tmp_path).values()} == {192}
    assert not any("the network sees" in note for one in rows(tmp_path).values() for note in one["notes"])
    done = on_slides(tmp_path, few_slides, *arguments, "results=large")
    refused(done, "None of the 6 slides of slides gives a tile (6 smaller than a tile of 4096px-0.5mpp)")


@pytest.mark.slow
def test_chief_over_its_ctranspath(cohort, tmp_path):
    arguments = ("model=chief", "weights=random", "protocol=linear", "tasks.slides.tiling.min_tissue=0.05")
    done = on_slides(tmp_path, cohort, *arguments)
    assert done.returncode == 0, done.stderr
    one = row(tmp_path, model="chief@random", protocol="linear")
    assert one["feature_dim"] == 768
    assert one["params_m"] > 27
    assert list((tmp_path / "results/previews/slides").glob("256px-1mpp-*.jpg"))
