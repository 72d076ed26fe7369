"""Cards from a Python file of the user's."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import traceback
from collections.abc import Iterable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

from .errors import Interruption, UserError

_MISSING = re.compile(r"(\w+)\.__init__\(\) missing \d+ required keyword-only arguments?: (.*)")
_UNKNOWN = re.compile(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'")


def read(path: Path) -> Any:
    """The ``CARDS`` of a file, which runs as a module named by its stem, once in a process.

    Raises
    ------
    UserError
        If there is no such file, it stops with an error, or it defines no ``CARDS``.
    """
    try:
        if not path.is_file():
            raise FileNotFoundError
    except OSError as problem:
        raise UserError(
            f"there is no plugin file {path}; give the path of a Python file that defines CARDS"
        ) from problem
    loaded = sys.modules.get(path.stem)
    if loaded is None:
        loaded = _run(path)
    elif getattr(loaded, "__file__", None) != str(path.resolve()):
        raise UserError(f"the plugin {path} is named like the module '{path.stem}', which is in use; rename the file")
    if not hasattr(loaded, "CARDS"):
        raise UserError(f"the plugin {path} defines no CARDS (a tuple of registry.ModelCard)")
    try:
        return tuple(loaded.CARDS) if isinstance(loaded.CARDS, Iterable) else loaded.CARDS
    except Exception as problem:  # of an iterator of the user's own
        forget(path)
        raise UserError(f"the plugin {path} stops {_reason(problem)}{_place(path.resolve(), problem)}") from problem


def forget(path: Path) -> None:
    """Let `read` run the file again."""
    sys.modules.pop(path.stem, None)


class _Fresh(SourceFileLoader):
    """Compiles the file anew: Python takes its compiled copy for current if the size and the second are the same."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _run(path: Path) -> Any:
    if path.suffix != ".py":
        raise UserError(f"the plugin {path} is not a Python file (.py)")
    loader = _Fresh(path.stem, str(path.resolve()))
    spec = importlib.util.spec_from_file_location(path.stem, path.resolve(), loader=loader)
    assert spec is not None
    loaded = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    try:
        loader.exec_module(loaded)
    except (KeyboardInterrupt, Interruption):
        forget(path)
        raise
    except BaseException as problem:  # whatever a file of the user's raises, SystemExit too
        forget(path)
        raise UserError(
            f"the plugin {path} stops {_reason(problem)}{_place(path.resolve(), problem)}; mend it"
        ) from problem
    return loaded


def _place(path: Path, problem: BaseException) -> str:
    """The line at which a file stopped, and the card that is written there, if its name is."""
    lines = [frame.lineno for frame in traceback.extract_tb(problem.__traceback__) if frame.filename == str(path)]
    if not lines or lines[-1] is None:
        return ""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Call) and node.lineno <= lines[-1] <= (node.end_lineno or 0):
            fields = {keyword.arg: keyword.value for keyword in node.keywords}
            name = fields.get("name")
            if "ModelCard" in ast.unparse(node.func) and isinstance(name, ast.Constant):
                return f" (line {lines[-1]}, in the card {name.value!r})"
    return f" (line {lines[-1]})"


def _reason(problem: BaseException) -> str:
    missing, unknown = _MISSING.match(str(problem)), _UNKNOWN.match(str(problem))
    if missing:
        return f"because {missing[1]} lacks {missing[2]}"
    if unknown:
        return f"because {unknown[1]} has no field '{unknown[2]}'"
    return f"with {type(problem).__name__}: {problem}"
