"""The step embed in parts, `part=K/N`: together they leave what one command leaves."""

from pathlib import Path

import pytest
from command_helpers import files, refused, row_files, rows
from step_helpers import SHARDS, run, slides, tiles, untimed

from bench.data import slide_units
from bench.slides import open_slide, reader

__all__ = ["slides", "tiles"]


def stored(folder, model):
    return {path.name for path in (folder / "cache/features" / model).rglob("*.h5")}


@pytest.mark.parametrize("n", [2, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 5))])
def test_parts_together_embed_all_and_fit_follows(tiles, tmp_path, n):
    """More parts than shards too: some have nothing to do."""
    embed = ["steps=[embed]"]
    seen = {"means": set(), "colour": set()}
    for k in range(1, n + 1):
        done = run(tmp_path, tiles, f"part={k}/{n}", step=embed)
        assert done.returncode == 0, done.stderr
        for model, before in seen.items():
            now = stored(tmp_path, model)
            assert len(now - before) == len(range(k - 1, SHARDS, n))
            seen[model] = now
        if k < n and len(now) < SHARDS:
            refused(run(tmp_path, tiles, "results=early", step=["fit"]), "make them first, with")
    assert not row_files(tmp_path)
    assert not row_files(tmp_path, "early")
    plain = tmp_path / "plain"
    plain.mkdir()
    assert run(plain, tiles).returncode == 0
    assert run(tmp_path, tiles, "steps=[fit,report]").returncode == 0
    assert untimed(tmp_path) == untimed(plain)


@pytest.fixture
def opened(monkeypatch):
    """The names of the slides that are opened, for tissue and grids or for their tiles."""
    names = []

    def recorded(path, mpp=None, **how):
        names.append(Path(path).stem)
        return open_slide(path, mpp, **how)

    monkeypatch.setattr(slide_units, "open_slide", recorded)
    monkeypatch.setattr(reader, "open_slide", recorded)
    return names


@pytest.mark.slow
def test_parts_of_slides_together_leave_the_cache_of_one_run(slides, tmp_path, opened):
    """Slides 0 to 4 of which 4 is truncated; each part opens its own only."""
    models = "[means,slide_means]"
    parts = []
    for k in (1, 2):
        opened.clear()
        done = run(tmp_path, slides, f"part={k}/2", step=["embed"], model=models)
        assert done.returncode == 0, done.stderr
        parts.append(set(opened))
        assert stored(tmp_path, "means") == stored(tmp_path, "slide_means")
        assert len(stored(tmp_path, "means")) == 2 * k
    assert parts[0] | parts[1] == set("01234")
    assert not parts[0] & parts[1]
    assert {path.stem for path in tmp_path.glob("results/previews/slides/*/*.jpg")} == set("0123")
    assert not list(tmp_path.glob("results/previews/slides/*.jpg")), (
        "the sheet of a part would be of the cohort by name"
    )
    plain = tmp_path / "plain"
    plain.mkdir()
    assert run(plain, slides, step=["embed"], model=models).returncode == 0
    made = files(plain, "cache/**/*.h5")
    assert len(made) == 3 * 4, "grids, features of tiles and vectors of four slides"
    assert {name: data for name, (_, data) in files(tmp_path, "cache/**/*.h5").items()} == {
        name: data for name, (_, data) in made.items()
    }
    done = run(tmp_path, slides, step=["fit"], model=models)
    assert done.returncode == 0, done.stderr
    assert {(one["status"], one["n_skipped"]) for one in rows(tmp_path).values()} == {("ok", 1)}
    assert len(list(tmp_path.glob("results/previews/slides/*.jpg"))) == 1


def test_fit_after_some_parts_names_every_model_of_the_missing_features(slides, tmp_path):
    """The features of the other slides are known to be missing only once their grids are laid."""
    models = "[means,slide_means]"
    assert run(tmp_path, slides, "part=1/2", step=["embed"], model=models).returncode == 0
    done = run(tmp_path, slides, step=["fit"], model=models)
    for model in ("means", "slide_means"):
        refused(done, f"The features of {model} on slides are not", f"embed task=slides model={model}`")
    assert len([line for line in done.stderr.splitlines() if line.startswith("pfmbench: ")]) == 2
    assert not row_files(tmp_path)
    assert len(stored(tmp_path, "means")) == 2


def test_a_part_without_a_usable_slide_is_no_error(slides, tmp_path):
    """The fifth part has the truncated slide alone, the sixth none at all."""
    for k in (5, 6):
        done = run(tmp_path, slides, f"part={k}/6", step=["embed"], model="[means,slide_means]")
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert not list(tmp_path.glob("cache/**/*.h5"))
