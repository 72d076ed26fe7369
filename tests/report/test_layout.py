"""What is printed fits a terminal: names, columns, sentences."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from leaderboard_runs import AddRun, block, predicted, text

from bench.report import files_text, table_text
from bench.report.layout import Column, fitting, short_names, stacked
from bench.results import read_leaderboard
from registry.text_table import wrapped

LONG = ("timm:vit_small_patch14_reg4_dinov2.lvd142m", "timm:vit_small_patch16_reg4_dinov2.lvd142m")
INTERVAL = {"ci_low": 0.3, "ci_high": 0.9, "interval": "episodes"}


@settings(max_examples=25)
@given(st.lists(st.text("ab", min_size=1, max_size=40), unique=True), st.integers(10, 20))
def test_short_names_are_distinct_and_short(names: list[str], width: int) -> None:
    found = short_names([*names, *(f"{name}@random" for name in names)], width, "@random")
    assert len(set(found.values())) == 2 * len(names)
    assert all(found[f"{name}@random"] == f"{found[name]}@random" for name in names)
    assert max((len(found[name]) for name in names), default=0) <= width
    assert all(found[name] == name for name in names if len(name) <= width)


def test_names_lose_their_middle_where_they_stay_distinct() -> None:
    assert list(short_names(LONG, 30).values()) == [
        "timm:vit_small_patch14...d142m",
        "timm:vit_small_patch16...d142m",
    ]


def test_the_least_important_columns_are_left_out_first() -> None:
    columns = [Column("model"), Column("sd", 2), Column("rank", 1), Column("score")]
    lines = [["model", "sdsd", "rank", "score"]]
    assert fitting(columns, lines, 24) == [0, 1, 2, 3]
    assert fitting(columns, lines, 23) == [0, 2, 3]
    assert fitting(columns, lines, 1) == [0, 3]
    assert fitting(columns, lines, None) == [0, 1, 2, 3]


def test_a_wide_table_is_several_with_the_same_first_column() -> None:
    lines = [["a", "bbbb", "cccc", "dddd"]]
    assert list(stacked(lines, 13)) == [[["a", "bbbb", "cccc"]], [["a", "dddd"]]]
    assert list(stacked(lines, 3)) == [[["a", "bbbb"]], [["a", "cccc"]], [["a", "dddd"]]]


@settings(max_examples=25)
@given(st.text("ab -", min_size=1, max_size=300))
def test_sentences_are_wrapped_without_loss(sentence: str) -> None:
    found = list(wrapped(f"  {sentence}", width=40))
    assert max(map(len, found)) <= 40 or not sentence.strip()
    assert "".join("".join(found).split()) == "".join(sentence.split())


def test_many_models_with_long_names_and_heads_fit_120_columns(add_run: AddRun, results: Path) -> None:
    models = [*LONG, "uni", "virchow2", "prov_gigapath", "resnet50", "colour"]
    for head in ("linear", "knn"):
        for number, model in enumerate(models):
            for name in (model, f"{model}@random"):
                add_run(
                    name, predicted(2.0 - 0.2 * number, n=30, seed=number), protocol=head, notes=["a long note " * 30]
                )
    add_run("broken", status="failed", error="out of memory " * 40)
    shown = text(results)
    assert max(map(len, shown.splitlines())) <= 120
    knn, linear = (place for place, line in enumerate(block(results, "demo")) if " head " in line)
    assert all("more baselines" not in line for line in block(results, "demo")[knn + 1 : linear - 1])
    assert block(results, "demo")[linear - 1].strip() == "and 6 more baselines"
    for name, short in zip(LONG, short_names(LONG, 30).values(), strict=True):
        assert f"{short} is {name}" in " ".join(shown.split())
    everything = table_text(read_leaderboard(results), everything=True)
    assert everything.count(f"  {LONG[0]}@random (baseline) ") == 2
    assert "a long note " * 29 in everything
    assert "more baselines" not in everything


def test_few_shot_heads_have_a_line_each_and_no_place_among_the_models(add_run: AddRun, results: Path) -> None:
    add_run("uni", predicted(2.0))
    for shots in (2, 16, 1):
        for model, value in (("uni", 0.5), ("colour", 0.3), ("dino", 0.6)):
            metrics = {"balanced_accuracy": {"value": value + shots / 100, **INTERVAL}}
            add_run(model, metrics=metrics, protocol=f"simpleshot-{shots}shot", head_config_hash=str(shots))
    for share in (5, 100):
        metrics = {"balanced_accuracy": {"value": 0.5, **INTERVAL, "interval": "repeats"}}
        add_run("uni", metrics=metrics, protocol=f"label_efficiency-{share}pct", head_config_hash=str(share))
    _, _, uni, *others = block(results, "demo")
    shown = [" ".join(line.split()) for line in others]
    assert uni.startswith("  uni  ")
    start = shown.index("simpleshot, balanced_accuracy dino uni colour")
    assert shown[start + 1 : start + 5] == [
        "1 shot 0.610 [0.300, 0.900] 0.510 [0.300, 0.900] 0.310 [0.300, 0.900]",
        "2 shots 0.620 [0.300, 0.900] 0.520 [0.300, 0.900] 0.320 [0.300, 0.900]",
        "16 shots 0.760 [0.300, 0.900] 0.660 [0.300, 0.900] 0.460 [0.300, 0.900]",
        "baselines: colour",
    ]
    assert "5 % of the labels 0.500 [0.300, 0.900]" in shown
    assert text(results).splitlines()[1].startswith("  linear: uni, the only model"), "the answer is of the other head"


def test_a_table_of_many_tables_is_not_printed(add_run: AddRun, results: Path) -> None:
    for number in range(25):
        add_run("uni", values={"balanced_accuracy": 0.5}, protocol=f"head_{number:02d}")
    shown = text(results)
    assert "The 25 tables of these heads are not printed" in shown
    assert "demo  primary metric" not in shown
    assert shown.count("uni, the only model, has 0.500") == 25
    assert table_text(read_leaderboard(results), everything=True).count(" head ") >= 25


def test_places_of_files_are_named_where_they_are(tmp_path: Path) -> None:
    written = {"leaderboard": tmp_path / "leaderboard.csv"}
    for folder in ("predictions", "previews/demo/256px/attention/uni"):
        (tmp_path / folder).mkdir(parents=True)
    shown = files_text(tmp_path, written).splitlines()
    assert shown[0] == f"Files in {tmp_path}:"
    assert [line.split()[0] for line in shown[1:]] == [
        *("leaderboard.csv", "predictions/", "previews/", "previews/demo/256px/attention/"),
    ]


def test_few_shot_columns_of_many_models_are_named_below_the_table(add_run: AddRun, results: Path) -> None:
    models = [*LONG, *(f"encoder_with_a_long_name_{number}" for number in range(12)), "colour"]
    for model in models:
        metrics = {"balanced_accuracy": {"value": 0.5, **INTERVAL}}
        add_run(model, metrics=metrics, protocol="simpleshot-1shot")
    shown = text(results)
    assert max(map(len, shown.splitlines())) <= 120
    found = " ".join(shown.split())
    below = found[found.index("models, from the left: ") : found.index("baselines: colour")]
    names = [*short_names([name for name in models if name != "colour"], 30).values(), "colour"]
    assert all(below.count(name) >= 1 for name in names)
    assert "not shown: " in below
