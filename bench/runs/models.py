"""The models of a run: those that the user named, and the baselines that are compared with them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import registry
from bench.config import BenchConfig, Null, Precision, WeightsChoice
from bench.runs.frontends import frontend_of, restorers_of_tracks
from bench.runs.model import PRECOMPUTED, PRECOMPUTED_CARD, Model
from registry import RANDOM
from registry.errors import UserError, near_match

VECTORS, TOKENS = "vectors", "tokens"  # what features= may be of models that see pixels
BASELINES = ("colour", "random_vit_s16")


def models_of(config: BenchConfig, device: str) -> list[Model]:
    """The models that the configuration names, in its order, then the baselines.

    Raises
    ------
    UserError
        If a name is unknown, a checkpoint is set for a model that is not in the run, patch tokens are wanted of a model
        that gives none, or a front-end of precomputed features.
    """
    named, every = names_of_models(config)
    tokens = _wants_tokens(config, named)
    registry.load_plugins(list(config.plugins))
    found = [
        replace(_model(config, name, device), named=name in named, tokens=tokens and name in named) for name in every
    ]
    for model in found:
        _check_tokens(model)
    frontend = frontend_of(config)
    if frontend.parts and PRECOMPUTED in named:
        raise UserError(
            f"frontend={frontend.name} changes tiles and model={PRECOMPUTED} reads features: leave one of them out."
        )
    found = [model.behind(frontend) for model in found] if frontend.parts else found
    others = [model.tile_encoder.name for model in found if model.tile_encoder]
    _check_checkpoints(config, named, [*others, *(part.name for part in frontend.parts), *restorers_of_tracks(config)])
    for option in config.options:
        if not any(option in model.card.options for model in found):
            raise UserError(
                f"No model of this run has the option {option}: `python -m registry NAME` shows what there is."
            )
    return found


def names_of_models(config: BenchConfig) -> tuple[list[str], list[str]]:
    """The models that the configuration names, as in the table, and these with the baselines.

    Raises
    ------
    UserError
        If `model` is no name or list of names.
    """
    named = list(config.model) if isinstance(config.model, list) else [config.model]
    if not named or not all(isinstance(name, str) and name for name in named):
        raise UserError(
            f"model={config.model} must be a name or a list of names, model=[NAME,NAME]: `python -m registry` lists "
            "them."
        )
    if config.weights is WeightsChoice.random:
        named = [n if _is_baseline(n) or n == PRECOMPUTED else n + RANDOM for n in named]
    return named, list(dict.fromkeys([*named, *_baselines(config.null, named)]))


def concerns(config: BenchConfig) -> tuple[set[str], set[str]]:
    """The names that `checkpoints.NAME` and `options.NAME` may have in this run.

    Returns
    -------
    (set of str, set of str)
        Models, the tile encoders below them and front-ends; options of the models' cards. Models that are unknown are
        left for `models_of` to refuse.
    """
    named = list(config.model) if isinstance(config.model, list) else [config.model]
    names, options = {str(name) for name in named}, set()
    with contextlib.suppress(UserError):
        registry.load_plugins(list(config.plugins))
    with contextlib.suppress(UserError):
        names |= {part.name for part in frontend_of(config).parts}
    with contextlib.suppress(UserError):
        names |= set(restorers_of_tracks(config))
    for name in named:
        with contextlib.suppress(UserError):
            card = registry.card(name, revision=config.revision, offline=config.offline)
            options |= set(card.options)
            names |= {card.tile_encoder} if card.unit == "slide" else set()
    return names, options


def features_folder(config: BenchConfig, models: Sequence[Model]) -> Path | None:
    """The folder of precomputed features; None where no model takes one."""
    folder = None if all(model.sees_pixels for model in models) else config.features
    return Path(folder).expanduser() if folder else None


def _wants_tokens(config: BenchConfig, named: list[str]) -> bool:
    """Whether patch tokens are stored; raises where `features` is nothing that these models have."""
    wanted = config.features
    if PRECOMPUTED in named:
        if not wanted:
            raise UserError(
                f"model={PRECOMPUTED} and features=DIR belong together: DIR is the folder of CLAM's or TRIDENT's "
                "feature files."
            )
        return False
    if wanted not in (None, "", VECTORS, TOKENS):
        raise UserError(
            f"features={wanted} is neither {VECTORS} nor {TOKENS}, of which one is stored of a model, and "
            f"model={PRECOMPUTED} and features=DIR belong together: DIR is the folder of CLAM's or TRIDENT's feature "
            f"files.{near_match(wanted, [VECTORS, TOKENS])}"
        )
    if wanted == TOKENS and config.compile:
        raise UserError(
            f"features={TOKENS} and compile=true do not go together: a compiled network gives vectors alone, with last "
            "bits of their own; leave one of them out."
        )
    return wanted == TOKENS


def _check_tokens(model: Model) -> None:
    if model.tokens:
        try:
            registry.check_tokens(model.card)
        except UserError as error:
            raise UserError(f"{error}: leave it out of model=, or set features={VECTORS}.") from error


def _baselines(null: Null, named: list[str]) -> Iterator[str]:
    """None beside precomputed features alone, as the slides need not exist then."""
    if null is Null.none or named == [PRECOMPUTED]:
        return
    if null in (Null.same, Null.own):
        yield from (name + RANDOM for name in named if not _is_baseline(name) and name != PRECOMPUTED)
    if null is not Null.own:
        yield from BASELINES


def _is_baseline(name: str) -> bool:
    return name in BASELINES or name.endswith(RANDOM)


def _check_checkpoints(config: BenchConfig, named: list[str], others: list[str]) -> None:
    if config.checkpoint and len(named) > 1:
        raise UserError(
            f"checkpoint= belongs to one model and {len(named)} are named: give each its own, "
            f"checkpoints.{named[0]}=FILE."
        )
    for name in named if config.checkpoint else config.checkpoints:
        if name in named and (_is_baseline(name) or name == PRECOMPUTED):
            setting = "checkpoint" if config.checkpoint else f"checkpoints.{name}"
            raise UserError(f"{setting}= is set and {name} takes no weight file: leave it out, or name another model.")
    for name in config.checkpoints:
        if name not in [*named, *others]:
            raise UserError(
                f"checkpoints.{name} is set but neither model= nor frontend= names {name}: add it, or drop the "
                "checkpoint."
            )


def _model(config: BenchConfig, name: str, device: str, *, tile_encoder: bool = False) -> Model:
    if name == PRECOMPUTED:
        return Model(name, PRECOMPUTED_CARD, False, {}, {})
    known = registry.card(name, revision=config.revision, offline=config.offline).options
    options = {option: value for option, value in config.options.items() if option in known}
    card = registry.card(name, options, revision=config.revision, offline=config.offline)
    wanted = None if config.precision is Precision.auto else config.precision.value
    own = None if tile_encoder else config.checkpoint
    below = None
    if card.unit == "slide":
        suffix = RANDOM if name.endswith(RANDOM) else ""
        below = _model(config, card.tile_encoder + suffix, device, tile_encoder=True)
    return Model(
        name=name,
        card=card,
        baseline=_is_baseline(name),
        source={
            "checkpoint": None if _is_baseline(name) else config.checkpoints.get(name, own),
            "weights_dir": config.weights_dir,
            "revision": None if tile_encoder else config.revision,
            "offline": config.offline,
        },
        how={
            "trust_remote_code": config.trust_remote_code,
            "options": options,
            "device": device,
            "precision": registry.resolve_precision(card, wanted, device),
            "compile": config.compile and card.unit != "slide",
            "preprocess": config.preprocess.value,
        },
        tile_encoder=below,
    )
