"""A command that is stopped says what stands and what to run; an unforeseen exception names its file and line."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command_helpers import REPO, bench, halting

from bench.leaving import Folders, Terminated, exit_code, terminable, what_stands

OWN_NETWORK = """
import torch
from registry.card import Architecture, ModelCard, Preprocessing, Pretraining, Weights

class Own(torch.nn.Module):
    def forward(self, tiles):
        return tiles.no_such_method()  # line 7

CARDS = (
    ModelCard(
        name="own", family="own", title="Own", dim=3, params=0, paper="none", url="none", licence="none",
        architecture=Architecture(builder="own_network:Own"), weights=Weights(layout="none"),
        preprocessing=Preprocessing(size=16, mpp=None, tile_size=16, resize=16),
        pretraining=Pretraining(method="none", data="none"),
    ),
)
"""


def test_an_exception_of_a_file_of_the_user_names_it_and_its_line(tmp_path: Path, tiles: Path, forget: None) -> None:
    (tmp_path / "own_network.py").write_text(OWN_NETWORK)
    done = bench(
        tmp_path, "task=tiles", f"data={tiles}", "model=own", "plugins=[own_network.py]", "null=none", "protocol=knn"
    )
    assert done.returncode == 2
    assert "AttributeError: 'Tensor' object has no attribute 'no_such_method'" in done.stderr
    assert f"{tmp_path / 'own_network.py'} line 7, in forward, which is a file of yours: mend it there" in done.stderr
    assert "PFMBENCH_DEBUG=1" in done.stderr
    assert "fault of the harness" not in done.stderr


def test_an_exception_of_a_head_names_the_head(
    tmp_path: Path, tiles: Path, forget: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import bench.protocols.knn as knn

    head = REPO / "bench/protocols/knn.py"
    code = compile("\n\ndef fit_predict(train, val, test, config, seed):\n    return 1 / 0\n", str(head), "exec")
    names: dict[str, object] = {}
    exec(code, names)
    monkeypatch.setattr(knn, "fit_predict", names["fit_predict"])
    done = bench(tmp_path, "task=tiles", f"data={tiles}", "model=colour", "null=none", "protocol=knn")
    assert (
        f"ZeroDivisionError: division by zero (a fault of the harness or its libraries at {head} line 4" in done.stderr
    )
    assert "mend it if that file is yours" in done.stderr


def test_the_sentence_counts_what_was_written_since_the_start(tmp_path: Path) -> None:
    for name in (
        "results/rows/t/a.json",
        "results/rows/t/b.json",
        "cache/features/m/k/0.h5",
        "cache/features/m/k/x.claim",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    os.utime(tmp_path / "results/rows/t/a.json", (1, 1))
    folders = Folders(str(tmp_path / "results"), str(tmp_path / "cache"))
    found = what_stands(Terminated(), ["model=uni", "data=/a b"], folders, time.time() - 60)
    assert found.startswith("Stopped by SIGTERM: 1 row in ")
    assert "and 1 feature file in" in found
    assert found.endswith("To go on: python -m bench model=uni 'data=/a b'")
    assert what_stands(KeyboardInterrupt(), [], folders, time.time() + 60).startswith("Stopped by Ctrl-C: 0 rows in")


def test_exit_codes_are_those_of_shells() -> None:
    assert (exit_code(KeyboardInterrupt()), exit_code(Terminated())) == (130, 143)


def test_sigterm_is_as_before_outside_of_a_command() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated), terminable():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code", "name"), [(signal.SIGTERM, 143, "SIGTERM"), (signal.SIGINT, 130, "Ctrl-C")])
def test_a_run_that_is_stopped_goes_on_with_the_command_it_says(
    tmp_path: Path, tiles: Path, number: int, code: int, name: str
) -> None:
    arguments = ["task=tiles", f"data={tiles}", "null=none", "protocol=knn", "shard_tiles=1", "batch_size=1"]
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    command = [*halting(2), *arguments]
    child = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    while child.poll() is None and not list(tmp_path.glob("cache/features/**/*.h5")):
        time.sleep(0.01)
    child.send_signal(number)
    _, stderr = child.communicate(timeout=300)
    assert child.returncode == code, stderr
    made = len(list(tmp_path.glob("cache/features/**/*.h5")))
    assert 0 < made < 24
    assert f"Stopped by {name}: 0 rows in results and {made} feature file" in stderr
    assert f"To go on: python -m bench {' '.join(arguments)}" in stderr
    assert "Traceback" not in stderr
    assert bench(tmp_path, *arguments).returncode == 0
