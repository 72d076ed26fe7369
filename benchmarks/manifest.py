"""A manifest of many tile files, from the table on the disk to the digest of all files.

    OMP_NUM_THREADS=1 python -m benchmarks.manifest

Makes a folder of small files, a patient a folder, and a table of them; reads and checks the table as a task, and then
computes the cohort hash and the digest of the files, as a run does before it embeds. Prints the seconds of each way to
write the table; `--profile` prints where they go. The files lie in the folder for temporary files (``TMPDIR``) and are
removed at the end, which on a disk takes longer than all else.
"""

from __future__ import annotations

import argparse
import cProfile
import csv
import pstats
import tempfile
import time
from pathlib import Path

from bench import tasks
from bench.tiles import TileSource

FILES_A_FOLDER = 1000
CLASSES = 9
CASES = {  # name: columns of the table beyond path and label, settings of the task
    "patient and split": (("patient", "split"), {}),
    "patient, split drawn": (("patient",), {}),
    "neither, split drawn": ((), {}),
    "patient, 5 folds drawn": (("patient",), {"split": {"folds": 5}}),
}


def make_files(folder: Path, rows: int) -> list[dict[str, str]]:
    """Write small files that have the names of tiles; gives the rows of the table."""
    found = []
    for row in range(rows):
        patient, tile = divmod(row, FILES_A_FOLDER)
        if tile == 0:
            (folder / f"patient_{patient}").mkdir()
        path = f"patient_{patient}/tile_{tile}.png"
        (folder / path).write_bytes(b"0" * (row % 64))
        split = "test" if patient % 5 == 0 else "train"
        found.append({"path": path, "label": f"class {row % CLASSES}", "patient": f"p{patient}", "split": split})
    return found


def measure(table: Path, settings: dict[str, object]) -> str:
    """Seconds of it all by the clock and of the processor, how many are of reading and checking, and both hashes."""
    start, work = time.perf_counter(), time.process_time()
    task = tasks.configured({"name": "tiles", **settings})
    manifest = tasks.read(task, table, table.parent)
    read = time.process_time() - work
    frame = manifest.frame
    source = TileSource(frame["id"].tolist(), frame["path"].tolist(), frame["index"].tolist())
    hashes = f"{manifest.cohort_hash} {source.digest()}"
    clock, work = time.perf_counter() - start, time.process_time() - work
    return f"{clock:.1f} s, {work:.1f} s of processor time, of them {read:.1f} read and checked; {hashes}"


def main() -> None:
    """Time each way to write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = make_files(folder, options.rows)
        for case, (columns, settings) in CASES.items():
            table = folder / "manifest.csv"
            with open(table, "w", newline="", encoding="utf-8") as handle:
                writer = csv.DictWriter(handle, ["path", "label", *columns], extrasaction="ignore")
                writer.writeheader()
                writer.writerows(rows)
            profile = cProfile.Profile()
            if options.profile:
                profile.enable()
            measured = measure(table, settings)
            profile.disable()
            print(f"{case}: {measured}", flush=True)
            if options.profile:
                pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
