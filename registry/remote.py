"""Hub repositories that bring their own Python code: run only when the user says so."""

from __future__ import annotations

from dataclasses import replace

import huggingface_hub
from torch import Tensor, nn

from . import checkpoint as files
from .card import ModelCard
from .errors import UserError
from .source import Source
from .weights import LoadedWeights, locate


class LastHiddenState(nn.Module):
    """A transformers model as the extractor calls it: normalised tiles [B, 3, H, W] to tokens [B, N, D]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tiles: Tensor) -> Tensor:
        return self.model(pixel_values=tiles).last_hidden_state


def load(card: ModelCard, source: Source, trust_remote_code: bool) -> tuple[nn.Module, LoadedWeights]:
    """The repository's model with its weights, by transformers; missing or unexpected keys are an error.

    Raises
    ------
    UserError
        If `trust_remote_code` is not given, transformers is not installed, or the repository's code fails.
    """
    repository = card.weights.hub
    if repository is None:
        raise UserError(f"{card.name}: the network of a repository with its own code comes only with its weights")
    if not trust_remote_code:
        raise UserError(
            f"{repository} runs Python code of its own; read it at {card.url} and set trust_remote_code=true if you "
            "trust it"
        )
    try:
        import transformers  # type: ignore[import-not-found,unused-ignore]
    except ImportError as problem:
        raise UserError(f"{repository} needs the package transformers; `pip install transformers`") from problem
    found = locate(card, replace(source, weights_dir=None))
    try:
        model, report = transformers.AutoModel.from_pretrained(
            repository,
            revision=found.commit,
            token=source.token,
            local_files_only=source.offline or huggingface_hub.constants.HF_HUB_OFFLINE,
            trust_remote_code=True,
            output_loading_info=True,
        )
    except Exception as problem:
        raise UserError(f"the code of {repository} stops with {type(problem).__name__}: {problem}") from problem
    wrong = {kind: keys for kind, keys in report.items() if keys}
    if wrong:
        raise UserError(f"the weights of {repository} do not fill its network: {wrong}")
    sha256 = files.sha256(next(iter(found.files.values())))
    return LastHiddenState(model.eval()), LoadedWeights(found.origin, sha256, found.commit)
