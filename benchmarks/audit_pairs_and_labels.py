"""How often an audit finds near-duplicates and mixed-up labels: planted ones, and some where there are none.

    python -m benchmarks.audit_pairs_and_labels              # tiles of the built-in synthetic cohort
    python -m benchmarks.audit_pairs_and_labels --data DIR   # DIR/{train,test}/{class}/*: the real tiles of a dataset

Each cohort draws other patients for its two sides. Then one tile of the test side is written into the training side,
mirrored, scaled down by a tenth and back, and compressed again at JPEG quality 70. Labels: one in twenty of the test
side is exchanged, and two heads on the features of the random network predict them.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from bench.audit import AuditedTask, Predicted, RowsOfModel, duplicates, labels
from bench.demo import make_tiles
from bench.protocols import Samples, configured

NETWORK = "mobilenetv3_small_050"
HEADS: dict[str, dict[str, Any]] = {"linear": {"kind": "linear", "n_strengths": 9}, "knn": {"kind": "knn"}}
MIXED_UP = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=20)
    parser.add_argument("--patients", type=int, default=60)
    parser.add_argument("--data", type=Path, help="folder of real tiles")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = (
            options.data or make_tiles(Path(folder) / "phantom", patients=options.patients, tiles_per_patient=6).parent
        )
        files = sorted(one for one in data.rglob("*") if one.suffix in (".jpg", ".png", ".tif"))
        tiles = [np.asarray(Image.open(one).convert("RGB")) for one in files]
        _print(files, tiles, options.cohorts)


def _print(files: Sequence[Path], tiles: list[np.ndarray], cohorts: int) -> None:
    network = _network()
    features = np.stack([network(tile) for tile in tiles])
    named_class = [one.parent.name if one.parent.name.isdigit() else one.stem.rpartition("_")[2] for one in files]
    classes, label = np.unique(named_class, return_inverse=True)
    patient = np.array([one.stem.partition("_")[0] for one in files])
    counts = {name: np.zeros(2, int) for name in ("tiles", "features")}
    right, named, mixed, started = 0, 0, 0, time.process_time()
    for seed in range(cohorts):
        rng = np.random.default_rng(seed)
        tested = np.isin(patient, rng.permutation(np.unique(patient))[: len(np.unique(patient)) // 2])
        side = np.where(tested, "test", "train")
        task = _task(files, tiles, features, label, patient, side, classes)
        for one in duplicates.findings(task):
            counts[one.subject][0] += one.is_alarm
        source, place = rng.choice(np.flatnonzero(tested)), rng.choice(np.flatnonzero(~tested))
        copies = list(tiles)
        copies[place] = _copied(tiles[source])
        seen = features.copy()
        seen[place] = network(copies[place])
        planted = _task(files, copies, seen, label, patient, side, classes)
        for one in duplicates.findings(planted):
            ids = [str(files[source]), str(files[place])]
            pairs = [[one.numbers.get(f"{of} {k}") for of in ("test sample", "near-duplicate")] for k in range(1, 6)]
            counts[one.subject][1] += ids in pairs
        flipped = rng.choice(np.flatnonzero(tested), max(1, int(MIXED_UP * tested.sum())), replace=False)
        wrong = label.copy()
        wrong[flipped] = (label[flipped] + rng.integers(1, len(classes), len(flipped))) % len(classes)
        task = _task(files, tiles, features, wrong, patient, side, classes)
        suspects = _suspects(task)
        right += len(suspects & set(flipped.tolist()))
        named, mixed = named + len(suspects), mixed + len(flipped)
    print("near-duplicates by, cohorts, false alarms, planted one found")
    for name, (false, found) in counts.items():
        print(f"{name}, {cohorts}, {false}, {found}")
    print("labels mixed up, found, named in all, of test tiles")
    print(f"{mixed}, {right}, {named}, {cohorts * len(files) // 2}")
    print(f"{(time.process_time() - started) / cohorts:.1f} s of processor time a cohort of {len(files)} tiles")


def _suspects(task: AuditedTask) -> set[int]:
    """Places of the samples whose labels both heads contradict."""
    models = [RowsOfModel(head, "linear", task.fit(head, task.nulls["random network"][0], 0)) for head in task.heads]
    first = models[0].predicted.ordered()
    of = [labels.suspect_class(one.predicted.ordered().scores, first.y_true) for one in models]
    agreed = (of[0] >= 0) & (of[0] == of[1])
    place = {name: number for number, name in enumerate(task.ids.tolist())}
    return {place[name] for name in first.ids[agreed].tolist()}


def _task(
    files: Sequence[Path],
    tiles: list[np.ndarray],
    features: np.ndarray,
    label: np.ndarray,
    patient: np.ndarray,
    side: np.ndarray,
    classes: Sequence[str],
) -> AuditedTask:
    ids = np.array([str(one) for one in files])
    samples = Samples(ids, patient, np.zeros((len(ids), 0), np.float32), label, tuple(classes))

    def fit(head: str, x: Any, seed: int) -> Predicted:
        own = dataclasses.replace(samples, features=np.asarray(x, np.float32))
        found = configured(HEADS[head]).fit_predict(own.take(side == "train"), None, own.take(side == "test"), seed)
        return Predicted(found.ids, found.groups, found.y_true, found.scores)

    return AuditedTask(
        name="made_up",
        cohort="0" * 8,
        kind="classes",
        metric="balanced_accuracy",
        classes=tuple(classes),
        unit="tile",
        ids=ids,
        groups=patient,
        paths=ids,
        index=np.full(len(ids), -1),
        labels=label,
        sides=(side,),
        fit=fit,
        heads=tuple(HEADS),
        nulls={"random network": [features]},
        tiles=lambda rows: [tiles[row] for row in rows],
    )


def _copied(tile: np.ndarray) -> np.ndarray:
    image = Image.fromarray(tile[:, ::-1])
    height, width = tile.shape[:2]
    written = io.BytesIO()
    image.resize((int(width * 0.9), int(height * 0.9))).resize((width, height)).save(written, "JPEG", quality=70)
    return np.asarray(Image.open(written))


def _network() -> Any:
    """What makes the features of a tile: a network with random weights."""
    import timm  # after `registry`, which mends a torchvision of another build

    torch.manual_seed(0)
    network = timm.create_model(NETWORK, pretrained=False, num_classes=0).eval()

    @torch.inference_mode()
    def of(tile: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(np.array(tile)).permute(2, 0, 1)[None].float() / 255
        return np.asarray(network(torch.nn.functional.interpolate(x, size=(96, 96), mode="area"))[0].numpy())

    return of


if __name__ == "__main__":
    main()
