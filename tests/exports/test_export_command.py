"""The words of the command: what is missing or misspelt is one sentence."""

from pathlib import Path

import pytest

from bench.exports import check_arguments, export_attention
from registry.errors import UserError


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "needs one of the formats clam, trident, pt, tiles, geojson:"),
        (["clm", "out"], "not 'clm'.*Is clam meant"),
        (["clam"], "with no folder"),
        (["clam", "a", "b"], "with 2 folders"),
        (["clam", __file__], "is a file"),
    ],
)
def test_wrong_words_are_refused(words, sentence):
    with pytest.raises(UserError, match=sentence):
        check_arguments(words)


def test_settings_may_stand_anywhere():
    found = check_arguments(["task=slides", "pt", "model=uni", "out", "--config-dir=conf"])
    assert found == ("pt", Path("out"), ["task=slides", "model=uni", "--config-dir=conf"])


def test_a_results_folder_without_attention_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"No row in .* has the attention"):
        export_attention(tmp_path, tmp_path / "out")
