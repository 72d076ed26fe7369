"""Plants single faults in the code of a room and counts those that the room's tests catch.

    make mutants ROOM=bench/embed N=40 SEED=0        # several: ROOM="bench/embed bench/metrics/intervals.py"

A room is a folder of code, or a file of it. All is done in a temporary copy. The kinds of fault are drawn in turn, so
that the many constants do not crowd out the rest. A survivor is a question and not yet a gap: the fault may change
nothing that can be seen, such as a bound of memory. Tests marked slow are not run.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FURTHER = {  # tests of the command that show what a room does better than its own can
    "data": ("runs/test_alignment.py", "runs/test_cache_keys.py", "runs/test_given_features.py"),
    "embedding": ("runs/test_alignment.py", "runs/test_cache_keys.py", "runs/test_failing_models.py"),
    "targets": ("metrics/test_kind_edges.py", "tasks/test_targets.py"),
}
LEFT_OUT = {".git", ".venv", "results", "cache", "build", "dist"}
FLIPS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


class Fault(NamedTuple):
    """A change of one piece of a file: bytes from `start` to `end` become `new`."""

    kind: str
    path: Path
    line: int
    start: int
    end: int
    old: str
    new: str


def faults(path: Path) -> Iterator[Fault]:
    """Every single fault that can be planted in a file."""
    source = path.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node in _code(ast.parse(source)):
        for kind, new in _changes(node):
            start = starts[node.lineno - 1] + node.col_offset
            end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
            yield Fault(kind, path, node.lineno, start, end, source[start:end].decode(), new)


def _code(node: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """The expressions and statements, but for annotations, and what stands in a formatted string."""
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or name in ("annotation", "returns") or isinstance(child, ast.JoinedStr):
                continue
            if isinstance(child, ast.expr | ast.stmt):
                yield child
            yield from _code(child)


def _changes(node: ast.expr | ast.stmt) -> Iterator[tuple[str, str]]:
    """The kinds of fault that a piece of code can have, and what it then is."""
    match node:
        case ast.Compare(left, [op], [right]) if type(op) in FLIPS:
            yield "comparison", ast.unparse(ast.Compare(left, [FLIPS[type(op)]()], [right]))
        case ast.Constant(int(value)) if not isinstance(value, bool):
            yield "off by one", str(value + 1)
        case ast.Call(func, args, keywords):
            for i, keyword in enumerate(keywords):
                if keyword.arg:
                    yield "keyword dropped", ast.unparse(ast.Call(func, args, keywords[:i] + keywords[i + 1 :]))
            if len(args) > 1 and not any(isinstance(a, ast.Starred) for a in args):
                yield "arguments swapped", ast.unparse(ast.Call(func, [args[1], args[0], *args[2:]], keywords))
        case ast.Dict(keys, values) if len(keys) > 1:
            for i in range(len(keys)):
                rest = ast.Dict(keys[:i] + keys[i + 1 :], values[:i] + values[i + 1 :])
                yield "dict key removed", ast.unparse(rest)
        case ast.Subscript(value, ast.Tuple([first, second, *more])):
            yield "index reordered", ast.unparse(ast.Subscript(value, ast.Tuple([second, first, *more])))
        case ast.Expr(ast.Call()) | ast.AugAssign() | ast.Assign([ast.Attribute() | ast.Subscript()]):
            yield "statement deleted", "pass"
        case ast.Raise() | ast.Break() | ast.Continue():
            yield "statement deleted", "pass"


def drawn(room: str, count: int, seed: int) -> list[Fault]:
    """Faults of a room, the kinds in turn, in an order that only the seed decides."""
    where = ROOT / room
    # The files of `bench` itself are a room; its folders are rooms of their own.
    files = [where] if where.is_file() else sorted(where.glob("*.py") if room == "bench" else where.rglob("*.py"))
    by_kind: dict[str, list[Fault]] = {}
    for path in files:
        for fault in faults(path):
            by_kind.setdefault(fault.kind, []).append(fault)
    rng = random.Random(f"{room} {seed}")
    for one_kind in by_kind.values():
        rng.shuffle(one_kind)
    in_turn = [fault for turn in zip_longest(*by_kind.values()) for fault in turn if fault is not None]
    return in_turn[:count]


def tests_of(room: str) -> list[Path]:
    """The files of a room's tests and those of others that cover it; `bench` itself has the tests of the command."""
    parts = [part for part in Path(room).parts if part != "bench" and not part.endswith(".py")]
    own = parts[0] if parts else "runs"
    further = [ROOT / "tests" / name for name in FURTHER.get(own, ())]
    return sorted((ROOT / "tests" / own).rglob("test_*.py")) + further


def left_out(folder: str, names: list[str]) -> set[str]:
    """What is not copied: environments, results and caches."""
    return {"__pycache__", *(LEFT_OUT if Path(folder) == ROOT else ())} & set(names)


def verdict(copy: Path, tests: list[Path], about: str, limit: float) -> str:
    """Run the tests, first those that name the module: "survived", "caught by ..." or why there is no verdict."""
    named = re.compile(rf"\b{re.escape(about)}\b")
    files = sorted(tests, key=lambda f: (-len(named.findall(f.read_text("utf-8"))), f.name))
    relative = [str(f.relative_to(ROOT)) for f in files]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *relative]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.Popen(
        command, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = done.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(done.pid, signal.SIGKILL)
        done.communicate()
        return "caught by the time limit"
    if done.returncode == 0:
        return "survived"
    first = re.search(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
    return f"caught by {first[1]}" if first else f"no verdict (pytest ended with {done.returncode}): {said[-300:]}"


def main() -> None:
    """Print each verdict as it comes, then the share caught of each room and the survivors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rooms", nargs="+", help="folders or files of code, such as bench/embed")
    parser.add_argument("-n", type=int, default=40, help="faults a room")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tests", nargs="+", help="files of tests, if not all of the room's")
    parser.add_argument("--limit", type=float, help="seconds a fault; three times the sound code's, if not given")
    args = parser.parse_args()
    print("python tests/mutants.py", *sys.argv[1:], flush=True)
    summary, survivors = [], []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, symlinks=True, ignore=left_out)
        if (ROOT.parent / "shared").exists():  # real data, where a checkout has them beside it
            (Path(folder) / "shared").symlink_to(ROOT.parent / "shared")
        for room in args.rooms:
            chosen = drawn(room, args.n, args.seed)
            tests = [(ROOT / name).resolve() for name in args.tests] if args.tests else tests_of(room)
            if not chosen or not tests:
                sys.exit(f"There are no faults to plant in {room}, or no tests of it: name a folder or file of code.")
            start = time.monotonic()
            sound = verdict(copy, tests, "", 3600)
            if sound != "survived":
                sys.exit(f"The tests of {room} do not pass without a fault: {sound}")
            limit = args.limit or 3 * (time.monotonic() - start) + 30
            caught = 0
            for fault in chosen:
                target = copy / fault.path.relative_to(ROOT)
                source = target.read_bytes()
                target.write_bytes(source[: fault.start] + fault.new.encode() + source[fault.end :])
                found = verdict(copy, tests, fault.path.stem, limit)
                target.write_bytes(source)
                caught += found.startswith("caught")
                where = f"{fault.path.relative_to(ROOT)}:{fault.line}"
                line = f"{where} {fault.kind}: {' '.join(fault.old.split())} -> {fault.new}"
                print(f"{found}\n  {line}", flush=True)
                survivors += [line] if found == "survived" else []
            summary.append(f"{room}: {caught} of {len(chosen)} caught")
    print("", *summary, f"survivors: {len(survivors)}", *survivors, sep="\n")


if __name__ == "__main__":
    main()
