"""Odd values in every option: one sentence each and the exit code 2, before anything is computed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from command_helpers import Done, bench

Plan = Callable[..., Done]
LONG = "n" * 300
VERY_LONG = "/".join(["n" * 200] * 30)

OF_THE_RUN = [
    "model=5",
    "model=[]",
    "model=null",
    "model={a:1}",
    "model=''",
    f"model={LONG}",
    f"model=timm:{LONG}",
    f"model=hf-hub:{LONG}/{LONG} offline=true",
    "model=hf-hub: offline=true",
    "model=timm:",
    "task=null",
    "task=''",
    "task=5",
    f"task={LONG}",
    "protocol=5",
    f"protocol={LONG}",
    "frontend=5",
    "frontend=true",
    "frontend={a:1}",
    "frontend=[5]",
    "frontend=jpeg_99",
    "frontend=jpeg_99999999999999999999999",
    "frontends.median=5",
    "frontend=median frontends.median.size=a",
    "seeds=5",
    "seeds=[a]",
    "seeds=[]",
    "seeds=[-1]",
    "seeds=null",
    "seeds=[99999999999999999999]",
    "part=0/4",
    "part=x",
    "part=[1]",
    "shards=0",
    "shards=x",
    "jobs_at_once=-1",
    "null=maybe",
    "features=token",
    "features=5",
    "results=",
    "results=''",
    "results=null",
    "results=[a]",
    f"results={LONG}",
    f"results={VERY_LONG}",
    "cache=",
    f"cache={LONG}",
    f"cache={VERY_LONG}",
    "data=",
    "data=''",
    f"data={LONG}",
    f"data={VERY_LONG}",
    "data=[a,b]",
    "scratch=",
    f"scratch={LONG}",
    "scratch_gib=nan",
    "scratch_gib=-1",
    f"coords={LONG}",
    "checkpoint=x.pth",
    "checkpoint=''",
    "checkpoint=[a]",
    "checkpoints.colour=x.pth",
    "checkpoints.colour=",
    "checkpoints.colour=5",
    f"model=uni checkpoint={LONG}",
    f"model=uni checkpoints.uni={VERY_LONG}",
    "model=uni checkpoints.uni=[a]",
    "model=uni checkpoints.uni={a:1}",
    "checkpoints=5",
    "weights=none",
    "model=efficientnet_lite0 weights=random checkpoint=x.pth",
    "weights_dir=",
    f"model=uni weights_dir={LONG}",
    f"model=uni weights_dir={VERY_LONG}",
    "options=5",
    "options.output=5",
    "options.nothing=x",
    "model=h0_mini options.pooling={a:1}",
    "model=h0_mini options.pooling=",
    "plugins=x",
    "plugins=[5]",
    "plugins=[{a:1}]",
    "plugins=[no_such.py]",
    f"plugins=[{LONG}]",
    f"plugins=[{VERY_LONG}.py]",
    "revision=",
    "offline=maybe",
    "device=meta",
    "device=quantum",
    "device=cpu:7",
    "device=5",
    "device=[]",
    "device=''",
    "device={a:1}",
    "device=hpu",
    "device=vulkan",
    "precision=float8",
    "preprocess=fast",
    "batch_size=0",
    "batch_size=1.5",
    "batch_size=99999999999999999999",
    "workers=-3",
    "workers=1000000000",
    "memory_gib=0",
    "memory_gib=nan",
    "memory_gib=x",
    "shard_tiles=0",
    "decode=tpu",
    "pack=maybe",
    "on_corrupt=ignore",
    "bootstrap=1",
    "bootstrap=x",
    "bootstrap=99999999999999",
    "margin=-1",
    "margin=nan",
    "margin=x",
    "steps=[plan,fit]",
    "steps=[]",
    "steps=5",
    "tasks=5",
    "tasks=${seeds}",
    "protocols=${seeds}",
    "options=${seeds}",
    "tasks=[a]",
    "protocols=5",
    "protocols.knn=5",
    "protocols.knn.kind=nothing",
    "protocols.knn.kind=5",
    "protocols.knn.k=a",
    "protocols.knn.k=[0]",
    "protocols.knn.kk=1",
    "+_target_=os.system",
    "+tasks.tiles._target_=os.system",
    "+protocols.knn._target_=os.system",
    "+nothing=1",
    "batch_sice=3",
    "bootstrp=100",
    "~tasks.tiles",
    "hydra.callbacks.a._target_=x",
]

OF_THE_TASK = [
    "title=[a]",
    "name=other",
    "name=null",
    "name=../../esc",
    "reader=tabel",
    "reader=5",
    "reader=__init__",
    "data=5",
    f"data={LONG}",
    f"data={VERY_LONG}",
    "folder=5",
    f"folder=[{VERY_LONG}]",
    "options=5",
    "options=null",
    "options.gruop=x",
    "options.group=5",
    "options.group=[a]",
    "options.group={a:1}",
    "options.group=true",
    "options.group='('",
    "options.pattern=5",
    "options.pattern='('",
    "options.splits=5",
    "options.splits=[a]",
    "options.splits.train=5",
    "options.splits.trian=x",
    "options.splits={train:[a]}",
    "options.columns=foo",
    "options.columns=[a]",
    "options.columns.label=5",
    "options.columns.label=[a]",
    "options.columns.label=nothing",
    "options.columns={5:6}",
    "options.images=5",
    "options.images=[a]",
    f"options.images={LONG}",
    "options.table=5",
    "options.table=[a]",
    f"options.table={LONG}",
    "options.expects=5",
    "own_options=5",
    "unit=cell",
    "mpp=-1",
    "mpp=0",
    "mpp=nan",
    "mpp=x",
    "mpp=[a]",
    "tile_size=-5",
    "tile_size=0",
    "tile_size=1.5",
    "tiling=5",
    "tiling.size=0",
    "tiling.mpp=nan",
    "tiling.overlap=-1",
    "tiling.min_tissue=2",
    "tiling.sizes=5",
    "kind=5",
    "kind=regresion",
    "targets=5",
    "targets=[a,a]",
    "targets=[5]",
    "targets=['']",
    "classes=5",
    "classes=[a,a]",
    "classes=[a]",
    "metric=acuracy",
    "metric=5",
    "rare=maybe",
    "min_groups=0",
    "min_groups=x",
    "split=5",
    "split.test=2",
    "split.test=nan",
    "split.val=-1",
    "split.seed=-1",
    "split.folds=1",
    "split.folds=x",
    "split.folds=99999",
    "split.repeats=0",
    "split.tset=0.5",
    "track=5",
    "track.name=robustnes",
    "track.severities=[9]",
    "citation=[a]",
    "cohorts=5",
    "notes=5",
    "notes={a:1}",
    "synthetic=maybe",
    "nothing=1",
]


def mostly_slow(cases: Iterable[str], every: int) -> list[Any]:
    """Every so many-th case is a fast test; the others, a quarter of a second each, are slow ones."""
    return [
        pytest.param(case, id=case[:60], marks=[] if number % every == 0 else pytest.mark.slow)
        for number, case in enumerate(cases)
    ]


def refused(done: Done) -> str:
    """The sentences of a command that ended with 2 and neither a traceback nor a fault of the harness."""
    assert done.returncode == 2, (done.returncode, done.stdout[-300:], done.stderr[-300:])
    sentences = [line for line in done.stderr.splitlines() if line.startswith("pfmbench: ")]
    assert sentences, done.stderr
    for word in ("Traceback", "fault of the harness"):
        assert word not in done.stderr, done.stderr
    assert not re.search(r"\b[A-Z]\w+(Error|Exception)\b", " ".join(sentences)), sentences
    assert all(len(line) < 2000 for line in sentences), "a sentence that nobody reads to its end"
    return "\n".join(sentences)


@pytest.mark.parametrize("arguments", mostly_slow(OF_THE_RUN, 40))
def test_an_odd_value_of_the_run_is_a_sentence(plan: Plan, arguments: str) -> None:
    refused(plan(*arguments.split(" ")))


@pytest.mark.parametrize("setting", mostly_slow(OF_THE_TASK, 40))
def test_an_odd_value_of_a_task_is_a_sentence(plan: Plan, setting: str) -> None:
    refused(plan(f"tasks.tiles.{setting}"))


@pytest.mark.parametrize("step", ["plan", "embed"])
def test_the_smallest_run_itself_is_taken(plan: Plan, step: str) -> None:
    done = plan(step=step)
    assert done.returncode == 0, done.stderr


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
