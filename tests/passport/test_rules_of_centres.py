"""The rules on centres and scanners, and on what was not measured."""

import pytest
from passport_rows import head_row, of, scores

from bench.passport import rules_of_centres as rules
from bench.passport.reading import encoder_of

ROWS = scores({"": 0.9, **{f"jpeg_{severity}": 0.8 for severity in range(1, 6)}, "jpeg_1+median": 0.8})
COMPANY = [*scores({"": 0.8}, "uni2"), *scores({"": 0.5}, "colour", baseline=True)]


def centre_row(frontend="", protocol="centre_robustness", **metrics):
    found = {name: value if isinstance(value, dict) else of(value) for name, value in metrics.items()}
    info = {"chance_centre_accuracy": 0.5}
    row = head_row("uni", frontend, 0.9, protocol=protocol, task="camelyon", cohort_hash="c1", info=info)
    row.metrics.update(found)
    return row


def sentences_of(rule, *rows):
    return list(rule(encoder_of([*ROWS, *rows], "uni")))


@pytest.mark.parametrize(
    ("rule", "metrics", "other", "words"),
    [
        (rules.centre_first, {"robustness_index": 0.5}, {"robustness_index": 0.51}, "robustness index is 0.500"),
        (rules.centre_tail, {"robustness_index": 1, "croma_ltm10": -0.2},
         {"robustness_index": 1, "croma_ltm10": 0.0}, "(CRoMa LTM10) is -0.200"),
        (rules.centre_costs, {"robustness_index": 1, "apd_out": -0.06, "apd_in": -0.05},
         {"robustness_index": 1, "apd_in": 0.1}, "cost 6 % of the accuracy on samples of other centres"),
        (rules.centre_readable, {"robustness_index": 1, "centre_accuracy": of(0.7, 0.51, 0.8)},
         {"robustness_index": 1, "centre_accuracy": of(0.7, 0.5, 0.8)}, "accuracy of 0.700, where a guess has 0.500"),
        (rules.scanners_apart, {"consistency": 0.5, "top10_scanner": 0.49, "top10_staining": 0.5},
         {"consistency": 0.5, "top10_scanner": 0.5}, "49 % of the regions are found again under another scanner."),
    ],
)  # fmt: skip
def test_a_rule_of_centres_fires_on_one_side_of_its_threshold_only(rule, metrics, other, words):
    [sentence] = sentences_of(rule, centre_row(**metrics))
    assert words in sentence
    assert sentence.startswith("On camelyon ")
    assert sentences_of(rule, centre_row(**other)) == []
    assert sentences_of(rule, centre_row("median", **metrics)) == [], "only what no front-end stands before"


def test_what_was_not_measured_is_named():
    assert sentences_of(rules.not_measured) == [
        "Nothing was measured on scanners (protocol=consistency, on the same regions scanned twice).",
        "Nothing was measured on centres (protocol=centre_robustness, on tiles with a centre).",
        "Not measured on robustness with linear: no other model; no baseline.",
    ]


def test_nothing_is_missing_where_all_was_measured():
    of_centres = [centre_row(robustness_index=0.9), centre_row(protocol="consistency", consistency=0.9)]
    assert sentences_of(rules.not_measured, *COMPANY, *of_centres) == []


def test_severities_restorers_heads_and_speed_that_lack_are_named():
    rows = scores({"": 0.9, "jpeg_1": 0.8, "jpeg_5": 0.8}, tiles_per_s=None)
    found = list(rules.not_measured(encoder_of([*rows, *COMPANY], "uni")))
    assert found[2] == "Not measured on robustness with linear: no restorer; no severity 2, 3 and 4."
    assert found[3].startswith("Its speed is not known")
