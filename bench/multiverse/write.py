"""The files of a multiverse: ``results/multiverse/TASK/COHORT/``, the same bytes for the same rows and predictions."""

from __future__ import annotations

import csv
import io
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.files import atomic_write, unwritable
from bench.multiverse.analysis import Multiverse
from bench.multiverse.paragraph import paragraph
from bench.multiverse.tables import (
    WIDTH,
    matrix_text,
    pair_records,
    score_records,
    scores_text,
    tau_records,
    variance_records,
)
from bench.plots import Drawing, multiverse_figure
from bench.report import safe_cell
from bench.rows import file_name

FOLDER = "multiverse"
FIGURE = ("multiverse.svg", "multiverse.png")
BRACKETS = re.compile(r"[\[\]]")
COMPARISONS = ("tau.csv", "variance.csv", "pairs.csv")


def write_multiverse(results: Path, found: Multiverse, left_out: Sequence[str] = ()) -> tuple[list[Path], str]:
    """Write table, plot and words of one task; gives the files and the text for the terminal.

    ``multiverse.csv`` is the table, a line a protocol and model. Beside it are what it is made of, a line a pair of
    protocols (``tau.csv``), a component of variance (``variance.csv``), a pair of models under a protocol
    (``pairs.csv``); ``multiverse.md`` with the words, and the figure as SVG and PNG. Without two models and two
    protocols there is no comparison and no figure, and those of an earlier run are removed.

    Raises
    ------
    UserError
        If the folder cannot be written.
    """
    scores = found.scores
    folder = results / FOLDER / file_name(scores.task) / file_name(scores.cohort)
    words = paragraph(found, left_out)
    blocks = [list(scores_text(found)), *([list(matrix_text(found))] if found.compares else [])]
    picture = ""
    files: dict[str, bytes] = {"multiverse.csv": _csv(score_records(found))}
    if found.compares:
        tables = (tau_records(found), variance_records(found), pair_records(found))
        files |= dict(zip(COMPARISONS, map(_csv, tables), strict=True))
        drawing = _figure(found)
        files |= {f"multiverse.{ending}": content for ending, content in drawing.forms.items()}
        picture = f"![{BRACKETS.sub('', drawing.alt)}](multiverse.svg)\n\n"
    code = "\n\n".join("```\n" + "\n".join(block) + "\n```" for block in blocks)
    title = f"# {scores.task} under {len(scores.protocols)} protocols"
    files["multiverse.md"] = f"{title}\n\n{words}\n\n{picture}{code}\n".encode()
    place = folder
    try:
        for name, content in files.items():
            place = folder / name
            with atomic_write(place) as temporary:
                temporary.write_bytes(content)
        for name in {*FIGURE, *COMPARISONS} - files.keys():
            place = folder / name
            place.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(place, error, "results=DIR") from error
    wrapped = [
        "\n".join(textwrap.wrap(part, WIDTH, break_on_hyphens=False, break_long_words=False))
        for part in words.split("\n\n")
    ]
    text = "\n\n".join([*wrapped, *("\n".join(block) for block in blocks)])
    return [folder / name for name in sorted(files)], text


def _figure(found: Multiverse) -> Drawing:
    scores = found.scores
    tau = np.array([[found.tau(a, b) for b in scores.protocols] for a in scores.protocols])
    ranks = np.array([one.ranks for one in found.ranks])
    return multiverse_figure(
        f"{scores.task}, {scores.n_test:,} test samples",
        scores.metric,
        scores.protocols,
        scores.models,
        tau,
        scores.values,
        ranks,
    )


def _csv(records: Iterable[Mapping[str, str]]) -> bytes:
    lines = list(records)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]) if lines else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: safe_cell(value) for name, value in line.items()} for line in lines)
    return text.getvalue().encode()
