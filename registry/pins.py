"""The commit and sha256 that pin the file of a card, as the hub has them now: for cards without."""

from __future__ import annotations

from collections.abc import Sequence

from .card import ModelCard
from .catalogue import card as find_card
from .catalogue import names
from .errors import UserError
from .hub import answers
from .text_table import aligned
from .weights import HUB_DEFAULTS, published_files


def pins(wanted: Sequence[str], token: str | None = None, *, offline: bool = False) -> str:
    """A line a file, ``revision`` and ``sha256`` as they go into the card's `Weights`.

    Parameters
    ----------
    wanted : sequence of str
        Names of models; none takes all on the hub whose card has no revision.
    token : str or None
        For gated repositories, instead of the one that is logged in.
    offline : bool
        Whether the network is not to be used, so that nothing is known.

    Raises
    ------
    UserError
        If the hub is not to be used or does not answer, or a model is unknown or not on the hub.
    """
    from huggingface_hub import constants

    cards = [find_card(name) for name in wanted or names()]
    elsewhere = next((one.name for one in cards if wanted and one.weights.hub is None), None)
    if elsewhere:
        raise UserError(f"{elsewhere} is not on the hub; `python -m registry {elsewhere}` says where its file is")
    if offline or constants.HF_HUB_OFFLINE or not answers(constants.ENDPOINT):
        raise UserError(
            f"commits and sums are known by {constants.ENDPOINT} alone, which does not answer: try again later"
        )
    unpinned = [one for one in cards if one.weights.hub and (wanted or not one.weights.revision)]
    return "\n".join(aligned([["model", "file", "pin"], *(_pin(one, token) for one in unpinned)]))


def _pin(card: ModelCard, token: str | None) -> list[str]:
    """The name, the file, and its pin or why there is none."""
    import huggingface_hub

    repository, file = card.weights.hub or "", next(iter(published_files(card)), HUB_DEFAULTS[0])
    api = huggingface_hub.HfApi(token=token)
    try:
        revision = api.model_info(repository, revision=card.weights.revision).sha
        (found,) = api.get_paths_info(repository, [file], revision=revision)
        stored = getattr(found, "lfs", None)
        pin = f'revision="{revision}"' + (f', sha256="{stored.sha256}"' if stored else "")
    except Exception as problem:  # no access, no such file, a connection that ends: in many ways
        pin = f"unknown: {(str(problem) or type(problem).__name__).splitlines()[0]}"
    return [card.name, f"{repository}/{file}", pin]
