"""Pages of audits beside the tables: copied from other results folders, linked where they are there, else in words."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from pathlib import Path

import pytest
from merged_folders import report

from bench.verdicts import Audit, Finding, audit_path, write_audit

SHORTCUT = Finding("controls", "date", "warning", "The date tells the label.", badge="shortcut")
STAIN = Finding("stain", "stain", "warning", "Stain tells the label.", badge="stain reaches models")
pytestmark = pytest.mark.usefixtures("each_warning_anew")


def audited(results: Path, finding: Finding) -> Path:
    """An audit of the task demo in a results folder, with a page and a picture that names the folder."""
    write_audit(results, Audit("demo", "demo", (finding,)))
    page = audit_path(results, "demo", "demo", "html")
    page.write_text(f"<p>{finding.badge}</p>")
    page.with_suffix(".md").write_text(f"{finding.badge} ![tile](demo/labels-01-1.png)")
    page.with_suffix("").mkdir()
    (page.with_suffix("") / "labels-01-1.png").write_bytes(results.name.encode())
    return page


def badge_of_page(tables: Path) -> list[str] | None:
    found = re.search(r'"audit":(\[[^]]*\]|null)', (tables / "leaderboard.html").read_text())
    assert found
    badge: list[str] | None = json.loads(found[1])
    return badge


def test_pages_are_copied_and_lead_somewhere_when_the_folders_are_gone(two: tuple[Path, Path], tmp_path: Path) -> None:
    a, b = two
    audited(a, SHORTCUT)
    audited(b, STAIN)
    assert report(f"results={a},{b}", f"out={tmp_path / 'out'}") == 0

    shutil.rmtree(a)
    shutil.rmtree(b)
    out = (tmp_path / "out").rename(tmp_path / "moved")

    found = badge_of_page(out)
    assert found == ["shortcut, stain reaches models", "audits/demo/demo.html", "audits/demo/2/demo.html"]
    assert [(out / page).read_text() for page in found[1:]] == ["<p>shortcut</p>", "<p>stain reaches models</p>"]
    text = (out / "leaderboard.md").read_text()
    assert "[Audit](audits/demo/demo.md), [audit 2](audits/demo/2/demo.md): shortcut, stain reaches models." in text
    assert (out / "audits/demo/2/demo/labels-01-1.png").read_bytes() == b"b"
    with open(out / "leaderboard_mean.csv") as file:
        assert {line["audit"] for line in csv.DictReader(file)} == {"shortcut, stain reaches models"}
    assert '"rows":false' in (out / "leaderboard.html").read_text(), "no link to rows that are not there"


def test_a_verdict_without_a_page_stands_in_words_and_its_copies_are_removed(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    a, b = two
    page, out = audited(b, SHORTCUT), tmp_path / "out"
    assert report(f"results={a},{b}", f"out={out}") == 0
    own = out / "audits/of another sort.html"
    own.write_text("a file of the user")
    page.unlink()
    page.with_suffix(".md").unlink()

    assert report(f"results={a},{b}", f"out={out}") == 0

    assert badge_of_page(out) == ["shortcut"]
    assert "\nAudit: shortcut.\n" in (out / "leaderboard.md").read_text()
    assert sorted(path.name for path in (out / "audits").rglob("*.*")) == [
        "copied.txt",
        "labels-01-1.png",
        "of another sort.html",
    ]


def test_a_folder_whose_rows_another_has_too_still_warns(two: tuple[Path, Path], tmp_path: Path) -> None:
    a, b = two
    shutil.copytree(a, tmp_path / "same")
    audited(tmp_path / "same", SHORTCUT)

    assert report(f"results={a},{tmp_path / 'same'},{b}", f"out={tmp_path / 'out'}") == 0

    assert badge_of_page(tmp_path / "out") == ["shortcut", "audits/demo/demo.html"]


def test_an_audit_in_the_folder_of_the_rows_is_linked_where_it_is(
    two: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    a, _ = two
    audited(a, SHORTCUT)

    assert report(f"results={a}") == 0

    printed = " ".join(capsys.readouterr().out.split())
    assert "demo, balanced_accuracy, 60 test samples, 10 groups, audit: shortcut " in printed
    assert "audit: the alarms of python -m bench audit on the task" in printed
    assert badge_of_page(a) == ["shortcut", "audits/demo/demo.html"]
    assert not (a / "audits/copied.txt").exists()
    assert '"rows":true' in (a / "leaderboard.html").read_text()


def test_a_pipe_in_the_place_of_a_page_is_not_read(two: tuple[Path, Path], tmp_path: Path) -> None:
    page = audited(two[0], SHORTCUT)
    page.unlink()
    os.mkfifo(page)
    assert report(f"results={two[0]},{two[1]}", f"out={tmp_path / 'out'}") == 0

    assert badge_of_page(tmp_path / "out") == ["shortcut"]
    assert (tmp_path / "out/audits/demo/demo.md").is_file()
