"""Whether a card can be worked with: checked once, when it is read, so that no command stumbles over it later."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal, Union

from .card import ModelCard, Preprocessing
from .errors import UserError, near_match
from .layouts import LAYOUTS

_NO_FILE = ("random", "none")  # layouts of models without a weight file


def check(card: Any, source: str, *, functions: bool) -> None:
    """Raise one sentence where a card is none, or names what does not exist.

    Parameters
    ----------
    card : Any
        What a file has among its ``CARDS``.
    source : str
        The file, for the sentence.
    functions : bool
        Look for the builder and the layout's function too, which imports timm or the module that they are in.

    Raises
    ------
    UserError
    """
    if not isinstance(card, ModelCard):
        raise UserError(f"{source}: CARDS holds {card!r}, which is not a ModelCard; make it one")
    problem = next(_problems(card, functions), None)
    if problem:
        raise UserError(f"{source}: the card '{card.name}' {problem}")


def _problems(card: ModelCard, functions: bool) -> Iterator[str]:
    """Each a clause that follows the card's name; later ones may rely on what earlier ones checked."""
    yield from _misfits(card)
    if not card.name or ":" in card.name or "@" in card.name:
        yield "must have a name, and it must not contain ':' or '@'"
    yield from _lengths(card)
    try:
        card.digest()
    except (TypeError, ValueError) as problem:
        yield f"has architecture.kwargs that are no JSON values ({problem}); write numbers, text, lists and mappings"
    layout = card.weights.layout
    if ":" not in layout and layout not in (*LAYOUTS, *_NO_FILE):
        known = ", ".join((*LAYOUTS, *_NO_FILE, "your own package.module:function"))
        near = near_match(layout, (*LAYOUTS, *_NO_FILE))
        yield f"has the layout '{layout}', which does not exist; choose one of {known}{near}"
    if card.unit == "slide" and not card.tile_encoder:
        yield "is of a slide encoder and names no tile_encoder; name the model whose features it takes"
    if functions:
        yield from _missing_functions(card)
    for option, values in card.options.items():
        for value, fields in values.items():
            try:
                changed = dataclasses.replace(card, options={}, **fields)
            except TypeError as problem:
                yield f"replaces by {option}={value} what is no field of a card ({problem})"
            else:
                yield from (f"with {option}={value} {problem}" for problem in _problems(changed, functions))


def _misfits(value: Any, prefix: str = "") -> Iterator[str]:
    """Fields of a card, and of what it holds, whose values are not of their declared types."""
    kind: type = type(value)
    hints = _hints(kind)
    for field in dataclasses.fields(value):
        inner, hint = getattr(value, field.name), hints[field.name]
        if not _fits(inner, hint):
            choices = ", ".join(typing.get_args(hint)) if typing.get_origin(hint) is Literal else ""
            wanted = f"one of {choices}" if choices else str(field.type)
            yield f"has {prefix}{field.name}={inner!r}; it must be {wanted}"
        for member in inner if isinstance(inner, list | tuple) else [inner]:
            if dataclasses.is_dataclass(member):
                yield from _misfits(member, f"{prefix}{field.name}.")


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _fits(value: Any, hint: Any) -> bool:
    kind, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if kind is Literal:
        return value in arguments
    if kind in (Union, types.UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if kind is tuple:  # a list of the same members serves as well
        if not isinstance(value, list | tuple):
            return False
        members = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        return len(members) == len(value) and all(map(_fits, value, members))
    if kind is not None:
        assert issubclass(kind, Mapping), hint
        return isinstance(value, Mapping) and all(map(_fits, value.values(), arguments[1:] * len(value)))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


def _lengths(card: ModelCard) -> Iterator[str]:
    """Numbers of a type that is right, and of a size that no network and no tile has."""
    if card.dim < 1 or card.params < 0:
        yield f"has dim={card.dim} and params={card.params}; write its numbers of features and of parameters"
    recipe = card.preprocessing
    if recipe.mpp is not None and recipe.mpp <= 0:
        yield f"has preprocessing.mpp={recipe.mpp}; write microns per px, or None for a model of natural images"
    if card.unit != "slide" and min(recipe.size, recipe.tile_size) < 1:
        yield f"has preprocessing.size={recipe.size} and tile_size={recipe.tile_size}; both are px, 1 or more"
    if min(recipe.std) <= 0:
        yield f"has preprocessing.std={recipe.std}; what the channels are divided by is more than 0"
    if _crops_too_much(recipe):
        yield f"resizes to {recipe.resize} px and crops the larger {recipe.size} px; make preprocessing.resize larger"


def _crops_too_much(recipe: Preprocessing) -> bool:
    if recipe.resize is None or not recipe.crop:
        return False
    return min(recipe.resize if isinstance(recipe.resize, list | tuple) else [recipe.resize]) < recipe.size


def _missing_functions(card: ModelCard) -> Iterator[str]:
    from .build import named_function

    kind, _, name = card.architecture.builder.partition(":")
    wanted = {"builder": card.architecture.builder, "layout": card.weights.layout}
    if kind == "timm":
        import timm

        del wanted["builder"]
        if not timm.is_model(name):
            near = near_match(name, timm.list_models())
            yield f"has the builder 'timm:{name}', and timm has no such model; choose one of timm.list_models(){near}"
    if ":" not in card.weights.layout:
        del wanted["layout"]
    for field, function in wanted.items():
        try:
            named_function(function)
        except UserError as problem:
            yield f"has a {field} that cannot be had: {problem}"
