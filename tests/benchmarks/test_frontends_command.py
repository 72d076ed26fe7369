"""The speed of front-ends is printed for every corruption, for those that are named, and on given images."""

import re
import sys

from PIL import Image

from bench.frontends.corruptions import KINDS
from benchmarks import frontends


def rows(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["frontends", "--rounds", "1", "--batch-size", "2", *arguments])
    frontends.main()
    return [line.split(" | ") for line in capsys.readouterr().out.splitlines()[1:]]


def test_every_corruption_has_a_row(monkeypatch, capsys):
    found = rows(monkeypatch, capsys, "--side", "64")

    assert [name for name, _ in found] == [f"{kind}_3" for kind in KINDS]
    assert all(re.fullmatch(r"[1-9]\d* \([1-9]\d* to [1-9]\d*\)", rate) for _, rate in found)


def test_named_front_ends_on_images_of_a_folder(monkeypatch, capsys, tmp_path):
    (tmp_path / "class").mkdir()
    for name in ("a.png", "b.jpg", "c.tif"):
        Image.new("RGB", (80, 70), "purple").save(tmp_path / "class" / name)

    assert frontends.tiles_of(tmp_path, 2, 48).shape == (2, 3, 48, 48)
    assert [name for name, _ in rows(monkeypatch, capsys, str(tmp_path), "--frontends", "jpeg_5", "hue_1")] == [
        "jpeg_5",
        "hue_1",
    ]
