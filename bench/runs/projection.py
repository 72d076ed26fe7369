"""Features of test samples in two dimensions, written beside the rows so that plots need neither features nor torch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float

from bench.files import atomic_write, digest
from bench.plots import projection_path
from bench.protocols import Bags, Samples
from bench.tasks import Manifest

MOST_SAMPLES = 500
FEWEST_SAMPLES = 8
COMPONENTS = 50
"""Principal components that t-SNE takes: the usual number (van der Maaten & Hinton 2008, J. Mach. Learn. Res. 9)."""
PERPLEXITY = 30.0
ITERATIONS = 500
"""After 500, maps of 500 samples do not change any more to the eye."""
SEED = 0


def write_projection(
    results: Path, manifest: Manifest, model: str, frontend: str, features: str, samples: Callable[[], Samples | Bags]
) -> Path | None:
    """Project the test samples of a model's features, unless the file of the same features is there.

    Parameters
    ----------
    features : str
        Digest of the key of the features.
    samples : callable
        Gives all samples, as vectors or as bags, whose means are taken.

    Returns
    -------
    Path or None
        The Parquet file with the columns id, label, centre, x and y; None for fewer than `FEWEST_SAMPLES` samples.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = projection_path(results, manifest.task.name, manifest.cohort_hash, model, frontend)
    wanted = digest([features, manifest.cohort_hash, MOST_SAMPLES, COMPONENTS, PERPLEXITY, ITERATIONS, SEED])
    if _inputs(path) == wanted:
        return path
    every = samples()
    rows = chosen(every.ids, tested(manifest))
    if len(rows) < FEWEST_SAMPLES:
        return None
    own = every.take(rows)
    vectors = own.pooled() if isinstance(own, Bags) else own
    at = projected(np.asarray(vectors.features, np.float32))
    label = dict(zip(manifest.frame["id"], manifest.answers, strict=True)) if manifest.target.has_classes else {}
    columns = {
        "id": vectors.ids.astype(str),
        "label": np.array([label.get(name, "") for name in vectors.ids], str),
        "centre": vectors.acquisition.get("centre", np.full(len(rows), "")).astype(str),
    }
    table = pa.table({name: pa.array(values.tolist(), pa.string()) for name, values in columns.items()})
    for name, values in zip("xy", at.T, strict=True):
        table = table.append_column(name, pa.array(values, pa.float32()))
    with atomic_write(path) as temporary:
        pq.write_table(table.replace_schema_metadata({b"inputs": wanted.encode()}), temporary)
    return path


def tested(manifest: Manifest) -> set[str]:
    """The ids of all samples that some fold tests."""
    is_test = np.any([manifest.split_labels_of(fold) == "test" for fold in manifest.folds], axis=0)
    return set(manifest.frame["id"].to_numpy(str)[is_test].tolist())


def chosen(ids: np.ndarray, among: set[str]) -> np.ndarray:
    """The rows of at most `MOST_SAMPLES` of these ids, drawn by the digests of their names, in their order."""
    rows = [row for row, name in enumerate(ids.tolist()) if name in among]
    drawn = sorted(rows, key=lambda row: hashlib.sha256(f"{SEED} {ids[row]}".encode()).digest())[:MOST_SAMPLES]
    return np.array(sorted(drawn), np.int64)


def projected(features: Float[np.ndarray, "sample feature"]) -> Float[np.ndarray, "sample 2"]:
    """t-SNE of the principal components, from the first two on, with a fixed seed; features that are alike stay so."""
    from sklearn.manifold import TSNE

    centred = np.nan_to_num(features.astype(np.float64))
    centred -= centred.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    components = (u * s)[:, : min(COMPONENTS, len(s))]
    scale = components[:, 0].std()
    if not scale > 0:
        return np.zeros((len(features), 2), np.float32)
    start = np.zeros((len(features), 2))
    start[:, : min(2, components.shape[1])] = components[:, :2] / scale * 1e-4
    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    tsne = TSNE(
        2, perplexity=perplexity, init=start, max_iter=ITERATIONS, random_state=SEED, learning_rate="auto", n_jobs=1
    )
    return np.asarray(tsne.fit_transform(components), np.float32)


def _inputs(path: Path) -> str:
    """Digest of what the projection that is there follows from; "" without one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(path).metadata or {}
        return metadata.get(b"inputs", b"").decode()
    except (OSError, ValueError, pa.ArrowException):
        return ""
