"""The command line: Hydra composes the configuration, `bench.runs` does the work."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.passport import Draw

OPEN_MAPS = ("checkpoints.", "frontends.", "options.", "tasks.", "protocols.")
SWEEPS = ("-m", "--multirun")
QUESTIONS = ("-h", "--help", "--hydra-help", "--cfg", "-c", "--info", "-i", "--version", "--shell-completion", "-sc")
OF_SWEEPS = ("site=", "shards=", "jobs_at_once=")
STEPS = ("plan", "embed", "fit")  # `python -m bench STEP ...` is short for steps=[STEP]


def main() -> None:
    """Run ``python -m bench``; what the user can mend is one sentence on stderr and exit code 2."""
    if sys.argv[1:2] == ["report"]:
        from bench.report.__main__ import main as report

        sys.exit(report(sys.argv[2:]))
    if sys.argv[1:2] == ["remove"]:
        from bench.rows.__main__ import main as remove

        sys.exit(remove(sys.argv[2:]))
    if sys.argv[1:2] == ["passport"]:
        from bench.passport import passport

        sys.exit(passport(sys.argv[2:], _drawing))
    if sys.argv[1:2] == ["reproduce"]:
        from bench.runs import reproduce_command

        sys.exit(reproduce_command(sys.argv[2:]))
    if sys.argv[1:2] == ["status"]:
        from bench.jobs import status_command

        sys.exit(status_command(sys.argv[2:]))
    wanted = _of_a_sweep(sys.argv[1:])
    if wanted is not None:
        sys.exit(_sweep(wanted))
    of_sweeps = [a for a in sys.argv[1:] if a.startswith(OF_SWEEPS) and a != "site=laptop"]
    if of_sweeps and not _is_question(sys.argv[1:]):
        sys.exit(_complain(f"{of_sweeps[0]} is for sweeps and this is a run here: python -m bench sweep takes it."))
    import hydra
    import yaml
    from hydra.errors import HydraException
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from bench import config, tasks
    from registry.errors import UserError

    debug = bool(os.environ.get("PFMBENCH_DEBUG"))
    complaints: list[int] = []

    @hydra.main(version_base="1.3", config_path=str(config.conf_folder()), config_name="bench")
    def job(composed: DictConfig) -> None:
        from bench.runs import run

        try:
            run(OmegaConf.to_object(composed))  # type: ignore[arg-type]
        except UserError as error:  # here, so that Hydra adds no words
            if debug:
                raise
            complaints.append(_complain(str(error)))

    config.register()
    tasks.register()
    sys.argv[1:] = _overrides(sys.argv[1:])
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come here, to become one sentence
    try:
        job()
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        if debug:
            raise
        sys.exit(_complain(_plain(error)))
    except KeyboardInterrupt:
        sys.exit(_complain("Stopped; what is computed stays and is not done again."))
    sys.exit(max(complaints, default=0))


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
    import yaml
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from bench.sweeps import sweep
    from registry.errors import UserError

    debug = bool(os.environ.get("PFMBENCH_DEBUG"))
    try:
        return max([_complain(failure) for failure in sweep(_overrides(arguments))], default=0)
    except UserError as error:
        if debug:
            raise
        return _complain(str(error))
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        if debug:
            raise
        return _complain(_plain(error))
    except KeyboardInterrupt:
        return _complain("Stopped; what is computed stays and is not done again.")


def _drawing(data: str, cache: str, settings: Sequence[str]) -> Draw:
    """What draws the pictures of a passport; the packages of front-ends are loaded for them only."""
    from bench.runs import drawing

    return drawing(data, cache, settings)


def _overrides(arguments: list[str]) -> list[str]:
    """The arguments for Hydra: keys of open maps may be new, and without a task the built-in suite runs.

    Options such as ``--config-dir DIR`` go first, as Hydra refuses overrides on both sides of one.
    """
    if arguments and arguments[0] in STEPS:
        arguments = [f"steps=[{arguments[0]}]", *arguments[1:]]
    options = [a for a in arguments if a.startswith("-") or ("=" not in a and not a.startswith("~"))]
    overrides = [f"++{a}" if a.startswith(OPEN_MAPS) else a for a in arguments if a not in options]
    names_a_task = any(a.lstrip("+").startswith(("task=", "suite=")) for a in overrides)
    return [*options, *overrides] if names_a_task else [*options, *overrides, "suite=demo"]


def _complain(message: str) -> int:
    for sentence in message.splitlines():
        print(f"pfmbench: {sentence}", file=sys.stderr)
    return 2


def _plain(error: Exception) -> str:
    """Hydra's message and its cause in one sentence."""
    import yaml
    from hydra.errors import MissingConfigException

    from registry.errors import near_match

    if isinstance(error, yaml.YAMLError):
        return f"A YAML file of the configuration cannot be read, {' '.join(str(error).split())}."
    if "submitit" in str(getattr(error, "missing_cfg_file", "")):
        return (
            "The sites local and slurm start jobs by submitit, which is not installed: `make sweep` installs it, and "
            "so does pip install 'pfmbench[sweep]'."
        )
    if isinstance(error, MissingConfigException) and error.options:
        kind, _, name = str(error.missing_cfg_file).rpartition("/")
        known = [option for option in error.options if option != "schema"]
        return f"There is no {kind} '{name}': choose one of {', '.join(known)}.{near_match(name, known)}"
    if "Ambiguous value for argument" in str(error):
        name, value = str(error).split("'")[1].split("=", 1)
        return (
            f"{name}={value} is not plain: several names need brackets, {name}=[{value}] (or -m for a job each), and a "
            f"value that holds a comma needs quotes, \"{name}='{value}'\"."
        )
    if "Could not override '" in str(error):
        from dataclasses import fields

        from bench.config import BenchConfig

        key = str(error).split("Could not override '")[1].split("'")[0]
        known = [*(one.name for one in fields(BenchConfig)), "task", "protocol", "suite", "site"]
        return (
            f"There is no setting {key}: python -m bench --help shows what can be set."
            f"{near_match(key, known) if '.' not in key else ''}"
        )
    cause = str(error.__cause__).splitlines()[0] if error.__cause__ else ""
    message = " ".join([str(error).splitlines()[0].rstrip("."), *([f"({cause})"] if cause else [])])
    return f"{message}: python -m bench --help shows what can be set."


if __name__ == "__main__":
    main()
