"""Values of the command line that Hydra's grammar does not read as they stand."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from bench.settings import readable


def value_of(override):
    return OverridesParser.create().parse_override(readable(override)).value()


@pytest.mark.parametrize(
    "text",
    [
        "data=/data/Müller & Söhne/Tumor (1)",
        "results=/data/it's",
        "data=[old]/tiles",
        "checkpoints.uni=/w/uni{2}\\",
        "++tasks.tiles.options.group=^(\\w{3})'",
        "++tasks.tiles.options.group=[A-Z]+-(\\d+)",
        "++tasks.tiles.metric=größe",
    ],
)
def test_a_value_that_the_grammar_does_not_read_is_text_as_it_was_typed(text):
    assert value_of(text) == text.partition("=")[2]


def test_items_of_a_list_that_the_grammar_does_not_read_are_text_and_others_stay_what_they_are():
    assert value_of("++tasks.slides.targets=[Überleben, Status,3]") == ["Überleben", "Status", 3]


@pytest.mark.parametrize(
    "text", ["data='/a b'", "model=[uni,gpfm]", "data=/plain/x", "seeds={a", "seeds=[[ü]]", "bogus"]
)
def test_what_is_read_or_is_a_fault_in_brackets_stays_as_it_was_typed(text):
    assert readable(text) == text
