"""The answer for a task: the best model with each head, and whether it differs from the next and from the baselines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bench.report.tables import number
from bench.results import AggregatedResult, LeaderboardData, ResultKey, Rival, Standing
from bench.rows import Row, RowInfo
from bench.statistics import LEVEL
from registry.text_table import wrapped

DIGITS = 3
MOST_NAMED = 3
"""Models that a sentence names."""
SEEN = {
    "stated": "as its authors state",
    "inferred": "as far as its data are known",
}
SYNTHETIC = "synthetic"
"""How the note of a task with made-up images begins."""
NOTE = (
    "Best means the best value of the metric that a task is ranked by, with its 95 % interval over patients (of "
    "few-shot heads over their draws). p: of no difference, adjusted for all pairs of a task and head, against the "
    "baselines for all models of it (Holm, 5 %)."
)


def answer_lines(
    data: LeaderboardData, standings: Sequence[Standing], heads: Mapping[tuple[str, str], str], names: Mapping[str, str]
) -> Iterator[str]:
    """Lines of at most 120 columns: a sentence or two for each head, then warnings.

    Few-shot heads and shares of the labels have no p values; they are in the answer where there is no other head.

    Parameters
    ----------
    standings : sequence of Standing
        Of one task.
    heads : dict of (protocol, head) -> name
    names : dict of label -> shortened label
    """
    shown = [one for one in standings if not one.few_shot] or list(standings)
    for standing in shown:
        start = f"{heads[standing.block[2:]]}: " if len(heads) > 1 else ""
        sentences = [_best(data, standing, names), *_of_baselines(data, standing, names)]
        plain = [sentence for sentence in sentences if not sentence.startswith("Warning")]
        yield from wrapped(f"  {start}{' '.join(plain)}", indent="    ")
        for sentence in sentences:
            if sentence.startswith("Warning"):
                yield from wrapped(f"    {sentence}")
    left = len(standings) - len(shown)
    if left:
        yield f"  {left} few-shot head{'s' * (left > 1)} and shares of the labels are in the table below."


def warnings_of(rows: Iterable[Row]) -> list[str]:
    """The notes that images are made up, which stand above every score of them."""
    return sorted({f"Warning: {note}" for row in rows for note in row.all_notes if is_synthetic(note)})


def is_synthetic(note: str) -> bool:
    """Whether a note of a row says that its images are made up."""
    return note.lower().startswith(SYNTHETIC)


def label_of(entry: AggregatedResult) -> str:
    """The model, with its front-end."""
    row = entry.rows[0]
    return f"{row.model}+{row.frontend}" if row.frontend else row.model


def value_text(data: LeaderboardData, key: ResultKey, metric: str, value: float | None) -> str:
    """Such as ``0.794 [0.765, 0.820]``; without an interval where none is known."""
    interval = data.intervals.get((key, metric))
    bounds = [number(x, DIGITS) for x in (interval.ci_low, interval.ci_high)] if interval else []
    return number(value, DIGITS) + (f" [{', '.join(bounds)}]" if all(bounds) and bounds else "")


def p_text(p: float) -> str:
    """Such as ``p=0.034``, ``p=0.31``, ``p<0.001`` and ``p not known``."""
    if math.isnan(p):
        return "p not known"
    return "p<0.001" if p < 0.0005 else f"p={p:.3f}" if p < 0.0995 else f"p={p:.2g}"


def _best(data: LeaderboardData, standing: Standing, names: Mapping[str, str]) -> str:
    """The best model beside the other models."""
    best = standing.best
    if best is None:
        models = [entry for entry in standing.entries if not entry.rows[0].baseline]
        failed = sum(not entry.successful for entry in models)
        if not models:
            return "Only baselines were run, no model."
        return f"No model has a value of {standing.metric}" + (f": {failed} failed." if failed else ".")
    value = data.value(best, standing.metric)
    valued, expected = len(best.values(standing.metric)), best.n_expected
    of_runs = f" in {valued} of {expected} runs" if 0 < valued < expected else ""
    own = f"{value_text(data, best.key, standing.metric, value)}{of_runs}"
    name = names[label_of(best)]
    left_out = _left_out(standing, names)
    if not standing.rivals:
        only = "the only model" if not standing.incomplete else "the only model with all runs"
        return f"{name}, {only}, has {own}.{left_out}"
    behind = [rival for rival in standing.rivals if rival.behind]
    unknown = [rival for rival in standing.rivals if math.isnan(rival.p)]
    if standing.alike:
        few = len(standing.alike) < MOST_NAMED
        alike = _listed([_rival(data, rival, standing.metric, names, few) for rival in standing.alike])
        ahead = f" It is ahead of {_count(behind)}." if behind else ""
        text = f"{name} has the best score, {own}, but cannot be told apart from {alike}.{ahead}"
    elif behind:
        of_next = behind[0]
        next_text = f"{names[label_of(of_next.entry)]} {number(of_next.value, DIGITS)} ({p_text(of_next.p)})"
        others = f" and of {_count(behind[1:])}" if behind[1:] else ""
        text = f"{name} is best with {own}, ahead of {next_text}{others}."
    else:
        text = f"{name} has the best score, {own}."
    if unknown:
        named = _listed([f"{names[label_of(r.entry)]} {number(r.value, DIGITS)}" for r in unknown])
        text += f" Whether it differs from {named} is not known: {_why_unknown(standing)}."
    return text + left_out


def _why_unknown(standing: Standing) -> str:
    return "scores over draws are not compared" if standing.few_shot else "there are no predictions to compare"


def _left_out(standing: Standing, names: Mapping[str, str]) -> str:
    if not standing.incomplete:
        return ""
    parts = [
        f"{names[label_of(entry)]} ({len(entry.values(standing.metric))} of {entry.n_expected} runs)"
        for entry in standing.incomplete
    ]
    return f" Not considered: {_listed(parts)}."


def _rival(data: LeaderboardData, rival: Rival, metric: str, names: Mapping[str, str], interval: bool) -> str:
    value = value_text(data, rival.entry.key, metric, rival.value) if interval else number(rival.value, DIGITS)
    return f"{names[label_of(rival.entry)]} {value} ({p_text(rival.p)})"


def _of_baselines(data: LeaderboardData, standing: Standing, names: Mapping[str, str]) -> Iterator[str]:
    """Whether the best model is better than its baselines, and whether it saw the task's images before."""
    best, over = standing.best, standing.over_baselines
    if best is None:
        return
    if not standing.baselines:
        yield "No baseline was run beside it."
    elif over is None:
        nearest = standing.baselines[0]
        yield (
            f"Warning: whether it is better than the baseline {names[label_of(nearest.entry)]} "
            f"{number(nearest.value, DIGITS)} is not known: {_why_unknown(standing)}."
        )
    else:
        yield _over(standing, over.comparison.b, names)
    level = RowInfo(best.rows[0]).contamination.level
    if level in SEEN:
        yield f"Warning: {names[label_of(best)]} saw images of this task in its pretraining, {SEEN[level]}."


def _over(standing: Standing, hardest: AggregatedResult, names: Mapping[str, str]) -> str:
    """The sentence on the baselines; `hardest` is the one that the best model beats least."""
    over = standing.over_baselines
    assert over
    against = next((one for one in standing.baselines if one.entry.key == hardest.key), None)
    value = f" {number(against.value, DIGITS)}" if against else ""
    baseline = f"{names[label_of(hardest)]}{value}"
    difference = over.comparison.difference
    if over.mark == "*+":
        if over.n_baselines == 1:
            return f"It is better than the baseline {baseline} ({p_text(over.p_holm)})."
        several = "both" if over.n_baselines == 2 else f"all {over.n_baselines}"
        return f"It is better than {several} baselines; the nearest is {baseline} ({p_text(over.p_holm)})."
    if over.comparison.a_is_better:
        return f"Warning: it is not better than the baseline {baseline} beyond chance ({p_text(over.p_holm)})."
    if not difference.difference:
        return f"Warning: it is no better than the baseline {baseline}, which has the same score."
    low, high = (number(bound, DIGITS, "+") or "-" for bound in difference.interval)
    p = against.p if against else math.nan
    found = f"{number(difference.difference, DIGITS, '+')} [{low}, {high}], {p_text(p)}"
    beyond = " beyond chance" if p <= LEVEL else ""
    return f"Warning: the best model is below the baseline {baseline}{beyond} ({found})."


def _count(rivals: Sequence[Rival]) -> str:
    return f"{len(rivals)} other model{'s' * (len(rivals) > 1)}"


def _listed(parts: Sequence[str]) -> str:
    """Such as "a, b and 4 more"."""
    if len(parts) > MOST_NAMED:
        return f"{', '.join(parts[: MOST_NAMED - 1])} and {len(parts) - MOST_NAMED + 1} more"
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
