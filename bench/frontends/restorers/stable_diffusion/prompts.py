"""Prompts as the tokens of OpenCLIP: its byte pairs, between a start and an end, padded with zeros to 77."""

from __future__ import annotations

import gzip
import html
from pathlib import Path
from typing import Any

from registry.errors import UserError

VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"
CONTEXT = 77
_START, _END = 49406, 49407
_MERGES = 49152 - 256 - 2  # of the file's lines after the first; OpenAI's CLIP takes these


def tokens(prompt: str, vocabulary: Path | None = None) -> list[int]:
    """The numbers of a prompt.

    Parameters
    ----------
    prompt : str
        The empty prompt needs no vocabulary.
    vocabulary : path, optional
        OpenAI's list of byte pairs, as CLIP and OpenCLIP ship it.

    Returns
    -------
    list of 77 ints
        0 to 49407.

    Raises
    ------
    UserError
        If the prompt does not fit, or the vocabulary is damaged.
    """
    text = cleaned(prompt)
    numbers = []
    if text:
        if vocabulary is None:
            raise ValueError("a prompt that is not empty needs the vocabulary")
        numbers = _numbers(text, vocabulary)
    if len(numbers) > CONTEXT - 2:
        raise UserError(
            f"The prompt '{prompt[:40]}...' is {len(numbers)} tokens long and {CONTEXT - 2} fit; make it shorter."
        )
    return ([_START, *numbers, _END] + [0] * CONTEXT)[:CONTEXT]


def cleaned(prompt: str) -> str:
    """Without HTML entities and needless white space, in lower case."""
    return " ".join(html.unescape(html.unescape(prompt)).split()).lower()


def _numbers(text: str, vocabulary: Path) -> list[int]:
    from transformers import CLIPTokenizer

    try:
        lines = gzip.decompress(vocabulary.read_bytes()).decode("utf-8").split("\n")
    except (OSError, EOFError, UnicodeDecodeError) as problem:
        raise UserError(f"{vocabulary} is not OpenAI's list of byte pairs ({problem}); download it again.") from problem
    merges: list[Any] = [tuple(line.split()) for line in lines[1 : _MERGES + 1]]
    if len(merges) != _MERGES or any(len(pair) != 2 for pair in merges):
        raise UserError(f"{vocabulary} is not OpenAI's list of byte pairs: it is too short; download it again.")
    letters = _letters()
    words = letters + [f"{letter}</w>" for letter in letters] + ["".join(pair) for pair in merges]
    numbering = {word: number for number, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    tokenizer = CLIPTokenizer(vocab=numbering, merges=merges)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _letters() -> list[str]:
    """A character for each byte, in CLIP's order: printable ones stand for themselves and come first."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = 256 - len(printable)
    return [chr(byte) for byte in printable] + [chr(256 + i) for i in range(others)]
