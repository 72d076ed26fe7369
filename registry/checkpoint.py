"""One weight file: what it holds, read without running anything in it, and put into a network strictly."""

from __future__ import annotations

import argparse
import errno
import functools
import hashlib
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core import multiarray
from torch import Tensor, nn

from .errors import UserError

_LFS = b"version https://git-lfs"

# Beside tensors the training dumps of DINO and its kin hold their arguments and numbers; these types only hold data.
SAFE_GLOBALS: list[Any] = [
    argparse.Namespace,
    np.dtype,
    np.ndarray,
    *(
        (getattr(multiarray, function), f"numpy.{home}.multiarray.{function}")
        for function in ("scalar", "_reconstruct")
        for home in ("core", "_core")
    ),
    *{type(np.dtype(kind)) for kind in (bool, *"bBhHiIlLqQefd")},
]


def sha256(path: Path) -> str:
    """Of the bytes of a file, which are read once a process as long as the file stays as it is."""
    found = path.stat()
    return _sha256(path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


@functools.cache
def _sha256(path: Path, *state: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(path: Path) -> Mapping[str, Any]:
    """What the file holds, tensors on the CPU. Refuses everything that is not plain data.

    Raises
    ------
    UserError
        If the file is no weight file (empty, a Git LFS pointer, a web page), is cut off, or wants to run code.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as problem:
        raise UserError(f"the weight file {path} cannot be read: {problem.strerror}") from problem
    _refuse_impostor(path, head)
    content = _read_safetensors(path) if _is_safetensors(head) else _read_pickle(path, head)
    if not isinstance(content, Mapping):
        raise UserError(
            f"{path} holds a {type(content).__name__}, not a mapping of names to tensors; save model.state_dict() "
            "instead"
        )
    odd = next((key for key in content if not isinstance(key, str)), None)
    if odd is not None:
        raise UserError(
            f"{path} has {odd!r} among its names, which are no names of a network: save model.state_dict() instead"
        )
    return content


def _refuse_impostor(path: Path, head: bytes) -> None:
    start = head.lstrip().lower()
    if not head:
        raise UserError(f"{path} is empty; download it again")
    if head.startswith(_LFS):
        raise UserError(
            f"{path} is a Git LFS pointer, not the weights; run `git lfs pull` in its repository, or download the file "
            "itself"
        )
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<script")):
        raise UserError(
            f"{path} is a web page, not weights (a login or download page was saved); open its address in a browser, "
            "log in, and download the file itself"
        )
    if start.startswith((b'{"error', b"access to model", b"entry not found", b"repository not found", b"invalid")):
        raise UserError(f"{path} is a server's error message, not weights: {_text(head)!r}; download it again")


def _text(head: bytes) -> str:
    return head[:80].decode(errors="replace").strip()


def _is_safetensors(head: bytes) -> bool:
    return len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 100_000_000


def _read_safetensors(path: Path) -> Mapping[str, Any]:
    import safetensors
    import safetensors.torch

    try:
        return safetensors.torch.load_file(path)
    except safetensors.SafetensorError as problem:
        raise UserError(f"{path} is cut off or damaged ({problem}); download it again") from problem


def _read_pickle(path: Path, head: bytes) -> Any:
    zipped = head.startswith(b"PK")
    if zipped:
        _refuse_unusual_archive(path)
    try:
        with torch.serialization.safe_globals(SAFE_GLOBALS):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except pickle.UnpicklingError as problem:
        reason = str(problem)
        code = re.search(r"GLOBAL ([\w.]+)|function (\S+)|but got (?:<class ')?([\w.]+)", reason)
        if code:
            what = next(filter(None, code.groups()))
            raise UserError(
                f"{path} is refused: reading it would run Python code that weights do not need ({what}); take the "
                "published file, or save only model.state_dict()"
            ) from problem
        raise UserError(_unreadable(path, head)) from problem
    except OSError as problem:
        if problem.errno in (None, errno.EINVAL):  # of places that damaged bytes name
            raise UserError(_unreadable(path, head)) from problem
        raise UserError(f"{path} cannot be read ({problem.strerror})") from problem
    except Exception as problem:  # the unpickler meets damaged bytes with any error, an IndexError or MemoryError too
        raise UserError(_unreadable(path, head)) from problem


def _refuse_unusual_archive(path: Path) -> None:
    """Refuse an archive without its end, and a compressed one, which may be a thousand times as large in memory.

    Torch stores the records of its files as they are.

    Raises
    ------
    UserError
    """
    try:
        if not zipfile.is_zipfile(path):
            raise UserError(f"{path} is cut off: it starts as a torch file and lacks its end; download it again")
        with zipfile.ZipFile(path) as records:
            packed = [one for one in records.infolist() if one.compress_type != zipfile.ZIP_STORED]
    except OSError as problem:
        if problem.errno == errno.EINVAL:  # its list of records leads to a place before its first byte
            raise _other_archive(path, problem) from problem
        raise UserError(f"{path} cannot be read ({problem.strerror or problem})") from problem
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as problem:
        # torch's own reader may inflate what this one cannot list
        raise _other_archive(path, problem) from problem
    if packed:
        size = sum(one.file_size for one in packed)
        raise UserError(
            f"{path} is a compressed archive ({size:,} bytes when unpacked), and torch saves none: if the weights are "
            "a file inside it, unpack it and give that file"
        )


def _other_archive(path: Path, problem: Exception) -> UserError:
    """The error of an archive as torch writes none: damage and one of another program cannot be told apart."""
    return UserError(f"{path} is damaged, or an archive that torch did not write ({problem}); take the published file")


def _unreadable(path: Path, head: bytes) -> str:
    if head.startswith((b"PK", b"\x80")):
        return f"{path} is cut off or damaged ({path.stat().st_size:,} bytes); download it again"
    return f"{path} is no weight file: neither safetensors nor a torch file (it starts with {_text(head[:24])!r})"


def differences(network: nn.Module, state: Mapping[str, Any]) -> list[str]:
    """Phrases that say where `state` is not exactly the network's; empty where it is."""
    own = network.state_dict()
    missing = [key for key in own if key not in state]
    unexpected = [key for key in state if key not in own]
    reshaped = [
        f"{key} {list(state[key].shape)} instead of {list(own[key].shape)}"
        for key in own
        if isinstance(state.get(key), Tensor) and state[key].shape != own[key].shape
    ]
    other = [key for key in own if key in state and not isinstance(state[key], Tensor)]
    phrases = [("lacks", missing), ("has besides", unexpected), ("has in another shape", reshaped)]
    return [f"{verb} {_some(keys)}" for verb, keys in [*phrases, ("holds no tensor at", other)] if keys]


def put(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy the values in; `differences` must be empty."""
    network.load_state_dict(state, strict=True)


def _some(keys: list[str], n: int = 3) -> str:
    return ", ".join(map(str, keys[:n])) + (f" and {len(keys) - n} more" if len(keys) > n else "")
