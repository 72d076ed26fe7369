"""What the tests of the command on slides share: the command, what it leaves, and further slides."""

import pandas as pd
import tifffile
from command_helpers import bench

SLIDES = 13  # of twelve patients, one of whom has two
FEW_STRENGTHS = {"linear": "protocols.linear.n_strengths=9", "pooled": "+protocols.pooled.settings.n_strengths=9"}


def on_slides(folder, data, *arguments, **kwargs):
    """The command on slides, whose logistic regressions try nine strengths."""
    heads = next((argument for argument in reversed(arguments) if argument.startswith("protocol=")), "")
    few = [setting for head, setting in FEW_STRENGTHS.items() if head in heads]
    return bench(folder, "task=slides", f"data={data}", "null=none", "bootstrap=50", *few, *arguments, **kwargs)


def features(folder, model, cache="cache"):
    return {p.stem: p for p in sorted((folder / cache / "features" / model).glob("*/*.h5"))}


def write_slide(path, pixels, mpp=0.5):
    resolution = {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": "CENTIMETER"} if mpp else {}
    kind = {"photometric": "rgb", "compression": "jpeg", "compressionargs": {"level": 90}, "metadata": None}
    tifffile.imwrite(path, pixels, tile=(256, 256), **kind, **resolution)
    return str(path)


def with_slide(table, slide, folder, **cells):
    """The manifest with another slide of its own patient, in training."""
    row = {"slide": str(slide), "label": "normal", "patient": "extra", "split": "train", **cells}
    frame = pd.concat([table[["slide", "label", "patient", "split"]], pd.DataFrame([row])])
    frame.to_csv(folder / "cohort.csv", index=False)
    return folder / "cohort.csv"
