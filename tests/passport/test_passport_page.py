"""The page as Markdown and as HTML."""

import base64
import re
import xml.etree.ElementTree as ET

import pytest
from passport_rows import evidence_of, feature_row, head_row, of, scores

from bench.passport.as_html import html
from bench.passport.as_markdown import markdown
from bench.passport.blocks import SVG, Bullets, Gallery, Heading, Page, Paragraph, Picture, Table
from bench.passport.page import page_of
from bench.passport.reading import encoder_of
from bench.passport.worst import Drawn, WorstCase

NASTY = "<script>alert('x & y')</script> a|b *c* `d` [e](http://f)"


def every_block(text):
    picture = Picture("a b/1.png", b"\x89PNG", text)
    return [
        *(Heading(text), Heading(text, 3), Paragraph(text), Bullets([(text, text)])),
        Table([text, "x"], [[text, text]]),
        Picture("../plots/c.svg", b"<svg/>", text, SVG),
        Gallery(["clean", text], [(text, [picture, None])]),
    ]


def test_html_is_well_formed_and_shows_text_as_it_is():
    root = ET.fromstring(html(Page(NASTY, every_block(NASTY))).removeprefix("<!DOCTYPE html>\n"))

    assert root.find("head/title").text == root.find("body/h1").text == NASTY
    assert [root.find(f"body/{tag}").text for tag in ("h2", "h3", "p")] == [NASTY] * 3
    assert {image.get("alt") for image in root.iter("img")} == {NASTY}
    assert not list(root.iter("script")) + list(root.iter("a")) + list(root.iter("link"))


def test_html_has_its_pictures_in_it_and_refers_to_nothing_outside():
    page = html(Page("m", every_block("x")))
    sources = re.findall(r'(?:src|href|action|data)="([^"]*)"', page)

    assert len(sources) == 2
    assert all(source.startswith("data:image/") for source in sources)
    assert base64.b64decode(sources[1].partition(",")[2]) == b"\x89PNG"
    assert not re.search(r"url\(|@import|https?://|//", re.sub(r'src="[^"]*"', "", page))


def test_markdown_shows_marks_as_they_are_and_names_files_beside_it():
    text = markdown(Page(NASTY, every_block(NASTY)))

    assert "<script" not in text.replace("\\<", "")
    assert not re.search(r"(?<!\\)[|]b", text), "a bar in a cell would end it"
    assert not re.search(r"(?<!\\)\[e", text)
    assert "](a%20b/1.png)" in text
    assert "](../plots/c.svg)" in text
    cells = [line for line in text.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in cells} == {3, 4}


@pytest.mark.parametrize("name", ["jpeg_3", "efficientnet_lite0@random"])
def test_usual_names_stay_readable_in_markdown(name):
    assert f"# {name}\n" in markdown(Page(name, []))


CENTRE_METRICS = ("croma", "croma_ltm10", "apd_in", "apd_out", "centre_accuracy")
SCANNER_METRICS = ("consistency", "cosine_all", "top10_scanner", "top10_staining")
LADDER = {"": 0.9, "jpeg_1": 0.85, "jpeg_5": 0.7, "median": 0.88, "jpeg_1+median": 0.8, "jpeg_5+median": 0.75,
          "jpeg_1+wiener": 0.82, "jpeg_5+wiener": 0.7}  # fmt: skip
ROWS = [
    *scores(LADDER, metrics={"ece": 0.1, "brier": 0.2}),
    *scores({"": 0.89, "jpeg_5": 0.86}, protocol="linear-augmented")[1:],
    *(feature_row("uni", frontend, cosine, 0.5) for frontend, cosine in (("jpeg_5", 0.5), ("jpeg_5+median", 0.6))),
]


def lines_of(text, title):
    lines = text.split(f"### {title}\n")[1].split("\n#")[0].strip().splitlines()
    return [line.strip("| ").split(" | ") for line in lines]


def test_tables_have_the_score_before_and_after_the_best_restorer_and_of_the_augmented_head():
    text = markdown(page_of(encoder_of(ROWS, "uni")))

    # median loses (0.1 + 0.15) / 2, wiener (0.08 + 0.2) / 2
    assert lines_of(text, "Score: balanced_accuracy")[2:] == [
        ["jpeg", "not restored", "0.900", "0.850", "0.700"],
        ["jpeg", "restored, median", "0.880", "0.800", "0.750"],
        ["jpeg", "not restored, head trained on corrupted tiles", "0.890", "-", "0.860"],
    ]
    assert lines_of(text, "Calibration: ECE")[2][2:] == ["0.100"] * 3
    assert lines_of(text, "Cosine of the feature to that of the clean tile, mean over tiles")[2:] == [
        ["jpeg", "not restored", "1.000", "-", "0.500"],
        ["jpeg", "restored, median", "-", "-", "0.600"],
    ]
    # median: losses .05 and .2 become .1 and .15, so that nothing of .25 is given back; of the features .1 of .5
    assert lines_of(text, "Restorers")[2] == ["median", "-0.020", "2", "0.125", "0.125", "0 %", "1", "20 %", "-"]


def test_the_restorer_of_a_table_has_the_lowest_mean_loss_and_not_the_first_name():
    rows = scores({"": 0.9, "jpeg_1": 0.8, "jpeg_1+median": 0.7, "jpeg_1+wiener": 0.75, "jpeg_1+nlm": 0.6})
    assert evidence_of(rows).best_restorers == {"jpeg": "wiener"}

    # of what only one severity has, the other severities have no say: wiener is best on jpeg_1, which both have
    rows = [*rows, *scores({"jpeg_5": 0.8, "jpeg_5+median": 0.85})[1:]]
    assert evidence_of(rows).best_restorers == {"jpeg": "wiener"}


def test_the_score_on_clean_tiles_has_its_interval_where_there_is_one_run():
    text = markdown(page_of(encoder_of(ROWS, "uni")))
    assert "balanced_accuracy on clean tiles: 0.900 (0.850 to 0.950), on 4 test tiles of 2 groups. " in text

    text = markdown(page_of(encoder_of([*ROWS, *scores({"": 0.8}, seed=1)[1:]], "uni")))
    assert "balanced_accuracy on clean tiles: 0.850, on 4 test tiles of 2 groups, the mean of 2 runs. " in text


def test_centres_and_scanners_have_a_column_a_task_and_front_end():
    rows = [*ROWS]
    for frontend, index in (("", 0.7), ("median", 0.6)):
        row = head_row("uni", frontend, 0.9, protocol="centre_robustness", task="camelyon", cohort_hash="c1")
        row.metrics["robustness_index"] = of(index, index - 0.1, index + 0.1)
        row.metrics.update({name: of(0.25) for name in CENTRE_METRICS})
        row.info["chance_centre_accuracy"] = 0.2
        rows.append(row)
    text = markdown(page_of(encoder_of(rows, "uni")))
    table = text.split("## Centres\n")[1]

    assert "| measure | camelyon, centre_robustness | camelyon, centre_robustness, behind median |" in table
    assert "| 0.700 (0.600 to 0.800) | 0.600 (0.500 to 0.700) |" in table
    assert table.split("\n#")[0].count("| 0.250 | 0.250 |") == 5
    assert "A guess at the centre has 0.200." in table
    assert "## Scanners" not in text


def test_scanners_have_a_table_of_their_own():
    row = head_row("uni", "", 0.9, protocol="consistency", task="plism", cohort_hash="c1")
    row.metrics.update({name: of(0.5) for name in SCANNER_METRICS})
    table = markdown(page_of(encoder_of([*ROWS, row], "uni"))).split("## Scanners and staining\n")[1]

    assert "| measure | plism, consistency |" in table
    assert table.split("\n#")[0].count("| 0.500 |") == 4


def test_pictures_lie_in_a_line_a_tile_with_a_remark_where_one_lacks():
    case = WorstCase("robustness", "t/a.png", "jpeg_5", "jpeg_5+lpfm", 0.25, None, {})
    page = page_of(encoder_of(ROWS, "uni"), [Drawn(case, b"1", b"2", None, "It is not shown restored: no weights.")])
    text = markdown(page)

    assert "| t/a.png, jpeg_5: cosine 0.250, - behind jpeg_5+lpfm. It is not shown restored: no weights. |" in text
    assert "(uni/01-clean.png)" in text
    assert "(uni/01-corrupted.png)" in text
    assert "restored.png" not in text


def test_a_page_of_several_heads_has_a_section_each_and_sentences_under_their_names():
    rows = [*ROWS, *scores({"": 0.8, "jpeg_5": 0.6}, protocol="knn")[1:]]
    text = markdown(page_of(encoder_of(rows, "uni")))

    assert [line for line in text.splitlines() if line.startswith("## robustness")] == [
        "## robustness, knn",
        "## robustness, linear",
    ]
    assert "### robustness, knn\n\n- The largest loss is behind jpeg 5: balanced_accuracy goes from 0.800" in text


def test_failed_rows_are_named():
    failed = head_row("uni", "jpeg_3", 0, status="failed", error="the disk\nis full", metrics={})
    assert "linear behind jpeg_3: the disk is full" in markdown(page_of(encoder_of([*ROWS, failed], "uni")))


def test_runs_with_several_seeds_are_averaged():
    rows = [*ROWS, *(row for row in scores({"": 0.8, "jpeg_5": 0.4}, seed=1)[1:])]
    evidence = evidence_of(rows)

    assert evidence.clean == pytest.approx(0.85)
    assert evidence.losses()["jpeg", 5] == pytest.approx(0.3)
