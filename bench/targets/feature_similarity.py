"""How near the feature of a corrupted or restored tile is to that of the clean one."""

from __future__ import annotations

from bench.metrics import MEASURED
from bench.targets.measurements import ROBUSTNESS, Measurements


class FeatureSimilarity(Measurements):
    """Of each tile the cosine, retrieval of its own clean tile among the first 1 and 10, and the unrestored cosine."""

    name = "feature_similarity"
    question = "how near a feature is to that of the clean tile (measured, not predicted)"
    metrics = MEASURED["feature_similarity"]
    track = ROBUSTNESS
    measured = ("cosine", "top1", "top10", "cosine_unrestored")

    def compares_itself(self, frontend: str, other: str) -> bool:
        """Where one chain is the start of the other: what its further front-ends change."""
        short, long = sorted((frontend, other), key=len)
        return not short or long.startswith(f"{short}+")


TARGET = FeatureSimilarity()
