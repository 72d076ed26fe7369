"""The rooms of the house: who imports whom, on which floor each room stands, and how much code it has.

    python -m benchmarks.rooms

A room is a package of `bench`, a loose module of it, or `registry`. The imports are read from the source with `ast`,
those in functions too, and nothing is imported. A string "MODULE:NAME" of a module of these counts as an import, as
tables of what is imported later have them; other imports by `importlib` are not seen. Those that only a type checker
sees (`TYPE_CHECKING`) are apart. `tests/test_architecture.py` holds the rules that these arrows must keep.
"""

from __future__ import annotations

import ast
import graphlib
import io
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("bench", "registry")
NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
Graph = Mapping[str, set[str]]


@dataclass(frozen=True)
class Import:
    """One name that one module imports.

    Attributes
    ----------
    importer, target : str
        Modules, dotted; of the target, the module that the name stands in, or is.
    name : str
        The name in the target, or "" where the module itself is imported.
    line : int
    types_only : bool
        Whether only a type checker sees it.
    """

    importer: str
    target: str
    name: str
    line: int
    types_only: bool

    def __str__(self) -> str:
        return f"{self.importer}, line {self.line}: {self.target}{f'.{self.name}' if self.name else ''}"


def modules(root: Path = ROOT) -> dict[str, Path]:
    """All modules of the packages by their dotted names, a package under its own."""
    files = sorted(file for package in PACKAGES for file in (root / package).rglob("*.py"))
    return {".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def imports(known: Mapping[str, Path]) -> list[Import]:
    """What these modules import, of each other and from outside."""
    return [found for module, file in known.items() for found in _imports_of(module, file, known)]


def _imports_of(module: str, file: Path, known: Mapping[str, Path]) -> Iterator[Import]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, "", node.lineno, id(node) in guarded)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            target = ".".join(part for part in (above, node.module) if part)
            for alias in node.names:
                submodule = f"{target}.{alias.name}"
                found = (submodule, "") if submodule in known else (target, alias.name)
                yield Import(module, *found, node.lineno, id(node) in guarded)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            target, colon, name = node.value.partition(":")
            if colon and target in known and name.isidentifier():
                yield Import(module, target, name, node.lineno, False)


def room_of(module: str) -> str:
    """The room that a module is in: ``bench.X`` or ``registry``; an outside module's package."""
    return ".".join(module.split(".")[: 2 if module.startswith("bench.") else 1])


def arrows(found: Iterable[Import], of: Callable[[str], str] = room_of) -> dict[str, set[str]]:
    """Who imports whom within the packages, as rooms or, with ``of=str``, as modules; nobody imports itself."""
    graph: dict[str, set[str]] = {}
    for one in found:
        if one.target.split(".")[0] in PACKAGES:
            importer, target = of(one.importer), of(one.target)
            graph.setdefault(target, set())
            graph.setdefault(importer, set()).update({target} - {importer})
    return graph


def circle(graph: Graph) -> list[str]:
    """Names that lead back to the first of them, each importing the next; none where nothing does."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(reversed(error.args[1]))
    return []


def floors(graph: Graph) -> dict[str, int]:
    """The floor of each room: 0 where it imports none, else one above the highest that it imports."""
    found: dict[str, int] = {}
    for room in graphlib.TopologicalSorter(graph).static_order():
        found[room] = max((found[below] + 1 for below in graph.get(room, ())), default=0)
    return found


def public_names(file: Path) -> list[str]:
    """What the module lists in ``__all__``."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return list(ast.literal_eval(node.value))
    return []


def attributes_used(file: Path, name: str) -> set[str]:
    """The attributes that a module takes of a name, such as ``write`` in ``rows.write(...)``."""
    return {
        node.attr
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
    }


def code_lines(file: Path) -> int:
    """Lines with code: without blank ones, comments and docstrings."""
    text = file.read_text(encoding="utf-8")
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def main() -> None:
    """Print the rooms from the highest floor down, each with its lines of code and what it imports."""
    known = modules()
    found = imports(known)
    graph = arrows(one for one in found if not one.types_only)
    if own := circle(graph):
        raise SystemExit(f"There are no floors, as rooms import each other in a circle: {' -> '.join(own)}")
    size: Counter[str] = Counter()
    for module, file in known.items():
        size[room_of(module)] += code_lines(file)
    storeys = floors(graph)
    print(f"{'floor':>5}  {'lines':>6}  room imports")
    for room in sorted(known.keys() & storeys.keys(), key=lambda room: (-storeys[room], room)):
        below = ", ".join(sorted(name.removeprefix("bench.") for name in graph[room])) or "nothing"
        print(f"{storeys[room]:>5}  {size[room]:>6}  {room} <- {below}")
    print(f"{'':>5}  {sum(size.values()):>6}  in all")


if __name__ == "__main__":
    main()
