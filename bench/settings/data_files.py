"""What a YAML file of a task, protocol or suite may say: its own fields. Such a file is data and runs no code.

Hydra instantiates callbacks, launchers, sweepers and log handlers that a configuration names, which is to run code. So
a file of one of these groups sets nothing of Hydra and nothing outside its own place. A file of a site, and one that is
named by ``--config-name``, may: they are part of the command, as a plugin is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from registry.errors import UserError

PLACES = {"task": "tasks", "protocol": "protocols"}  # where the fields of a file of this group belong
CODE = ("hydra", "_target_", "_partial_", "_args_", "_recursive_", "_convert_")


def check_data_file(
    path: str, package: str | None, content: Any, defaults: Sequence[tuple[str | None, str | None]]
) -> None:
    """Refuse what is not of the group that the file is in.

    Parameters
    ----------
    path : str
        As Hydra names it, group and name: ``task/tiles``.
    package : str or None
        Of the line ``# @package``; None where there is none.
    content : mapping
        What the file sets, its list of defaults left out.
    defaults : sequence of (str or None, str or None)
        Of its list of defaults: the group (None is the file's own) and the package of each; ``_self_`` left out.

    Raises
    ------
    UserError
        Naming the file and what it may not set.
    """
    group, _, name = path.strip("/").partition("/")
    if group not in (*PLACES, "suite") or name == "schema":
        return
    what = f"The {group} {name}"
    if not isinstance(content, Mapping):
        raise UserError(f"{what} is no mapping: give its file fields by name, NAME: VALUE, one a line.")
    _refuse_code(what, content)
    for into in (package, *(into for _, into in defaults)):
        if (into or "").removeprefix("_global_.").split(".")[0] == "hydra":
            raise UserError(f"{what} sets {into}, which is of the command and not of a {group}: leave it out.")
    for other, _ in defaults:
        if (other or "").strip("/").split("/")[0] in ("hydra", "site"):
            raise UserError(f"{what} chooses {other}, which is of the command and not of a {group}: leave it out.")
    place = PLACES.get(group)
    if place is None:
        return
    if not (package or "").startswith(f"{place}.") or not (package or "").removeprefix(f"{place}.").strip("."):
        raise UserError(
            f"{what} sets what is not its own (its package is {package or 'not named'}): begin its file with the line "
            f"# @package {place}.{name}, and give it the fields of a {group} alone."
        )
    for other, into in defaults:
        if other is not None or (into or "_here_") != "_here_":
            raise UserError(
                f"{what} takes {other or 'a default'} into {into or 'another place'}, and may start only from another "
                f"{group}, as NAME@_here_."
            )


def _refuse_code(what: str, content: Mapping[Any, Any], place: str = "") -> None:
    for key, value in content.items():
        if key in CODE:
            raise UserError(
                f"{what} sets {place}{key}, by which a configuration runs code: a file of this kind is data; leave it "
                "out."
            )
        for inner in _mappings(value):
            _refuse_code(what, inner, f"{place}{key}.")


def _mappings(value: Any) -> Iterable[Mapping[Any, Any]]:
    if isinstance(value, Mapping):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _mappings(one)
