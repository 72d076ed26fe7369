"""The rules on restorers: each fires on hand-worked numbers, and does not fire beside its threshold."""

from passport_rows import evidence_of, scores

from bench.passport import rules_of_restoring as rules


def sentences_of(rule, values, augmented=None):
    more = scores(augmented, protocol="linear-augmented") if augmented else []
    return list(rule(evidence_of([*scores(values), *more[1:]])))


def test_harm_on_clean_tiles_is_more_than_a_hundredth_of_their_score():
    values = {"": 0.9, "jpeg_5": 0.6, "median": 0.873, "jpeg_5+median": 0.6, "wiener": 0.892, "jpeg_5+wiener": 0.6}
    assert sentences_of(rules.harms_clean, values) == [
        "Restoration with median harms clean tiles: balanced_accuracy goes from 0.900 to 0.873, 3 % of it."
    ]


def test_harm_on_corrupted_tiles_names_the_worst_and_counts():
    values = {"": 0.9, "jpeg_1": 0.85, "jpeg_3": 0.7, "jpeg_5": 0.6}
    values |= {"jpeg_1+median": 0.8, "jpeg_3+median": 0.6, "jpeg_5+median": 0.65, "jpeg_5+wiener": 0.592}
    assert sentences_of(rules.harms_corrupted, values) == [
        "median makes 2 of 3 conditions worse, most of all jpeg 3: balanced_accuracy goes from 0.700 to 0.600."
    ]


GIVEN_BACK = {"": 0.9, "jpeg_1": 0.8, "jpeg_5": 0.5}  # losses of 0.1 and 0.4


def test_the_best_restorer_has_the_largest_share_of_the_sum_of_losses():
    values = GIVEN_BACK | {"jpeg_1+median": 0.7, "jpeg_5+median": 0.7}  # 1 - (0.2 + 0.2) / 0.5 = 0.2
    values |= {"jpeg_1+wiener": 0.85, "jpeg_5+wiener": 0.5}  # 1 - (0.05 + 0.4) / 0.5 = 0.1
    assert sentences_of(rules.gives_back, values) == [
        "median gives back most of the restorers: 20 % of the balanced_accuracy that is lost over 2 conditions."
    ]
    assert sentences_of(rules.gives_nothing, values) == []


def test_no_restorer_helps_where_the_best_has_less_than_a_tenth():
    values = GIVEN_BACK | {"jpeg_1+median": 0.8, "jpeg_5+median": 0.54}  # 1 - (0.1 + 0.36) / 0.5 = 0.08
    assert sentences_of(rules.gives_back, values) == []
    assert sentences_of(rules.gives_nothing, values) == [
        "No restorer gives back 10 % of the balanced_accuracy that is lost; the best, median, has 8 %."
    ]


def test_restorer_rules_give_no_sentence_without_restorers_or_loss():
    for values in (GIVEN_BACK, {"": 0.8, "jpeg_1": 0.9, "jpeg_1+median": 0.7}):
        assert sentences_of(rules.gives_back, values) == sentences_of(rules.gives_nothing, values) == []


def test_augmentation_is_set_against_the_best_restorer_of_each_corruption():
    values = GIVEN_BACK | {"jpeg_1+median": 0.8, "jpeg_5+median": 0.7, "jpeg_1+wiener": 0.6, "jpeg_5+wiener": 0.6}
    # the mean loss of median is 0.15, of the head (0.02 + 0.1) / 2
    augmented = {"": 0.89, "jpeg_1": 0.88, "jpeg_5": 0.8, "jpeg_5+median": 0.1}
    assert sentences_of(rules.augmented, values, augmented) == [
        "A head that is trained on corrupted tiles too loses less than the best restorer of each corruption: 0.060 "
        "against 0.150 of balanced_accuracy, the mean over 2 conditions; on clean tiles its loss is 0.010."
    ]


def test_augmentation_is_set_against_nothing_where_there_is_no_restorer_and_silent_where_it_does_not_gain():
    assert (
        "loses less than doing nothing: 0.100 against 0.400"
        in sentences_of(rules.augmented, GIVEN_BACK, {"jpeg_5": 0.8})[0]
    )
    assert sentences_of(rules.augmented, GIVEN_BACK, {"jpeg_5": 0.505}) == []
    assert sentences_of(rules.augmented, GIVEN_BACK) == []
