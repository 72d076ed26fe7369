"""What a row says of whether its model saw the cohorts of the task in pretraining."""

from __future__ import annotations

import pytest

from bench.runs.contamination import contamination
from registry.card import Architecture, Cohort, Evidence, ModelCard, Preprocessing, Pretraining


def card(name: str, evidence: Evidence, **cohorts: Evidence) -> ModelCard:
    return ModelCard(
        **{"name": name, "family": "f", "title": "t", "dim": 1, "params": 1, "paper": "", "url": "", "licence": ""},
        architecture=Architecture(builder=""),
        preprocessing=Preprocessing(size=1, mpp=None, tile_size=1, resize=None),
        pretraining=Pretraining(
            method="m",
            data="d",
            cohorts=tuple(Cohort(name=cohort, evidence=of) for cohort, of in cohorts.items()),
            evidence=evidence,
        ),
    )


@pytest.mark.parametrize(
    ("cards", "cohorts", "baseline", "level", "part"),
    [
        (
            [card("m", "stated", TCGA="stated")],
            ["TCGA"],
            False,
            "stated",
            "The authors state that pretraining saw TCGA",
        ),
        ([card("m", "inferred", TCGA="inferred")], ["TCGA"], False, "inferred", "implies that pretraining saw TCGA"),
        ([card("m", "stated", TCGA="unknown")], ["TCGA"], False, "unknown", "may have seen TCGA (by m)"),
        ([card("m", "stated", GTEx="stated")], ["TCGA"], False, "none", "stated by the authors, and TCGA is not among"),
        ([card("m", "inferred", GTEx="stated")], ["TCGA"], False, "none", "are inferred, and TCGA is not among them"),
        ([card("m", "unknown")], ["TCGA"], False, "unknown", "Nobody says whether pretraining saw TCGA."),
        ([], ["TCGA"], False, "unknown", "Nobody says whether pretraining saw TCGA."),
        ([card("m", "stated", TCGA="stated")], [], False, "none", "The task names no public cohort."),
        ([card("m", "stated", TCGA="stated")], ["TCGA"], True, "none", "A baseline was trained on no cohort."),
        ([card("s", "stated"), card("t", "stated", TCGA="stated")], ["TCGA"], False, "stated", "saw TCGA (by t)"),
        (
            [card("s", "stated", PAIP="inferred"), card("t", "stated", TCGA="stated")],
            ["PAIP", "TCGA"],
            False,
            "stated",
            "saw TCGA (by t).",
        ),
    ],
)
def test_whether_a_model_saw_the_cohorts_of_a_task(
    cards: list[ModelCard], cohorts: list[str], baseline: bool, level: str, part: str
) -> None:
    found = contamination(cards, cohorts, baseline=baseline)
    assert found["level"] == level
    assert part in found["evidence"]
