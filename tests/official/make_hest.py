"""Run HEST-bench's own regression and write what it predicts to hest.npz.

    python tests/official/make_hest.py --official CHECKOUT

CHECKOUT is one of github.com/mahmoodlab/HEST. Its benchmark runs from features that are embedded already; the modules
that it imports for slides and networks, and that are not installed, are empty here, and log-counts come from memory.
The case of XGBoost needs that package.
"""

from __future__ import annotations

import importlib.util
import json
import pickle
import sys
import tempfile
from argparse import Namespace
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import h5py
import numpy as np
import official_helpers
import pandas as pd
from hest_inputs import CASES, Spots, sides

COMMIT = "afd42c3"  # of the checkout that made the file
EMPTY = (
    *("hestcore", "hestcore.segmentation", "hestcore.datasets", "loguru", "huggingface_hub", "yaml", "tqdm"),
    *("hest", "hest.bench", "hest.bench.utils", "hest.bench.cpath_model_zoo"),
    *("hest.bench.cpath_model_zoo.inference_models", "hest.bench.st_dataset"),
)


def load(name: str, path: Path) -> ModuleType:
    """The module of a file, under the name by which others import it."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def official(checkout: Path) -> Any:
    """Their module of the benchmark."""
    for name in EMPTY:
        sys.modules[name] = MagicMock()
    sys.modules["tqdm"].tqdm = lambda iterable: iterable  # type: ignore[attr-defined]
    bench = checkout / "src/hest/bench"
    for name in ("trainer", "utils.file_utils", "utils.utils"):
        load(f"hest.bench.{name}", bench / f"{name.replace('.', '/')}.py")
    return load("hest.bench.benchmark", bench / "benchmark.py")


def predicted(benchmark: Any, case: str, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Their predictions of the test spots, and Pearson's correlation of each gene."""
    counts: dict[str, pd.DataFrame] = {}
    genes = [f"gene{i}" for i in range(CASES[case]["shape"][3])]
    (folder / "genes.json").write_text(json.dumps({"genes": genes}))
    embedded = folder / "embedded/TASK/MODEL"
    embedded.mkdir(parents=True)

    def write(side: str, spots: Spots) -> None:
        with h5py.File(embedded / f"{side}.h5", "w") as file:
            file["embeddings"] = spots.features
            file["barcodes"] = np.array([[f"{i}".encode()] for i in range(len(spots.features))])
        counts[str(folder / f"{side}.h5ad")] = pd.DataFrame(spots.genes, columns=genes)
        (folder / f"{side}.h5").touch()
        line = {"sample_id": side, "patches_path": f"{side}.h5", "expr_path": f"{side}.h5ad"}
        pd.DataFrame([line]).to_csv(folder / f"{side}.csv", index=False)

    for side, spots in zip(("train", "test"), sides(case), strict=True):
        write(side, spots)
    benchmark.load_adata = lambda path, **how: counts[path]
    settings = benchmark.asdict(benchmark.BenchmarkConfig()) | {
        "embed_dataroot": str(folder / "embedded"),
        "gene_list": "genes.json",
        "dimreduce": CASES[case]["dimreduce"],
        "method": CASES[case]["method"],
    }
    benchmark.get_path = lambda path: path
    benchmark.get_bench_weights = lambda root, name: None
    results = benchmark.predict_single_split(
        *(str(folder / f"{side}.csv") for side in ("train", "test")),
        Namespace(**settings),
        str(folder),
        "TASK",
        "MODEL",
        "cpu",
        str(folder),
        None,
        False,
    )
    with open(folder / "inference_dump.pkl", "rb") as file:  # what the lines above have written
        values = pickle.load(file)["preds_all"]
    return np.asarray(values), np.array([gene["pearson_corr"] for gene in results["pearson_corrs"]])


def main() -> None:
    args = official_helpers.arguments("Run HEST-bench's own regression and write what it predicts to hest.npz.")
    import sklearn
    import xgboost

    benchmark = official(args.official)
    found: dict[str, np.ndarray] = {}
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            values, found[f"{case}_pearson"] = predicted(benchmark, case, Path(folder))
            found[f"{case}_values"] = values
    version = f"mahmoodlab/HEST {COMMIT}, scikit-learn {sklearn.__version__}, xgboost {xgboost.__version__}"
    official_helpers.write(args.to, "hest", version, found)


if __name__ == "__main__":
    main()
