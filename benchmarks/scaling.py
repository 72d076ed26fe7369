"""Files, bytes, jobs and hours of whole-slide cohorts times many models: the tables of ``docs/SCALING.md``.

    python -m benchmarks.scaling [--slides DIR]

Nothing is made but, with `--slides`, the features of the colour statistics of the slides in DIR, from which the sizes
below are measured; each slide must have its resolution in its metadata or be named like those in `MPP`. The rest is
arithmetic, and every line prints it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

COHORTS = {"TCGA": 11_000, "100,000 slides": 100_000, "1,000,000 slides": 1_000_000}
MODELS = 30
DIMS = (1024, 1536, 2560)
TILES = 104_000_000 / 10_678
"""Tiles of 256 px at 20x in a slide of TCGA: Chen et al. 2022 (HIPT, CVPR), 104 million of 10,678 slides."""
RATES = {
    "ViT-L (UNI), H200": 6_400.0,
    "ViT-H (Virchow2), H200": 2_320.0,
    "ViT-g (H-optimus), H200": 1_300.0,
    "ViT-L, 2 CPU cores": 4.8,
}
"""Tiles a second: of the H200 at its measured matrix rate, which no pass exceeds; of the CPU measured (bfloat16)."""
JOB_HOURS = 8.0
"""That a job shall take at most, for the number of shards."""
TOKENS, TOKEN_DIM = 256, 1024
HEADS, SEEDS = 5, 5
MPP = {"CMU-1-Small-Region": 0.499, "tcga-cr-7395-01a-01-ts1": 0.5}


@dataclass(frozen=True)
class Sizes:
    """Bytes of the files of one slide.

    Attributes
    ----------
    features, features_a_tile : int
        Of a feature file without its vectors: in all, and the coordinates of a tile.
    times : int
        A slide's line in the log of times, which has one file a process.
    grid, grid_a_tile : int
    tissue_a_tile : float
        The tissue of a slide, which grows with its area as its tiles do.
    preview : int
        A picture of the slide in the results folder, whose size is bounded.
    row : int
        A row of `benchmarks.many_rows`: 138 MiB / 45,000.
    """

    features: int = 11_376
    features_a_tile: int = 16
    times: int = 83
    grid: int = 8_192
    grid_a_tile: int = 20
    tissue_a_tile: float = 16.2
    preview: int = 542_000
    row: int = 3_200


def bytes_of(n: float) -> str:
    """A number of bytes as text, in powers of 1,000."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if n < 1000:
            return f"{n:.3g} {unit}"
        n /= 1000
    return f"{n:.3g} PB"


def lines(sizes: Sizes) -> Iterator[str]:
    """The tables as Markdown."""
    yield f"A slide has {TILES:,.0f} tiles (104 million / 10,678). Of each model and slide:"
    yield ""
    yield "| vector | one feature file | arithmetic |"
    yield "|---|---|---|"
    for dim in DIMS:
        arithmetic = f"{sizes.features:,} + {TILES:,.0f} x (2 x {dim} + {sizes.features_a_tile})"
        yield f"| {dim} float16 | {bytes_of(of_slide(sizes, dim))} | {arithmetic} |"
    yield ""
    yield (
        "| cohort | feature files | grids, tissue, previews | bytes at 1,024 | at 2,560 | grids and "
        "tissue | previews | tokens of one model |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for name, slides in COHORTS.items():
        narrow, wide = (bytes_of(slides * MODELS * of_slide(sizes, dim)) for dim in (DIMS[0], DIMS[-1]))
        tokens = bytes_of(slides * TILES * TOKENS * TOKEN_DIM * 2)
        small = slides * (sizes.grid + TILES * (sizes.grid_a_tile + sizes.tissue_a_tile))
        yield (
            f"| {name} | {slides * MODELS:,} | {slides * 3:,} | {narrow} | {wide} | {bytes_of(small)} | "
            f"{bytes_of(slides * sizes.preview)} | {tokens} |"
        )
    yield ""
    yield f"| cohort | tiles | {' | '.join(f'{name}: hours of a model' for name in RATES)} |"
    yield f"|---|---|{'---|' * len(RATES)}"
    for name, slides in COHORTS.items():
        tiles = slides * TILES
        yield f"| {name} | {tiles:.3g} | {' | '.join(f'{tiles / rate / 3600:,.0f}' for rate in RATES.values())} |"
    yield ""
    rate = RATES["ViT-H (Virchow2), H200"]
    yield f"| cohort | shards of a model, for jobs of {JOB_HOURS:.0f} h | jobs of {MODELS} models | GPU hours |"
    yield "|---|---|---|---|"
    for name, slides in COHORTS.items():
        hours = slides * TILES / rate / 3600
        shards = max(1, -(-int(hours * 3600) // int(JOB_HOURS * 3600)))
        yield f"| {name} | {shards} | {MODELS * ((shards if shards > 1 else 0) + 1):,} | {MODELS * hours:,.0f} |"
    yield ""
    rows = MODELS * HEADS * SEEDS
    yield (
        f"Rows of one task: {MODELS} models x {HEADS} heads x {SEEDS} seeds = {rows} rows and as many predictions, "
        f"{bytes_of(rows * sizes.row)} of rows; of 60 tasks {60 * rows:,} and {bytes_of(60 * rows * sizes.row)}."
    )


def of_slide(sizes: Sizes, dim: int) -> float:
    """Bytes of the feature file of a slide."""
    return sizes.features + TILES * (2 * dim + sizes.features_a_tile)


def measured(slides: Path) -> Sizes:
    """The sizes of the files that a run over real slides leaves."""
    import h5py

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = sorted(path for path in slides.iterdir() if path.suffix == ".svs")
        table = ["slide,label,split,mpp"]
        for number in range(8):  # two slides a class on each side are the fewest that a task takes
            source = found[number % len(found)]
            shutil.copy(source, folder / f"slide_{number}{source.suffix}")
            label, side = "ab"[number % 2], "train" if number < 4 else "test"
            table.append(f"slide_{number}{source.suffix},{label},{side},{MPP.get(source.stem, '')}")
        (folder / "manifest.csv").write_text("\n".join(table) + "\n")
        places = [f"data={folder / 'manifest.csv'}", f"cache={folder / 'cache'}", f"results={folder / 'results'}"]
        command = [sys.executable, "-m", "bench", "embed", "task=slides", "model=colour", "null=none", *places]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        files = sorted((folder / "cache" / "features").rglob("*.h5"))
        over, tiles = [], []
        for file in files:
            with h5py.File(file) as opened:
                vectors, coords = opened["features"], opened["coords"]
                over.append(file.stat().st_size - vectors.nbytes - coords.nbytes)
                tiles.append(len(vectors))
                per_tile = coords.shape[1] * coords.dtype.itemsize
        grids = [path.stat().st_size for path in sorted((folder / "cache" / "grids").rglob("*.h5"))]
        (few, small), (many, large) = min(zip(tiles, grids, strict=True)), max(zip(tiles, grids, strict=True))
        a_tile = round((large - small) / (many - few))
        tissue = [path.stat().st_size for path in sorted((folder / "cache" / "tissue").rglob("*.npz"))]
        times = [path.stat().st_size for path in (folder / "cache" / "features").rglob("times/*.jsonl")]
        pictures = [path.stat().st_size for path in (folder / "results" / "previews" / "slides").glob("*/*.jpg")]
        return Sizes(
            features=round(sum(over) / len(over)),
            features_a_tile=per_tile,
            times=round(sum(times) / len(files)),
            grid=small - few * a_tile,
            grid_a_tile=a_tile,
            tissue_a_tile=round(max(size / n for size, n in zip(tissue, tiles, strict=True)), 1),
            preview=round(sum(pictures) / len(pictures), -3),
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the sizes and the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--slides", type=Path, help="a folder of slides (.svs) to measure the sizes of files from")
    options = parser.parse_args(arguments)
    sizes = measured(options.slides) if options.slides else Sizes()
    print(sizes)
    print("\n".join(lines(sizes)))


if __name__ == "__main__":
    main()
