"""The heads: features and labels in, predictions out. One file each, with its `Config` and `fit_predict`.

A head takes `Samples`, one vector each, unless its module says ``TAKES = "bags"``: then it takes `Bags` of tiles. It
takes classes and grades, unless its module says which kinds of target in ``KINDS``, or, where the settings decide,
in a function ``kinds_of(config)``. Where one setting decides which others there are, a function ``schema_of(settings)``
gives their dataclass, and `Config` is that of the default.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import ModuleType
from typing import Any

import numpy as np

from bench.protocols.bags import Bags
from bench.protocols.base import CLASSIFIED, KINDS, Predictions, Samples
from bench.protocols.checks import wrong_kind
from bench.protocols.settings import nearest_name, wrong_type
from registry.errors import UserError

__all__ = ["KINDS", "Bags", "Head", "Predictions", "Samples", "configured", "get", "kinds"]


def kinds() -> list[str]:
    """Names of all heads."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if hasattr(_module(m.name), "fit_predict"))


def get(kind: str) -> ModuleType:
    """The module of a head, with its `Config` and `fit_predict`.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    if kind not in kinds():
        raise UserError(f"There is no protocol of kind '{kind}': choose one of {', '.join(kinds())}.")
    return _module(kind)


@dataclass(frozen=True)
class Head:
    """A head with its settings."""

    kind: str
    config: Any

    @property
    def takes_bags(self) -> bool:
        """Whether it takes `Bags`, not `Samples`."""
        return getattr(_module(self.kind), "TAKES", "samples") == "bags"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of target it takes, of `KINDS`."""
        module = _module(self.kind)
        if hasattr(module, "kinds_of"):
            return tuple(module.kinds_of(self.config))
        return tuple(getattr(module, "KINDS", CLASSIFIED))

    def fit_predict(
        self, train: Samples | Bags, val: Samples | Bags | None, test: Samples | Bags, seed: int
    ) -> Predictions:
        """Fit on `train` and `val`, choose without seeing `test`, predict `test`.

        Raises
        ------
        UserError
            If the labels are not of a kind that the head takes, or what the head raises.
        """
        if train.kind not in self.kinds:
            raise UserError(wrong_kind(train.kind, self.kind, self.kinds, _heads_for(train.kind, self.takes_bags)))
        predictions: Predictions = get(self.kind).fit_predict(train, val, test, self.config, seed)
        info = dict(predictions.info)
        notes = [*info.pop("notes", []), *_notes_on_one_class(predictions, train.classes)]
        return replace(predictions, info={**info, "notes": notes} if notes else info)


def configured(settings: Mapping[str, Any]) -> Head:
    """The head that a protocol's YAML describes: its `kind` and the fields of that kind's `Config`.

    Raises
    ------
    UserError
        If the kind or a field is unknown, or a value of the wrong type.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    given = dict(settings)
    kind = given.pop("kind", None)
    if kind is None:
        raise UserError(f"A protocol is given without its kind: add kind=NAME, one of {', '.join(kinds())}.")
    module = get(kind)
    schema, which = module.schema_of(given) if hasattr(module, "schema_of") else (module.Config, "")
    known = [f.name for f in fields(schema)]
    settled = OmegaConf.structured(schema)
    for name, value in given.items():
        if name not in known:
            near = nearest_name(str(name), known)
            raise UserError(
                f"The protocol {kind} has no setting '{name}'{which}: its settings are {', '.join(known)}."
                + (f" Is {near} meant?" if near else "")
            )
        try:
            settled = OmegaConf.merge(settled, {name: value})
        except (OmegaConfBaseException, ValueError, TypeError) as error:
            plain = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
            raise UserError(wrong_type(kind, schema, name, plain)) from error
    return Head(kind, OmegaConf.to_object(settled))


def _notes_on_one_class(predictions: Predictions, classes: tuple[str, ...]) -> list[str]:
    """A note where every test sample gets the same class although there are several."""
    if predictions.kind not in CLASSIFIED or len(np.unique(predictions.y_true)) < 2:
        return []
    predicted = np.unique(predictions.scores.argmax(axis=1))
    if len(predicted) > 1:
        return []
    name = classes[predicted[0]] if classes else str(predicted[0])
    return [f"all {len(predictions.y_true)} test samples are predicted to be {name}: the head tells no class apart"]


def _heads_for(target: str, bags: bool) -> list[str]:
    """The heads that take this kind of target at their default settings, from bags or from vectors."""
    heads = [Head(name, _module(name).Config()) for name in kinds()]
    return [head.kind for head in heads if head.takes_bags == bags and target in head.kinds]


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"bench.protocols.{name}")
