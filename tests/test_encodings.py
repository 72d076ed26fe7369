"""Text files are read and written as UTF-8 wherever the code runs: the encoding of the machine is never taken."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLACE = {"read_text": 0, "write_text": 1}  # of the encoding among the arguments
MODE = {"open": 1, "fdopen": 1}  # of the mode


def without_encoding(source: str) -> list[int]:
    """The lines on which a text file is opened without its encoding."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if any(keyword.arg == "encoding" for keyword in node.keywords):
            continue
        if name in PLACE and len(node.args) <= PLACE[name]:
            lines.append(node.lineno)
        # of `open` as a method, only that of paths is of text: images, slides and archives have their own
        of_text = isinstance(node.func, ast.Name) or ast.unparse(node.func) in ("os.fdopen", "io.open")
        if name in MODE and of_text:
            modes = [*node.args[1:2], *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
            if not modes or (isinstance(modes[0], ast.Constant) and "b" not in modes[0].value):
                lines.append(node.lineno)
    return lines


@pytest.mark.parametrize("package", ["bench", "registry"])
def test_every_text_file_has_an_encoding(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    wrong = {str(path.relative_to(ROOT)): without_encoding(path.read_text("utf-8")) for path in files}
    assert {path: lines for path, lines in wrong.items() if lines} == {}


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("p.read_text()", True),
        ("p.read_text('utf-8')", False),
        ("p.write_text(t, newline='')", True),
        ("p.write_text(t, 'utf-8')", False),
        ("p.write_text(t, encoding='utf-8')", False),
        ("open(p)", True),
        ("open(p, 'a')", True),
        ("open(p, 'rb')", False),
        ("open(p, mode='w')", True),
        ("open(p, 'w', encoding='utf-8')", False),
        ("Image.open(p)", False),
    ],
)
def test_the_reader_of_code_sees_an_encoding_that_is_left_out(code: str, wrong: bool) -> None:
    assert bool(without_encoding(code)) == wrong
