"""``python -m bench reproduce board=NAME model=NAME``: a board's own protocol on its tasks, then its figures beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from bench.commands import complain, run_command
from bench.published import Board, BoardRun, Figure, open_first
from bench.runs.configuration import make_config
from bench.runs.context import to_stderr
from bench.runs.evaluate import run as run_steps
from bench.runs.published_figures import FILE, chosen, compare_rows, names_in, read_published, show, tolerance_of
from registry.errors import UserError

OPTIONS = {"board": "", "model": "", "task": "", "data": "", "results": "results", "cache": "cache", "tolerance": ""}
USAGE = """Usage: python -m bench reproduce board=NAME model=NAME data=DIR [task=NAME] [results=DIR] [cache=DIR]
                                   [tolerance=T] [SETTING=VALUE ...]

Runs the protocols of a published board on those of its tasks that are read here, with as many seeds as its authors, and
sets the rows beside the board's figures (docs/PUBLISHED.md). DIR holds the datasets' folders. Rows that are up to date
are not made again. Any SETTING of a run may follow: device=cuda, options.pooling=cls, weights_dir=DIR, seeds=[0].
python -m bench published list names the boards and their models.

The exit code is 0 where every like-for-like row is within tolerance, 1 where one is not, 2 where something failed."""


def reproduce_board_command(arguments: Sequence[str]) -> int:
    """The command; gives its exit code."""
    return run_command(arguments, USAGE, _reproduce_board, str.splitlines)


def _reproduce_board(arguments: Sequence[str]) -> int:
    options, settings = _parsed(arguments)
    option = tolerance_of(options["tolerance"])
    boards, figures = read_published()
    name = (chosen(options["board"], boards, "board") or [""])[0]
    board = boards[name]
    own = [figure for figure in figures if figure.board == name]
    models = _models(options["model"], board, own)
    runs = _runs(board, chosen(options["task"], [run.task for run in board.runs], f"task of the board {name}"))
    results = Path(options["results"]).expanduser()
    failures = list(dict.fromkeys(one for run in runs for one in _made(run, models, options, settings)))
    for failure in failures:
        complain(failure)
    found = compare_rows(results, own, boards, models=models, tasks={run.task for run in runs}, option=option)
    show(found, boards, results / FILE)
    return 2 if failures else 1 if any(one.within is False for one in found) else 0


def _models(text: str, board: Board, figures: Sequence[Figure]) -> list[str]:
    """The models to run."""
    names = names_in(text)
    if names:
        return names
    published = open_first(sorted({figure.model for figure in figures if figure.model}))
    raise UserError(
        f"No model is named: set model=NAME (MODEL=NAME of make). The board {board.name} has figures of "
        f"{', '.join(published)}; those without a gate to their weights come first."
    )


def _runs(board: Board, tasks: Sequence[str]) -> list[BoardRun]:
    if not board.runs:
        raise UserError(
            f"No task here reads the data of the board {board.name} ({board.absent}), so that nothing of it can be "
            "run: python -m bench published list names the others."
        )
    return [run for run in board.runs if not tasks or run.task in tasks]


def _made(run: BoardRun, models: Sequence[str], options: Mapping[str, str], settings: Mapping[str, Any]) -> list[str]:
    """Embed and fit one run of the board; gives sentences on what failed."""
    seeds = settings.get("seeds", list(range(run.seeds)))
    to_stderr(f"{run.task}, {run.protocol}, seeds {seeds}: {', '.join(run.datasets)}")
    try:
        config = make_config(
            models,
            {run.task: run.settings},
            {run.protocol: run.protocol_settings},
            str(Path(options["data"]).expanduser()) if options["data"] else None,
            str(Path(options["results"]).expanduser()),
            str(Path(options["cache"]).expanduser()),
            {"null": "none", **settings, "seeds": seeds, "steps": ["embed", "fit"]},
        )
        run_steps(config)
    except UserError as error:
        return str(error).splitlines()
    return []


def _parsed(arguments: Sequence[str]) -> tuple[dict[str, str], dict[str, Any]]:
    """The options of this command, and the settings of its runs."""
    options: dict[str, str] = dict(OPTIONS)
    settings: dict[str, Any] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or not value:
            raise UserError(f"{argument!r} is no setting: name it and its value, board=NAME model=NAME data=DIR.")
        if name in options:
            options[name] = value
            continue
        outer, dot, inner = name.partition(".")
        try:
            read = yaml.safe_load(value)
        except yaml.YAMLError:
            read = value
        if dot:
            settings.setdefault(outer, {})[inner] = read
        else:
            settings[outer] = read
    return options, settings
