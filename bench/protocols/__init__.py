"""The heads: features and labels in, predictions out. One file each, with its `Config` and `fit_predict`.

A head takes `Samples`, one vector each, unless its module has ``TAKES = "bags"``: then it takes `Bags` of tiles. It
takes classes and grades, unless its module names other kinds of target in ``KINDS``, or, where the settings decide,
in a function ``kinds_of(config)``. Where one setting decides which others there are, a function ``schema_of(settings)``
returns their dataclass, and `Config` is the dataclass of the default. Where a setting lists values of which each is a
row of its own, a function ``variants_of(config)`` returns the settings of each. A head that cannot do without some of
the columns of `Samples.acquisition` names them in ``NEEDS``, and a function ``check(samples, config)`` refuses samples
that it cannot be fitted to, before they have features.
"""

from bench.protocols.bags import Bags
from bench.protocols.base import KINDS, Predictions, Samples
from bench.protocols.heads import Head, configured, get, head_types, rows_of
from bench.protocols.thresholds import threshold_at_specificity

__all__ = [
    "KINDS",
    "Bags",
    "Head",
    "Predictions",
    "Samples",
    "configured",
    "get",
    "head_types",
    "rows_of",
    "threshold_at_specificity",
]
