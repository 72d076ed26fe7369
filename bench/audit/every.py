"""All checks: each module of this package that has `ORDER`, `RULES` and `findings`."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

from bench.audit.audited_task import AuditedTask
from bench.verdicts import Finding, adjusted

NAMES = ("ORDER", "RULES", "findings")


@functools.cache
def checks() -> tuple[ModuleType, ...]:
    """The modules of all checks, in the order of the page."""
    package = __name__.rpartition(".")[0]
    found = (
        importlib.import_module(f"{package}.{module.name}")
        for module in pkgutil.iter_modules([str(Path(__file__).parent)])
        if f"{package}.{module.name}" != __name__
    )
    own = (module for module in found if all(hasattr(module, name) for name in NAMES))
    return tuple(sorted(own, key=lambda module: (module.ORDER, module.__name__)))


def run_checks(task: AuditedTask) -> list[Finding]:
    """What every check finds, with p values adjusted over all of them."""
    return adjusted([finding for check in checks() for finding in check.findings(task)])
