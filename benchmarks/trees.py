"""The same measurement with the code of this checkout and of another, in turn, each in a process of its own.

A process imports `bench` and `registry` from its checkout and `benchmarks` from this one, and answers calls of
functions of `benchmarks` one at a time, so that rounds of both alternate and each imports its packages once.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OWN = Path(__file__).resolve().parents[1]
MARK = "answer: "


class Tree:
    """A process with the packages of one checkout.

    Parameters
    ----------
    root : Path
        The checkout.
    benchmarks : Path
        Folder on the import path that holds the package `benchmarks` of this checkout and nothing else.
    """

    def __init__(self, root: Path, benchmarks: Path) -> None:
        self.root = root
        paths = os.pathsep.join([str(benchmarks), str(root)])
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", "from benchmarks.trees import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
        if (there := Path(self.call("benchmarks.trees:where"))) != root / "bench":
            raise SystemExit(f"{root} is no checkout of this project: bench was imported from {there}")

    def call(self, function: str, **arguments: Any) -> Any:
        """What ``"module:function"`` returns in that process, through JSON."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([function, arguments]) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith(MARK):
                return json.loads(line.removeprefix(MARK))
        raise SystemExit(f"the process of {self.root} ended in {function}: its error is above")

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()


@contextlib.contextmanager
def trees(other: Path | None) -> Iterator[list[Tree]]:
    """This checkout, and the other one where it is named."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        (Path(folder) / "benchmarks").symlink_to(OWN / "benchmarks")
        found = []
        for root in [OWN] if other is None else [OWN, other.resolve()]:
            found.append(Tree(root, Path(folder)))
            stack.callback(found[-1].close)
        yield found


def where() -> str:
    """The folder of the package `bench` in this process."""
    import bench

    return str(Path(str(bench.__file__)).resolve().parent)


def serve() -> None:
    """Answer calls until the input ends."""
    for line in sys.stdin:
        name, arguments = json.loads(line)
        module, _, function = name.partition(":")
        answer = getattr(importlib.import_module(module), function)(**arguments)
        print(MARK + json.dumps(answer), flush=True)
