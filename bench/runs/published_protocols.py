"""Which protocols are published: the list in conf/, checked against the protocols that there are."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.config import conf_folder
from registry.errors import UserError

FILE = "published_protocols.yaml"
FIELDS = ("protocols", "validation", "patients", "settings")


@dataclass(frozen=True)
class Published:
    """The published protocols that have a file.

    Attributes
    ----------
    authors : dict of protocol -> str
        In the order of the list, each protocol once: by the first authors who have it.
    validation : set of str
        The protocols that choose something on a validation side.
    patients : set of str
        The protocols that are about the several slides of a patient.
    settings : dict of protocol -> dict of field -> value
    missing : tuple of str
        A sentence for each name of the list that no file has; a pattern stands for whatever there is.
    """

    authors: Mapping[str, str]
    validation: frozenset[str]
    patients: frozenset[str] = frozenset()
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


def published_protocols(conf: Path | None = None) -> Published:
    """Read ``conf/published_protocols.yaml``.

    Parameters
    ----------
    conf : Path, optional
        The folder of the list and of ``protocol/``; that of this program by default.

    Raises
    ------
    UserError
        If the list cannot be read, or has anything but names of protocols.
    """
    conf = conf or conf_folder()
    path = conf / FILE
    known = sorted(file.stem for file in (conf / "protocol").glob("*.yaml"))
    authors: dict[str, str] = {}
    marked: dict[str, set[str]] = {"validation": set(), "patients": set()}
    settings: dict[str, Mapping[str, Any]] = {}
    missing = []
    for name, entry in _entries(path).items():
        for pattern in entry["protocols"]:
            own = [one for one in fnmatch.filter(known, pattern) if one not in authors]
            if "*" not in pattern and pattern not in known:
                missing.append(f"{path.name} names {pattern} of {name}, and there is no such protocol: it is left out.")
            for protocol in own:
                authors[protocol] = name
                for key, names in marked.items():
                    if any(fnmatch.fnmatch(protocol, one) for one in entry.get(key, ())):
                        names.add(protocol)
                for one, fields in entry.get("settings", {}).items():
                    if fnmatch.fnmatch(protocol, one):
                        settings[protocol] = {**settings.get(protocol, {}), **fields}
    return Published(authors, frozenset(marked["validation"]), frozenset(marked["patients"]), settings, tuple(missing))


def _entries(path: Path) -> dict[str, dict[str, Any]]:
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(
            f"The list of published protocols {path} cannot be read: {' '.join(str(error).split())}."
        ) from None
    if not isinstance(found, dict):
        raise UserError(f"The list of published protocols {path} is no mapping of authors to their protocols.")
    for name, entry in found.items():
        if not isinstance(entry, dict) or not entry.get("protocols") or set(entry) - set(FIELDS):
            raise UserError(
                f"The entry {name} of {path} needs protocols: [NAME, ...], and may have validation, patients, settings."
            )
        for key in ("protocols", "validation", "patients"):
            names = entry.get(key, [])
            if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
                raise UserError(f"{key} of the entry {name} of {path} must be a list of names of protocols.")
        settings = entry.get("settings", {})
        if not isinstance(settings, dict) or not all(isinstance(fields, dict) for fields in settings.values()):
            raise UserError(f"settings of the entry {name} of {path} must be fields by name of a protocol.")
    return {str(name): entry for name, entry in found.items()}
