"""500 seeded inputs over all options and files: no traceback, no fault of the harness, no misspelt option taken."""

from __future__ import annotations

import dataclasses
import random
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from command_helpers import Done, bench

import registry.__main__
from bench import protocols
from bench.config import BenchConfig
from bench.tasks import Split, TaskConfig, Track
from bench.tasks.config import Tiling
from bench.tasks.readers import get as reader

INPUTS, SEED = 500, 15
HEADS = ("linear", "knn", "simpleshot", "prototype", "linear_uni")
ODD = (
    "5", "-1", "0", "1.5", "nan", "inf", "-inf", "1e400", "99999999999999999999", "null", "true", "''", "' '", "a",
    "[]", "[a]", "[5]", "[null]", "[[a]]", "{}", "{a:1}", "{a:{b:c}}", "a/b", "../x", "/", ".", "~", "'$X'", "'\\x00'",
    "é", "'a b'", "\U0001f600", "n" * 300, "n" * 5000, "${seeds}", "${nothing}", "'a,b'", "'*'", "'('", "'%s'", "cpu",
    "none",
)  # fmt: skip


def keys() -> list[str]:
    """Every option of a run on tiles: of the run itself, the task, its reader and its heads."""
    of_run = [field.name for field in dataclasses.fields(BenchConfig)]
    of_task = [field.name for field in dataclasses.fields(TaskConfig)]
    inner = [("tiling", Tiling), ("split", Split), ("track", Track)]
    of_task += [f"{part}.{field.name}" for part, schema in inner for field in dataclasses.fields(schema)]
    of_task += [f"options.{name}" for name in reader("tiles").OPTIONS]
    of_heads = [
        f"protocols.{name}.{field.name}"
        for name in HEADS
        for field in dataclasses.fields(protocols.get(name).Config)  # type: ignore[arg-type]
    ]
    more = [
        "checkpoints.colour",
        "checkpoints.uni",
        "options.output",
        "frontends.median.size",
        "task",
        "protocol",
        "suite",
    ]
    return sorted({*of_run, *(f"tasks.tiles.{name}" for name in of_task), *of_heads, *more} - {"steps"})


def misspelt(draw: random.Random, key: str) -> str:
    """The key with two letters of its last word exchanged, one left out or one doubled."""
    place, _, word = key.rpartition(".")
    at = draw.randrange(len(word) - 1)
    changed = draw.choice(
        (word[:at] + word[at + 1] + word[at] + word[at + 2 :], word[:at] + word[at + 1 :], word[: at + 1] + word[at:])
    )
    return f"{place}.{changed}" if place else changed


def damaged_table(draw: random.Random, text: str) -> bytes:
    """A table with a cell, line, separator or byte changed."""
    lines = text.splitlines()
    kind = draw.randrange(7)
    number = draw.randrange(len(lines))
    cells = lines[number].split(",")
    if kind == 0:
        cells[draw.randrange(len(cells))] = draw.choice(
            ("", "nan", "\0", "../../x", "/etc/passwd", "a" * 300, '"', "é")
        )
        lines[number] = ",".join(cells)
    elif kind == 1:
        lines[number] += "," + draw.choice(string.ascii_letters)
    elif kind == 2:
        lines[number:] = []
    elif kind == 3:
        lines.insert(number, draw.choice(lines))
    elif kind == 4:
        lines[0] = lines[0].replace(
            draw.choice(("path", "label", "patient")), draw.choice(("label", "", "index", "split"))
        )
    raw = bytearray("\n".join(lines).encode())
    if kind == 5 and raw:
        raw[draw.randrange(len(raw))] = draw.randrange(256)
    return bytes(raw).replace(b",", b";") if kind == 6 else bytes(raw)


def damaged_bytes(draw: random.Random, raw: bytes) -> bytes:
    changed = bytearray(raw)
    for _ in range(draw.choice((1, 4, 64))):
        changed[draw.randrange(len(changed))] = draw.randrange(256)
    return bytes(changed[: draw.randrange(len(changed))] if draw.random() < 0.3 else changed)


Case = tuple[str, list[str], dict[str, bytes]]  # what it is, the arguments, and the files that they name


def cases(tiles: Path, plugin: str, weights: bytes) -> Iterator[Case]:
    draw = random.Random(SEED)
    known, table = keys(), (tiles / "manifest.csv").read_text().replace("\np", f"\n{tiles}/p")
    yaml = "# @package tasks.mine\nname: mine\nreader: tiles\nmetric: accuracy\noptions: {group: null}\n"
    for _ in range(INPUTS):
        kind = draw.choices(
            ("value", "misspelt", "table", "checkpoint", "plugin", "yaml", "registry"), (60, 15, 8, 6, 4, 5, 2)
        )[0]
        if kind == "value":
            yield kind, ["task=tiles", f"{draw.choice(known)}={draw.choice(ODD)}"], {}
        elif kind == "misspelt":
            key = draw.choice([key for key in known if len(key.rpartition(".")[2]) > 3 and "checkpoints." not in key])
            other = misspelt(draw, key)
            if other not in known:
                yield kind, ["task=tiles", f"{other}={draw.choice(('5', 'a'))}"], {}
        elif kind == "table":
            yield kind, ["task=tiles", "data=odd.csv"], {"odd.csv": damaged_table(draw, table)}
        elif kind == "checkpoint":
            raw = damaged_bytes(draw, weights)
            yield (
                kind,
                ["embed", "task=tiles", "model=tiny", "plugins=[tiny.py]", "checkpoint=odd.pth"],
                {"odd.pth": raw},
            )
        elif kind == "plugin":
            text = damaged_bytes(draw, plugin.replace("tiny:build", "odd_plugin:build").encode())
            yield kind, ["task=tiles", "plugins=[odd_plugin.py]"], {"odd_plugin.py": text}
        elif kind == "yaml":
            text = damaged_bytes(draw, yaml.encode())
            yield kind, ["task=mine", "--config-dir=conf"], {"conf/task/mine.yaml": text}
        else:
            words = [
                draw.choice(("uni", "verify", "access", "docs", draw.choice(ODD))),
                f"{draw.choice(known)}={draw.choice(ODD)}",
            ]
            yield kind, [*words, "offline=true"] if "docs" not in words else ["docs", "a", "b=c"], {}


PLUGIN = """
from registry.card import Architecture, ModelCard, Preprocessing, Pretraining, Weights
CARDS = (
    ModelCard(
        name="tiny", family="tiny", title="Tiny", dim=3, params=15, paper="none", url="none", licence="none",
        architecture=Architecture(builder="tiny:build"), weights=Weights(layout="timm"),
        preprocessing=Preprocessing(size=16, mpp=None, tile_size=16, resize=16),
        pretraining=Pretraining(method="none", data="none"),
    ),
)
def build():
    import torch
    return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 3, bias=False))
"""


def wrong(kind: str, done: Done) -> str:
    """What is wrong with the end of a command; nothing where it is well."""
    for word in ("Traceback (most recent", "fault of the harness", "Error executing job"):
        if word in done.stderr:
            return word
    if done.returncode not in (0, 2):
        return f"exit code {done.returncode}"
    if kind == "misspelt" and done.returncode == 0:
        return "a misspelt option is taken"
    if done.returncode == 2 and not done.stderr.strip():
        return "no sentence"
    return "a sentence of a library" if re.search(r"pfmbench: [A-Z]\w+Error\b", done.stderr) else ""


@pytest.mark.slow
def test_seeded_inputs(tmp_path: Path, tiles: Path, forget: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (tmp_path / "tiny.py").write_text(PLUGIN)
    torch.save({"2.weight": torch.eye(3)}, tmp_path / "whole.pth")
    found: list[str] = []
    counts: dict[str, list[int]] = {}
    for kind, arguments, files in cases(tiles, PLUGIN, (tmp_path / "whole.pth").read_bytes()):
        for name, raw in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(raw)
        if kind == "registry":
            done = bench(tmp_path, *arguments, entry=_registry)
        else:
            head = next((a.split(".")[1] for a in arguments if a.startswith("protocols.")), "knn")
            usual = {
                "model": "model=colour",
                "data": f"data={tiles}",
                "null": "null=none",
                "protocol": f"protocol={head if head in HEADS else 'knn'}",
            }
            named = {argument.partition("=")[0] for argument in arguments}
            usual = {name: text for name, text in usual.items() if name not in named}
            step = [] if arguments[0] == "embed" else ["plan"]
            done = bench(tmp_path, *step, *arguments, *usual.values())
        counts.setdefault(kind, [0, 0])[done.returncode != 0] += 1
        problem = wrong(kind, done)
        if problem:
            found.append(f"{problem}: {' '.join(arguments)[:200]}\n    {done.stderr[-600:]}")
    print({kind: f"{taken} taken, {refused} refused" for kind, (taken, refused) in counts.items()})
    assert sum(map(sum, counts.values())) > INPUTS * 0.95
    assert not found, f"{len(found)} of {INPUTS}:\n" + "\n".join(found)


def _registry() -> None:
    import sys

    sys.exit(registry.__main__.main(sys.argv[1:]))
