"""The heads by name: the module of each, a head with its settings, and the reading of a protocol's YAML."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from bench.protocols.bags import Bags
from bench.protocols.base import CLASSIFIED, Predictions, Samples
from bench.protocols.checks import lacks_columns, wrong_kind
from bench.protocols.settings import nearest_name, wrong_type
from bench.protocols.temperature import notes_on_temperature
from registry.errors import UserError


def head_types() -> list[str]:
    """Names of all heads: the modules of this folder that have a `fit_predict`."""
    folder = str(Path(__file__).parent)
    return sorted(m.name for m in pkgutil.iter_modules([folder]) if hasattr(_module(m.name), "fit_predict"))


def get(head_type: str) -> ModuleType:
    """The module of a head, with its `Config` and `fit_predict`.

    Raises
    ------
    UserError
        If there is no head of that name.
    """
    if head_type not in head_types():
        raise UserError(f"There is no protocol of kind '{head_type}': choose one of {', '.join(head_types())}.")
    return _module(head_type)


@dataclass(frozen=True)
class Head:
    """A head with its settings.

    Attributes
    ----------
    head_type : str
        The name of the head's module, one of `head_types()`; the key `kind` of a protocol's YAML.
    config : the `Config` of that module
    """

    head_type: str
    config: Any

    @property
    def takes_bags(self) -> bool:
        """Whether the head takes `Bags`, not `Samples`."""
        return getattr(_module(self.head_type), "TAKES", "samples") == "bags"

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns of the manifest that the head cannot do without, of `Samples.acquisition`."""
        return tuple(getattr(_module(self.head_type), "NEEDS", ()))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of target that the head takes, of `KINDS`."""
        module = _module(self.head_type)
        if hasattr(module, "kinds_of"):
            return tuple(module.kinds_of(self.config))
        return tuple(getattr(module, "KINDS", CLASSIFIED))

    def unfit(self, samples: Samples) -> str:
        """Why the head cannot be fitted to samples like these, which have no features yet; empty where it can."""
        lacking = [name for name in self.needs if name not in samples.acquisition]
        if lacking:
            return lacks_columns(self.head_type, lacking)
        try:
            getattr(_module(self.head_type), "check", lambda samples, config: None)(samples, self.config)
        except UserError as error:
            return str(error)
        return ""

    @property
    def variants(self) -> dict[str, Head]:
        """The heads that are a row each, by what is added to the protocol's name; empty where the head is one row."""
        module = _module(self.head_type)
        if not hasattr(module, "variants_of"):
            return {}
        return {name: Head(self.head_type, config) for name, config in module.variants_of(self.config).items()}

    def fit_predict(
        self, train: Samples | Bags, val: Samples | Bags | None, test: Samples | Bags, seed: int
    ) -> Predictions:
        """Fit on `train` and `val`, choose without seeing `test`, predict `test`.

        Raises
        ------
        UserError
            If the labels are not of a kind that the head takes, if the samples lack a column that it needs, or what the
            head raises.
        """
        if train.kind not in self.kinds:
            others = _heads_for(train.kind, self.takes_bags)
            raise UserError(wrong_kind(train.kind, self.head_type, self.kinds, others))
        if any(name not in train.acquisition for name in self.needs):
            raise UserError(lacks_columns(self.head_type, self.needs))
        predictions: Predictions = get(self.head_type).fit_predict(train, val, test, self.config, seed)
        info = dict(predictions.info)
        notes = [*info.pop("notes", []), *_notes_on_one_class(predictions, train.classes), *notes_on_temperature(info)]
        return replace(predictions, info={**info, "notes": notes} if notes else info)


def configured(settings: Mapping[str, Any]) -> Head:
    """The head that a protocol's YAML describes: its `kind` and the fields of that head's `Config`.

    Raises
    ------
    UserError
        If the kind or a field is unknown, or a value of the wrong type.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    own = dict(settings)
    head_type = own.pop("kind", None)
    if head_type is None:
        raise UserError(f"A protocol has no kind: add kind=NAME, one of {', '.join(head_types())}.")
    module = get(head_type)
    schema, which = module.schema_of(own) if hasattr(module, "schema_of") else (module.Config, "")
    known = [f.name for f in fields(schema)]
    config = OmegaConf.structured(schema)
    for name, value in own.items():
        if name not in known:
            near = nearest_name(str(name), known)
            raise UserError(
                f"The protocol {head_type} has no setting '{name}'{which}: its settings are {', '.join(known)}."
                + (f" Is {near} meant?" if near else "")
            )
        try:
            config = OmegaConf.merge(config, {name: value})
        except (OmegaConfBaseException, ValueError, TypeError) as error:
            plain = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
            raise UserError(wrong_type(head_type, schema, name, plain)) from error
    return Head(head_type, OmegaConf.to_object(config))


def rows_of(heads: Mapping[str, Head]) -> dict[str, Head]:
    """The heads by the names of their rows: ``simpleshot`` with shots=[1,4] is ``simpleshot-1shot`` and ``-4shot``.

    Raises
    ------
    UserError
        If two of them have one name.
    """
    named = [
        (f"{name}-{variant}" if variant else name, own)
        for name, head in heads.items()
        for variant, own in (head.variants or {"": head}).items()
    ]
    names = [name for name, _ in named]
    for name in heads:
        if names.count(name) > 1:
            raise UserError(f"The protocol {name} has the name of a row of another protocol: name it otherwise.")
    return dict(named)


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
    heads = [Head(name, _module(name).Config()) for name in head_types()]
    return [head.head_type for head in heads if head.takes_bags == bags and target in head.kinds and not head.needs]


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"bench.protocols.{name}")
