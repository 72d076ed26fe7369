"""Neighbours against scikit-learn's float32 brute force, and few-shot episodes against a plain loop, in one run.

    OMP_NUM_THREADS=1 python -m benchmarks.few_shot

Smaller cases of `benchmarks.knn` and `benchmarks.simpleshot`, so that the ratios are there in two minutes.
"""

from __future__ import annotations

from benchmarks import knn, simpleshot


def main() -> None:
    """Print the ratios of both."""
    for metric in ("cosine", "l2"):
        knn.main(["--float32", "--queries", "1000", "--rounds", "5", "--metric", metric])
    simpleshot.main(["--episodes", "200", "--rounds", "3", "--shots", "1", "16"])


if __name__ == "__main__":
    main()
