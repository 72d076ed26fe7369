"""The page in a real browser: order, filters, comparisons, small windows, print, and thousands of rows."""

import re
from urllib.parse import unquote

import pytest
from page_results import HOSTILE, many_results

from bench.page import leaderboard_page
from bench.results import read_leaderboard

pytestmark = [pytest.mark.chromium, pytest.mark.slow]
VIEWS = (
    "",
    "#/table?metric=all",
    "#/best",
    "#/compare",
    "#/plots",
    "#/task/task_00",
    "#/model/model_1",
    "#/about",
    "#/nothing",
    "#/task/%ZZ",
)


def numbers(texts):
    return [float(re.match(r"[−+]?\d\.\d+", text)[0].replace("−", "-")) for text in texts if text != "failed"]


def result_of(browser, name):
    return browser.run(
        "return [...document.querySelectorAll('td a')].find(a => a.ariaLabel?.includes(arguments[0])).hash", name
    )


def links_of(browser, selector):
    return browser.run(f"return [...document.querySelectorAll('{selector} a')].map(link => link.getAttribute('href'))")


def test_a_header_sorts_both_ways_and_says_so(browser, page):
    browser.open(page)
    browser.press("Score")
    down = numbers(browser.column("Score"))
    sorted_down = browser.texts("[aria-sort=descending]")
    browser.press("Score")
    up = numbers(browser.column("Score"))

    assert len(down) == 16
    assert down == sorted(down, reverse=True) == up[::-1]
    assert sorted_down == ["Score [95\u00a0%]"] == browser.texts("[aria-sort=ascending]")
    assert browser.column("Score")[-1] == "failed"
    assert "ascending" in browser.texts("#status")[0]
    browser.press("Model")
    assert browser.texts("tbody th")[0].startswith("<")
    assert [name.split()[0] for name in browser.texts("tbody th")[1:5]] == ["colour"] * 4


def test_filters_narrow_the_table_and_the_address_brings_them_back(browser, page):
    browser.open(page)
    browser.choose("task", "task_01")
    browser.choose("head", "head_1")
    browser.choose("model", "MODEL_")

    assert browser.column("Task") == ["task_01"] * 2
    assert sorted(name.split()[0] for name in browser.texts("tbody th")) == ["model_0", "model_1"]
    assert browser.texts("#status") == browser.texts("#count")
    assert "2 lines" in browser.texts("#count")[0]
    browser.open(page, browser.run("return location.hash"))
    assert len(browser.texts("tbody tr")) == 2
    browser.press("Reset")
    assert len(browser.texts("tbody tr")) == 17


def test_baselines_and_contaminated_results_can_be_hidden(browser, page):
    browser.open(page)
    every = browser.texts("tbody th")
    browser.run("document.querySelector('[name=baselines]').click()")
    without = browser.texts("tbody th")
    browser.choose("seen", "seen")

    assert sum("baseline" in name for name in every) == 8
    assert not any("baseline" in name for name in without)
    assert sum("seen in pretraining: stated" in name for name in without) == 2
    assert len(browser.texts("tbody th")) == len(without) - 2
    browser.choose("metric", "all")
    assert set(browser.column("Metric")) > {"balanced_accuracy", "auroc"}


def test_two_models_are_compared_with_the_numbers_of_the_data(browser, page, results):
    data = read_leaderboard(results)
    one = next(
        c for (a, b, _), c in data.differences.items() if {a.model, b.model} == {"model_0", "model_1"} and c.primary
    )
    forwards = one.a.key.model == "model_1"
    browser.open(page, "#/compare?a=model_1&b=model_0")
    place = browser.column("Head").index(one.a.key.protocol)
    difference = one.difference.difference if forwards else -one.difference.difference
    better = one.p_better if forwards else 1 - one.p_better

    assert browser.column("Task")[place] == one.a.key.task
    assert numbers(browser.column("A − B"))[place] == pytest.approx(difference, abs=6e-4)
    assert float(browser.column("P(A > B)")[place]) == pytest.approx(better, abs=6e-4)
    assert "[" in browser.column("A − B")[place]
    before = numbers(browser.column("A − B"))
    browser.press("Swap")
    assert numbers(browser.column("A − B")) == [-value for value in before]


def test_models_that_are_not_compared_are_named(browser, page):
    browser.open(page, "#/compare?a=colour&b=random_vit_s16")

    assert "not compared" in browser.texts("#compared")[0]


def test_a_result_leads_to_the_command_that_makes_it_again(browser, page):
    browser.open(page)
    browser.run("location.hash = arguments[0]", result_of(browser, "model_1 on task_01 with head_0"))
    browser.open(page, browser.run("return location.hash"))

    assert browser.texts("pre code") == ["python -m bench model=model_1 task=task_01 protocol=head_0 seed=0"]
    assert "stated: It was pretrained on task_01" in browser.texts("dl")[0]
    [row] = [link for link in links_of(browser, "dd") if link.startswith("rows")]
    assert (page.parent / unquote(row)).is_file()


def test_a_task_has_its_notes_failures_and_plots_and_a_model_its_card_and_passport(browser, page):
    browser.open(page, "#/task/task_00")
    assert "say nothing about tissue" in browser.texts(".note")[0]
    assert HOSTILE in browser.texts("li")[0]
    browser.until("document.querySelector('figure img').complete")
    assert browser.run("const i = document.querySelector('figure img'); return [i.naturalWidth, i.alt]") == [
        40,
        "Scores of task_00.",
    ]
    browser.open(page, "#/model/model_1")
    links = links_of(browser, "dl")
    assert {"https://example.org/model", "passports/model_1.html"} <= set(links)
    assert not [link for link in links if link.startswith("javascript")]


@pytest.mark.parametrize("width", [1280, 390])
def test_no_view_overflows_or_complains(browser, page, width):
    browser.open(page)
    for view in (*VIEWS, result_of(browser, "model_0")):
        for scheme in ("light", "dark"):
            browser.open(page, view, width=width, scheme=scheme)
            assert browser.overflow() <= 0, view
            assert browser.problems() == [], view
            assert len(browser.texts("h1")) == 1, view
            assert browser.run("return document.title") != "broken"


def test_nothing_of_a_row_is_an_element(browser, page):
    browser.open(page)
    assert HOSTILE in browser.texts("tbody th")
    assert browser.run("return document.querySelectorAll('img').length") == 0
    assert browser.run("return document.scripts.length") == 2


def test_the_theme_follows_the_system_until_the_switch_says_otherwise(browser, page):
    def ground():
        return browser.run("return getComputedStyle(document.body).backgroundColor")

    browser.open(page)
    light = ground()
    browser.open(page, scheme="dark")
    dark = ground()
    browser.press("Theme")
    assert light == "rgb(255, 255, 255)" != dark
    assert (ground(), browser.texts("#theme")) == (light, ["Theme: light"])
    browser.press("Theme")
    assert ground() == dark
    browser.press("Theme")
    assert browser.texts("#theme") == ["Theme: system"]


def test_print_shows_the_table_and_no_controls(browser, page):
    browser.open(page, scheme="dark")
    browser.command("Emulation.setEmulatedMedia", media="print")
    drawn = browser.run(
        "return ['table', '.filters', 'nav', '#theme'].map(s => document.querySelector(s).getClientRects().length > 0)"
    )

    assert drawn == [True, False, False, False]
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.run("return getComputedStyle(document.querySelector('tbody tr')).display") == "table-row"
    assert browser.printed().startswith(b"%PDF")


def test_the_keyboard_reaches_the_results_and_the_headers(browser, page):
    from selenium.webdriver import ActionChains, Keys

    browser.open(page)
    ActionChains(browser.driver).send_keys(Keys.TAB).perform()
    assert browser.run("return document.activeElement.textContent") == "Skip to the results"
    ActionChains(browser.driver).send_keys(Keys.ENTER).perform()
    browser.until("document.activeElement.id === 'view'")
    browser.run("document.querySelector('thead button').focus()")
    ActionChains(browser.driver).send_keys(Keys.ENTER).perform()
    assert browser.texts("[aria-sort=ascending]") == ["Task"]
    assert browser.run("return document.activeElement.textContent") == "Task"


def test_five_thousand_rows_are_sorted_and_filtered_and_a_hundred_are_drawn(browser, tmp_path):
    path = tmp_path / "many.html"
    path.write_text(leaderboard_page(many_results(5000)), encoding="utf-8")
    browser.open(path)
    browser.press("Score")
    scores = numbers(browser.column("Score"))
    browser.choose("model", "model_1")

    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 100
    assert "1,000 lines of 5,000" in browser.texts("#count")[0]
    drawn = len(browser.texts("tbody tr"))
    browser.press("Show")
    assert (drawn, len(browser.texts("tbody tr"))) == (100, 200)
    assert browser.problems() == []
