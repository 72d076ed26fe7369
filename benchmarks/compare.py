"""Whether a change of the code changed a result: two results folders, and the features of two caches.

    python -m benchmarks.compare BEFORE AFTER [--cache BEFORE_CACHE AFTER_CACHE]

Each is a folder that `make bench` left. Compared are all values of the tables (digests, speed and version apart), the
predictions of each run by id, and, where caches are named, the bits of all features. Columns and paths of results that
were written before rows had a schema (pfmbench 0.1) are translated. Exits with 1 if anything differs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import h5py
import pandas as pd

TABLES = ("leaderboard", "leaderboard_mean", "leaderboard_paired", "leaderboard_wide")
RENAMED = {
    "null_value": "baseline_value",
    "asked": "cohort_hash",
    "settings": "head_config_hash",
    "config_digest": "run_hash",
}
NOT_RESULTS = ["run_hash", "tiles_per_s", "cohort_hash", "head_config_hash", "version"]


def table(path: Path) -> pd.DataFrame:
    """A table as text, without what may differ between two runs of the same work."""
    frame = pd.read_csv(path, dtype=str).rename(columns=RENAMED).fillna("")
    frame = frame.drop(columns=[name for name in NOT_RESULTS if name in frame])
    return frame.rename(columns=lambda name: name.split(" [")[0])


def predictions(results: Path) -> dict[tuple[str, str, str], Path]:
    """Files of predictions by task, model, and protocol with seed and fold."""
    found = {}
    for path in (results / "predictions").rglob("*.parquet"):
        parts = path.relative_to(results / "predictions").parts
        name = path.stem
        if "-seed" in name:
            head, repeat = name.rsplit("-seed", 1)
            name = f"{head.rsplit('-', 1)[0]}-{repeat}"
        found[parts[0], parts[-2], name] = path
    return found


def features(cache: Path) -> dict[tuple[str, str, tuple[int, ...]], set[bytes]]:
    """Bits of the features by model, file and shape."""
    found: dict[tuple[str, str, tuple[int, ...]], set[bytes]] = {}
    for path in (cache / "features").glob("*/*/*.h5"):
        with h5py.File(path, "r") as file:
            values = file["features"][:]
        found.setdefault((path.parts[-3], path.name, values.shape), set()).add(values.tobytes())
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--cache", type=Path, nargs=2, default=None)
    args = parser.parse_args()
    different = 0
    for name in TABLES:
        before, after = (table(folder / f"{name}.csv") for folder in (args.before, args.after))
        same = before.shape == after.shape and bool((before == after[before.columns]).all(axis=None))
        different += not same
        print(f"{name}: {before.shape[0]} lines, {before.shape[1]} columns, {'equal' if same else 'DIFFERENT'}")
    before_files, after_files = predictions(args.before), predictions(args.after)
    pairs = [(before_files[run], after_files[run]) for run in before_files.keys() & after_files.keys()]
    equal = 0
    for own, other in pairs:
        a, b = (pd.read_parquet(path).sort_values("id").reset_index(drop=True) for path in (own, other))
        equal += a.equals(b[a.columns])
    print(f"predictions: {equal} of {len(before_files)} equal, {len(after_files)} after")
    different += equal < max(len(before_files), len(after_files))
    if args.cache:
        before_bits, after_bits = (features(cache) for cache in args.cache)
        shared = before_bits.keys() & after_bits.keys()
        same_bits = sum(after_bits[key] <= before_bits[key] for key in shared)
        print(f"feature files: {same_bits} of {len(shared)} that both caches have are equal bit for bit")
        different += same_bits < len(shared)
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
