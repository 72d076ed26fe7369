"""Two small tasks on tiles of the built-in cohort, as YAML files of a folder of configurations."""

import pytest
import tiny_models

from bench.demo import make_tiles


@pytest.fixture(scope="session")
def tasks(tmp_path_factory):
    """The folder of configurations with the tasks `one` and `two`."""
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "task").mkdir()
    for seed, name in enumerate(("one", "two")):
        manifest = make_tiles(folder / name, seed=seed, patients=8, tiles_per_patient=6)
        text = f"# @package tasks.{name}\ndefaults: [tiles@_here_, _self_]\nname: {name}\ndata: {manifest}\n"
        (folder / "task" / f"{name}.yaml").write_text(text)
    return folder


@pytest.fixture(scope="session")
def common(tasks):
    """What every sweep of these tests says."""
    return (
        f"--config-dir={tasks}",
        f"plugins=[{tiny_models.PATH}]",
        "protocol=[knn]",
        "bootstrap=20",
        "batch_size=16",
        "shard_tiles=8",
        "workers=1",
        "device=cpu",
        "offline=true",
        "plots=none",
        "projection=none",
    )
