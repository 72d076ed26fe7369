"""The columns of the tables of tracks: restoration.csv, robustness.csv and robustness_summary.csv."""

from __future__ import annotations

from bench.report.columns import (
    BASELINE,
    COHORT,
    CONTAMINATED,
    EVIDENCE,
    HEAD,
    METRIC,
    MODEL,
    N_GROUPS,
    N_TEST,
    PROTOCOL,
    TASK,
    Table,
    bounded,
    bounds,
    flag,
    integer,
    number,
    of_metric,
    text,
)

_RESTORER = text("restorer", "what restored the tiles; `none` where nothing did")
_CORRUPTION = text("corruption", "what was done to the tiles; empty for clean ones")
_SEVERITY = integer("severity", "how strong the corruption is, from 1 on; empty for clean tiles")
_BEST_FILTER = text("best_classical", "the filter with the best value of this case, chosen on the same tiles")


RESTORATION = Table(
    "restoration.csv",
    "a restorer, corruption, severity and metric",
    (
        *(TASK, _RESTORER, BASELINE, _CORRUPTION, _SEVERITY, METRIC),
        of_metric("value", "the mean over tiles"),
        *bounds(),
        *bounded("over_none", "paired difference to the tiles that nothing restored"),
        number("p_none", "two-sided p of no such difference"),
        number("p_none_holm", "the same adjusted for all restorers and cases of the task (Holm)"),
        _BEST_FILTER,
        *bounded("over_classical", "paired difference to that filter; none for filters"),
        number("p_classical", "the largest p over filters where it is better, or worse, than every one; otherwise 1"),
        number("p_classical_holm", "the same adjusted likewise"),
        N_TEST,
        N_GROUPS,
        number("tiles_per_s", "speed of the restorer", "tiles/s"),
        COHORT,
        HEAD,
    ),
)
_MEASURES = {
    "auroc": "area under the ROC curve",
    "brier": "Brier score, the smaller the better",
    "nll": "log-loss, the smaller the better",
    "sensitivity_at_95_specificity": "sensitivity at the threshold that has 95 % specificity outside the fit",
    "specificity_at_95_sensitivity": "specificity at the threshold that has 95 % sensitivity outside the fit",
    "cosine": "mean cosine of the feature of a tile and that of its clean tile",
    "top1": "share of tiles whose own clean tile is the nearest of all by cosine",
    "top10": "share of tiles whose own clean tile is among the nearest ten",
    "recovery": "share of the lost distance of features that the restorer gives back; below 0 it takes them further",
}
WITH_INTERVAL, WITHOUT_INTERVAL = tuple(_MEASURES), ("ece", "ece_scaled")

ROBUSTNESS = Table(
    "robustness.csv",
    "an encoder, head, corruption, severity and restorer",
    (
        *(TASK, MODEL, BASELINE, PROTOCOL, _CORRUPTION, _SEVERITY, _RESTORER, METRIC),
        of_metric("value", "the primary metric behind the case"),
        *bounds(),
        of_metric("error", "1 - value, of metrics of which 1 is the best"),
        number("relative_error", "the error over that on clean tiles"),
        *bounded("over_clean", "paired difference to clean tiles"),
        *bounded("over_none", "paired difference to the same case that nothing restored"),
        number("p_none", "two-sided p of no difference to no restorer"),
        number("p_none_holm", "the same adjusted for all restorers and cases of that encoder and head (Holm)"),
        _BEST_FILTER,
        of_metric("over_classical", "difference to that filter, without interval"),
        number("threshold_shift", "by how much the threshold of 95 % specificity would have to move to keep it"),
        number("ece", "expected calibration error"),
        number("ece_scaled", "expected calibration error after temperature scaling"),
        *(column for name, meaning in _MEASURES.items() for column in bounded(name, meaning, unit="")),
        N_TEST,
        N_GROUPS,
        COHORT,
        HEAD,
        CONTAMINATED,
        EVIDENCE,
    ),
)
SUMMARY = Table(
    "robustness_summary.csv",
    "an encoder, head and restorer, over all cases that it has",
    (
        *(TASK, MODEL, BASELINE, PROTOCOL, _RESTORER),
        integer("n_corruptions", "corruptions"),
        integer("n_cases", "corruptions at one severity"),
        METRIC,
        of_metric("clean", "the metric on clean tiles"),
        of_metric("mean", "the metric over corruptions of its means over severities"),
        *bounded("loss", "`clean` less `mean`"),
        *bounded("relative_loss", "`loss` over `clean`", unit=""),
        number("mce", "mean corruption error: 1 - metric, over corruptions of the means over severities"),
        number("mce_unrestored", "the same of these cases without the restorer"),
        number("rce", "`mce` over the error on clean tiles: 1 is no loss"),
        *bounded("over_none", "the mean behind the restorer less that of the same cases without it"),
        *bounded("over_classical", "the mean less that of the best filter of each case"),
        *bounded("on_clean", "what the restorer does to the metric on clean tiles"),
        number(
            "recovery",
            "share of what was lost that the restorer gives back; below 0 it harms",
        ),
        integer("helped", "cases that are better than no restorer beyond chance"),
        integer("harmed", "cases that are worse than no restorer beyond chance"),
        flag("clean_harmed", "1 where clean tiles are worse beyond chance"),
        number("ece_clean", "expected calibration error on clean tiles"),
        number("ece", "mean expected calibration error over the cases"),
        number("threshold_shift", "mean of the shifts of the threshold"),
        number("cosine", "mean over the cases"),
        number("top1", "mean over the cases"),
        number("top10", "mean over the cases"),
        N_TEST,
        N_GROUPS,
        COHORT,
        HEAD,
        CONTAMINATED,
        EVIDENCE,
    ),
)
