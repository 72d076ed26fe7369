"""docs/HEADS.md names the heads of each kind of target that are there and take it."""

import re
from pathlib import Path

import pytest
import yaml

from bench import protocols

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/HEADS.md").read_text("utf-8").partition("## Further scores")[0]
ROWS = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| `")]
SETTINGS = {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in (ROOT / "conf/protocol").glob("*.yaml")}
HEADS = {
    name: protocols.configured({key: value for key, value in settings.items() if key != "defaults"})
    for name, settings in SETTINGS.items()
}


@pytest.mark.parametrize("kind", protocols.KINDS[:5])
def test_a_kind_of_target_has_one_line_with_the_heads_that_take_it(kind):
    (row,) = [row for row in ROWS if row[0].strip().startswith(f"`{kind}`")]
    stated = set()
    for bags, cell in zip((False, True), row[-1].split(";"), strict=True):
        named = set(re.findall(r"`(\w+)`", cell))
        sort = {name for name, head in HEADS.items() if head.takes_bags == bags}
        assert named <= sort
        stated |= sort - named if " but " in cell else named

    assert stated == {name for name, head in HEADS.items() if kind in head.kinds}
