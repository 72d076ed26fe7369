"""What the tests of tasks share: a task as typed on the command line, and small images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image

from bench import tasks
from bench.tasks import Manifest, TaskConfig
from registry.errors import UserError

CONF = Path(__file__).resolve().parents[2] / "conf"


def composed(name: str, *overrides: str, conf: Path = CONF) -> TaskConfig:
    """The task as Hydra makes it of its YAML and of what a user types."""
    tasks.register()
    with initialize_config_dir(str(conf), version_base="1.3"):
        config = compose(overrides=[f"+task={name}", *overrides])
    return tasks.configured(OmegaConf.to_object(config)["tasks"][name])  # type: ignore[index, call-overload]


def tile(path: Path, seed: int = 0) -> Path:
    """Write an 8 px image; its suffix says the kind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def sentence(read: Callable[..., Manifest], name: str, data: Path | None, *overrides: str) -> str:
    """What is said of data that cannot be read: a whole sentence, or one that names where the data are to be had."""
    with pytest.raises(UserError) as error:
        read(name, data, *overrides)
    message = str(error.value)
    assert "\n" not in message
    assert message.endswith(".") or "://" in message
    return message
