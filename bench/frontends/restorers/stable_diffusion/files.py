"""The files of LPFM's second stage and of its virtual staining: where they are looked for, and what they hash to."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from bench.frontends.base import WeightSources
from registry.errors import UserError

from .prompts import VOCABULARY

PAGE = "https://github.com/ziniBRC/LPFM"
_STABLE_DIFFUSION = ("v2-1_512-ema-pruned.ckpt", "v2-1_512-ema-pruned.safetensors")
# of each restorer, by role: the names under which the authors publish the file, the first for sentences
NAMES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "lpfm2": {
        "stage1": ("lpfm_restore_stage1.pth",),
        "stage2": ("lpfm_restore_stage2.pt",),
        "stable_diffusion": _STABLE_DIFFUSION,
    },
    "virtual_stain": {
        "stage1": ("stage1_vs.pth", "stage1_vs.pt"),
        "stage2": ("stage2_vs.pt", "stage2_vs.pth"),
        "stable_diffusion": _STABLE_DIFFUSION,
    },
}


def locate(restorer: str, weights: WeightSources) -> dict[str, Path]:
    """The three files of a restorer, by role.

    They are looked for in the folder that is its checkpoint (or the folder of the file that is), in the folder of its
    name in `weights_dir`, and in `weights_dir` itself. The first stage of ``lpfm2`` is also found where the restorer
    ``lpfm`` has it.

    Raises
    ------
    UserError
        If one is in none of these.
    """
    folders = list(_folders(restorer, weights))
    found: dict[str, Path] = {}
    for role, names in NAMES[restorer].items():
        places = [folder / name for folder in folders for name in names]
        if restorer == "lpfm2" and role == "stage1":
            places += _of_lpfm(weights)
        path = next((place for place in places if place.is_file()), None)
        if path is not None:
            found[role] = path
    lacking = [names[0] for role, names in NAMES[restorer].items() if role not in found]
    if lacking:
        looked = f" (looked in {', '.join(map(str, folders))})" if folders else ""
        raise UserError(
            f"{restorer} lacks {' and '.join(lacking)}{looked}: put "
            f"{', '.join(names[0] for names in NAMES[restorer].values())}, which {PAGE} links to, into one folder and "
            f"give it as checkpoints.{restorer}=FOLDER."
        )
    return found


def vocabulary(restorer: str, weights: WeightSources) -> Path:
    """OpenAI's list of byte pairs: beside the checkpoints, or in an installed OpenCLIP.

    Raises
    ------
    UserError
        If it is in neither.
    """
    places = [folder / VOCABULARY for folder in _folders(restorer, weights)]
    package = importlib.util.find_spec("open_clip")
    places += [Path(folder) / VOCABULARY for folder in (package.submodule_search_locations or [])] if package else []
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise UserError(
            f"the prompt of {restorer} needs the vocabulary {VOCABULARY}: `pip install open_clip_torch`, which brings "
            "it, or put it beside the checkpoints; an empty prompt needs none."
        )
    return path


def digest(path: Path) -> str:
    """The sha256, computed once while the file's size and time of change stay as they are."""
    about = path.stat()
    return _digest(path, about.st_size, about.st_mtime_ns)


@lru_cache
def _digest(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folders(restorer: str, weights: WeightSources) -> Iterator[Path]:
    own = weights.checkpoints.get(restorer)
    if own is not None:
        path = Path(own).expanduser()
        if not path.exists():
            raise UserError(f"there is no {path}, which checkpoints.{restorer} names; give the folder of its files.")
        yield path if path.is_dir() else path.parent
    if weights.weights_dir is not None:
        folder = Path(weights.weights_dir).expanduser()
        yield from (folder / restorer, folder)


def _of_lpfm(weights: WeightSources) -> list[Path]:
    (published,) = NAMES["lpfm2"]["stage1"]
    places = []
    own = weights.checkpoints.get("lpfm")
    if own is not None:
        places += [Path(own).expanduser(), Path(own).expanduser() / published]
    if weights.weights_dir is not None:
        folder = Path(weights.weights_dir).expanduser()
        places += [folder / f"lpfm{suffix}" for suffix in (".safetensors", ".pth", ".pt")]
        places.append(folder / "lpfm" / published)
    return places
