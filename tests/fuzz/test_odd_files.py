"""Odd files that options name, manifests, plugins, weights, YAML files and features: a sentence each, exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from command_helpers import Done, bench
from refusals import mostly_slow, refused

Plan = Callable[..., Done]


@pytest.mark.parametrize(
    "index", mostly_slow(["100000000000000000000", "-100000000000000000000", "9223372036854775808", "inf"], 4)
)
def test_a_row_that_no_file_has_is_a_sentence(plan: Plan, tiles: Path, tmp_path: Path, index: str) -> None:
    lines = (tiles / "manifest.csv").read_text().splitlines()
    rows = [lines[0] + ",index", *(f"{tiles}/{line},{index if n == 3 else ''}" for n, line in enumerate(lines[1:]))]
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    assert "column index" in refused(plan(f"data={tmp_path / 'manifest.csv'}"))


@pytest.mark.parametrize(
    "code",
    mostly_slow(
        [
            "CARDS = 5",
            "CARDS = (5,)",
            "CARDS = None",
            "import sys; sys.exit(0)",
            "raise SystemExit",
            "1 / 0",
            "CARDS = (",
            "\0",
            "import os; os.chdir('/no/such')",
            "",
            "def f():\n  return f()\nf()",
            "raise BaseException('own')",
            "class C:\n  def __iter__(self):\n    raise ValueError('no')\nCARDS = C()",
        ],
        13,
    ),
)
def test_a_plugin_that_gives_no_cards_is_a_sentence(plan: Plan, tmp_path: Path, code: str) -> None:
    (tmp_path / "odd_plugin.py").write_text(code)
    done = plan("plugins=[odd_plugin.py]")
    assert done.returncode == 2
    assert "odd_plugin.py" in done.stderr
    assert "Traceback" not in done.stderr


def _inflating(path: Path) -> None:
    """A torch file whose records are compressed: 3 GiB of zeros in a few MB, here of 64 MiB."""
    import zipfile

    plain = path.with_suffix(".plain")
    torch.save({"weight": torch.zeros(16 << 20)}, plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for record in old.infolist():
            new.writestr(record.filename, old.read(record))
    plain.unlink()


CHECKPOINTS: dict[str, Callable[[Path], object]] = {
    "whole numbers for names": lambda path: torch.save({1: torch.zeros(3), 2: torch.zeros(3)}, path),
    "mixed names": lambda path: torch.save({"a": torch.zeros(3), 2: 5, None: 6}, path),
    "names below a name": lambda path: torch.save({"model": {1: torch.zeros(3)}, "teacher": {2: torch.zeros(3)}}, path),
    "a list": lambda path: torch.save([torch.zeros(3)], path),
    "numbers for tensors": lambda path: torch.save({"conv_stem.weight": 5}, path),
    "compressed records": _inflating,
    "a tensor of 32 TiB": lambda path: torch.save({"conv_stem.weight": torch.zeros(1).expand(1 << 43)}, path),
    "nothing": lambda path: path.write_bytes(b""),
    "a header alone": lambda path: path.write_bytes(b"PK\x03\x04"),
    "safetensors that promise too much": lambda path: path.write_bytes(
        (60).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[99999999],"data_offsets":[0,4]}}' + b"0000"
    ),
    "a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("kind", mostly_slow(CHECKPOINTS, 12))
def test_a_file_that_holds_no_weights_is_a_sentence(plan: Plan, tmp_path: Path, kind: str) -> None:
    CHECKPOINTS[kind](tmp_path / "odd.pth")
    done = plan("model=efficientnet_lite0", "checkpoint=odd.pth", step="embed")
    assert "odd.pth" in refused(done)
    assert not list((tmp_path / "cache").rglob("*.h5"))


def _callback(folder: Path) -> str:
    (folder / "conf_callback.py").write_text(
        "from pathlib import Path\n\nclass Touch:\n    def __init__(self):\n        Path('RAN').touch()\n"
    )
    return "conf_callback.Touch"


YAMLS = {
    "a callback of Hydra": "# @package _global_\nhydra:\n  callbacks:\n    a:\n      _target_: {target}\n",
    "settings of the run": "# @package _global_\nresults: elsewhere\ntasks:\n  mine:\n    name: mine\n",
    "an override of Hydra's groups": "# @package tasks.mine\ndefaults:\n  - override /hydra/job_logging: default\n",
    "another group": "# @package tasks.mine\ndefaults:\n  - /site@_global_: local\n  - _self_\nname: mine\n",
    "a field that tasks lack": "# @package tasks.mine\nname: mine\nfeilds: 5\n",
    "a target": "# @package tasks.mine\nname: mine\n_target_: os.system\n",
    "a list": "# @package tasks.mine\n- a\n",
    "a word": "# @package tasks.mine\nhello\n",
    "no YAML": "# @package tasks.mine\nname: [\n",
    "another task's place": "# @package tasks\nmine:\n  name: mine\nother:\n  name: other\n",
    "an interpolation": "# @package tasks.mine\nname: mine\ntitle: ${{oc.env:HOME}}/${{nothing}}\n",
}


@pytest.mark.parametrize("kind", mostly_slow(YAMLS, 12))
def test_a_task_is_data(tmp_path: Path, tiles: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    target = _callback(tmp_path)
    (tmp_path / "conf/task").mkdir(parents=True)
    (tmp_path / "conf/task/mine.yaml").write_text(YAMLS[kind].format(target=target))
    arguments = ("--config-dir=conf", "task=mine", f"data={tiles}", "model=colour", "null=none", "protocol=knn")
    for before in ((), ("sweep",)):
        sentences = refused(bench(tmp_path, *before, *(arguments if before else ("plan", *arguments))))
        assert any(word in sentences for word in ("mine", "No task is named", "key 'nothing' not found")), sentences
        assert not (tmp_path / "RAN").exists(), "the task ran code"
        assert not (tmp_path / "elsewhere").exists()
    sys.modules.pop("conf_callback", None)


def test_features_of_32_tib_are_a_sentence(tmp_path: Path, forget: None) -> None:
    import h5py

    (tmp_path / "bags").mkdir()
    lines = ["slide,label,patient"]
    for number in range(8):
        lines.append(f"s{number}.svs,{'ab'[number % 2]},p{number}")
        with h5py.File(tmp_path / f"bags/s{number}.h5", "w") as file:
            file.create_dataset("features", (1 << 33, 1024), "f4", chunks=(64, 1024))
    (tmp_path / "slides.csv").write_text("\n".join(lines))
    done = bench(
        tmp_path, "embed", "task=slides", "data=slides.csv", "model=precomputed", "features=bags", "null=none",
        "tasks.slides.options.check_files=false", "protocol=linear",
    )  # fmt: skip
    assert "32 TiB" in refused(done)
