"""What the tests of refusals share: which cases are fast tests, and the sentences of a command that refused."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest
from command_helpers import Done


def mostly_slow(cases: Iterable[str], every: int) -> list[Any]:
    """Every so many-th case is a fast test; the others, a quarter of a second each, are slow ones."""
    return [
        pytest.param(case, id=case[:60], marks=[] if number % every == 0 else pytest.mark.slow)
        for number, case in enumerate(cases)
    ]


def refused(done: Done) -> str:
    """The sentences of a command that ended with 2 and neither a traceback nor a fault of the harness."""
    assert done.returncode == 2, (done.returncode, done.stdout[-300:], done.stderr[-300:])
    sentences = [line for line in done.stderr.splitlines() if line.startswith("pfmbench: ")]
    assert sentences, done.stderr
    for word in ("Traceback", "fault of the harness"):
        assert word not in done.stderr, done.stderr
    assert not re.search(r"\b[A-Z]\w+(Error|Exception)\b", " ".join(sentences)), sentences
    assert all(len(line) < 2000 for line in sentences), "a sentence that nobody reads to its end"
    return "\n".join(sentences)
