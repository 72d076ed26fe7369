"""The page of an audit: what its verdict rests on, how its tables are read, and what its pictures show."""

import numpy as np
from audited import audited

from bench.audit import NO_ALARM, page_of
from bench.passport import Bullets, Gallery, Heading, Paragraph, Table, html
from bench.verdicts import Audit, Finding

SCORE = {"metric": "auroc", "value": 0.7, "ci_low": 0.6, "ci_high": 0.8, "chance": 0.5}
ALARM = Finding("controls", "date", "warning", "The date scores 0.7.", "a rule", "shortcut", "knn", SCORE, 0.01, 0.02)
INFO = {"test samples": 40, "test groups": 20, "metric": "auroc", "seconds": {"files": 0.4, "heads": 8.8}}


def test_the_page_begins_with_the_verdict_and_what_it_was_measured_on():
    page = page_of(Audit("pcam", "0f0f", (ALARM,), "0.1.0", INFO))

    first, verdict, alarms, measured = page.blocks[:4]
    assert isinstance(first, Paragraph)
    assert verdict == Heading("Verdict: shortcut")
    assert alarms == Bullets([("The date scores 0.7.", "a rule")])
    assert measured == Paragraph(
        "Measured on 40 test samples of 20 groups (patients) by auroc, with 1 test against chance."
    )
    assert Paragraph(NO_ALARM) in page_of(Audit("pcam", "0f0f", (), "0.1.0", INFO)).blocks
    assert "The date scores 0.7." in html(page)
    alone = page_of(Audit("pcam", "0f0f", (), "0.1.0", INFO | {"models compared with": []}))
    assert "nothing was compared with models" in html(alone)
    assert "nothing was compared with models" not in html(page)


def test_tables_leave_out_empty_columns_and_settings_are_in_words():
    tables = [block for block in page_of(Audit("pcam", "0f0f", (ALARM,), "", INFO)).blocks if isinstance(block, Table)]

    assert tables[0].columns == ["predicted from", "head", "verdict", "auroc [95 %]", "chance", "p (Holm)"]
    assert tables[0].lines == [["date", "knn", "warning", "0.700 [0.600, 0.800]", "0.500", "0.020"]]
    assert ["seconds", "files 0.4, heads 8.8"] in tables[1].lines


def test_pictures_of_a_pair_have_texts_of_their_own():
    task = audited(tiles=lambda chosen: [np.zeros((4, 4, 3), np.uint8) for _ in chosen])
    first, second = task.ids[:2]
    pair = {"test sample 1": first, "near-duplicate 1": second}
    found = Finding("duplicates", "tiles", "warning", "A pair.", numbers=pair)

    (gallery,) = (
        block for block in page_of(Audit("pcam", "0f0f", (found,)), task).blocks if isinstance(block, Gallery)
    )

    ((caption, pictures),) = gallery.lines
    assert caption == f"{first} (test) and {second}, by tiles"
    assert [one.alt for one in pictures] == [f"{caption} (tile 1 of 2)", f"{caption} (tile 2 of 2)"]
