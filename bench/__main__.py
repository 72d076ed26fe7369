"""The command line: Hydra composes the configuration, `bench.runs` does the work."""

from __future__ import annotations

import functools
import importlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bench.leaving import Folders, exit_code, terminable, what_stands

if TYPE_CHECKING:
    from bench.config import BenchConfig
    from bench.passport import Draw

OPEN_MAPS = ("checkpoints.", "frontends.", "options.", "tasks.", "protocols.")
SWEEPS = ("-m", "--multirun")
QUESTIONS = ("-h", "--help", "--hydra-help", "--cfg", "-c", "--info", "-i", "--version", "--shell-completion", "-sc")
OF_SWEEPS = ("site=", "shards=", "jobs_at_once=")
STEPS = ("plan", "embed", "fit")  # `python -m bench STEP ...` is short for steps=[STEP]
CLOSED_PIPE = 141  # what a shell gives for SIGPIPE


def main() -> None:
    """Run ``python -m bench``; what the user can mend is one sentence on stderr and exit code 2.

    Stopped by Ctrl-C or SIGTERM it says what stands and what to run, and the exit code is 130 or 143. Any other
    exception is a sentence with the file and line that it is of, and exit code 1; with PFMBENCH_DEBUG=1 in the
    environment all of them are tracebacks.
    """
    arguments, since = sys.argv[1:], time.time()
    folders = Folders("results", "cache")
    try:
        with terminable():
            code = _run(arguments, folders)
        sys.stdout.flush()
    except KeyboardInterrupt as stop:
        if _is_debug():
            raise
        _complain(what_stands(stop, arguments, folders, since))
        code = exit_code(stop)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _stdout_is_closed():
            sys.exit(CLOSED_PIPE)
        if _is_debug():
            raise
        from registry.errors import fault_of

        _complain(fault_of(error))
        code = 1
    sys.exit(code)


def _stdout_is_closed() -> bool:
    """Whether nobody reads what is printed any more, as after ``| head``; what is left to print is then dropped."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def _run(arguments: list[str], folders: Folders) -> int:
    """Dispatch a command, a sweep or a run; gives the exit code."""
    first = arguments[0] if arguments else ""
    if first in COMMANDS:
        return _called(COMMANDS[first], arguments[1:], folders)
    if first and first not in _names_of_commands() and "=" not in first and not first.startswith(("-", "~")):
        from bench.settings import no_command

        return _complain(no_command(first, _names_of_commands()))
    if first == "sweep" and _is_question(arguments):
        arguments = arguments[1:]
    swept = _of_a_sweep(arguments)
    if swept is not None:
        return _in_sentences(lambda: _sweep(swept), swept)
    of_sweeps = [a for a in arguments if a.startswith(OF_SWEEPS) and a != "site=laptop"]
    if of_sweeps and not _is_question(arguments):
        return _complain(f"{of_sweeps[0]} is for sweeps and this is a run here: python -m bench sweep takes it.")
    return _in_sentences(lambda: _one_run(arguments, folders), arguments)


def _called(command: str | Callable[[list[str], Folders], int], arguments: list[str], folders: Folders) -> int:
    if not isinstance(command, str):
        return command(arguments, folders)
    module, _, function = command.partition(":")
    return int(getattr(importlib.import_module(module), function)(arguments))


def _one_run(arguments: list[str], folders: Folders, work: Callable[[BenchConfig], object] | None = None) -> int:
    """Compose the settings and do some work with them, by default a run; gives the exit code."""
    import hydra
    from omegaconf import DictConfig, OmegaConf

    from bench import config, tasks
    from bench.starting import collected_later
    from registry.errors import UserError

    complaints: list[int] = []
    unforeseen: list[Exception] = []

    @hydra.main(version_base="1.3", config_path=str(config.conf_folder()), config_name="bench")
    def job(composed: DictConfig) -> None:
        from bench.runs import run

        try:
            settings: BenchConfig = OmegaConf.to_object(composed)  # type: ignore[assignment]
            folders.results, folders.cache = settings.results, settings.cache
            collect()
            (work or run)(settings)
        except UserError as error:  # here, so that Hydra adds no words
            if _is_debug():
                raise
            complaints.append(_complain(str(error)))
        except Exception as error:
            unforeseen.append(error)

    config.register()
    tasks.register()
    sys.argv[1:] = _overrides(arguments)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come here, to become one sentence
    with config.mode_known(sys.argv[1:]), collected_later() as collect:
        job()
    if unforeseen:
        raise unforeseen[0]
    return max(complaints, default=0)


def _in_sentences(work: Callable[[], int], arguments: Sequence[str]) -> int:
    """The exit code of some work; what a user can mend is said in a sentence."""
    import yaml
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from bench.settings import is_of_hydra, no_name_of_a_group, sentence_of
    from registry.errors import UserError

    try:
        return work()
    except UserError as error:
        if _is_debug():
            raise
        return _complain(str(error))
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        if _is_debug():
            raise
        return _complain(sentence_of(error, _names_of_settings(), _names_of_commands(), _names_in))
    except (ValueError, TypeError) as error:
        if _is_debug() or not is_of_hydra(error):
            raise
        return _complain(no_name_of_a_group(arguments, error))


def _sentences_for_errors(command: Callable[[list[str], Folders], int]) -> Callable[[list[str], Folders], int]:
    """The same command by `_in_sentences`."""

    @functools.wraps(command)
    def in_sentences(arguments: list[str], folders: Folders) -> int:
        return _in_sentences(lambda: command(arguments, folders), arguments)

    return in_sentences


def _names_of_settings() -> list[str]:
    """Those that a name on the command line may be meant for."""
    from dataclasses import fields

    from bench.config import BenchConfig

    return [*(one.name for one in fields(BenchConfig)), "task", "protocol", "suite", "site"]


def _names_of_commands() -> list[str]:
    return [*STEPS, "sweep", *COMMANDS]


def _names_in(group: str) -> list[str]:
    from bench.config import conf_folder

    return sorted(path.stem for path in (conf_folder() / group).glob("*.yaml"))


def _is_debug() -> bool:
    return bool(os.environ.get("PFMBENCH_DEBUG"))


def _passport(arguments: list[str], folders: Folders) -> int:
    """Write the page of an encoder; gives the exit code."""
    from bench.passport import passport

    return passport(arguments, _drawing)


def _reproduce(arguments: list[str], folders: Folders) -> int:
    """Make a row or the rows of a board again; gives the exit code."""
    from bench.runs import reproduce_board_command, reproduce_command

    of_a_board = any(argument.startswith("board=") for argument in arguments)
    return (reproduce_board_command if of_a_board else reproduce_command)(arguments)


@_sentences_for_errors
def _export(arguments: list[str], folders: Folders) -> int:
    """Write the files of other programs; gives the exit code."""
    from bench.exports import USAGE, attention_command, check_arguments

    if {"--help", "-h"} & set(arguments):
        print(USAGE)
        return 0
    form, folder, settings = check_arguments(arguments)
    if form == "geojson":
        attention_command(folder, settings)
        return 0

    def work(config: BenchConfig) -> None:
        from bench.exports import export
        from bench.runs import RunContext, devices_of

        export(RunContext(config, devices_of(config)[0]), form, folder)

    return _one_run(["null=none", *settings], folders, work)


@_sentences_for_errors
def _audit(arguments: list[str], folders: Folders) -> int:
    """Audit tasks; gives the exit code."""
    from bench.runs import AUDIT_USAGE, audit_arguments, audit_tasks

    if {"--help", "-h"} & set(arguments):
        print(AUDIT_USAGE)
        return 0
    options, settings = audit_arguments(arguments)
    return _one_run(["null=none", *settings], folders, lambda config: audit_tasks(config, options))


@_sentences_for_errors
def _multiverse(arguments: list[str], folders: Folders) -> int:
    """Compare the rankings of models under all published protocols; gives the exit code."""
    from bench.runs import multiverse_overrides, run_multiverse

    return _one_run(multiverse_overrides(arguments), folders, run_multiverse)


def _of_a_sweep(arguments: list[str]) -> list[str] | None:
    """The arguments of a sweep, ``sweep ...`` or ``-m ...``; None for anything else, as are questions to Hydra."""
    left = [a for a in arguments if a not in SWEEPS]
    if _is_question(arguments) or not (arguments[:1] == ["sweep"] or left != arguments):
        return None
    return left[1:] if arguments[:1] == ["sweep"] else left


def _is_question(arguments: list[str]) -> bool:
    """Whether an option wants help, versions or settings to be shown, so that nothing is run."""
    return any(a.split("=")[0] in QUESTIONS for a in arguments)


def _sweep(arguments: list[str]) -> int:
    """Run a sweep; gives the exit code."""
    from bench.sweeps import sweep

    return max([_complain(failure) for failure in sweep(_overrides(arguments))], default=0)


def _drawing(data: str, cache: str, settings: Sequence[str]) -> Draw:
    """What draws the pictures of a passport; the packages of front-ends are loaded for them only."""
    from bench.runs import drawing

    return drawing(data, cache, settings)


def _overrides(arguments: list[str]) -> list[str]:
    """The arguments for Hydra: keys of open maps may be new, and without a task the built-in suite runs.

    Options such as ``--config-dir DIR`` go first, as Hydra refuses overrides on both sides of one.
    """
    from bench.settings import readable

    if arguments and arguments[0] in STEPS:
        arguments = [f"steps=[{arguments[0]}]", *arguments[1:]]
    options = [a for a in arguments if a.startswith("-") or ("=" not in a and not a.startswith("~"))]
    overrides = [readable(f"++{a}" if a.startswith(OPEN_MAPS) else a) for a in arguments if a not in options]
    names_a_task = any(a.lstrip("+").startswith(("task=", "suite=")) for a in overrides)
    return [*options, *overrides] if names_a_task else [*options, *overrides, "suite=demo"]


def _complain(message: str) -> int:
    for sentence in message.splitlines():
        print(f"pfmbench: {sentence}", file=sys.stderr)
    return 2


COMMANDS: dict[str, str | Callable[[list[str], Folders], int]] = {
    "report": "bench.report.__main__:main",
    "remove": "bench.rows.__main__:main",
    "status": "bench.jobs:status_command",
    "passport": _passport,
    "published": "bench.runs:published_command",
    "reproduce": _reproduce,
    "submit": "bench.packs:submit_command",
    "verify": "bench.packs:verify_command",
    "freeze": "bench.packs:freeze_command",
    "export": _export,
    "audit": _audit,
    "multiverse": _multiverse,
}
"""The commands beside runs and sweeps, each of which gives the exit code.

MODULE:FUNCTION is imported when it is called and takes the arguments; a function of this module takes the folders too.
"""


if __name__ == "__main__":
    main()
