"""What is published: the boards, their models, those without a gate to their weights first, and what runs here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import registry
from bench.published.boards import Board
from bench.published.figures import Figure
from registry.text_table import aligned, wrapped

INDENT = " " * 4  # of the lines after the first of a sentence
NATURAL = ("dinov2", "resnet", "vit", "clip")
"""Families of natural images, the first in a list: their weights are public and their recipes the least in doubt."""


def needs_no_gate(model: str) -> bool:
    """Whether a model of the registry has weights that anybody can download without an account."""
    if model not in registry.names():
        return False
    weights = registry.card(model).weights
    return not weights.gated and (weights.package is not None or weights.hub is not None)


def open_first(models: Sequence[str]) -> list[str]:
    """The names, those of natural images without a gate first, then others without one, then the rest."""

    def order(model: str) -> tuple[bool, bool, str]:
        family = registry.card(model).family if model in registry.names() else ""
        return not needs_no_gate(model), family not in NATURAL, model

    return sorted(models, key=order)


def listing_text(figures: Sequence[Figure], boards: Mapping[str, Board]) -> str:
    """A paragraph a board: its figures, what of it runs here, and its models."""
    parts = []
    for name, board in boards.items():
        own = [figure for figure in figures if figure.board == name]
        if own:
            parts.append("\n".join(_of_board(board, own)))
    return "\n\n".join(parts)


def _of_board(board: Board, own: Sequence[Figure]) -> Iterator[str]:
    models = sorted({figure.model for figure in own if figure.model})
    nameless = sorted({figure.published_as for figure in own if not figure.model})
    yield from wrapped(f"{board.name}: {board.title} ({board.url})", INDENT)
    lines = [["task", "protocol", "seeds", "datasets"]]
    lines += [[run.task, run.protocol, str(run.seeds), ", ".join(run.datasets)] for run in board.runs]
    if board.runs:
        yield from (f"  {line}" for line in aligned(lines))
    if board.absent:
        yield from wrapped(f"  not read here: {board.absent}", INDENT)
    without = [model for model in open_first(models) if needs_no_gate(model)]
    gated = [model for model in open_first(models) if not needs_no_gate(model)]
    counted = f"  {len(own)} figures of {len(models) + len(nameless)} models"
    yield from wrapped(f"{counted}, without a gate: {', '.join(without) or 'none'}", INDENT)
    if gated:
        yield from wrapped(f"  gated or by hand: {', '.join(gated)}", INDENT)
    if nameless:
        yield from wrapped(f"  without a card here: {', '.join(nameless)}", INDENT)
    if board.runs:
        yield f"  make reproduce BOARD={board.name} MODEL={(without or gated)[0]} DATA=..."
