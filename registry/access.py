"""Which gated repositories a token opens, one line each: asked of the hub, which downloads nothing for it."""

from __future__ import annotations

from collections.abc import Sequence

from .catalogue import card as find_card
from .catalogue import names
from .errors import UserError
from .hub import answers
from .text_table import aligned
from .weights import HUB_DEFAULTS, published_files


def access(wanted: Sequence[str], token: str | None = None, *, offline: bool = False) -> str:
    """The table of models, their repositories, and whether their files can be had.

    Parameters
    ----------
    wanted : sequence of str
        Names of models; none takes all whose repository is gated.
    token : str or None
        Instead of the one that is logged in.
    offline : bool
        Whether the network is not to be used, so that nothing can be said.

    Raises
    ------
    UserError
        If the hub is not to be asked or does not answer, or a model is unknown or not on the hub.
    """
    import huggingface_hub
    from huggingface_hub import constants, errors

    cards = [find_card(name) for name in wanted or [n for n in names() if find_card(n).weights.gated]]
    elsewhere = next((one.name for one in cards if one.weights.hub is None), None)
    if elsewhere:
        raise UserError(f"{elsewhere} is not on the hub; `python -m registry {elsewhere}` says where its file is")
    if offline or constants.HF_HUB_OFFLINE or not answers(constants.ENDPOINT):
        why = "the network is not to be used (offline)" if offline or constants.HF_HUB_OFFLINE else "it does not answer"
        raise UserError(f"what a token opens is known by {constants.ENDPOINT} alone, and {why}; ask again with network")
    rows = [("model", "repository", "access")]
    for one in cards:
        repository = one.weights.hub or ""
        file = next(iter(published_files(one)), HUB_DEFAULTS[0])
        url = huggingface_hub.hf_hub_url(repository, file, revision=one.weights.revision)
        try:
            huggingface_hub.get_hf_file_metadata(url, token=token)
            found = "open to you"
        except errors.GatedRepoError:
            found = f"ask for it at {one.weights.page}"
        except errors.RepositoryNotFoundError:
            found = "not shown to you: log in with `hf auth login`, or give token="
        except errors.HfHubHTTPError as problem:
            found = f"unknown: {str(problem).splitlines()[0]}"
        except Exception as problem:  # the connection ends in many ways
            found = f"unknown: {type(problem).__name__}"
        rows.append((one.name, repository, found))
    return "\n".join(aligned([list(row) for row in rows]))
