"""Numbers and order in names: folders and class names left out, numbers read as numbers."""

import numpy as np

from bench.audit import name_controls


def by_name(controls):
    return {control.name: control.values for control in controls}


def test_numbers_and_order_of_names_without_folders():
    ids = ["0/case_10.png", "1/case_9.png", "1/case_100.png"]

    controls, absent = name_controls(ids, ids, ids, ["normal", "tumour", "tumour"])

    assert {name: values.tolist() for name, values in by_name(controls).items()} == {"number in the id": [10, 9, 100]}
    assert absent == {}, "the order is that of the numbers, so it is no test of its own"


def test_a_class_that_names_spell_is_taken_out():
    ids = ["ADI-b7.tif", "TUM-a9.tif", "ADI-c1.tif", "TUM-d0.tif"]

    controls, absent = name_controls(ids, ids, [""] * 4, ["ADI", "TUM", "ADI", "TUM"])

    assert by_name(controls)["order of the id"].tolist() == [1, 0, 2, 3]
    assert absent["class in the id"].endswith("taken out before its number and order are looked at.")


def test_names_without_numbers_are_a_sentence():
    ids = ["a", "b", "c"]

    controls, absent = name_controls(ids, ["p1", "p2", "p2"], ["x/1.png", "x/2.png", "x/3.png"], [""] * 3)

    assert "There is no number in most names (id)" in absent["number in the id"]
    assert by_name(controls)["number in the group's name"].tolist() == [1, 2, 2]
    assert not any(np.isnan(control.values).any() for control in controls)
