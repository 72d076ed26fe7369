"""The file of the page: what is in it, that it is the same whenever nothing changed, and that no row becomes markup."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from page_results import HOSTILE, many_results, row_of

from bench.page import content, document, figures, leaderboard_page, pairs, provenance
from bench.page.figures import figures as figures_of
from bench.plots import Plot
from bench.results import LeaderboardData, aggregated, read_leaderboard
from bench.rows import rows_of


class Elements(HTMLParser):
    """The elements of a page with their attributes, and the text of those that hold scripts."""

    def __init__(self, text):
        super().__init__()
        self.found, self.texts, self._open = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self._open = dict(attrs).get("id") or tag

    def handle_data(self, data):
        self.texts[self._open] = self.texts.get(self._open, "") + data

    def handle_endtag(self, tag):
        self._open = None


def shown(text):
    return json.loads(Elements(text).texts["data"])


def only(rows):
    """Rows without predictions, so that nothing is compared."""
    return LeaderboardData(aggregated(rows), {}, {}, {}, {}, [], {})


def test_the_page_is_the_same_bytes_when_it_is_made_again(results, page, plot):
    again = leaderboard_page(read_leaderboard(results), [plot], results)

    assert page.read_text(encoding="utf-8") == again


def test_a_name_of_a_row_becomes_no_markup(page):
    text = page.read_text(encoding="utf-8")
    elements = Elements(text)

    assert "<img" not in text
    assert text.count("</script") == 2
    assert [tag for tag, _ in elements.found].count("script") == 2
    assert HOSTILE in [model["name"] for model in shown(text)["models"]]


def test_the_policy_lets_a_browser_run_the_own_script_and_load_nothing(page):
    elements = Elements(page.read_text(encoding="utf-8"))
    policy = next(of["content"] for tag, of in elements.found if of.get("http-equiv") == "Content-Security-Policy")

    for kind in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(elements.texts[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not [of for _, of in elements.found if "src" in of or any(name.startswith("on") for name in of)]


def test_intervals_differences_and_their_p_values_are_those_of_the_data(results, page):
    data, found = read_leaderboard(results), shown(page.read_text(encoding="utf-8"))
    places = {entry.key: number for number, entry in enumerate(data.entries)}
    by_pair = {tuple(one[:3]): one[3:] for one in found["differences"]}

    assert len(by_pair) == len(data.differences) > 0
    for (a, b, metric), one in data.differences.items():
        low, high = one.difference.interval
        values = by_pair[places[a], places[b], found["metrics"].index(metric)]
        adjusted = data.adjusted[one.key]
        assert values[:3] == pytest.approx([one.difference.difference, low, high], abs=1e-5)
        assert values[3] == pytest.approx(one.p, rel=1e-2)
        assert values[4] == pytest.approx(adjusted.holm, rel=1e-2)
        assert values[7] == pytest.approx(one.p_better, rel=1e-2, abs=1e-3)
    for (key, metric), interval in data.intervals.items():
        number = found["metrics"].index(metric)
        value = next(values for values in found["entries"][places[key]]["x"] if values[0] == number)
        assert value[1:4] == pytest.approx([interval.value, interval.ci_low, interval.ci_high], abs=1e-5)


def test_each_run_has_its_command_and_its_row_and_the_records_are_in_the_page_once(results, page):
    found = shown(page.read_text(encoding="utf-8"))
    rows = {row.key.name("rows", "json"): row for row in rows_of(results).rows}
    runs = [run for entry in found["entries"] for run in entry["runs"]]

    assert {run["file"] for run in runs} == set(rows)
    assert all(run["command"] == rows[run["file"]].info["command"] for run in runs)
    versions = {run["info"]["versions"] for run in runs}
    assert [found["pool"][number] for number in versions] == [{"torch": "2.13.0", "numpy": "2.4.6"}]


def test_a_row_of_an_earlier_version_says_less_and_breaks_nothing():
    found = shown(leaderboard_page(only([row_of("demo", "uni", "knn", info={})])))

    assert found["entries"][0]["c"] is None
    assert found["entries"][0]["runs"][0]["command"] == ""
    assert found["models"][0]["card"] is None


def test_the_gravest_level_of_contamination_over_the_runs_is_shown():
    levels = [{"level": level, "evidence": f"by {level}"} for level in ("none", "inferred", "unknown")]
    rows = [row_of("demo", "uni", "knn", seed, info={"contamination": of}) for seed, of in enumerate(levels)]
    found = shown(leaderboard_page(only(rows)))

    level, evidence = found["entries"][0]["c"]
    assert (level, found["pool"][evidence]) == ("inferred", "by inferred")


def test_plots_beyond_the_budget_are_links_and_the_page_says_so(monkeypatch, plot):
    monkeypatch.setattr(figures, "BUDGET", 200)
    found = shown(leaderboard_page(many_results(3), [plot, replace(plot, name="second")]))

    assert ["content" in one for one in found["plots"]] == [True, False]
    assert found["plots"][1]["file"] == "plots/second.svg"
    assert "1 plots are links" in " ".join(found["sentences"])


def test_of_a_large_plot_the_smaller_form_is_in_the_page():
    large = Plot("umap", "umap", "", "", {"svg": b"x" * (figures.LARGEST_SVG + 1), "png": b"pixels"})
    [record], _ = figures_of([large], {}, {})

    assert record["type"] == "image/png"
    assert base64.b64decode(record["content"]) == b"pixels"
    assert record["file"] == "plots/umap.svg"


def test_a_large_folder_leaves_further_values_to_the_tables_and_the_page_says_so(results, monkeypatch):
    data = read_leaderboard(results)
    monkeypatch.setattr(content, "MOST_LINES", len(data.entries))
    monkeypatch.setattr(pairs, "MOST", 4)
    monkeypatch.setattr(provenance, "MOST_TEXT", 10)
    found = shown(leaderboard_page(data))

    assert all(len(entry["x"]) <= 1 for entry in found["entries"])
    assert len(found["differences"]) == 4
    assert sum("info" in run for entry in found["entries"] for run in entry["runs"]) == 1
    assert all(run["command"] for entry in found["entries"] for run in entry["runs"])
    assert [
        re.search("leaderboard_mean|leaderboard_paired|row's file", one) is not None for one in found["sentences"]
    ] == [True] * 3


def test_a_passport_is_linked_where_there_is_one(page):
    models = shown(page.read_text(encoding="utf-8"))["models"]

    assert {model["name"]: model["passport"] for model in models if model["passport"]} == {
        "model_1": "passports/model_1.html"
    }


def test_no_script_makes_markup_of_text_and_each_is_in_the_page():
    sources = {path.name: path.read_text() for path in files("bench.page").iterdir() if path.name.endswith(".js")}

    assert set(sources) == set(document.SCRIPTS)
    for text in sources.values():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text)
