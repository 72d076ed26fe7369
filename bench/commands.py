"""The frame of the commands whose arguments are NAME=VALUE and not settings of Hydra: help, errors, exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from registry.errors import UserError, near_match


@dataclass(frozen=True)
class Arguments:
    """The arguments of a command, as `read_arguments` found them.

    Attributes
    ----------
    options : dict of str to str
        Every option of the command with its value.
    fields : dict of str to str
        The fields that are named, with their values.
    words : list of str
        What is neither, such as the name of a file.
    """

    options: dict[str, str]
    fields: dict[str, str]
    words: list[str]


def run_command(
    arguments: Sequence[str],
    usage: str,
    work: Callable[[Sequence[str]], int],
    lines: Callable[[str], Iterable[str]] = lambda sentence: [sentence],
) -> int:
    """Print the usage where it is wanted, else do the work; what a user can mend is a sentence on stderr.

    Parameters
    ----------
    arguments : sequence of str
        Of the command, without its name.
    work : callable
        From the arguments to the exit code.
    lines : callable
        From the text of an error to the lines that are printed of it, each after "pfmbench: ".

    Returns
    -------
    int
        The exit code: 0 after the usage, 2 after a `UserError`, else that of the work.
    """
    if {"--help", "-h"} & set(arguments):
        print(usage)
        return 0
    try:
        return work(arguments)
    except UserError as error:
        for line in lines(str(error)):
            complain(line)
        return 2


def complain(sentence: str) -> None:
    """Print a sentence for the user on stderr."""
    print(f"pfmbench: {sentence}", file=sys.stderr)


def read_arguments(
    arguments: Sequence[str],
    defaults: Mapping[str, str],
    takes: str = "",
    *,
    fields: Collection[str] = (),
    words: bool = False,
) -> Arguments:
    """The options, fields and words of a command.

    Parameters
    ----------
    defaults : mapping of str to str
        The options of the command with the values of those that are left out. An option needs a value.
    takes : str
        What the command takes, as the end of the sentence on an argument that it does not; "" names the options.
    fields : collection of str
        Names that may have a value beside the options, an empty one too.
    words : bool
        Whether arguments without "=", and paths that exist, are taken.

    Raises
    ------
    UserError
        If an argument is none of these.
    """
    takes = takes or f"those are {'=, '.join(defaults)}="
    found = Arguments(dict(defaults), {}, [])
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if name in fields and equals:
            found.fields[name] = value
        elif name in defaults and value:
            found.options[name] = value
        elif words and (not equals or Path(argument).exists()):
            found.words.append(argument)
        else:
            near = "" if name in defaults else near_match(name, [*defaults, *fields])
            raise UserError(f"{argument!r} is not an option here: {takes}.{near}")
    return found


def is_true(options: Mapping[str, str], name: str) -> bool:
    """The value of an option that is true or false.

    Raises
    ------
    UserError
        If it is neither.
    """
    if options[name] not in ("true", "false"):
        raise UserError(f"{name}={options[name]} must be true or false.")
    return options[name] == "true"
