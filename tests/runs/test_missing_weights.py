"""Models without weights: said before anything is computed, and nothing is computed for a run that has no other."""

import sys

import numpy as np
import pandas as pd
import pytest
from command_helpers import bench, refused, rows
from PIL import Image
from plain_loop import USUAL
from slide_command_helpers import write_slide

from bench.slides import reader
from bench.tiles import reading

HEADS = ("protocol=[knn,linear]", "protocols.linear.n_strengths=1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight tiles and four slides with masks."""
    made = tmp_path_factory.mktemp("data")
    tiles, slides = [], []
    for i in range(8):
        pixels = np.random.default_rng(i).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(made / f"{i}.png")
        tiles.append({"path": f"{i}.png", "label": "ab"[i % 2], "split": "train" if i < 4 else "test"})
    for i in range(4):
        write_slide(made / f"{i}.tif", np.random.default_rng(i).integers(0, 256, (128, 128, 3), dtype=np.uint8))
        Image.fromarray(np.full((64, 64), 255, np.uint8)).save(made / f"mask{i}.png")
        side = "train" if i < 2 else "test"
        slides.append({"slide": f"{i}.tif", "mask": f"mask{i}.png", "label": "ab"[i % 2], "split": side})
    pd.DataFrame(tiles).to_csv(made / "tiles.csv", index=False)
    pd.DataFrame(slides).to_csv(made / "slides.csv", index=False)
    return made


@pytest.fixture
def decoded(monkeypatch):
    """What had been said on stderr, at each tile that was decoded."""
    said = []

    def watched(module, name):
        plain = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, **k: said.append(sys.stderr.getvalue()) or plain(*a, **k))

    watched(reading, "read_image_into")
    watched(reader.SlideTiles, "read_into")
    return said


def run(folder, data, task, models, *arguments):
    arguments = (*arguments, *(["tasks.slides.tiling.size=64"] if task == "slides" else []))
    table = ("data=" + str(data / f"{task}.csv"), f"task={task}", f"tasks.{task}.min_groups=1")
    return bench(folder, *table, *USUAL, f"model=[{models}]", *HEADS, *arguments)


@pytest.mark.parametrize(("task", "models"), [("tiles", "scaled,unpublished"), ("slides", "slide_scaled,unpublished")])
def test_where_no_model_has_weights_nothing_is_computed(folder, tmp_path, decoded, task, models):
    done = run(tmp_path, folder, task, models, "null=baselines")
    refused(done, "scaled has no public weights", "unpublished has no public weights")
    assert not decoded
    assert not list(tmp_path.glob("cache/**/*.h5"))
    assert not list(tmp_path.glob("results/previews/**/*.jpg"))
    found = rows(tmp_path)
    assert found.keys() == {(model, head, 0, 0) for model in models.split(",") for head in ("knn", "linear")}
    for (model, *_), one in found.items():
        assert one["status"] == "failed"
        assert "has no public weights" in one["error"]
        assert model in one["error"]
    assert "colour" not in done.stdout


def test_a_baseline_that_the_user_named_is_run_where_a_model_has_no_weights(folder, tmp_path, decoded):
    refused(run(tmp_path, folder, "tiles", "unpublished,colour", "null=none"), "unpublished has no public weights")
    assert decoded
    assert {model: one["status"] for (model, *_), one in rows(tmp_path).items()} == {
        "unpublished": "failed",
        "colour": "ok",
    }


def test_the_step_embed_fails_for_a_model_without_weights_and_embeds_the_others(folder, tmp_path, decoded):
    done = run(tmp_path, folder, "tiles", "unpublished,means", "null=none", "steps=[embed]")
    refused(done, "unpublished has no public weights")
    assert decoded
    assert list(tmp_path.glob("cache/features/means/*/*.h5"))
    assert not rows(tmp_path)


def test_a_slide_encoder_whose_tile_encoder_has_no_weights(folder, tmp_path, decoded):
    """Its own are there."""
    import torch
    from stand_in_models import DIM

    torch.save({"factor": torch.ones(DIM + 2)}, tmp_path / "slide_scaled.pth")
    own = "checkpoints.slide_scaled=slide_scaled.pth"
    refused(run(tmp_path, folder, "slides", "slide_scaled", own), "slide_scaled: scaled has no public weights")
    assert not decoded
    [one] = {one["error"] for one in rows(tmp_path).values()}
    assert one.startswith("slide_scaled: scaled has no public weights")


@pytest.mark.slow
@pytest.mark.parametrize("task", ["tiles", "slides"])
def test_one_model_of_two_is_refused_before_the_first_tile_and_the_other_finishes(folder, tmp_path, decoded, task):
    done = run(tmp_path, folder, task, "unpublished,means", "null=baselines")
    refused(done, "unpublished has no public weights")
    assert decoded
    assert all("pfmbench: unpublished has no public weights" in said for said in decoded)
    found = rows(tmp_path)
    status = {model: found[model, head, 0, 0]["status"] for model, head, *_ in found}
    assert status == {"unpublished": "failed", "means": "ok", "colour": "ok", "random_vit_s16": "ok"}
    assert len(found) == 4 * 2
    assert done.stderr.count("pfmbench: unpublished has no public weights") == 2, "at the beginning and at the end"
