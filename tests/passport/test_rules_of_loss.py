"""The rules on what corruptions cost: each fires on hand-worked numbers, and does not fire beside its threshold."""

import pytest
from passport_rows import evidence_of, feature_row, head_row, scores

from bench.passport import rules_of_loss as rules
from bench.passport.rules import RULES

SENSITIVITY = "sensitivity_at_95_specificity"


def sentences_of(rule, rows):
    return list(rule(evidence_of(rows)))


def test_every_rule_has_a_name_of_its_own_and_a_definition_that_is_a_sentence():
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names) == 19
    assert all(rule.definition.endswith((".", ")")) for rule in RULES)
    assert all((rule.of_head is None) != (rule.of_encoder is None) for rule in RULES)


def test_the_largest_loss_is_that_of_the_lowest_score():
    rows = scores({"": 0.9, "jpeg_1": 0.88, "jpeg_5": 0.7, "pixelate_5": 0.8})
    assert sentences_of(rules.worst_loss, rows) == [
        "The largest loss is behind jpeg 5: balanced_accuracy goes from 0.900 to 0.700."
    ]


def test_there_is_no_largest_loss_where_nothing_is_lost():
    assert sentences_of(rules.worst_loss, scores({"": 0.9, "jpeg_1": 0.9, "jpeg_5": 0.95})) == []


def test_of_an_error_the_loss_is_its_growth():
    fields = {"kind": "regression", "primary_metric": "mae", "classes": ["score"]}
    rows = [
        feature_row("uni", ""),
        *(head_row("uni", f, 0, metrics={"mae": value}, **fields) for f, value in (("", 0.2), ("jpeg_5", 0.5))),
    ]
    assert sentences_of(rules.worst_loss, rows) == ["The largest loss is behind jpeg 5: mae goes from 0.200 to 0.500."]


LADDER = {"": 0.9, "jpeg_1": 0.89, "jpeg_2": 0.86, "jpeg_3": 0.85, "pixelate_1": 0.85, "pixelate_3": 0.89}


def test_next_model_names_the_severity_from_which_on_more_is_lost_than_the_difference():
    rows = [*scores(LADDER), *scores({"": 0.87}, "uni2"), *scores({"": 0.5}, "far")]
    # uni2 is nearest, 0.03 off: jpeg_2 loses 0.04 and jpeg_3 0.05; pixelate_1 loses 0.05 and pixelate_3 0.01 only
    assert sentences_of(rules.next_model, rows) == [
        "More than the difference to the next model (uni2, 0.030 of balanced_accuracy) is lost behind jpeg 2 and above."
    ]


def test_next_model_is_silent_where_the_difference_is_as_large_and_no_baseline_is_a_next_model():
    assert sentences_of(rules.next_model, [*scores(LADDER), *scores({"": 0.8}, "uni2")]) == []
    assert sentences_of(rules.next_model, [*scores(LADDER), *scores({"": 0.87}, "colour", baseline=True)]) == []
    assert sentences_of(rules.next_model, scores(LADDER)) == []


def test_a_corruption_of_one_severity_has_nothing_above_it():
    rows = [*scores({"": 0.9, "jpeg_5": 0.7}), *scores({"": 0.89}, "uni2")]
    assert sentences_of(rules.next_model, rows)[0].endswith("is lost behind jpeg 5.")


def test_baseline_is_named_where_it_is_as_good_at_every_higher_severity():
    rows = [
        *scores({"": 0.9, "jpeg_1": 0.8, "jpeg_3": 0.6, "jpeg_5": 0.55, "pixelate_1": 0.5, "pixelate_3": 0.8}),
        *scores({"": 0.6, "jpeg_1": 0.7, "jpeg_3": 0.6, "jpeg_5": 0.5, "pixelate_1": 0.6, "pixelate_3": 0.6},
                "colour", baseline=True),
        *scores({"jpeg_5": 0.56}, "uni@random", baseline=True),
        *scores({"jpeg_1": 0.99}, "uni2"),
    ]  # fmt: skip
    [sentence] = sentences_of(rules.below_baseline, rows)
    assert sentence == (
        "A baseline (colour and uni@random) is as good or better behind jpeg 3 and above, and none is on clean tiles."
    )
    [sentence] = sentences_of(rules.below_baseline, [*rows, *scores({"": 0.9}, "other", baseline=True)])
    assert sentence.endswith(", and one is on clean tiles too.")


def test_baseline_is_silent_where_the_model_is_ahead():
    rows = [*scores({"": 0.9, "jpeg_5": 0.61}), *scores({"": 0.6, "jpeg_5": 0.6}, "colour", baseline=True)]
    assert sentences_of(rules.below_baseline, rows) == []


def test_no_loss_needs_every_severity_below_a_hundredth_of_the_clean_score():
    rows = scores({"": 0.8, "hue_1": 0.793, "hue_5": 0.80, "jpeg_1": 0.8, "jpeg_5": 0.791})  # losses .007, 0, 0, .009
    assert sentences_of(rules.survives, rows) == [
        "Hardly anything (1 % of the score or less) is lost behind hue at any severity."
    ]
    assert sentences_of(rules.survives, scores({"": 0.8, "jpeg_5": 0.79})) == []


def at_threshold(clean, *corrupted):
    values = {"": clean, **{f"jpeg_{severity}": value for severity, value in enumerate(corrupted, 1)}}
    rows = [head_row("uni", frontend, 0.9, metrics={SENSITIVITY: value}) for frontend, value in values.items()]
    return [feature_row("uni", ""), *rows]


def test_threshold_names_the_lowest_rate_and_counts_those_that_fell_by_more_than_a_twentieth():
    assert sentences_of(rules.threshold, at_threshold(0.9, 0.86, 0.84, 0.4)) == [
        "The clean threshold no longer holds: sensitivity at the threshold for 95 % specificity falls from 0.900 to "
        "0.400 at jpeg 3, and by more than 0.05 behind 2 of 3 conditions."
    ]


def test_threshold_is_silent_at_a_twentieth_and_where_the_rate_rises():
    assert sentences_of(rules.threshold, at_threshold(0.5, 0.45, 0.9)) == []
    assert sentences_of(rules.threshold, at_threshold(None, 0.1)) == []


def shifted(*shifts):
    rows = [head_row("uni", "", 0.9, info={"threshold_shift": {SENSITIVITY: 0.0}})]
    for severity, shift in enumerate(shifts, 1):
        rows.append(head_row("uni", f"jpeg_{severity}", 0.9, info={"threshold_shift": {SENSITIVITY: shift}}))
    return [feature_row("uni", ""), *rows]


def test_threshold_shift_names_the_farthest():
    assert sentences_of(rules.threshold_shift, shifted(0.05, -0.3, 0.2)) == [
        "To keep the specificity that it has on clean tiles, the threshold for 95 % specificity would have to move by "
        "-0.300 at jpeg 2, and by more than 0.1 behind 2 of 3 conditions."
    ]
    assert sentences_of(rules.threshold_shift, shifted(0.1, -0.1)) == []


def calibrated(clean, *corrupted):
    values = {"": clean, **{f"jpeg_{severity}": value for severity, value in enumerate(corrupted, 1)}}
    rows = [head_row("uni", frontend, 0.9, metrics={"ece": value}) for frontend, value in values.items()]
    return [feature_row("uni", ""), *rows]


@pytest.mark.parametrize(
    ("clean", "corrupted", "broken"),
    [
        (0.04, (0.05, 0.2, 0.11), "2 of 3 conditions: the ECE rises from 0.040 to 0.200 at jpeg 2"),
        (0.02, (0.07,), ""),  # five hundredths more is not more than that
        (0.1, (0.19, 0.2), ""),  # not more than twice as much
    ],
)
def test_calibration_needs_a_rise_and_a_multiple(clean, corrupted, broken):
    sentences = sentences_of(rules.calibration, calibrated(clean, *corrupted))
    assert [broken in sentence for sentence in sentences] == ([True] if broken else [])


def test_cosine_alone_hides_a_loss_where_tiles_are_not_found_again():
    rows = [*scores({"": 0.9, "jpeg_1": 0.9, "jpeg_3": 0.9, "jpeg_5": 0.9}), feature_row("uni", "jpeg_1", 0.8, 0.49),
            feature_row("uni", "jpeg_3", 0.878, 0.004), feature_row("uni", "jpeg_5", 0.79, 0.0)]  # fmt: skip
    assert sentences_of(rules.collapse, rows) == [
        "Cosine hides a loss behind 2 conditions: at jpeg 3 features have a cosine of 0.878 to those of the clean "
        "tiles, and 0.4 % of the tiles find their own clean tile."
    ]
    assert (
        sentences_of(rules.collapse, [*scores({"": 0.9, "jpeg_1": 0.9}), feature_row("uni", "jpeg_1", 0.95, 0.5)]) == []
    )


def test_features_alone_lose_from_a_cosine_of_one():
    rows = [feature_row("uni", "jpeg_5", 0.6), feature_row("uni", "jpeg_1", 0.9)]
    assert sentences_of(rules.worst_loss, rows) == [
        "The largest loss is behind jpeg 5: cosine goes from 1.000 to 0.600."
    ]
