"""A plan of many models on many tasks: what it costs to know what a run would do, before any of it is done.

    OMP_NUM_THREADS=1 python -m benchmarks.plan

Makes a folder of small files and tables of them, a task a table, and cards of models that need no weights. Then runs
``python -m bench plan`` on all of them in a process of its own and prints its time, its peak memory and its last line.
Ends with an error if the command loads a network, or writes or changes a file. `--profile` prints where the time goes.
The files lie in the folder for temporary files (``TMPDIR``).
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.manifest import make_files

TILES_A_PATIENT = 20
ROOT = Path(__file__).resolve().parents[1]
PLUGIN = """
from registry.card import Architecture, ModelCard, Preprocessing, Pretraining, Weights

def card(number):
    return ModelCard(
        name=f"made_up_{{number}}", family="made_up", title="Made up", dim=54, params=0, paper="none", url="none",
        licence="none", architecture=Architecture(builder="registry.architectures.colour:colour"),
        preprocessing=Preprocessing(size=224, mpp=0.5, tile_size=224, resize=224), weights=Weights(layout="none"),
        pretraining=Pretraining(method="none", data="none"),
    )

CARDS = tuple(card(number) for number in range({models}))
"""
TASK = """# @package tasks.{name}
defaults: [tiles@_here_, _self_]
name: {name}
data: {table}
"""
CHILD = """
import resource, sys, registry.loading
registry.loading.load = lambda *_, **__: sys.exit("pfmbench: a network was loaded")
from bench.__main__ import main
try:
    main()
finally:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(usage.ru_maxrss, usage.ru_utime + usage.ru_stime, file=sys.stderr)
"""


def make_inputs(folder: Path, models: int, tasks: int, rows: int) -> list[str]:
    """Write the files, tables, YAML files and cards; gives the arguments of the command."""
    names = [f"made_up_{number}" for number in range(tasks)]
    (folder / "conf" / "task").mkdir(parents=True)
    (folder / "plugin.py").write_text(PLUGIN.format(models=models))
    for name in names:
        (folder / name).mkdir()
        table = folder / name / "manifest.csv"
        with open(table, "w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, ["path", "label", "patient"], extrasaction="ignore")
            writer.writeheader()
            made = make_files(folder / name, rows)
            writer.writerows({**row, "patient": f"p{number // TILES_A_PATIENT}"} for number, row in enumerate(made))
        (folder / "conf" / "task" / f"{name}.yaml").write_text(TASK.format(name=name, table=table))
    model = ",".join(f"made_up_{number}" for number in range(models))
    return [
        "plan",
        "--config-dir",
        str(folder / "conf"),
        f"model=[{model}]",
        f"task=[{','.join(names)}]",
        f"plugins=[{folder / 'plugin.py'}]",
    ]


def state(folder: Path) -> dict[Path, tuple[int, int]]:
    """Size and modification time of every file and folder."""
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in [folder, *folder.rglob("*")]}


def main() -> None:
    """Plan once and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", type=int, default=30)
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--rows", type=int, default=5_000)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arguments = make_inputs(folder, options.models, options.tasks, options.rows)
        profiled = ["-m", "cProfile", "-s", "tottime"] if options.profile else []
        program = folder / "child.py"
        program.write_text(CHILD)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        before, began = state(folder), time.perf_counter()
        done = subprocess.run(
            [sys.executable, *profiled, str(program), *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - began
        changed = sorted(str(path) for path in {p for p, _ in before.items() ^ state(folder).items()})
    usage = done.stderr.splitlines()[-1:]
    if done.returncode or not usage or not re.fullmatch(r"[\d.]+ [\d.]+", usage[0]):
        sys.exit(f"the plan failed: {done.stderr[-2000:]}")
    if changed:
        sys.exit(f"the plan wrote {', '.join(changed[:5])}")
    peak_kib, cpu = map(float, usage[0].split())
    said, _, profile = done.stdout.partition(" function calls")
    lines = said.splitlines()[:-1] if profile else said.splitlines()
    print("\n".join([*lines[-1:], *profile.splitlines()[:40]]))
    print(
        f"{options.models} models on {options.tasks} tasks of {options.rows} tiles: {seconds:.1f} s, {cpu:.1f} s of "
        f"processor time, peak {peak_kib / 2**20:.2f} GB, {len(lines)} lines; nothing written, no network loaded"
    )


if __name__ == "__main__":
    main()
