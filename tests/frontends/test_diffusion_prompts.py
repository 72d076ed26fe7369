"""Prompts as OpenCLIP's tokens."""

import gzip
import importlib.util
from itertools import islice, product
from pathlib import Path

import pytest

from bench.frontends.restorers.stable_diffusion.prompts import CONTEXT, VOCABULARY, cleaned, tokens
from registry import UserError

START, END = 49406, 49407


@pytest.fixture(scope="module")
def own_vocabulary(tmp_path_factory):
    """As long as OpenAI's: "st", "ain" and "stain" are tokens, and pairs of letters that no test needs."""
    pytest.importorskip("transformers", reason="transformers is not installed: pip install 'pfmbench[diffusion]'")
    first = ["s t", "i n</w>", "a in</w>", "st ain</w>"]
    printable = [chr(byte) for byte in [*range(33, 127), *range(161, 173), *range(174, 256)]]
    pairs = (
        f"{one} {other}{end}"
        for one, other in product(printable, printable)
        if not {one, other} <= set("stain")
        for end in ("", "</w>")
    )
    many = [*first, *islice(pairs, 48894 - len(first))]
    path = tmp_path_factory.mktemp("vocabulary") / VOCABULARY
    path.write_bytes(gzip.compress("\n".join(["a heading", *many, "not read"]).encode()))
    return path


def test_the_empty_prompt_needs_no_vocabulary():
    assert tokens("") == [START, END] + [0] * 75
    assert tokens(" \n") == tokens("")


def test_a_prompt_is_cleaned():
    assert cleaned("  H&amp;amp;E \t Stain\n") == "h&e stain"


def test_byte_pairs_are_joined_in_the_order_of_the_list(own_vocabulary):
    found = tokens("Stain  s t", own_vocabulary)

    s, t = (256 + ord(letter) - ord("!") for letter in "st")  # at the end of a word
    assert found[:5] == [START, 512 + 3, s, t, END]
    assert found[5:] == [0] * (CONTEXT - 5)


def test_a_prompt_that_does_not_fit_is_refused(own_vocabulary):
    assert len(tokens("s " * 75, own_vocabulary)) == CONTEXT
    with pytest.raises(UserError, match=r"is 76 tokens long and 75 fit; make it shorter"):
        tokens("s " * 76, own_vocabulary)


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"not zipped", "Not a gzipped file"), (gzip.compress(b"a heading\ns t\n"), "it is too short")],
    ids=["no gzip", "short"],
)
def test_a_damaged_vocabulary_is_refused(tmp_path, content, says):
    pytest.importorskip("transformers")
    path = tmp_path / VOCABULARY
    path.write_bytes(content)

    with pytest.raises(UserError, match=f"is not OpenAI's list of byte pairs.*{says}.*download it again"):
        tokens("stain", path)


def test_the_published_vocabulary_gives_the_published_numbers():
    package = importlib.util.find_spec("open_clip")
    if package is None:
        pytest.skip("open_clip, which brings the vocabulary, is not installed: pip install open_clip_torch")
    pytest.importorskip("transformers")
    path = Path(next(iter(package.submodule_search_locations))) / VOCABULARY

    assert tokens("a photo of a cat", path)[:7] == [START, 320, 1125, 539, 320, 2368, END]
