"""How near an image is to another one of the same tile."""

from __future__ import annotations

from bench.metrics import MEASURED
from bench.targets.measurements import RESTORATION, Measurements


class ImageQuality(Measurements):
    """PSNR in dB, SSIM and LPIPS of each tile against the clean one; LPIPS is NaN where it was not measured."""

    name = "image_quality"
    question = "how near a restored tile is to the clean one (measured, not predicted)"
    metrics = MEASURED["image_quality"]
    track = RESTORATION
    measured = ("psnr", "ssim", "lpips")

    def compares_itself(self, frontend: str, other: str) -> bool:
        """Never: two corruptions are two questions."""
        return False


TARGET = ImageQuality()
