"""What a user may set, typed and checked by Hydra before anything runs."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from bench.settings import PATH, PATHS, PATHS_BY_NAME, SETTINGS, TEXT, Range, check_data_file, of
from registry.errors import UserError

REPO_CONF = Path(__file__).resolve().parents[1] / "conf"  # a checkout
WHEEL_CONF = Path(__file__).resolve().parent / "conf"  # an installed wheel


class Null(Enum):
    """Which baselines are run beside the models: rows of the same heads on features without pretraining.

    Attributes
    ----------
    baselines
        ``colour`` (mean, deviation and histogram of each channel) and ``random_vit_s16`` (seeded random weights).
    same
        These two, and of each model its own random-init baseline ``NAME@random``: the same network with seeded random
        weights.
    own
        Of each model its own random-init baseline alone.
    none
        No baselines.
    """

    baselines = "baselines"
    same = "same"
    own = "own"
    none = "none"


class OnCorrupt(Enum):
    """What an unreadable tile does."""

    error = "error"
    skip = "skip"


class Preprocess(Enum):
    """Where tiles are resized and normalised; both give the authors' recipe."""

    device = "device"
    exact = "exact"


class Decode(Enum):
    """Where JPEG files of tiles are decoded; the pixels of a GPU's decoder differ by some grey levels."""

    cpu = "cpu"
    gpu = "gpu"


class Precision(Enum):
    """Number format of the network's products.

    Attributes
    ----------
    auto
        What the card advises on a GPU; on a CPU bfloat16 where the card advises a reduced precision and the processor
        has instructions for it, and float32 otherwise.
    float32
        Never shortened to TF32.
    bfloat16, float16
        By autocast; float16 on GPUs only.
    """

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


class WeightsChoice(Enum):
    """Published weights, or the same network with seeded random ones."""

    pretrained = "pretrained"
    random = "random"


class Step(Enum):
    """What a run does: plan alone, or any of the others, which plan first."""

    plan = "plan"
    embed = "embed"
    fit = "fit"
    report = "report"


class FurtherMetric(Enum):
    """Metrics of the rows on request (`bench.metrics.MetricSet.on_request`).

    Attributes
    ----------
    ece_5bins
        The expected calibration error over 5 equally wide bins, as THUNDER has it.
    mce_5bins, sce_5bins, ace_5bins, tace_5bins
        Its four other calibration errors (`bench.metrics.top_label_calibration`).
    """

    ece_5bins = "ece_5bins"
    mce_5bins = "mce_5bins"
    sce_5bins = "sce_5bins"
    ace_5bins = "ace_5bins"
    tace_5bins = "tace_5bins"


class PlotChoice(Enum):
    """Whose predictions are drawn in plots: those of the best models of each task and head, of all, or no plot."""

    best = "best"
    all = "all"
    none = "none"


class Projection(Enum):
    """Whether features of test samples are projected to two dimensions for a plot."""

    tsne = "tsne"
    none = "none"


@dataclass
class BenchConfig:
    """One run: every model on every task with every protocol and seed."""

    # what is run
    model: Any = "efficientnet_lite0"  # a name of `python -m registry`, timm:NAME, hf-hub:REPO, or a list of these
    tasks: dict[str, Any] = field(default_factory=dict, metadata={"kind": SETTINGS})  # filled by task=NAME
    # what tiles go through before the encoder: none, a corruption such as jpeg_3, a restorer, or a list of them
    frontend: Any = "none"
    frontends: dict[str, Any] = field(
        default_factory=dict, metadata={"kind": SETTINGS}
    )  # settings of restorers, by name
    protocols: dict[str, Any] = field(default_factory=dict, metadata={"kind": SETTINGS})  # filled by protocol=NAME
    seeds: list[int] = field(default_factory=lambda: [0])
    steps: list[Step] = field(default_factory=lambda: [Step.embed, Step.fit, Step.report])
    part: str | None = None  # K/N: embed only the K-th of N parts of the slides or shards, with steps=[embed]
    # of a sweep
    # jobs that embed one dataset, each a part of its slides or shards, before the job that fits the heads
    shards: int = of(Range(1, 100_000), 1)
    jobs_at_once: int | None = of(Range(1, 100_000), None)  # that run at a time; None is what the site says
    null: Null = Null.baselines
    # where things are
    data: str | None = of(PATH, None)  # the dataset's folder or manifest, or a folder that holds the datasets' folders
    # tokens: patch tokens are stored beside the vectors; vectors or None: vectors alone. Of model=precomputed it is the
    # folder of CLAM's or TRIDENT's feature files
    features: str | None = of(PATH, None)
    # folder of CLAM's or TRIDENT's coordinates of the slides, taken instead of a grid
    coords: str | None = of(PATH, None)
    results: str = of(PATH, "results")
    cache: str = of(PATH, "cache")
    # folder of the node's own disk that slides are copied to before their tiles are read, such as '$TMPDIR'; None reads
    # them where they are
    scratch: str | None = of(PATH, None)
    scratch_gib: float = 20.0  # that these copies take at most
    # weights
    checkpoint: str | None = of(PATH, None)  # of the one model
    checkpoints: dict[str, str] = field(default_factory=dict, metadata={"kind": PATHS_BY_NAME})  # of several, by name
    weights: WeightsChoice = WeightsChoice.pretrained
    weights_dir: str | None = of(PATH, None)
    options: dict[str, Any] = field(
        default_factory=dict, metadata={"kind": SETTINGS}
    )  # named options of the model's card
    plugins: list[str] = field(default_factory=list, metadata={"kind": PATHS})  # Python files with cards
    revision: str | None = of(TEXT, None)
    offline: bool = False
    trust_remote_code: bool = False
    # how tiles become features
    device: Any = None  # cuda, cuda:1, mps, cpu; a list of several or `all` GPUs; None takes one where there is one
    precision: Precision = Precision.auto
    compile: bool = False  # the networks with torch.compile: other last bits, and a minute or so before the first tile
    preprocess: Preprocess = Preprocess.device
    # tiles a forward pass; None finds each model's own on a GPU, 32 on a CPU
    batch_size: int | None = of(Range(1, 1_000_000), None)
    workers: int | None = of(Range(1, 4096), None)  # decoding threads; None is one a core
    memory_gib: float | None = None  # for the weights of the models of one pass; None is what the device has free
    shard_tiles: int = of(Range(1, 2**40), 16384)  # tiles a feature file: what a killed run loses at most
    decode: Decode = Decode.cpu  # of JPEG files: gpu takes nvJPEG, and such features have a key of their own
    pack: bool = (
        False  # pack the image files of a tile dataset in one of the cache, for repeated runs over slow storage
    )
    on_corrupt: OnCorrupt = OnCorrupt.error
    max_tile_px: int = of(
        Range(1, 2**40), 64_000_000
    )  # pixels of one tile; larger ones, 8,000 px a side, count as unreadable
    # how scores are reported
    bootstrap: int = of(Range(20, 1_000_000), 1000)  # resamples of a row's intervals; means and differences have 1,000
    further_metrics: list[FurtherMetric] = field(default_factory=list)  # of the rows and CSV tables: ece_5bins, ...
    plots: PlotChoice = PlotChoice.best  # confusion matrices and the like: of the best models, of all, or no plot
    projection: Projection = Projection.tsne  # a map of each model's features, not of baselines; none makes none
    all: bool = False  # print all rows of the results folder in full: every column, model, note and head
    margin: float = 0.02  # of equivalence: from which difference of a metric on two models are not alike


def register() -> None:
    """Make the schema known to Hydra under the name that conf/bench.yaml starts from, and have YAML files checked."""
    ConfigStore.instance().store(name="schema", node=BenchConfig)
    _check_data_files()


def _check_data_files() -> None:
    """Have Hydra check each YAML file of a task, protocol or suite that it reads, before it acts on one."""
    from hydra._internal.config_repository import ConfigRepository

    if hasattr(ConfigRepository.load_config, "__wrapped__"):
        return
    load = ConfigRepository.load_config

    @functools.wraps(load)
    def load_and_check(repository: Any, config_path: str) -> Any:
        try:
            found = load(repository, config_path)
        except ValueError as error:  # UnicodeDecodeError among them
            reason = " ".join(str(error).split()).rstrip(".")
            raise UserError(f"The YAML file of {config_path} cannot be read: {reason}.") from error
        if found is not None and not found.is_schema_source:
            content = OmegaConf.to_container(found.config, resolve=False) if OmegaConf.is_config(found.config) else None
            defaults = [
                (getattr(one, "group", None) or getattr(one, "path", "").rpartition("/")[0] or None, one.package)
                for one in found.defaults_list or ()
                if not one.is_self()
            ]
            check_data_file(config_path, found.header.get("package"), content, defaults)
        return found

    ConfigRepository.load_config = load_and_check  # type: ignore[assignment,method-assign]


@contextlib.contextmanager
def mode_known(arguments: Sequence[str]) -> Iterator[None]:
    """Spare Hydra the composition by which it finds out whether a command is one run or several, while the block lasts.

    Hydra composes all settings for ``hydra.mode`` alone, and then once more for the run. The mode can be set by what
    names Hydra, a site, a file other than ``bench.yaml`` or a group of the user's own; by nothing else, as files of
    tasks, protocols and suites cannot (`bench.settings.check_data_file`). Where the command line has nothing of the
    former, it is one run. Hydra has no public setting for this: its method is replaced.

    Parameters
    ----------
    arguments : sequence of str
        Of the command line, in Hydra's grammar.
    """
    from hydra._internal.hydra import Hydra

    if not is_one_run(arguments) or not hasattr(Hydra, "get_mode"):
        yield
        return
    get_mode = Hydra.get_mode
    Hydra.get_mode = lambda *_, **__: None  # type: ignore[method-assign]  # which is what bench.yaml says
    try:
        yield
    finally:
        Hydra.get_mode = get_mode  # type: ignore[method-assign]


def is_one_run(arguments: Sequence[str]) -> bool:
    """Whether each argument is a setting or a group of data files, or names a folder of such files."""
    known = {one.name for one in fields(BenchConfig)} | {"task", "protocol", "suite"}
    settings = [one for one in arguments if not one.startswith("--config-dir=")]
    return all(re.split("[=.]", one.lstrip("+~"), maxsplit=1)[0] in known for one in settings)


def conf_folder() -> Path:
    """Folder of the YAML files."""
    return REPO_CONF if REPO_CONF.is_dir() else WHEEL_CONF
