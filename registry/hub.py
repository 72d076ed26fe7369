"""One file from the Hugging Face hub, through its own client, with every refusal as one sentence."""

from __future__ import annotations

import contextlib
import functools
import logging
import socket
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .card import ModelCard
from .errors import UserError
from .source import Source


@dataclass(frozen=True)
class Fetched:
    path: Path
    commit: str | None


class NoSuchFile(UserError):
    """The repository lacks the file."""


class NotAtHand(UserError):
    """The hub is not asked or not reached, and its local cache lacks the file."""


def fetch(card: ModelCard, repository: str, file: str, source: Source) -> Fetched:
    """Path of the file in the hub's local cache, downloaded if it is not there.

    Parameters
    ----------
    source : Source
        Its `revision` and `token`; where it is `offline`, only the cache is looked into.

    Raises
    ------
    NoSuchFile, NotAtHand, UserError
    """
    import huggingface_hub
    from huggingface_hub import constants, errors, utils

    local_only = source.offline or constants.ENDPOINT in _unreachable or not answers(constants.ENDPOINT)
    page = card.weights.page or f"https://huggingface.co/{repository}"
    or_local = _way_out(card, file)
    if sys.stderr is not None and not sys.stderr.isatty() and constants.HF_HUB_DISABLE_PROGRESS_BARS is None:
        utils.disable_progress_bars()  # its carriage returns make one endless line of a log
    try:
        with _without_retries():
            path = huggingface_hub.hf_hub_download(
                repository, file, revision=source.revision, token=source.token, local_files_only=local_only
            )
    except errors.GatedRepoError as problem:
        raise UserError(
            f"{repository} is gated: ask for access at {page}, then `hf auth login` or give token={or_local}"
        ) from problem
    except errors.RevisionNotFoundError as problem:
        raise UserError(f"{repository} has no revision '{source.revision}'; choose one at {page}") from problem
    except errors.RepositoryNotFoundError as problem:
        raise UserError(
            f"the hub shows no repository {repository} to you: it does not exist, or it is private or gated and the "
            f"token is missing or wrong; see {page}, log in with `hf auth login`{or_local}"
        ) from problem
    except errors.LocalEntryNotFoundError as problem:
        forbidden = source.offline or constants.HF_HUB_OFFLINE
        if not forbidden:
            _unreachable.add(constants.ENDPOINT)
        why = "the network is not to be used (offline)" if forbidden else "the hub cannot be reached"
        raise NotAtHand(
            f"{file} of {repository} is not at hand: {why} and the hub's local cache lacks it; get it from {page} on a "
            f"machine with network{or_local}"
        ) from problem
    except errors.EntryNotFoundError as problem:
        raise NoSuchFile(
            f"{repository} has no file {file} at {source.revision or 'its default branch'}; see {page}"
        ) from problem
    except errors.HfHubHTTPError as problem:
        raise UserError(
            f"the hub refused {file} of {repository} ({_line(problem)}); check the token and {page}{or_local}"
        ) from problem
    except errors.HFValidationError as problem:
        raise UserError(f"'{repository}' is no name of a hub repository (OWNER/NAME): {_line(problem)}") from problem
    except Exception as problem:
        raise UserError(
            f"{file} of {repository} could not be downloaded ({type(problem).__name__}: {_line(problem)}); try again"
            f"{or_local}"
        ) from problem
    return Fetched(Path(path), _commit(Path(path)))


_unreachable: set[str] = set()  # hubs that did not answer in this process, which are not asked again
CONNECT_S = 5.0


@functools.cache
def answers(endpoint: str) -> bool:
    """Whether the hub can be connected to: its client would try again for half a minute a file, with a line each time.

    Behind a proxy it is the proxy that connects to it.
    """
    place = urllib.parse.urlsplit(endpoint)
    if {"https", "http", "all"} & urllib.request.getproxies().keys():
        return True
    try:
        port = place.port or (80 if place.scheme == "http" else 443)
        socket.create_connection((place.hostname or "", port), timeout=CONNECT_S).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _without_retries() -> Iterator[None]:
    """Within, the client's warnings of each further try are not shown: what came of it is said in a sentence."""
    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _way_out(card: ModelCard, file: str) -> str:
    if file.endswith(".json"):
        return ""
    folder = "" if ":" in card.name else f" (or as {card.name}{Path(file).suffix} in weights_dir=)"
    return f", or give the file as checkpoint={folder}"


def _commit(path: Path) -> str | None:
    """From the cache's documented layout, ``.../snapshots/<commit>/<file>``."""
    parts = path.parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts else None


def _line(problem: Exception) -> str:
    return str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
