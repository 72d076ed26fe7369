"""Overrides of the command line as Hydra's grammar takes them: a folder's name is text, whatever letters it has."""

from __future__ import annotations

import re

QUOTES = ("'", '"')
TEXTS = re.compile(
    r"\+*(cache|checkpoint|coords|data|features|results|scratch|weights_dir|checkpoints\.\w+"
    r"|tasks\.\w+\.(data|options\.(group|pattern|root|table|images)))"
)


def readable(override: str) -> str:
    r"""An override whose value is in quotes where Hydra's grammar does not read it as it stands.

    The grammar knows ASCII letters and few signs, so that ``data=/data/Müller``, ``data=/data/a(1)`` and
    ``tasks.tiles.options.group=^(\w{3})`` are faults to it. Of a list, ``targets=[Überleben,Status]``, the items that
    need quotes get them.

    Parameters
    ----------
    override : str
        ``NAME=VALUE``.

    Returns
    -------
    str
        The override itself where the grammar reads it, or where its value begins with a quote, a brace, or a bracket
        that is no list of plain items; the setting may then be one of paths and patterns only.
    """
    name, equals, value = override.partition("=")
    if not equals or value.startswith(QUOTES) or _is_read(override):
        return override
    if TEXTS.fullmatch(name):
        return f"{name}={_quoted(value)}"
    if value.startswith("["):
        plain = value.endswith("]") and not re.search(r"[\[\]{}'\"]", value[1:-1])
        items = [item.strip() for item in value[1:-1].split(",")]
        in_quotes = [item if not item or _is_read(f"x={item}") else _quoted(item) for item in items]
        return f"{name}=[{','.join(in_quotes)}]" if plain else override
    return override if value.startswith("{") else f"{name}={_quoted(value)}"


def _quoted(text: str) -> str:
    """Text in the quotes of Hydra, in which a backslash counts as one only before a quote or at the end."""
    return "'" + re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), text) + "'"


def _is_read(override: str) -> bool:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        return False
    return True
