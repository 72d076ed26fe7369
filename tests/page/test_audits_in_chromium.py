"""Audits in a real browser: the badge beside a task leads to the page of the audit, on any screen and on paper."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from page_results import fill
from PIL import Image

from bench.audit import page_of, write_page
from bench.page import leaderboard_page
from bench.passport import Gallery, Heading, Page, Picture
from bench.results import read_leaderboard
from bench.verdicts import Audit, Finding, write_audit

pytestmark = [pytest.mark.chromium, pytest.mark.slow]
SCORE = {"metric": "balanced_accuracy", "value": 0.7, "ci_low": 0.6, "ci_high": 0.8, "chance": 0.5}
NAMES = ("control reaches models", "random network reaches models", "colour reaches models", "stain reaches models")
ID = "/data/a_long_path_of_a_tile/" + "0123456789_" * 12 + ".png"
ALARM = Finding("controls", "file size", "failure", f"The size tells {ID}.", "a rule", "", "linear", SCORE, 0.01, 0.02)


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks: one with four alarms and a page with scores and pictures, one that is clear and has no page."""
    results = fill(tmp_path_factory.mktemp("audited"), models=3, heads=1, samples=40)
    findings = tuple(replace(ALARM, badge=name) for name in NAMES)
    audit = Audit("task_00", "cohort-task_00", findings, "0.1.0", {"test samples": 40, "test groups": 40})
    written = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(written, "PNG")
    picture = Picture("cohort-task_00/labels-01-1.png", written.getvalue(), f"{ID}: label normal")
    gallery = [Heading("Tiles"), Gallery(["", ""], [(f"{ID}: label normal", [picture, picture])])]
    write_page(results, audit, Page("task_00: audit", [*page_of(audit).blocks, *gallery]))
    write_audit(results, audit)
    write_audit(results, Audit("task_01", "cohort-task_01", ()))
    (results / "leaderboard.html").write_text(leaderboard_page(read_leaderboard(results), (), results), "utf-8")
    return results


def elements(selector: str) -> str:
    return f"[...document.querySelectorAll('{selector}')]"


def test_the_keyboard_leads_from_a_badge_to_the_page_of_the_audit(browser, audited):
    from selenium.webdriver import ActionChains, Keys

    browser.open(audited / "leaderboard.html")
    badges = browser.run(f"return {elements('tbody .audit')}.map(badge => badge.tagName + ' ' + badge.textContent)")
    assert set(badges) == {"A audit: control reaches models, 3 more", "SPAN audit: clear"}
    assert "Audit (task_00) raised an alarm: control reaches models, random" in browser.texts(".note")[0]
    browser.run("document.querySelector('a.audit').previousElementSibling.focus()")
    ActionChains(browser.driver).send_keys(Keys.TAB).perform()
    assert browser.run("return document.activeElement.className") == "badge audit warn"
    ActionChains(browser.driver).send_keys(Keys.ENTER).perform()

    assert browser.texts("h1") == ["task_00: audit"]
    assert browser.texts("h2")[0] == f"Verdict: {', '.join(NAMES)}"
    assert browser.problems() == []


def test_the_view_of_a_task_has_all_alarms_and_its_audit(browser, audited):
    browser.open(audited / "leaderboard.html", "#/task/task_00")

    links = browser.run(f"return {elements('dd a')}.map(link => link.getAttribute('href'))")
    (page,) = (link for link in links if not link.startswith("#"))
    assert (audited / page).is_file()
    assert any(text.startswith(", ".join(NAMES)) for text in browser.texts("dd"))


@pytest.mark.parametrize("width", [1280, 390])
def test_neither_page_overflows_or_complains_in_any_colour_scheme(browser, audited, width):
    grounds = []
    for page in (audited / "leaderboard.html", audited / "audits/task_00/cohort-task_00.html"):
        for scheme in ("light", "dark"):
            browser.open(page, width=width, scheme=scheme)
            assert browser.overflow() <= 0
            assert browser.problems() == []
            grounds.append(browser.run("return getComputedStyle(document.body).backgroundColor"))
            ends = "one => [one, one.closest('td')].map(part => part.getBoundingClientRect().right)"
            badges = browser.run(f"return {elements('td .badge')}.map({ends})")
            assert all(badge <= cell for badge, cell in badges), "a badge reaches over the next cell"
    assert grounds[0] == grounds[2] != grounds[1] == grounds[3]


def test_the_page_of_an_audit_is_read_without_sight_and_on_paper(browser, audited):
    browser.open(audited / "audits/task_00/cohort-task_00.html", width=390, scheme="dark")

    regions = browser.run(f"return {elements('.scroll')}.map(part => [part.role, part.ariaLabel, part.tabIndex])")
    assert regions[0] == ["region", "Controls that see no tissue", 0]
    assert browser.run("return [...document.images].every(image => image.alt && image.complete && image.naturalWidth)")
    assert browser.run(f"return {elements('thead th')}.every(head => head.scope === 'col' && head.textContent)")
    dark = {"name": "prefers-color-scheme", "value": "dark"}
    browser.command("Emulation.setEmulatedMedia", media="print", features=[dark])
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.printed().startswith(b"%PDF")
