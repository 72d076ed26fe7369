"""The paths of a table are joined as `pathlib` joins them, column by column."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bench.tasks.readers.table import _joined

ODD = (
    "a.png",
    "a/b.png",
    "./a.png",
    "a/./b.png",
    "a//b.png",
    "/x/a.png",
    "//x/a.png",
    "a/",
    "a/.",
    ".",
    "..",
    "../a.png",
)
ODD += (".hidden.png", "a/.hidden", "a.", "a./b", "a b.png", "å/ß.png", "a\\b.png", "a\nb")


@pytest.mark.parametrize("base", ["/data/images", "/", "."])
def test_paths_are_joined_as_pathlib_does(base: str):
    found = _joined(Path(base), pd.Series([*ODD, ""]))
    assert found.tolist() == [*(str(Path(base) / path) for path in ODD), ""]
