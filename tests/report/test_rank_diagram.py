"""The diagram as a reader of XML sees it: order, scale, names, bars, colours."""

import itertools
import math
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.plots.rank_diagram import DARK, LIGHT, diagram

SVG = "{http://www.w3.org/2000/svg}"
Drawn = ElementTree.Element


def drawn(names: list[str], ranks: list[float], groups=(), cd: float = math.nan, title: str = "A title") -> Drawn:
    return ElementTree.fromstring(diagram(names, ranks, groups, cd, title))


def of_class(svg: Drawn, tag: str, kind: str) -> list[Drawn]:
    return [found for found in svg.iter(SVG + tag) if found.get("class") == kind]


def numbers(found: list[Drawn], name: str) -> list[float]:
    return [float(one.attrib[name]) for one in found]


@given(st.integers(2, 60), st.integers(0, 50))
def test_models_are_listed_and_placed_by_rank_on_the_scale(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ranks = rng.uniform(1, count, count).round(1).tolist()
    names = [f"model-{i}" for i in range(count)]
    svg = drawn(names, ranks)
    dots, shown = of_class(svg, "circle", "model"), of_class(svg, "text", "name")
    ordered = [one.text for one in sorted(shown, key=lambda one: float(one.attrib["y"]))]
    assert [ranks[names.index(str(name))] for name in ordered] == sorted(ranks)
    across = numbers(dots, "cx")
    assert across == sorted(across)
    assert np.all(np.diff(numbers(dots, "cy")) >= 20), "no two lines overlap"
    ticks = of_class(svg, "text", "tick")
    marks = {int(str(tick.text)): float(tick.attrib["x"]) for tick in ticks}
    assert min(marks) == 1
    assert count - 5 <= max(marks) <= count
    assert len(marks) <= 13
    left, unit = marks[1], 360 / (count - 1)
    np.testing.assert_allclose(across, [left + unit * (rank - 1) for rank in sorted(ranks)], atol=0.11)
    np.testing.assert_allclose(list(marks.values()), [left + unit * (tick - 1) for tick in marks], atol=0.11)


@st.composite
def grouped(draw: st.DrawFn) -> tuple[list[float], list[tuple[int, ...]]]:
    count = draw(st.integers(2, 12))
    ranks = draw(st.permutations([1.0 + i for i in range(count)]))
    members = st.sets(st.integers(0, count - 1), min_size=2)
    return list(ranks), [tuple(sorted(group)) for group in draw(st.lists(members, max_size=6))]


@given(grouped())
def test_bars_join_exactly_the_groups_and_never_touch(case: tuple[list[float], list[tuple[int, ...]]]) -> None:
    ranks, groups = case
    svg = drawn([f"m{i}" for i in range(len(ranks))], ranks, groups)
    lines = {float(dot.attrib["cy"]): place for place, dot in enumerate(of_class(svg, "circle", "model"))}
    by_place = np.argsort(ranks).tolist()
    found, spans = [], []
    for group in of_class(svg, "g", "group"):
        (bar,) = group.findall(SVG + "line")
        dots = group.findall(SVG + "circle")
        places = [lines[float(dot.attrib["cy"])] for dot in dots]
        found.append(tuple(sorted(by_place[place] for place in places)))
        assert {float(dot.attrib["cx"]) for dot in dots} == {float(bar.attrib["x1"])} == {float(bar.attrib["x2"])}
        assert [lines[float(bar.attrib[end])] for end in ("y1", "y2")] == [min(places), max(places)]
        spans.append((float(bar.attrib["x1"]), min(places), max(places)))
    assert found == groups
    for one, other in itertools.combinations(spans, 2):
        assert one[0] != other[0] or one[2] < other[1] or other[2] < one[1]
    assert all(span[0] < float(svg.attrib["width"]) for span in spans)


def test_the_critical_difference_is_to_scale_and_absent_where_there_is_none() -> None:
    svg = drawn(["a", "b", "c"], [1.0, 2.0, 3.0], [(0, 1)], cd=1.25)
    (bar,) = of_class(svg, "line", "cd")
    assert float(bar.attrib["x2"]) - float(bar.attrib["x1"]) == pytest.approx(1.25 * 180, abs=0.11)
    assert "1.25" in [one.text for one in of_class(svg, "text", "value")]
    assert "Nemenyi" in "".join(svg.itertext())
    without = drawn(["a", "b"], [1.0, 2.0])
    assert of_class(without, "line", "cd") == []
    assert "ritical" not in "".join(without.itertext())
    wide = drawn(["a", "b"], [1.0, 2.0], cd=4.0)
    assert float(of_class(wide, "line", "cd")[0].attrib["x2"]) < float(wide.attrib["width"])


def test_the_legend_tells_models_that_all_differ_from_models_not_compared() -> None:
    text = {what: "".join(drawn(["a", "b"], [1.0, 2.0], what).itertext()) for what in ((), None, ((0, 1),))}
    assert "All models differ" in text[()]
    assert "could not be compared" in text[None]
    assert "A bar joins models that do not differ" in text[(0, 1),]


@given(st.text(), st.text(st.characters(categories=("Cc", "Cs", "Po", "Sm", "Lo"))))
def test_names_and_titles_of_any_characters_are_text_and_nothing_else(name: str, title: str) -> None:
    svg = drawn([name, "<b>&\"'</text>"], [1.0, 2.0], title=title)
    shown = [one.text for one in of_class(svg, "text", "name")]
    assert shown[1] == "<b>&\"'</text>"
    kept = [character for character in name if character.isprintable() and not character.isspace()]
    assert [c for c in shown[0] or "" if c != "\ufffd" and not c.isspace() and c.isprintable()] == [
        c for c in kept if c != "\ufffd"
    ]
    assert {one.tag for one in svg.iter()} == {
        SVG + tag for tag in ("svg", "title", "style", "rect", "text", "line", "circle")
    }


def test_long_names_and_titles_fit() -> None:
    svg = drawn(["m" * 90, "b"], [1.0, 2.0], [(0, 1)], title="t" * 200)
    name, title = of_class(svg, "text", "name")[0], of_class(svg, "text", "title")[0]
    assert float(name.attrib["x"]) >= 90 * 12 * 0.6
    assert float(svg.attrib["width"]) >= float(title.attrib["x"]) + 200 * 12 * 0.6
    assert float(svg.attrib["height"]) > max(float(text.attrib["y"]) for text in svg.iter(SVG + "text"))


def test_it_needs_nothing_else_and_is_the_same_text_again() -> None:
    arguments = (["a", "b"], [1.0, 2.0], [(0, 1)], 0.5, "t")
    text = diagram(*arguments)
    assert re.findall(r"https?://[^\"]+|url\(|href|<script", text) == ["http://www.w3.org/2000/svg"]
    assert text == diagram(*arguments)


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_text_and_marks_stand_out_from_the_page(colours: dict[str, str]) -> None:
    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    for name, least in {"text": 7.0, "mark": 4.5, "bar": 4.5}.items():  # contrast ratios of WCAG 2
        light, dark = sorted((luminance(colours[name]), luminance(colours["page"])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= least


@pytest.mark.parametrize(
    ("names", "ranks", "groups", "message"),
    [
        (["a"], [1.0], [], "two models or more"),
        (["a", "b"], [1.0], [], "each with a rank"),
        (["a", "b"], [1.0, 2.1], [], "not in 1..2"),
        (["a", "b"], [1.0, math.nan], [], "not in 1..2"),
        (["a", "b"], [1.0, 2.0], [(0, 2)], "A group is"),
        (["a", "b"], [1.0, 2.0], [(1, 1)], "A group is"),
    ],
)
def test_what_cannot_be_drawn_is_refused(names, ranks, groups, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        diagram(names, ranks, groups, math.nan, "t")
