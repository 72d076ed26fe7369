"""The columns of leaderboard.csv and its companions, and of models.csv."""

from __future__ import annotations

from bench.report.columns import (
    AUDIT,
    BASELINE,
    COHORT,
    CONTAMINATED,
    EVIDENCE,
    FRONTEND,
    FROZEN,
    HEAD,
    INTERVAL,
    KIND,
    METRIC,
    MODEL,
    N_GROUPS,
    N_TEST,
    PROTOCOL,
    TASK,
    TASK_DIGEST,
    Column,
    Table,
    bounds,
    flag,
    integer,
    number,
    of_metric,
    text,
)

_BEST_BASELINE = of_metric("baseline_value", "the best baseline of this metric, over the same runs")
_WHY = text("why", "why there is no rank, or no interval of it; empty where both are there")


def _side(column: Column, side: str) -> Column:
    return Column(f"{column.name}_{side}", column.kind, column.unit, f"of model {side}: {column.meaning}")


LONG = Table(
    "leaderboard.csv",
    "a run (task, model, head, seed, fold) and metric, or a run that failed",
    (
        *(TASK, KIND, MODEL, FRONTEND, PROTOCOL),
        integer("seed", "seed of what is drawn in the head"),
        integer("fold", "fold that was tested, from 1 on; empty where there is one test set"),
        METRIC,
        of_metric("value", "the metric on the test samples"),
        *bounds(),
        INTERVAL,
        integer("n_train", "training samples", "samples"),
        N_TEST,
        N_GROUPS,
        _BEST_BASELINE,
        integer("feature_dim", "length of a feature vector, of what the head took"),
        number("params_m", "parameters of the encoder", "1e6"),
        number("tiles_per_s", "speed of the embedding; empty where the features were in the cache", "tiles/s"),
        text("status", "`ok`, `failed`, or `lost` where the job of the run was killed"),
        text("error", "why a run failed or was lost, in a sentence"),
        COHORT,
        HEAD,
        text("run_hash", "digest of all that can change the metrics"),
        text("version", "version of this harness that made the row"),
        CONTAMINATED,
        EVIDENCE,
        TASK_DIGEST,
        FROZEN,
        AUDIT,
    ),
)
MEAN = Table(
    "leaderboard_mean.csv",
    "a model, head and metric over all seeds and folds; a model of which all runs failed",
    (
        *(TASK, KIND, MODEL, FRONTEND, PROTOCOL, METRIC),
        of_metric("value", "the metric over all runs; where it can be, of the predictions of all folds together"),
        *bounds(),
        INTERVAL,
        of_metric("sd", "standard deviation over the runs"),
        integer("n_runs", "runs with a value", "runs"),
        integer("n_seeds", "seeds", "seeds"),
        integer("n_folds", "folds of the task; 0 where there is one test set", "folds"),
        integer("n_failed", "runs that failed or were lost", "runs"),
        _BEST_BASELINE,
        COHORT,
        HEAD,
        CONTAMINATED,
        EVIDENCE,
        TASK_DIGEST,
        FROZEN,
        AUDIT,
    ),
)
WIDE = Table(
    "leaderboard_wide.csv",
    "a head and model",
    (
        PROTOCOL,
        text("head_settings", "the settings in which the head differs from others of the same protocol here"),
        HEAD,
        MODEL,
        FRONTEND,
        text(
            "contaminated",
            "the tasks whose cohorts the model saw in pretraining, such as `pcam: stated; panda: inferred`",
        ),
    ),
    further="a column a task: its primary metric over all seeds and folds. The heading names the task, the metric and "
    "the test samples, and where these are the same for several cohorts of a task also the digest of the samples.",
)
PAIRED = Table(
    "leaderboard_paired.csv",
    "a pair of models, or of a model and a baseline, and metric",
    (
        *(TASK, PROTOCOL, METRIC),
        integer("n_runs", "runs (seeds, folds) that both have", "runs"),
        *(_side(column, side) for side in "ab" for column in (MODEL, FRONTEND)),
        of_metric("difference", "a minus b on the same samples, over the runs that both have"),
        *bounds("the difference"),
        number("p", "two-sided p of no difference"),
        text(
            "p_by",
            "how p was made: `exact swap` or `swap` (the two predictions of each patient exchanged), `t`, or "
            "`corrected t` over folds",
        ),
        number("p_holm", "p adjusted for all pairs of the task, head and metric: chance of one false finding (Holm)"),
        number("p_holm_suite", "by Holm for all pairs of the head on all tasks; of the primary metric only"),
        number("p_bh", "p adjusted for the same pairs: the share of false findings (Benjamini, Hochberg)"),
        number("p_better", "the share of the resamples in which a is better than b; no posterior probability"),
        of_metric("margin", "the margin of equivalence; `margin=0.03` sets it"),
        number(
            "p_equivalent",
            "p of a true difference of `margin` or more: a small one says that the two are alike; of metrics with two "
            "bounds only",
        ),
        of_metric("detectable", "the true difference that such a test set shows with 80 % power"),
        N_TEST,
        N_GROUPS,
        COHORT,
        HEAD,
        _side(CONTAMINATED, "a"),
        _side(CONTAMINATED, "b"),
        AUDIT,
    ),
)
RANKS = Table(
    "leaderboard_ranks.csv",
    "a model or baseline of a task and head, by the primary metric",
    (
        *(TASK, PROTOCOL, METRIC, MODEL, FRONTEND, BASELINE),
        number("rank", "among all entries that are ranked, baselines too; 1 is best, ties share a mean rank", "rank"),
        number("ci_low", "lower bound of the 95 % interval of the rank", "rank"),
        number("ci_high", "upper bound of the 95 % interval of the rank", "rank"),
        number("p_best", "the share of the resamples in which it is the best"),
        integer("n_models", "entries that are ranked"),
        _WHY,
        COHORT,
        HEAD,
        CONTAMINATED,
        AUDIT,
    ),
)
SUITES = Table(
    "leaderboard_suites.csv",
    "a model of a head that was fitted on two tasks or more; baselines are not ranked here",
    (
        PROTOCOL,
        text("metric", "the primary metrics of the tasks"),
        integer("n_tasks", "tasks on which all models have a value", "tasks"),
        integer("n_models", "models that are ranked"),
        MODEL,
        FRONTEND,
        number("mean_rank", "mean of the ranks on these tasks; 1 is best", "rank"),
        number("ci_low", "lower bound of its 95 % interval, for other tasks of the sort; from five tasks on", "rank"),
        number("ci_high", "upper bound of it", "rank"),
        text("groups", "numbers; models that share one do not differ (signed ranks, Holm)"),
        number("friedman_p", "p that all models are alike (Friedman); of all models together"),
        number("iman_davenport_p", "the same by Iman and Davenport"),
        number("critical_difference", "the difference of mean ranks that Nemenyi's test finds", "rank"),
        text("missing", "the tasks that the model lacks"),
        integer("n_blocked", "tasks that it alone keeps out", "tasks"),
        integer("n_left_out", "tasks of the head that are out", "tasks"),
        _WHY,
        HEAD,
    ),
)
MODELS = Table(
    "models.csv",
    "a model or baseline, from the rows with nothing between tile and encoder where there are such",
    (
        MODEL,
        text("title", "its name in words"),
        text("family", "the models that it belongs to"),
        BASELINE,
        number("params_m", "parameters of the encoder", "1e6"),
        number("gmacs", "multiply-accumulate operations of a forward pass on a tile of its size", "1e9/tile"),
        integer("dim", "length of its feature vector"),
        integer("tile_size", "side of the tile that its authors mean", "px"),
        number("mpp", "resolution that its authors mean; empty for models of natural images", "um/px"),
        number("tiles_per_s", "speed of the embedding on `device`, the median over the runs that embedded", "tiles/s"),
        number("peak_memory_mib", "most memory of an embedding on `device`", "MiB"),
        text("device", "the device of both: of several the one with most runs that embedded"),
        text("licence", "licence of the weights"),
        flag("gated", "1 where the weights ask for an account and consent"),
        text("cohorts_seen", "public cohorts seen in pretraining, with the evidence: `TCGA (stated); ...`"),
        text("cohorts_evidence", "how that is known: `stated`, `inferred`, `unknown`; stated without cohorts is none"),
        text(
            "contaminated",
            "the tasks whose cohorts the model saw in pretraining, such as `pcam: stated; panda: inferred`",
        ),
        integer("n_tasks", "tasks with a result", "tasks"),
        integer("n_runs", "runs with a result", "runs"),
        text("url", "page of the model"),
        text("paper", "paper of the model"),
    ),
)
