"""How much memory of a GPU a pass takes at most, by the count that torch keeps."""

from __future__ import annotations


class PeakMemory:
    """Counts from when it is made to `stop`; on a CPU nothing is counted.

    Parameters
    ----------
    device : str
        As for torch.

    Attributes
    ----------
    mib : float or None
        Once it is stopped: the most memory that tensors took, MiB; None where it is not known or nothing was computed.
    """

    def __init__(self, device: str) -> None:
        self.mib: float | None = None
        self._device = device if device.startswith("cuda") else ""
        if self._device:
            import torch

            self._before = torch.cuda.memory_allocated(self._device)
            torch.cuda.reset_peak_memory_stats(self._device)

    def stop(self) -> None:
        """Read the count."""
        if self._device:
            import torch

            peak = torch.cuda.max_memory_allocated(self._device)
            self.mib = round(peak / 2**20, 1) if peak > self._before else None
