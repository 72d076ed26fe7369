"""Numbers and lists as a page writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bench.passport.evidence import Case


def number(value: float | None, digits: int = 3) -> str:
    """A dash for what is not known."""
    return "-" if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:+.{digits}f}"


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """As in "0.912 (0.880 to 0.941)"."""
    return number(value) + (f" ({number(low)} to {number(high)})" if low is not None and high is not None else "")


def share(value: float) -> str:
    """A share in per cent, below 10 % with a decimal that is not 0."""
    text = f"{100 * value:.1f}".removesuffix(".0") if abs(value) < 0.0995 else f"{100 * value:.0f}"
    return f"{'0' if text == '-0' else text} %"


def conditions_counted(n: int) -> str:
    """As in "1 condition" and "3 conditions"."""
    return f"{n} condition{'' if n == 1 else 's'}"


def speed(value: float | None) -> str:
    """Tiles a second, with decimals where these are few."""
    return "-" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def listed(names: Sequence[str]) -> str:
    """As in "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def case_name(case: Case) -> str:
    """As in "jpeg 3"."""
    return f"{case[0]} {case[1]}"


def from_severity(values: Mapping[Case, float], above: float) -> dict[str, int]:
    """For each corruption the lowest severity from which on all values are above a bound; without those of none."""
    found: dict[str, int] = {}
    for kind in sorted({kind for kind, _ in values}):
        for severity in sorted((severity for own, severity in values if own == kind), reverse=True):
            if values[kind, severity] <= above:
                break
            found[kind] = severity
    return found


def at_severities(first: Mapping[str, int], highest: Iterable[Case]) -> str:
    """As in "blur 5 and jpeg 2 and above"; the corruptions with the lowest severities first."""
    most: dict[str, int] = {}
    for kind, severity in highest:
        most[kind] = max(severity, most.get(kind, 0))
    ordered = sorted(first, key=lambda kind: (first[kind], kind))
    return listed([f"{kind} {first[kind]}" + (" and above" if first[kind] < most[kind] else "") for kind in ordered])
