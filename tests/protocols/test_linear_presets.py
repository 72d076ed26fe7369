"""The peers' probes against plain loops of their published protocol."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from protocol_helpers import cohort
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, f1_score

from bench import protocols
from bench.protocols import Predictions, Samples, selection
from registry.errors import UserError

CONF = Path(__file__).resolve().parents[2] / "conf" / "protocol"


def preset(
    name: str, train: Samples, val: Samples | None, test: Samples, seed: int = 0, **changes: object
) -> Predictions:
    settings = OmegaConf.merge(OmegaConf.load(CONF / f"{name}.yaml"), changes)
    return protocols.configured(settings).fit_predict(train, val, test, seed)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_preset_is_a_head(path: Path) -> None:
    head = protocols.configured(OmegaConf.load(path))  # type: ignore[arg-type]
    assert path.read_text().startswith(f"# @package protocols.{path.stem}\n")
    assert head.head_type in protocols.head_types()


def test_the_presets_of_scikit_learn_are_its_fits() -> None:
    train, val, test = (cohort(n, classes=4, seed=s, separation=0.6) for n, s in ((150, 0), (50, 2), (100, 1)))
    train = train.take(np.arange(150)[(train.labels > 0) | (np.arange(150) < 90)])
    both = selection.pool(train, val)
    for name, samples, c, weight in (
        ("linear_pathobench", train, 1.0, None),
        ("linear_pathobench_advanced", train, 0.5, "balanced"),
        ("linear_adaptive", both, 24 * 4 / 100, None),
    ):
        predictions = preset(name, train, val, test)
        fitted = LogisticRegression(C=c, class_weight=weight, max_iter=10000)
        fitted.fit(samples.features.astype(float), samples.labels)
        np.testing.assert_allclose(predictions.scores, fitted.predict_proba(test.features.astype(float)), atol=1e-6)
        assert predictions.info["c"] == c
        assert predictions.info["iterations"] == fitted.n_iter_[0]
        assert predictions.calibrated is not None


def test_labels_that_do_not_exclude_each_other_are_fitted_each_for_itself() -> None:
    sides = [cohort(n, classes=2, dim=10, seed=s, separation=0.6) for n, s in ((90, 0), (60, 1))]
    rng = np.random.default_rng(0)
    train, test = (
        replace(side, labels=np.stack([side.labels, rng.integers(0, 2, len(side))], 1), kind="multilabel")
        for side in sides
    )
    predictions = preset("linear_adaptive", train, None, test)
    assert predictions.info["c"] == [10 * 2 / 100] * 2
    for label in range(2):
        fitted = LogisticRegression(C=0.2).fit(train.features.astype(float), train.labels[:, label])
        own = fitted.predict_proba(test.features.astype(float))[:, 1]
        np.testing.assert_allclose(predictions.scores[:, label], own, atol=1e-9)
    assert "notes" not in predictions.info


@pytest.mark.parametrize("classes", [2, 4])
def test_linear_uni_is_a_plain_loop(classes: int) -> None:
    sizes = ((300, 0), (60, 1), (80, 2))
    train, val, test = (cohort(n, classes=classes, dim=512, seed=s) for n, s in sizes)
    predictions = preset("linear_uni", train, val, test)
    x = torch.from_numpy(np.concatenate([train.features, val.features]))
    y = torch.from_numpy(np.concatenate([train.labels, val.labels]))
    c = 512 * classes / 100
    w = torch.zeros(classes, 512, requires_grad=True)
    b = torch.zeros(classes, requires_grad=True)
    optimiser = torch.optim.LBFGS([w, b], line_search_fn="strong_wolfe", max_iter=1000)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(x @ w.T + b, y) + 1 / c * 0.5 * torch.norm(w)
        loss.backward()
        return loss

    optimiser.step(closure)
    scores = torch.softmax(torch.from_numpy(test.features) @ w.T + b, 1).detach().numpy()
    np.testing.assert_array_equal(predictions.scores.argmax(1), scores.argmax(1))
    np.testing.assert_allclose(predictions.scores, scores, atol=1e-3)
    assert predictions.info["c"] == pytest.approx(c)
    assert balanced_accuracy_score(test.labels, scores.argmax(1)) > 0.6
    assert predictions.info["objective"] == pytest.approx(closure().item(), rel=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
def test_linear_eva_is_a_plain_loop(classes: int) -> None:
    train, val, test = (cohort(n, classes=classes, seed=s, separation=0.6) for n, s in ((90, 0), (60, 1), (80, 2)))
    predictions = preset("linear_eva", train, val, test, seed=4, batch_size=16, steps=400, learning_rates=[3e-3])
    choice = selection.inner_cv(train, val, 4)
    train = choice.samples.take(choice.fit[0])
    torch.manual_seed(4)
    head = torch.nn.Linear(24, 1 if classes == 2 else classes)
    optimiser = torch.optim.AdamW(head.parameters(), lr=3e-3)
    shuffle = torch.Generator().manual_seed(4)
    reduced = torch.optim.lr_scheduler.ConstantLR(optimiser)
    best, state, since = -1.0, None, 0
    for _ in range(400 // 6):
        for rows in torch.randperm(90, generator=shuffle).split(16):
            logits = head(torch.from_numpy(train.features)[rows])
            y = torch.from_numpy(train.labels)[rows]
            if classes == 2:
                loss = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], y.float())
            else:
                loss = torch.nn.functional.cross_entropy(logits, y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        reduced.step()
        score = balanced_accuracy_score(val.labels, predict(head, val))
        since += 1
        if score > best:
            best, state, since = score, {k: v.clone() for k, v in head.state_dict().items()}, 0
        if since >= math.ceil(0.2 * 400 / 6):
            break
    head.load_state_dict(state)
    with torch.no_grad():
        logits = head(torch.from_numpy(test.features))
    logits = torch.cat([torch.zeros_like(logits), logits], 1) if classes == 2 else logits
    np.testing.assert_allclose(predictions.scores, torch.softmax(logits, 1), atol=1e-4)
    assert predictions.info["validation_balanced_accuracy"] == [pytest.approx(best)]
    assert predictions.info["epochs"] <= 66


def test_a_training_that_ends_within_its_first_epoch_leaves_its_last_weights() -> None:
    train, val, test = (cohort(n, classes=2, seed=s) for n, s in ((90, 0), (60, 1), (30, 2)))
    cut_short = preset("linear_eva", train, val, test, batch_size=16, steps=5)
    longer = preset("linear_eva", train, val, test, batch_size=16, steps=6)
    assert cut_short.info["epochs"] == longer.info["epochs"] == 1
    assert cut_short.scores.tobytes() != longer.scores.tobytes()
    same = preset("linear_eva", train, val, test, batch_size=16, steps=11)
    assert same.scores.tobytes() == longer.scores.tobytes()


@pytest.mark.parametrize("classes", [2, 3])
def test_linear_thunder_is_nine_plain_loops(classes: int) -> None:
    train, val, test = (cohort(n, classes=classes, seed=s, separation=0.6) for n, s in ((90, 0), (60, 1), (80, 2)))
    predictions = preset("linear_thunder", train, val, test, seed=1, epochs=12, batch_size=16)
    choice = selection.inner_cv(train, val, 1)
    train = choice.samples.take(choice.fit[0])
    torch.manual_seed(1)
    pairs = [(lr, wd) for lr in (1e-3, 1e-4, 1e-5) for wd in (0.0, 1e-3, 1e-4)]
    heads = [torch.nn.Linear(24, classes) for _ in pairs]
    bests, epochs, states = [], [], []
    for head, (lr, wd) in zip(heads, pairs, strict=True):
        optimiser = torch.optim.Adam(head.parameters(), lr=lr, weight_decay=wd)
        shuffle = torch.Generator().manual_seed(1)
        best, kept, state = -1.0, -1, None
        for epoch in range(12):
            for rows in torch.randperm(90, generator=shuffle).split(16):
                loss = torch.nn.functional.cross_entropy(
                    head(torch.from_numpy(train.features)[rows]), torch.from_numpy(train.labels)[rows]
                )
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            score = f1_score(val.labels, predict(head, val), average="macro")
            if score > best:
                best, kept, state = score, epoch, {k: v.clone() for k, v in head.state_dict().items()}
        bests.append(best)
        epochs.append(kept)
        states.append(state)
    np.testing.assert_allclose(predictions.info["validation_f1_macro"], bests, atol=1e-12)
    chosen = min(range(9), key=lambda i: (-bests[i], epochs[i], i))
    heads[chosen].load_state_dict(states[chosen])
    with torch.no_grad():
        expected = torch.softmax(heads[chosen](torch.from_numpy(test.features)), 1)
    np.testing.assert_allclose(predictions.scores, expected, atol=1e-4)
    again = preset("linear_thunder", choice.samples.take(choice.fit[0]), val, test, seed=1, epochs=12, batch_size=16)
    assert again.scores.tobytes() == predictions.scores.tobytes()


def predict(head: torch.nn.Linear, samples: Samples) -> np.ndarray:
    with torch.no_grad():
        logits = head(torch.from_numpy(samples.features)).numpy()
    return (logits[:, 0] > 0).astype(int) if logits.shape[1] == 1 else logits.argmax(1)


def test_probe_without_a_length_is_refused() -> None:
    with pytest.raises(UserError, match="either steps or epochs"):
        preset("linear_eva", cohort(60), None, cohort(30, seed=1), epochs=3)
