"""Whether the statistics of the multiverse find what simulated scores were made with.

    python -m benchmarks.multiverse [tau] [variance] [--repeats 300]

``tau``: how often intervals of Kendall's tau between two protocols hold the tau of the true scores, and how wide they
are. Patients have scores of every model under both protocols, alike within a patient; the score is the mean over
patients. Beside the interval of `bench.statistics.agreement` are the percentiles of a bootstrap of tau, these reflected
about tau, and the same construction with orders that are beyond chance in all pairs together.

``variance``: the shares of `bench.statistics.variance_parts` on scores made with known ones; means and deviations over
the repeats.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator

import numpy as np

from bench.statistics import Studentised, agreement, kendall_tau, orders, pairs_of, variance_parts

DRAWS = 300
STEP = np.arange(5.0)
SWAPPED = np.array([1.0, 0.0, 2.0, 3.0, 4.0])
MIXED = np.array([2.0, 0.0, 4.0, 1.0, 3.0])
SETTINGS = {  # true scores of the models under both protocols, in standard errors of a score
    "the same order, close": (0.5 * STEP, 0.5 * STEP),
    "the same order": (STEP, STEP),
    "the same order, apart": (3 * STEP, 3 * STEP),
    "two change places": (STEP, SWAPPED),
    "two change places, apart": (3 * STEP, 3 * SWAPPED),
    "mixed": (STEP, MIXED),
    "mixed, apart": (3 * STEP, 3 * MIXED),
    "reversed": (STEP, -STEP),
}
ALIKE = (0.9, 0.2)
"""Share of the variance of a model's score of a patient that both protocols have in common."""
SHARES = {  # variances of model, protocol, both together, seed and one score's patients
    "models differ": (8.0, 1.0, 0.5, 0.2, 0.3),
    "protocols differ": (1.0, 8.0, 0.5, 0.2, 0.3),
    "what suits a model": (1.0, 1.0, 6.0, 0.5, 1.5),
    "few patients": (1.0, 0.5, 0.5, 0.5, 7.5),
    "patients alone": (0.0, 0.0, 0.0, 0.0, 1.0),
}
PARTS = ("model", "protocol", "interaction", "seed", "patient")


def coverage(patients: int, repeats: int) -> Iterator[str]:
    """A line a setting: coverage in % and mean width of each interval."""
    yield f"{patients} patients"
    yield f"{'':26} alike  true  mean   pair by pair     percentile      reflected   all together"
    for alike in ALIKE:
        for name, (a, b) in SETTINGS.items():
            rng = np.random.default_rng(7)
            truth = float(kendall_tau(orders(a), orders(b)))
            taus, bounds = [], []
            for _ in range(repeats):
                found, intervals = _intervals(rng, np.stack([a, b]) / math.sqrt(patients), alike, patients)
                taus.append(found)
                bounds.append(intervals)
            low, high = np.array(bounds).transpose(2, 1, 0)
            inside = (low <= truth + 1e-9) & (truth <= high + 1e-9)
            cells = [
                f"{100 * own.mean():5.1f} % ({width:4.2f})"
                for own, width in zip(inside, (high - low).mean(axis=1), strict=True)
            ]
            yield f"{name:26} {alike:5.1f} {truth:5.2f} {np.mean(taus):5.2f}  {'  '.join(cells)}"


def _intervals(
    rng: np.random.Generator, true: np.ndarray, alike: float, patients: int
) -> tuple[float, list[tuple[float, float]]]:
    """Tau of one simulated test set, and its intervals by each method."""
    shared = math.sqrt(alike) * rng.normal(size=(patients, 1, true.shape[1]))
    own = math.sqrt(1 - alike) * rng.normal(size=(patients, *true.shape))
    scores = true + shared + own + rng.normal(size=(patients, 1, 1))
    first, second = pairs_of(true.shape[1]).T
    differences = scores[:, :, first] - scores[:, :, second]
    mean, error = differences.mean(axis=0), differences.std(axis=0, ddof=1) / math.sqrt(patients)
    cells = [Studentised(d, e, patients - 1).p for d, e in zip(mean.ravel(), error.ravel(), strict=True)]
    p = np.reshape(cells, mean.shape)
    order = np.sign(mean)
    by_pair = agreement(order[0], order[1], p[0] < 0.05, p[1] < 0.05)
    weights = rng.multinomial(patients, np.full(patients, 1 / patients), DRAWS) / patients
    drawn = np.einsum("rp,pka->kar", weights, differences)
    tau = kendall_tau(np.sign(drawn[0]), np.sign(drawn[1]))
    low, high = np.quantile(tau, [0.025, 0.975], method="inverted_cdf")
    largest = np.quantile(np.abs((drawn - mean[..., None]) / error[..., None]).max(axis=(0, 1)), 0.95)
    beyond = np.abs(mean) > largest * error
    together = agreement(order[0], order[1], beyond[0], beyond[1])
    reflected = max(-1.0, 2 * by_pair.tau - high), min(1.0, 2 * by_pair.tau - low)
    return by_pair.tau, [(by_pair.low, by_pair.high), (low, high), reflected, (together.low, together.high)]


def shares(protocols: int, models: int, seeds: int, patients: int, repeats: int) -> Iterator[str]:
    """A line a setting: the share of each part that the scores were made with, and what is found."""
    yield f"{protocols} protocols, {models} models, {seeds} seeds, {patients} patients; true share: mean (sd), in %"
    for name, variances in SHARES.items():
        rng = np.random.default_rng(3)
        found = []
        for _ in range(repeats):
            runs, draws, true = _made(rng, np.array(variances), (protocols, models, seeds), patients)
            of = variance_parts(runs, draws, patients).shares
            found.append([of[part] for part in PARTS])
        mean, sd = 100 * np.nanmean(found, axis=0), 100 * np.nanstd(found, axis=0)
        cells = [
            f"{part} {100 * t:.0f}: {m:.0f} ({s:.0f})" for part, t, m, s in zip(PARTS, true, mean, sd, strict=True)
        ]
        yield f"{name:20} {'   '.join(cells)}"


def _made(
    rng: np.random.Generator, variances: np.ndarray, shape: tuple[int, int, int], patients: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Runs and draws of a table whose effects have exactly these variances, and the shares of these."""
    protocols, models, seeds = shape
    model, protocol, both, seed, patient = np.sqrt(variances)
    effect = _scaled(rng.normal(size=(1, models))) * model + _scaled(rng.normal(size=(protocols, 1))) * protocol
    left = rng.normal(size=(protocols, models))
    left = left - left.mean(axis=0) - left.mean(axis=1, keepdims=True) + left.mean()
    effect = effect + _scaled(left) * both
    runs = effect[..., None] + seed * rng.normal(size=(protocols, models, seeds))
    of_patients = np.sqrt(0.5) * (rng.normal(size=(patients, 1, 1)) + rng.normal(size=(patients, protocols, models)))
    of_patients = patient * math.sqrt(patients) * of_patients
    weights = rng.multinomial(patients, np.full(patients, 1 / patients), DRAWS) / patients
    runs = runs + of_patients.mean(axis=0)[..., None]
    draws = runs.mean(axis=2)[..., None] - of_patients.mean(axis=0)[..., None]
    draws = draws + np.einsum("rn,npm->pmr", weights, of_patients)
    return runs, draws, variances / variances.sum()


def _scaled(effect: np.ndarray) -> np.ndarray:
    centred = effect - effect.mean()
    return np.asarray(centred / math.sqrt(np.square(centred).mean()))


def main() -> None:
    """Print what is wanted, all by default."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=("tau", "variance", []), default=[])
    parser.add_argument("--repeats", type=int, default=300)
    wanted = parser.parse_args()
    if not wanted.what or "tau" in wanted.what:
        for patients in (20, 100):
            for line in coverage(patients, wanted.repeats):
                print(line, flush=True)
    if not wanted.what or "variance" in wanted.what:
        for shape in ((8, 5, 2, 40), (12, 10, 3, 100)):
            for line in shares(*shape, wanted.repeats):
                print(line, flush=True)


if __name__ == "__main__":
    main()
