"""The audit of a task: whether its samples, labels and split can tell models apart at all. Arrays in, findings out.

A check is one module of this package with three names, by which it is found:

- ``ORDER``, an int: its place on the page (controls 10, nulls 20, stain and centre 30, power 40; of further checks
  duplicates 50, patients 60, labels 70).
- ``RULES``, a tuple of `Rule`: the rules that its findings name, each with its threshold in words, as the page prints
  it.
- ``findings(task)``: from an `AuditedTask` to `bench.verdicts.Finding` records, in the order of the page. It raises
  nothing for data that lack what it needs (no EXIF, no numbers in ids): that is a finding with the verdict ``absent``
  and one sentence.

A check sees arrays and never the configuration: features come from `AuditedTask.nulls` and `AuditedTask.models`, heads
are fitted by `AuditedTask.score`, tiles are decoded by `AuditedTask.tiles`, which is None where samples are slides.

A finding whose alarm rests on a test gives its ``p``, and both sentences, ``sentence`` and ``otherwise``: the audit
adjusts all p values of a task together (`bench.verdicts.adjusted`), so that a further check does not raise the rate of
false alarms. A finding that is a fact (two files with the same bytes) has no ``p`` and says its verdict itself.
Pictures go on the page with ``pictures(task, findings)``, which a module may have: lines of a gallery, each a caption
and the tiles [height, width, 3] uint8.

``tests/audit/audited.py`` makes small audited tasks for tests.
"""

from bench.audit.audited_task import AuditedTask, RowsOfModel
from bench.audit.control_values import Control
from bench.audit.every import checks, run_checks
from bench.audit.file_facts import file_controls
from bench.audit.names import name_controls
from bench.audit.page import NO_ALARM, page_of, write_page
from bench.audit.power import too_small
from bench.audit.predicted import Predicted
from bench.audit.rule import Rule

__all__ = [
    "NO_ALARM",
    "AuditedTask",
    "Control",
    "Predicted",
    "RowsOfModel",
    "Rule",
    "checks",
    "file_controls",
    "name_controls",
    "page_of",
    "run_checks",
    "too_small",
    "write_page",
]
