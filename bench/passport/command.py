"""``python -m bench passport model=NAME [results=DIR] [data=DIR]``: one page of an encoder from the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from bench.commands import run_command
from bench.passport.evidence import Encoder
from bench.passport.page import page_of
from bench.passport.reading import read_encoder
from bench.passport.worst import Draw, Drawn, worst_cases
from bench.passport.write import plots_of, write_page
from registry.errors import UserError, near_match

USAGE = """Usage: python -m bench passport model=NAME [results=DIR] [data=DIR] [cache=DIR]

Writes DIR/passports/NAME.md and NAME.html from the rows in DIR (results): what corruptions, restorers, centres and
scanners do to the encoder. Nothing is run but the pictures of the worst cases, which need the tiles.

  model=NAME         an encoder with rows of a robustness task; several are model=[A,B]
  results=DIR        the results folder (results)
  data=DIR           the tiles of the task, as in data=DIR of the run; without it the page has no pictures
  cache=DIR          where readers of data may unpack them (cache)
  tasks.TASK.FIELD=VALUE, frontends.NAME.FIELD=VALUE, checkpoints.NAME=FILE, weights_dir=DIR
                     as in the run, where it had them"""

OPTIONS = ("model", "results", "data", "cache")
OF_RUNS = ("tasks.", "frontends.", "checkpoints.", "weights_dir=", "offline=")
"""What goes to the run that makes the pictures."""

MakeDraw = Callable[[str, str, Sequence[str]], Draw]
"""From the folders of data and cache, and further settings, to what draws the pictures."""


def passport(arguments: Sequence[str], drawing: MakeDraw) -> int:
    """The command; exit code 0, or 2 with one sentence on stderr.

    Parameters
    ----------
    drawing : MakeDraw
        Called where ``data=`` is given.
    """
    return run_command(arguments, USAGE, lambda own: _make_passports(own, drawing))


def _make_passports(arguments: Sequence[str], drawing: MakeDraw) -> int:
    settings = [argument for argument in arguments if argument.startswith(OF_RUNS)]
    own = _options([argument for argument in arguments if argument not in settings])
    draw = drawing(own["data"], own["cache"], settings) if own["data"] else None
    if settings and draw is None:
        raise UserError(f"{settings[0].split('=')[0]} is for the pictures, which need data=DIR: add it.")
    for model in own["model"].strip("[]").split(","):
        for path in make_passport(Path(own["results"]), model.strip(), draw):
            print(path)
    return 0


def make_passport(results: Path, model: str, draw: Draw | None = None) -> tuple[Path, Path]:
    """Write the page of an encoder; gives the Markdown file and the HTML file.

    Raises
    ------
    UserError
        If there is no such folder, the model has no robustness rows, its predictions or tiles cannot be read, or the
        folder cannot be written.
    """
    encoder = read_encoder(results, model)
    drawn, sentence = _drawn(results, encoder, draw)
    return write_page(results, model, page_of(encoder, drawn, sentence, partial(plots_of, results, model)))


def _drawn(results: Path, encoder: Encoder, draw: Draw | None) -> tuple[Sequence[Drawn], str]:
    """The pictures, or the sentence that says why there are none."""
    if draw is None:
        return [], (
            f"There are no pictures on this page, as they need the tiles: make passport MODEL={encoder.model} DATA=DIR "
            "adds them, DIR being the DATA of the run."
        )
    cases = worst_cases(results, encoder)
    if not cases:
        return [], "There are no pictures, as no condition of which the features were measured has a loss."
    return draw(cases), ""


def _options(arguments: Sequence[str]) -> Mapping[str, str]:
    found = {"model": "", "results": "results", "data": "", "cache": "cache"}
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name not in OPTIONS or not value:
            raise UserError(
                f"{argument!r} is not an option here: those are model=NAME, results=DIR, data=DIR, cache=DIR and what "
                f"python -m bench passport --help names.{near_match(name, OPTIONS) if name not in OPTIONS else ''}"
            )
        found[name] = value
    return found
