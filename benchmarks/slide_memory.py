"""Peak memory of the slide and region encoders against upstream's position table.

    python -m benchmarks.slide_memory

Each case runs in a process of its own, on the CPU, with random weights. Printed are the process's peak beyond what it
held before the forward pass, and how many times as much the fixed position table of Prov-GigaPath's own slide encoder
takes (1,000,001 x 768 float32, which this implementation does without).
"""

from __future__ import annotations

import multiprocessing
import resource
import time

TABLE = 1_000_001 * 768 * 4
CASES = [("gigapath_slide", 1_000), ("gigapath_slide", 10_000), ("chief", 10_000), ("hipt", 1)]


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(name: str, n: int) -> tuple[float, float]:
    """Bytes beyond the loaded model at the peak, and seconds, of one slide of `n` tiles or `n` regions of 4096 px."""
    import torch

    import registry

    model = registry.load(f"{name}@random")
    if model.card.unit == "slide":
        side = 256
        i = torch.arange(n)
        width = int(n**0.5)
        inputs = (
            torch.randn(n, 1536 if name == "gigapath_slide" else 768),
            torch.stack([i % width, i // width], 1) * side,
        )
    else:
        inputs = (torch.randint(0, 256, (n, 3, 4096, 4096), dtype=torch.uint8),)
    before, start = _peak(), time.perf_counter()
    with torch.inference_mode():
        model(*inputs)
    return _peak() - before, time.perf_counter() - start


def main() -> None:
    """Print a line a case."""
    context = multiprocessing.get_context("spawn")
    for name, n in CASES:
        with context.Pool(1) as pool:
            used, seconds = pool.apply(measure, (name, n))
        what = f"{n:,} tiles" if name != "hipt" else "a region of 4096 px"
        print(f"{name}, {what}: {used / 1e9:.2f} GB, the table takes {TABLE / used:.1f} times as much; {seconds:.0f} s")


if __name__ == "__main__":
    main()
