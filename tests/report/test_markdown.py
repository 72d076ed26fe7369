"""leaderboard.md: what a forge shows of each task and head, and of names that could be taken for markup."""

import re
from pathlib import Path

import pytest
from leaderboard_runs import AddRun, predicted
from robustness_rows import add_head, add_similarity

from bench.report.markdown import plain
from bench.report.markdown_leaderboard import markdown_text
from bench.results import read_leaderboard


def page(results: Path) -> str:
    return markdown_text(read_leaderboard(results))


def rows_of(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, with the first line."""
    section = text.split(f"{heading}\n", 1)[1].split("\n#", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in (lines[0], *lines[2:])]


def test_a_task_and_head_has_its_models_from_the_best_on(filled: Path) -> None:
    text = page(filled)
    heading, *lines = rows_of(text, "### demo, linear")
    assert heading[:3] == ["rank", "model", "balanced_accuracy [95 %]"]
    assert [line[1] for line in lines] == [
        *("**uni**", "**resnet50**", "*uni@random* (baseline)", "*colour* (baseline)", "*random_vit_s16* (baseline)"),
    ]
    values = [float(line[2].split()[0]) for line in lines]
    assert values == sorted(values, reverse=True)
    assert all(re.fullmatch(r"\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]", line[2]) for line in lines)
    assert lines[0][0] == "1 [1, 1]"
    assert re.fullmatch(r"\+0\.\d{3} \[[+-]0\.\d{3}, [+-]0\.\d{3}\], p 0\.\d{3}", lines[0][3])
    assert lines[0][4].endswith(" better")
    assert [line[5] for line in lines] == ["1"] * 5
    assert "balanced_accuracy (higher is better), 60 test samples of 10 groups." in text
    assert "failed: virchow2, linear, seed 0: virchow2 is gated: ask at its page, or checkpoint=FILE." in text


def test_runs_that_lack_a_value_are_counted(results: Path, add_run: AddRun) -> None:
    for seed in (0, 1, 2):
        add_run("uni", predicted(1.0, seed=seed), seed=seed)
    add_run("dino", predicted(1.0), seed=0)
    add_run("dino", status="failed", error="no", seed=1)
    (_, *lines) = rows_of(page(results), "### demo, linear")
    assert {line[1]: line[5] for line in lines} == {"**uni**": "3", "**dino**": "1 of 2"}


def test_a_head_whose_runs_failed_says_so(results: Path, add_run: AddRun) -> None:
    add_run("uni", status="failed", error="no")
    assert "### demo, linear\n\nEvery run failed.\n" in page(results)


def test_a_note_of_several_models_is_one_line(results: Path, add_run: AddRun) -> None:
    for model in ("uni", "dino"):
        add_run(model, predicted(1.0), notes=["the samples are synthetic"])
    assert page(results).count("note: dino, uni: the samples are synthetic\n") == 1


def test_encoders_behind_corruptions_have_a_table_of_their_own(results: Path, add_run: AddRun) -> None:
    for frontend, wrong in (("", 1), ("jpeg_3", 4), ("jpeg_3+median", 3)):
        add_head(add_run, "uni", frontend, wrong)
        add_similarity(add_run, "uni", frontend, [1.0, 0.9, 0.8], [0.5] * 3 if "+" in frontend else None)
    heading, *lines = rows_of(page(results), "## robustness")
    assert heading[:5] == ["head", "model", "restorer", "metric", "clean"]
    assert next(line[:3] for line in lines if line[0] == "linear") == ["linear", "uni", "none"]


def test_a_name_is_no_markup_and_breaks_no_table(results: Path, add_run: AddRun) -> None:
    name = "a|b\n<script>`*[x](http://y.z)"
    add_run(name, predicted(1.0), error="")
    text = page(results)
    (_, line) = rows_of(text, "### demo, linear")
    assert len(line) == 6
    assert "<script>" not in text
    assert "](http:" not in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("random_vit_s16", "random_vit_s16"),
        ("_x_ and __init__", r"\_x\_ and \_\_init\_\_"),
        ("a|b*c`d", r"a\|b\*c\`d"),
        ("<b> & $x$ ~y~", r"\<b\> \& \$x\$ \~y\~"),
        ("https://a.b www.c.d", r"https\://a.b www\.c.d"),
        ("a\r\nb\x1b[31m\ud800", r"a b\\x1b\[31m\\ud800"),
    ],
)
def test_text_is_shown_as_it_is(text: str, shown: str) -> None:
    assert plain(text) == shown
