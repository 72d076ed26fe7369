"""The frame that the commands without Hydra share: what they take, and how they end."""

import pytest

from bench.__main__ import _run
from bench.commands import is_true, read_arguments, run_command
from bench.leaving import Folders
from registry.errors import UserError

DEFAULTS = {"results": "results", "yes": "false"}


def no_work(arguments):
    raise AssertionError("the help does no work")


def wrong(arguments):
    raise UserError("One.\nTwo.")


def test_the_help_is_printed_wherever_it_stands(capsys):
    assert run_command(["results=x", "--help"], "Usage: ...", no_work) == 0
    assert capsys.readouterr() == ("Usage: ...\n", "")


def test_the_exit_code_is_that_of_the_work():
    assert run_command(["a"], "", len) == 1


@pytest.mark.parametrize(
    ("lines", "printed"),
    [({}, "pfmbench: One.\nTwo.\n"), ({"lines": str.splitlines}, "pfmbench: One.\npfmbench: Two.\n")],
)
def test_what_a_user_can_mend_is_printed_and_ends_with_2(capsys, lines, printed):
    assert run_command([], "", wrong, **lines) == 2
    assert capsys.readouterr() == ("", printed)


def test_options_fields_and_words_are_apart(tmp_path):
    file = tmp_path / "a=b.zip"
    file.touch()
    arguments = ["results=a=b", "model=", str(file), "row"]
    found = read_arguments(arguments, DEFAULTS, fields=("model",), words=True)
    assert found.options == {"results": "a=b", "yes": "false"}
    assert found.fields == {"model": ""}
    assert found.words == [str(file), "row"]
    assert DEFAULTS == {"results": "results", "yes": "false"}


@pytest.mark.parametrize(
    ("argument", "changes", "sentence"),
    [
        ("reslts=x", {}, "'reslts=x' is not an option here: those are results=, yes=. Is results meant?"),
        ("modle=x", {"fields": ["model"], "takes": "b"}, "'modle=x' is not an option here: b. Is model meant?"),
        ("results=", {}, "'results=' is not an option here: those are results=, yes=."),
        ("nothing=x", {"words": True}, "'nothing=x' is not an option here: those are results=, yes=."),
        ("word", {}, "'word' is not an option here: those are results=, yes=."),
    ],
)
def test_an_argument_that_is_not_taken_is_named(argument, changes, sentence):
    with pytest.raises(UserError) as error:
        read_arguments([argument], DEFAULTS, **changes)
    assert str(error.value) == sentence


def test_true_and_false_are_the_values_of_a_flag():
    assert is_true({"yes": "true"}, "yes")
    assert not is_true({"yes": "false"}, "yes")
    with pytest.raises(UserError, match="yes=True must be true or false"):
        is_true({"yes": "True"}, "yes")


@pytest.mark.parametrize(
    "names",
    [
        ["remove", "status", "passport"],
        pytest.param(
            ["report", "published", "reproduce", "submit", "verify", "freeze", "export", "audit"],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_each_command_of_the_table_shows_its_own_usage(capsys, names):
    for name in names:
        assert _run([name, "--help"], Folders("", "")) == 0
        assert capsys.readouterr().out.startswith(f"Usage: python -m bench {name} "), name
