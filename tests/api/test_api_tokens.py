"""Patch tokens of a benchmark's samples: what is refused before any work, what is stored and what is read."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import bench
import bench.__main__ as command

REPO = Path(__file__).resolve().parents[2]
STAND_INS = str(REPO / "tests/runs/stand_in_models.py")  # `token_means` gives the means of the 4 x 4 parts of a tile
QUICK = {"null": "none", "bootstrap": 20, "plugins": [STAND_INS]}


@pytest.fixture
def places(tmp_path):
    """Eight patients with four tiles each, the second half of them for the test."""
    rng = np.random.default_rng(0)
    lines = []
    for patient in range(8):
        for tile in range(4):
            name = f"p{patient}_{tile}.png"
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(tmp_path / name)
            side = "test" if patient > 3 else "train"
            lines.append({"path": name, "label": "ab"[tile % 2], "patient": f"p{patient}", "split": side})
    pd.DataFrame(lines).to_csv(tmp_path / "manifest.csv", index=False)
    return {"data": tmp_path / "manifest.csv", "cache": tmp_path / "cache"}


def parts(folder, name):
    """What `token_means` gives, from the pixels."""
    tile = np.asarray(Image.open(folder / name), np.float64) / 255
    return tile.reshape(4, 8, 4, 8, 3).mean((1, 3)).reshape(16, 3)


@pytest.mark.parametrize(
    ("model", "features", "sentence"),
    [
        ("means", "token", "features=token is neither vectors nor tokens.*belong together.* Is tokens meant"),
        ("means", "vector", "features=vector is neither .* Is vectors meant"),
        ("means", "some/folder", "features=some/folder is neither .*model=precomputed and features=DIR"),
        ("precomputed", None, "model=precomputed and features=DIR belong together"),
        ("means", "tokens", r"means is no vision transformer \(Means\) and gives no patch tokens: leave it out"),
        ("colour", "tokens", "colour is statistics of colour and gives no patch tokens: leave it out"),
        ("resnet50", "tokens", r"resnet50 is no vision transformer \(ResNet\)"),
        (["token_means", "resnet50"], "tokens", r"resnet50 is no vision transformer"),
        ("chief", "tokens", "chief is a slide encoder .*name its tile encoder, chief_ctranspath"),
    ],
)
def test_what_cannot_be_had_is_refused_before_any_work(places, tmp_path, model, features, sentence):
    with pytest.raises(bench.UserError, match=sentence):
        bench.evaluate(model, "tiles", "knn", features=features, results=tmp_path / "results", **QUICK, **places)
    assert not list(places["cache"].rglob("*.h5"))


def test_tokens_of_compiled_networks_are_refused_before_any_work(places):
    with pytest.raises(bench.UserError, match="features=tokens and compile=true do not go together"):
        bench.embed("token_means", "tiles", features="tokens", compile=True, plugins=[STAND_INS], **places)
    assert not list(places["cache"].rglob("*.h5"))


@pytest.mark.parametrize("features", ["vectors", None])
def test_vectors_alone_are_the_default(places, features):
    made = bench.embed("token_means", "tiles", features=features, plugins=[STAND_INS], **places)
    assert made.tokens is made.grid is None
    assert not list(places["cache"].rglob("*.tokens.h5"))


def test_tokens_of_tiles(places, tmp_path):
    plain = bench.embed("token_means", "tiles", plugins=[STAND_INS], **{**places, "cache": tmp_path / "plain"})
    made = bench.embed("token_means", "tiles", features="tokens", plugins=[STAND_INS], shard_tiles=10, **places)
    np.testing.assert_array_equal(made.vectors, plain.vectors)
    assert made.grid == (4, 4)
    assert len(made.tokens) == len(made.ids) == 32
    for row in (0, 9, 10, 31):
        np.testing.assert_allclose(made.tokens[row], parts(tmp_path, made.ids[row]), atol=1e-3)
    (some,) = made.tokens[made.ids == "p3_1.png"]
    np.testing.assert_allclose(some, parts(tmp_path, "p3_1.png"), atol=1e-3)
    assert made.tokens[5:15].shape == (10, 16, 3)
    assert made.tokens[5:15].dtype == np.float16
    opened = bench.open_features(
        "token_means", "tiles", features="tokens", plugins=[STAND_INS], shard_tiles=10, **places
    )
    np.testing.assert_array_equal(opened.tokens[:], made.tokens[:])


def test_tokens_that_are_not_there_are_made_beside_vectors_that_are(places):
    bench.embed("token_means", "tiles", plugins=[STAND_INS], **places)
    with pytest.raises(bench.UserError, match="not all in the cache"):
        bench.open_features("token_means", "tiles", features="tokens", plugins=[STAND_INS], **places)
    (vectors,) = places["cache"].rglob("*.h5")
    before = vectors.read_bytes()
    made = bench.embed("token_means", "tiles", features="tokens", plugins=[STAND_INS], **places)
    assert len(made.tokens) == 32
    assert {file.name for file in places["cache"].rglob("*.h5")} == {vectors.name, f"{vectors.stem}.tokens.h5"}
    assert vectors.read_bytes() == before


@pytest.mark.slow
def test_an_evaluation_stores_tokens_of_the_models_that_were_named(places, tmp_path):
    """Also where its rows are up to date; the baselines beside them give none."""
    common = {**QUICK, **places, "results": tmp_path / "results", "null": "baselines"}
    first = bench.evaluate("token_means", "tiles", "knn", **common)
    assert not list(places["cache"].rglob("*.tokens.h5"))
    second = bench.evaluate("token_means", "tiles", "knn", features="tokens", **common)
    pd.testing.assert_frame_equal(first.rows, second.rows)
    assert {file.parents[1].name for file in places["cache"].rglob("*.tokens.h5")} == {"token_means"}
    files = {file: file.stat().st_mtime_ns for file in places["cache"].rglob("*.h5")}
    bench.evaluate("token_means", "tiles", "knn", features="tokens", steps=["fit"], **common)
    bench.evaluate("token_means", "tiles", "knn", features="tokens", **common)
    assert {file: file.stat().st_mtime_ns for file in places["cache"].rglob("*.h5")} == files


def test_the_plan_counts_what_lacks_tokens(places, tmp_path, monkeypatch, capsys):
    bench.evaluate("token_means", "tiles", "knn", results=tmp_path / "results", **QUICK, **places)
    arguments = [f"{name}={place}" for name, place in places.items()]
    arguments += [f"results={tmp_path / 'results'}", f"plugins=[{STAND_INS}]", "null=none", "bootstrap=20"]
    for features, text in (("vectors", "embedded; all 1 rows"), ("tokens", "32 tiles to embed, about")):
        own = ["plan", "model=token_means", "task=tiles", "protocol=knn", f"features={features}", *arguments]
        monkeypatch.setattr(sys, "argv", ["pfmbench", *own])
        with pytest.raises(SystemExit) as stop:
            command.main()
        assert not stop.value.code
        assert text in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["slide", "patient"])
def test_tokens_of_slides_are_those_of_the_tiles_of_their_bags(phantom_slides, tmp_path, unit):
    made = bench.embed(
        "token_means",
        {"slides": {"unit": unit}},
        data=phantom_slides,
        cache=tmp_path,
        features="tokens",
        plugins=[STAND_INS],
    )
    assert made.grid == (4, 4)
    assert len(made.tokens) == len(made.bags) == len(made.ids) == {"slide": 13, "patient": 12}[unit]
    for own, bag in zip(made.tokens, made.bags, strict=True):
        tokens = np.asarray(own, np.float32)
        assert tokens.shape == (len(bag), 16, 3)
        np.testing.assert_allclose(tokens.mean(1), np.asarray(bag, np.float32)[:, :3], atol=1e-3)
