"""The Python of docs/API.md, section "The benchmark from Python", runs as it is written."""

import inspect
import re
from pathlib import Path

import pytest

import bench

REPO = Path(__file__).resolve().parents[2]
HEADING = "## The benchmark from Python\n"
(SECTION,) = [
    part for part in re.split(r"^(?=## )", (REPO / "docs/API.md").read_text(), flags=re.M) if part.startswith(HEADING)
]
BLOCKS = re.findall(r"^```python\n(.*?)^```$", SECTION, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The names that the blocks leave, and what they print."""
    import contextlib
    import io

    printed, names = io.StringIO(), {}
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("example")))
        for number, block in enumerate(BLOCKS):
            exec(compile(block, f"docs/API.md, block {number}", "exec"), names)
    return names, printed.getvalue()


@pytest.mark.slow
def test_the_blocks_run_one_after_the_other_and_leave_what_they_say(ran):
    names, printed = ran

    assert len(BLOCKS) == 8
    scores = names["scores"].set_index(["protocol", "model"])
    assert len(scores) == 4
    assert scores.value.between(0, 1).all()
    assert (scores.ci_low < scores.ci_high).any()
    assert (scores.n_groups == 4).all()
    assert scores.loc["knn", "baseline_value"].eq(scores.loc[("knn", "colour"), "value"]).all()
    assert "efficientnet_lite0" in printed
    pictured = (names["folder"] / "features.png").is_file()
    assert pictured != ("there is no picture" in printed)


@pytest.mark.slow
def test_the_sentences_of_errors_are_those_that_are_written(ran):
    written = re.findall(r"^# (.*?)(?:, \.\.\.)?$", BLOCKS[-1], flags=re.MULTILINE)

    assert len(written) == 3
    for sentence in written:
        assert sentence in ran[1]


def test_every_argument_attribute_and_name_is_explained():
    named = set(re.findall(r"`(\w+)`", "".join(line for line in SECTION.splitlines() if line.startswith("| `"))))
    arguments = {*inspect.signature(bench.evaluate).parameters} - {"settings"}

    assert arguments <= named
    assert {*bench.Features.__dataclass_fields__} <= named
    for name in bench.__all__:
        assert f"`bench.{name}" in SECTION or f"`{name}" in SECTION, name
