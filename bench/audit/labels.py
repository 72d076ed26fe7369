"""Label noise, as the disagreement of labels and of predictions by heads that did not learn from these samples.

A sample is suspect by the rule of confident learning (Northcutt, Jiang, Chuang 2021, arXiv:1911.00068): the predicted
probability of another class than its label is the highest, and at least the mean probability that samples labelled with
that class have. Predictions are for test samples, of all folds where the task has folds; where the results folder has
models, a sample must be suspect by each of them with the same class.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int

from bench.audit.audited_task import AuditedTask
from bench.audit.numbers import plain
from bench.audit.predicted import Predicted
from bench.audit.rule import Rule
from bench.verdicts import Finding, Number

ORDER = 70
CHECK = "labels"
SHOWN = 5
RULES = (
    Rule(
        "labels and predictions disagree",
        "A test sample is suspect where every model with a row gives one class other than its label the highest "
        "probability, and at least the mean probability that the test samples labelled with this class have "
        "(confident learning, arXiv:1911.00068); without such rows the networks without training stand for models, "
        "whose errors are many. It is a note: a person has to look at the tiles.",
    ),
)


def findings(task: AuditedTask) -> Iterator[Finding]:
    """One finding, on the suspects of all models together."""
    if task.kind not in ("classes", "ordinal"):
        yield Finding(CHECK, "labels", "absent", f"Targets of the kind {task.kind} have no classes that labels mix up.")
        return
    voters, words = _voters(task)
    if not voters:
        yield Finding(CHECK, "labels", "absent", "There are no predictions to set beside the labels.")
        return
    first = voters[0].ordered()
    classes = np.stack([suspect_class(one.ordered().scores, first.y_true) for one in voters])
    agreed = (classes[0] >= 0) & (classes == classes[0]).all(axis=0)
    share = float(agreed.mean())
    numbers: dict[str, Number] = {
        "n_suspect": int(agreed.sum()),
        "n_test_samples": len(agreed),
        "share": plain(share),
        "n_models": len(voters),
    }
    if not agreed.any():
        sentence = f"No label of {len(agreed)} test samples is contradicted by {words}."
        yield Finding(CHECK, "labels", "clear", sentence, numbers=numbers)
        return
    rows = np.arange(len(agreed))
    surplus = np.mean(
        [one.ordered().scores[rows, classes[0]] - one.ordered().scores[rows, first.y_true] for one in voters], axis=0
    )
    worst = [int(row) for row in np.argsort(-np.where(agreed, surplus, -np.inf), kind="stable")[:SHOWN] if agreed[row]]
    for number, row in enumerate(worst, start=1):
        label, other = task.classes[int(first.y_true[row])], task.classes[int(classes[0, row])]
        numbers |= {f"sample {number}": str(first.ids[row]), f"reading {number}": f"label {label}, predicted {other}"}
    sentence = (
        f"{int(agreed.sum())} of {len(agreed)} labels of test samples ({share:.1%}) are contradicted by {words}: look "
        "at these samples, as wrong labels can make a difference of that size between models."
    )
    yield Finding(CHECK, "labels", "note", sentence, RULES[0].name, numbers=numbers)


def pictures(task: AuditedTask, found: Sequence[Finding]) -> Iterator[tuple[str, list[np.ndarray]]]:
    """The tiles whose labels are most suspect."""
    assert task.tiles is not None
    place = {name: number for number, name in enumerate(task.ids.tolist())}
    for one in found:
        for number in range(1, SHOWN + 1):
            name = one.numbers.get(f"sample {number}")
            if name is not None:
                yield f"{name}: {one.numbers[f'reading {number}']}", task.tiles([place[str(name)]])


def suspect_class(scores: Float[np.ndarray, "sample class"], labels: Int[np.ndarray, " sample"]) -> np.ndarray:
    """The class that a suspect sample seems to have; -1 where its label is not suspect, int [sample].

    Parameters
    ----------
    scores : float [N, C]
        Class probabilities of heads that did not learn from these samples.
    labels : int [N]
        0..C-1.
    """
    n_classes = scores.shape[1]
    usual = [scores[labels == c, c].mean() if (labels == c).any() else np.inf for c in range(n_classes)]
    confident = np.where(scores >= np.array(usual), scores, -np.inf)
    best = confident.argmax(axis=1)
    suspect = np.isfinite(confident.max(axis=1)) & (best != labels) & (scores.argmax(axis=1) == best)
    return np.where(suspect, best, -1)


def _voters(task: AuditedTask) -> tuple[list[Predicted], str]:
    """The predictions of every model, with the head that most have; of stand-ins where there is none.

    A model that was tested on other samples, such as one that could not read them all, has no vote.
    """
    ids = np.sort(task.ids[task.test])
    models = [one for one in task.models if np.array_equal(np.sort(one.predicted.ids), ids)]
    heads = [one.head for one in models]
    if heads:
        head = max(dict.fromkeys(heads), key=heads.count)
        own = [one for one in models if one.head == head]
        names = {1: "the model", 2: "both models"}.get(len(own), f"all {len(own)} models")
        return [one.predicted for one in own], f"{names} with {head}"
    for name, of_seeds in task.nulls.items():
        for head in task.heads:
            try:
                found = [task.fit(head, of_seeds[seed], seed) for seed in range(min(2, len(of_seeds)))]
            except Exception:  # the check of the nulls says what a head refuses
                continue
            return found, f"{name} with {head}, as there are no rows of models"
    return [], ""
