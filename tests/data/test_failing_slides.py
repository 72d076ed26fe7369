"""A slide on which something fails that no library documents is named, and left out on request."""

import pytest

from bench import tasks
from bench.data import slide_units
from bench.data.laying import Laying
from bench.data.slide_units import SlideUnits, TileSpec
from registry.errors import UserError

PLACES = ("open_slide", "load_or_segment_tissue", "plan", "write_preview", "coords_attributes")


def laying(table, folder, on_corrupt):
    table = table.assign(split=["train", "train", "test", "test"], label=list("abab"), patient=list("pqrs"))
    table.to_csv(folder / "cohort.csv", index=False)
    task = tasks.configured({"name": "slides", "reader": "slides", "unit": "slide", "min_groups": 1})
    manifest = tasks.read(task, folder / "cohort.csv", folder)
    return Laying(SlideUnits(manifest, TileSpec(256, 0.5), folder / "cache", folder / "previews", on_corrupt, None))


@pytest.mark.parametrize("place", PLACES)
def test_any_error_of_one_slide(table, tmp_path, monkeypatch, place):
    failing = table.slide.iloc[1]
    plain = getattr(slide_units, place)

    def fails(*arguments, **options):
        names = [getattr(argument, "path", argument) for argument in arguments]
        if failing in names:
            raise AssertionError("planes differ")
        return plain(*arguments, **options)

    monkeypatch.setattr(slide_units, place, fails)
    with pytest.raises(UserError, match=f"The slide {failing} cannot be read .AssertionError: planes differ"):
        list(laying(table, tmp_path, "error"))
    skipping = laying(table, tmp_path, "skip")
    assert len(list(skipping)) == 3
    assert any("1 slide that cannot be read left out" in note for note in skipping.notes)
