"""What identifies features: everything that can change them, and nothing else."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from bench.files import digest, file_name


@dataclass(frozen=True)
class FeatureKey:
    """The identity of an embedding job, of its folder in the store and of the attributes of its files.

    Attributes
    ----------
    model : str
        Name of the model.
    card : str
        Digest of its card: network, preprocessing, pooling.
    weights : str
        sha256 of the weights; "random" or "none" for a model that reads no file; "" for precomputed features.
    options : str
        The chosen options of the card, as JSON.
    frontend : str
        What is applied between tile and encoder; "" for nothing.
    preprocess : str
        Where tiles are resized: "device" or "exact".
    precision : str
        Number format of the network's products.
    source : str
        What is read: the digest of a tile dataset; the cohort and tiling of slides; of slide vectors, the digest of the
        key of the tile features that they are made of.
    """

    model: str
    card: str
    weights: str
    options: str
    frontend: str
    preprocess: str
    precision: str
    source: str

    @property
    def digest(self) -> str:
        """16 hex digits that identify all fields."""
        return digest(asdict(self))

    @property
    def attributes(self) -> dict[str, str]:
        """What each of its files carries."""
        return {f"key_{name}": value for name, value in asdict(self).items()}

    def folder(self, cache: Path) -> Path:
        """``cache/features/MODEL/DIGEST``."""
        safe = "".join(c if c.isalnum() or c in "-_.@" else "-" for c in self.model)
        return cache / "features" / file_name(safe) / self.digest
