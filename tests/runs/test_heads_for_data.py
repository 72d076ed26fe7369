"""Which heads are left for samples whose manifest names centres, and what is said where none is."""

import pandas as pd
import pytest

from bench import protocols
from bench.runs.checks import heads_for_data, named_unfit
from bench.tasks import TaskConfig
from bench.tasks.manifest import Manifest
from bench.tasks.readers import Table
from registry.errors import UserError


def manifest(tmp_path, centre):
    rows = []
    for i in range(20):
        (tmp_path / f"{i}.png").touch()
        rows.append({"path": str(tmp_path / f"{i}.png"), "label": "ab"[i % 2], "group": str(i), "centre": centre(i)})
    frame = pd.DataFrame(rows)
    task = TaskConfig(name="t", kind="classes", targets=["label"], metric="balanced_accuracy")
    return Manifest.of(Table(frame.drop(columns="centre") if centre(0) is None else frame, "here"), task)


HEADS = {name: protocols.configured({"kind": name}) for name in ("knn", "centre_robustness")}


def test_all_heads_stay_where_centres_can_be_compared(tmp_path):
    assert heads_for_data(manifest(tmp_path, lambda i: "xy"[i // 10]), HEADS) == HEADS


@pytest.mark.parametrize("centre", [lambda i: None, lambda i: "x", lambda i: "xy"[i % 2]])
def test_elsewhere_the_head_is_left_out_or_alone_refused(tmp_path, centre):
    own = manifest(tmp_path, centre)
    left = heads_for_data(own, HEADS)
    assert list(left) == ["knn"]
    said = named_unfit(own.task, HEADS, left)
    assert said == "; left out: centre_robustness (samples to be compared by centre)"
    with pytest.raises(UserError, match=r"^The task t cannot be run\. The .*centre.*\.$"):
        heads_for_data(own, {"centre_robustness": HEADS["centre_robustness"]})
