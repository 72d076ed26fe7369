"""Sentences for arguments of the command line that Hydra refuses."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable, Iterable, Sequence

from registry.errors import near_match

GROUPS = ("task=", "protocol=", "suite=", "site=")
NO_NAME = re.compile(r"=\[?(null|~|true|false|[-+.0-9e]*)\b.*$", re.IGNORECASE)


def no_command(word: str, commands: Iterable[str]) -> str:
    """The sentence for a word without "=" that is none of the commands."""
    near = near_match(word, commands)
    return f"{word} is no command and no OPTION=VALUE: python -m bench --help shows both.{near}"


def is_of_hydra(error: Exception) -> bool:
    """Whether Hydra raised it while it read the command line, and not what it called."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and f"{os.sep}hydra{os.sep}" in frames[-1].filename


def no_name_of_a_group(arguments: Sequence[str], error: Exception) -> str:
    """The sentence for ``task=null`` and the like."""
    wrong = next((a for a in arguments if a.lstrip("+").startswith(GROUPS) and NO_NAME.search(a)), "")
    if not wrong:
        return f"The settings cannot be put together ({error}): python -m bench --help shows what can be set."
    group = wrong.lstrip("+").partition("=")[0]
    return f"{wrong} is no name: choose one or several, {group}=NAME or {group}=[NAME,NAME], or leave it out."


def sentence_of(
    error: Exception, settings: Iterable[str], commands: Iterable[str], names_in: Callable[[str], list[str]]
) -> str:
    """Hydra's message and its cause in one sentence that says what to type.

    Parameters
    ----------
    error : Exception
        That Hydra, OmegaConf or PyYAML raised.
    settings, commands : iterable of str
        The names of all settings without a point, and of all commands, for a misspelt one.
    names_in : callable
        Takes a group of the configuration, such as "protocol", and gives the names that there are in it.
    """
    import yaml
    from hydra.errors import MissingConfigException, OverrideParseException

    if isinstance(error, yaml.YAMLError):
        return f"A YAML file of the configuration cannot be read, {' '.join(str(error).split())}."
    if "submitit" in str(getattr(error, "missing_cfg_file", "")):
        return (
            "The sites local and slurm start jobs by submitit, which is not installed: `make sweep` installs it, and "
            "so does pip install 'pfmbench[sweep]'."
        )
    if isinstance(error, MissingConfigException) and "/" in str(error.missing_cfg_file):
        kind, _, name = str(error.missing_cfg_file).rpartition("/")
        known = [option for option in error.options or names_in(kind) if option != "schema"]
        return f"There is no {kind} '{name}': choose one of {', '.join(known)}.{near_match(name, known)}"
    if "Ambiguous value for argument" in str(error):
        name, value = str(error).split("'")[1].lstrip("+").split("=", 1)
        if re.fullmatch(r"-?\d+,\d+", value):
            return (
                f"{name}={value}: a number has a decimal point, {name}={value.replace(',', '.')}, and a list brackets."
            )
        return (
            f"{name}={value} is not plain: several names need brackets, {name}=[{value}] (or -m for a job each), and a "
            f"value that holds a comma needs quotes, \"{name}='{value}'\"."
        )
    if "Could not override '" in str(error):
        key = str(error).split("Could not override '")[1].split("'")[0]
        return (
            f"There is no setting {key}: python -m bench --help shows what can be set."
            f"{near_match(key, settings) if '.' not in key else ''}"
        )
    override = getattr(error, "override", None) or str(error)
    if "is not a ListConfig, list or tuple" in str(error.__cause__) and "=" in override:
        name, value = override.split("=", 1)
        name = name.split()[-1].lstrip("+")
        return f"{name}={value.split()[0]} must be a list in brackets: {name}=[{value.split()[0]}]."
    if isinstance(error, OverrideParseException):
        if "=" not in override:
            return no_command(override, commands)
        name, value = override.lstrip("+").split("=", 1)
        return f"{name}={value} cannot be read: put text with brackets or quotes in quotes, '{name}=\"TEXT\"'."
    cause = str(error.__cause__).splitlines()[0] if error.__cause__ else ""
    message = " ".join([str(error).splitlines()[0].rstrip("."), *([f"({cause})"] if cause else [])])
    return f"{message}: python -m bench --help shows what can be set."
