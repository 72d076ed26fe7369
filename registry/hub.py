"""One file from the Hugging Face hub, through its own client, with every refusal as one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .card import ModelCard
from .errors import UserError


@dataclass(frozen=True)
class Fetched:
    path: Path
    commit: str | None


class NoSuchFile(UserError):
    """The repository, or its local copy where the network is not to be used, lacks the file."""


def fetch(
    card: ModelCard, repository: str, file: str, revision: str | None, offline: bool, token: str | None
) -> Fetched:
    """Path of the file in the hub's local cache, downloaded if it is not there.

    Parameters
    ----------
    offline : bool
        Look only in the cache.

    Raises
    ------
    NoSuchFile, UserError
    """
    import huggingface_hub
    from huggingface_hub import errors

    page = card.weights.page or f"https://huggingface.co/{repository}"
    way_out = f"or give the file as checkpoint= (or {card.name}{Path(file).suffix} in weights_dir=)"
    try:
        path = huggingface_hub.hf_hub_download(
            repository, file, revision=revision, token=token, local_files_only=offline
        )
    except errors.GatedRepoError as problem:
        raise UserError(
            f"{repository} is gated: ask for access at {page}, then `hf auth login` (or token=), {way_out}"
        ) from problem
    except errors.RevisionNotFoundError as problem:
        raise UserError(f"{repository} has no revision '{revision}'; choose one at {page}") from problem
    except errors.RepositoryNotFoundError as problem:
        raise UserError(
            f"the hub shows no repository {repository} to you: it does not exist, or it is private or gated and the "
            f"token is missing or wrong (`hf auth login`); see {page}, {way_out}"
        ) from problem
    except errors.LocalEntryNotFoundError as problem:
        why = (
            "offline=true and the hub's local cache lacks it"
            if offline or huggingface_hub.constants.HF_HUB_OFFLINE
            else "the hub cannot be reached and its local cache lacks it"
        )
        raise NoSuchFile(
            f"{file} of {repository} is not at hand: {why}; get it at {page} on a machine with network, {way_out}"
        ) from problem
    except errors.EntryNotFoundError as problem:
        raise NoSuchFile(
            f"{repository} has no file {file}" + (f" at {revision}" if revision else "") + f"; see {page}"
        ) from problem
    except errors.HfHubHTTPError as problem:
        raise UserError(
            f"the hub refused {file} of {repository} ({_line(problem)}); check the token and {page}, {way_out}"
        ) from problem
    except errors.HFValidationError as problem:
        raise UserError(f"'{repository}' is no name of a hub repository (OWNER/NAME): {_line(problem)}") from problem
    except Exception as problem:
        raise UserError(
            f"{file} of {repository} could not be downloaded ({type(problem).__name__}: {_line(problem)}); "
            f"try again, {way_out}"
        ) from problem
    return Fetched(Path(path), _commit(Path(path)))


def _commit(path: Path) -> str | None:
    """From the cache's documented layout, ``.../snapshots/<commit>/<file>``."""
    parts = path.parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts else None


def _line(problem: Exception) -> str:
    return str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
