"""Models that fail in a run of several: a sentence and a row each, and the rows of the others as without them."""

import numpy as np
import pandas as pd
import pytest
from command_helpers import bench, refused, row, rows
from PIL import Image
from plain_loop import USUAL
from slide_command_helpers import write_slide

from bench.rows import TIMES

LIGHT = 9  # the tile from which on `late_faulty` fails


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiles")
    rng = np.random.default_rng(0)
    rows = []
    for i in range(16):
        low, high = (0, 100) if i < LIGHT else (180, 256)
        Image.fromarray(rng.integers(low, high, (16, 16, 3), dtype=np.uint8)).save(folder / f"{i}.png")
        side = "train" if i % 4 < 2 else "test"
        rows.append({"path": f"{i}.png", "label": "ab"[i % 2], "patient": f"P{i}", "split": side})
    pd.DataFrame(rows).to_csv(folder / "tiles.csv", index=False)
    return folder / "tiles.csv"


def run(folder, data, models, *arguments):
    return bench(folder, "task=tiles", f"data={data}", f"model=[{models}]", *USUAL, "shard_tiles=4", *arguments)


def sound(one):
    """A row without what differs from run to run."""
    own = {name: value for name, value in one.items() if name != "tiles_per_s"}
    return {**own, "info": {name: value for name, value in own["info"].items() if name not in TIMES}}


FAILURES = {
    "hungry": ("hungry runs out of GPU memory with a single tile", "device=cpu"),
    "faulty": ("faulty: RuntimeError: a layer is broken",),
    "late_faulty": ("late_faulty: RuntimeError: too light",),
    "not_finite": ("not_finite gives features that are not finite numbers",),
    "scaled": ("scaled", "checkpoint"),
}


def test_each_model_that_fails_is_a_sentence_and_the_others_finish(tiles, tmp_path):
    heads = ("protocol=[knn,linear]", "protocols.linear.n_strengths=1", "batch_size=7")
    assert run(tmp_path, tiles, "means,colour", *heads, "cache=plain", "results=plain_results").returncode == 0
    undisturbed = rows(tmp_path, results="plain_results")
    done = run(tmp_path, tiles, ",".join(["hungry,means", *list(FAILURES)[1:], "colour"]), *heads)
    found = rows(tmp_path)
    for model, parts in FAILURES.items():
        refused(done, *parts)
        for head in ("knn", "linear"):
            assert found[model, head, 0, 0]["status"] == "failed"
            assert all(part in found[model, head, 0, 0]["error"] for part in parts)
        sentences = [line for line in done.stderr.splitlines() if line.startswith("pfmbench: ") and parts[0] in line]
        assert len(sentences) == 1 + (model == "scaled"), (
            "one sentence, however many heads, and one before the first tile"
        )
        assert len(set(sentences)) == 1
    assert found.keys() == undisturbed.keys() | {(m, h, 0, 0) for m in FAILURES for h in ("knn", "linear")}
    for name, one in undisturbed.items():
        assert one["status"] == "ok"
        assert sound(found[name]) == sound(one)
    again = run(tmp_path, tiles, "means,hungry,colour", *heads)
    refused(again, "hungry runs out of GPU memory")
    assert {name: rows(tmp_path)[name] for name in undisturbed} == {name: found[name] for name in undisturbed}


def test_what_a_model_made_before_it_failed_stays_and_a_later_run_goes_on(tiles, tmp_path, monkeypatch):
    import stand_in_models

    refused(run(tmp_path, tiles, "late_faulty", "batch_size=4"), "too light")
    made = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("cache/features/late_faulty/*/*.h5")}
    assert sorted(made) == ["000000000-000000004.h5", "000000004-000000008.h5"]
    monkeypatch.setattr(stand_in_models.LateFaulty, "forward", stand_in_models.Means.forward)
    assert run(tmp_path, tiles, "late_faulty").returncode == 0
    now = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("cache/features/late_faulty/*/*.h5")}
    assert len(now) == 4
    assert now.items() >= made.items()
    one = row(tmp_path)
    assert (one["model"], one["status"], one["error"]) == ("late_faulty", "ok", "")
    assert not any("failed" in note or "light" in note for note in one["notes"])


def test_a_row_says_that_the_batch_was_halved_also_where_another_process_fits_the_head(tiles, tmp_path):
    done = run(tmp_path, tiles, "tight,means", "batch_size=16", "steps=[embed]")
    assert done.returncode == 0, done.stderr
    assert "tight runs out of GPU memory: it goes on with 4 tiles a forward pass" in done.stderr
    assert run(tmp_path, tiles, "tight,means", "batch_size=16").returncode == 0
    halved = "GPU memory ran out: features were made with batches halved to 4 tiles"
    found = {one["model"]: one for one in rows(tmp_path).values()}
    assert halved in found["tight"]["notes"]
    assert halved not in found["means"]["notes"]
    assert found["tight"]["metrics"] == found["means"]["metrics"]
    assert (found["tight"]["status"], found["tight"]["error"]) == ("ok", "")


@pytest.mark.parametrize("model", ["hungry_at_load", "slide_hungry"])
def test_no_memory_is_the_sentence_of_its_model_wherever_it_runs_out(tmp_path, model):
    for i in range(4):
        pixels = np.random.default_rng(i).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        write_slide(tmp_path / f"{i}.tif", pixels)
        Image.fromarray(np.full((64, 64), 255, np.uint8)).save(tmp_path / f"{i}.png")
    frame = pd.DataFrame({"slide": [f"{i}.tif" for i in range(4)], "mask": [f"{i}.png" for i in range(4)]})
    frame.assign(label=list("abab"), split=["train", "train", "test", "test"]).to_csv(tmp_path / "s.csv", index=False)
    done = bench(tmp_path, "task=slides", "data=s.csv", f"model=[{model},means]", *USUAL, "tasks.slides.min_groups=1")
    refused(done, f"{model} runs out of GPU memory")
    assert "fault of the harness" not in done.stderr
    assert row(tmp_path, model=model)["status"] == "failed"
    assert row(tmp_path, model="means")["status"] == "ok"
