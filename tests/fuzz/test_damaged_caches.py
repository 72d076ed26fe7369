"""Files of the cache and of the results that are damaged: what a run then gives is what it gave before, or a sentence.

Each case damages one file of a finished run and runs again. Whatever happened to a file of the cache, the run succeeds
with the predictions of the sound cache, and the file is as it was; of a damaged result a row is made again, or is named
and left out of the tables.
"""

import random
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import damage
import pandas as pd
import pyarrow.parquet as pq
import pytest

from bench import api
from bench.demo import make_tiles
from bench.report import write_tables
from bench.results import read_leaderboard
from registry.errors import UserError

PLUGIN = str(Path(__file__).resolve().parents[1] / "runs" / "stand_in_models.py")
COMMON = {"null": "none", "bootstrap": 50, "plugins": [PLUGIN], "device": "cpu", "shard_tiles": 12}
FAULT = "fault of the harness"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, phantom_slides: Path) -> Callable[[Path], None]:
    """Runs three encoders on tiles and on slides in the folder that it is called with."""
    folder = tmp_path_factory.mktemp("data")
    tiles = make_tiles(folder / "tiles", patients=8, tiles_per_patient=6)
    frame = pd.read_csv(phantom_slides)
    frame["slide"] = [str(phantom_slides.parent / slide) for slide in frame.slide]
    frame.groupby(["split", "label"]).head(1).to_csv(folder / "few.csv", index=False)

    def both(at: Path) -> None:
        common = {**COMMON, "cache": at / "cache", "results": at / "results"}
        api.evaluate("token_means", "tiles", {"knn": {}}, data=tiles, features="tokens", **common)
        of_slides = {"slides": {"min_groups": 1}}
        api.evaluate(["means", "slide_means"], of_slides, {"knn": {}}, data=folder / "few.csv", **common)

    return both


@pytest.fixture(scope="module")
def finished(run: Callable[[Path], None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("finished")
    run(at)
    return at


def predictions(at: Path) -> dict[str, pd.DataFrame]:
    found = sorted((at / "results" / "predictions").rglob("*.parquet"))
    return {path.relative_to(at).as_posix(): pq.read_table(path).to_pandas() for path in found}


def tables(at: Path) -> dict[str, str]:
    """The CSV tables that a report makes of the results, without speeds; what it leaves out is a warning."""
    data = read_leaderboard(at / "results", warn=warnings.warn)
    write_tables(at / "results", data, 0.02)
    found = {path.name: pd.read_csv(path, dtype=str) for path in sorted((at / "results").glob("*.csv"))}
    return {name: frame.drop(columns="tiles_per_s", errors="ignore").to_csv() for name, frame in found.items()}


def outcome(work: Callable[[], object], right: Callable[[], bool]) -> str:
    """How a run on damaged files ended: "same", "refused", "fault" or "wrong"."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            work()
    except UserError as error:
        return f"fault: {error}" if FAULT in str(error) else f"refused: {error}"
    except Exception as error:  # a traceback
        return f"fault: {type(error).__name__}: {error}"
    sentences = [str(one.message) for one in caught]
    if any(FAULT in sentence for sentence in sentences):
        return f"fault: {sentences}"
    try:
        if right():
            return "same"
    except Exception as error:  # a file that nobody can read is taken for complete
        return f"stays damaged: {type(error).__name__}: {error}"
    return f"refused: {sentences}" if sentences else "wrong"


FILES = {  # kind of file: its pattern, and what may happen to it
    "tile_features": ("cache/features/token_means/*/*-*[0-9].h5", {**damage.ANY, **damage.HDF5}),
    "tokens": ("cache/features/token_means/*/*.tokens.h5", {**damage.ANY, **damage.HDF5}),
    "slide_features": ("cache/features/means/*/*.h5", {**damage.ANY, **damage.HDF5}),
    "slide_vectors": ("cache/features/slide_means/*/*.h5", {**damage.ANY, **damage.HDF5}),
    "grids": ("cache/grids/slides/*/*.h5", {**damage.ANY, **damage.HDF5}),
    "tissue": ("cache/tissue/slides/*.npz", damage.ANY),
    "times": ("cache/features/*/*/times/*.jsonl", {**damage.ANY, **damage.LOG}),
    "verified": ("cache/features/*/*/verified.json", damage.ANY),
}
FLIPS = {"flip_at_the_front": 5, "flip_anywhere": 5, "flip_at_the_end": 3}


def cases(kinds: dict[str, damage.Damage]) -> Iterator[tuple[str, int]]:
    """Each kind of damage once, and flipped bits at several places."""
    for name in kinds:
        yield from ((name, seed) for seed in range(FLIPS.get(name, 1)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", FILES)
def test_a_damaged_file_of_the_cache_is_made_again(
    kind: str, finished: Path, run: Callable[[Path], None], tmp_path: Path
) -> None:
    pattern, kinds = FILES[kind]
    expected = predictions(finished)
    found: dict[tuple[str, int], str] = {}
    for case in cases(kinds):
        at = tmp_path / "{}-{}".format(*case)
        shutil.copytree(finished, at, copy_function=shutil.copy2)
        rng = random.Random(f"{kind} {case}")
        files = sorted(at.glob(pattern))
        path = rng.choice(files)
        before = {one: one.read_bytes() for one in at.glob("cache/features/*/*/*.h5")}
        kinds[case[0]](path, files, rng)
        for part in ("rows", "predictions"):  # so that the heads read the features
            shutil.rmtree(at / "results" / part)
        if kind == "tissue":
            shutil.rmtree(at / "cache" / "grids")

        def right(at: Path = at) -> bool:
            got = predictions(at)
            return got.keys() == expected.keys() and all(got[name].equals(expected[name]) for name in expected)

        ended = outcome(lambda at=at: run(at), right)
        if ended == "same" and any(one.read_bytes() != data for one, data in before.items()):
            ended = "stays damaged"
        found[case] = ended
        shutil.rmtree(at)
    assert not {case: ended for case, ended in found.items() if ended != "same"}, summary(found)


RESULTS = {
    "predictions": ("results/predictions/**/*.parquet", {**damage.ANY, **damage.PARQUET}),
    "rows": ("results/rows/**/*.json", damage.ANY),
}


@pytest.mark.slow
@pytest.mark.parametrize("again", [True, False], ids=["run_again", "tables_alone"])
@pytest.mark.parametrize("kind", RESULTS)
def test_a_damaged_result_is_made_again_or_named(
    kind: str, again: bool, finished: Path, run: Callable[[Path], None], tmp_path: Path
) -> None:
    pattern, kinds = RESULTS[kind]
    expected, of_sound = predictions(finished), tables(finished)
    found: dict[tuple[str, int], str] = {}
    for case in cases(kinds):
        at = tmp_path / "{}-{}".format(*case)
        shutil.copytree(finished / "results", at / "results", copy_function=shutil.copy2)
        rng = random.Random(f"{kind} {case}")
        files = sorted(at.glob(pattern))
        kinds[case[0]](rng.choice(files), files, rng)
        made: dict[str, str] = {}

        def work(at: Path = at, made: dict[str, str] = made) -> None:
            if again:
                shutil.copytree(finished / "cache", at / "cache", copy_function=shutil.copy2)
                run(at)
            made.update(tables(at))

        def right(at: Path = at, made: dict[str, str] = made) -> bool:
            got = predictions(at) if again else expected
            return made == of_sound and all(got[name].equals(expected[name]) for name in expected)

        found[case] = outcome(work, right)
        shutil.rmtree(at)
    good = ("same",) if again else ("same", "refused")
    assert not {case: ended for case, ended in found.items() if not ended.startswith(good)}, summary(found)


def summary(found: dict[tuple[str, int], str]) -> str:
    counts = Counter(ended.partition(":")[0] for ended in found.values())
    wrong = "\n".join(f"{name} {seed}: {ended[:300]}" for (name, seed), ended in found.items() if ended != "same")
    return f"{dict(counts)} of {len(found)}\n{wrong}"
