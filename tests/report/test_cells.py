"""Cells that no spreadsheet executes, whose text can be read again, and numbers that stay numbers."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.report.cells import safe_cell, text_of

STARTS = "=+-@\t\r\n＝＋－＠"


@pytest.mark.parametrize("start", STARTS)
def test_a_cell_that_a_spreadsheet_would_execute_starts_with_an_apostrophe(start: str) -> None:
    assert safe_cell(f"{start}HYPERLINK(1)") == f"'{start}HYPERLINK(1)"


@pytest.mark.parametrize("number", ["-0.1", "+3", "-12", "1e-05", "-1.5e+300", "-.5", "7."])
def test_numbers_are_written_as_they_are(number: str) -> None:
    assert safe_cell(number) == number


@pytest.mark.parametrize("text", ["-0.1+cmd", "-1|cmd", "+1 2", "-٣", "-1\n=1", "--1", "-inf", "-nan", "-0x1"])
def test_what_only_begins_like_a_number_is_no_number(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "uni", "a=b", "'quoted'", "x-y", "5 %"])
def test_other_text_is_written_as_it_is(text: str) -> None:
    assert safe_cell(text) == text


@settings(max_examples=25, deadline=None)
@given(st.text(st.sampled_from("'=+-@\t1.ea "), max_size=5))
@example("'=1")
@example("''-x")
@example("'-5")
def test_a_text_is_read_again_from_its_cell_and_no_cell_is_executed(text: str) -> None:
    cell = safe_cell(text)

    assert text_of(cell) == text
    assert cell == text or cell[0] == "'"
