"""The devices of a run: which they are, what fits them, and a process for each where there are several."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import re
from collections.abc import Callable

from bench.config import BenchConfig, Step
from bench.runs.context import RunContext, to_stderr
from registry.errors import UserError

MEMORY_SHARE = 0.6  # of a device's free memory, for the weights of one pass; the rest is for activations
EVERY_GPU = "all"
KINDS = re.compile(r"cpu|(cuda|mps|xpu)(:[0-9]{1,3})?")  # of devices that compute; torch has more that do not


def devices_of(config: BenchConfig) -> list[str]:
    """The devices that embed; heads are fitted on the first.

    Raises
    ------
    UserError
        If they are not all of one kind, or `all` is set where there is no GPU.
    """
    wanted = config.device
    if wanted is None:
        return [best_device()]
    if wanted == EVERY_GPU:
        import torch

        if not torch.cuda.device_count():
            raise UserError("device=all takes every GPU and there is none here: leave device= out, or set device=cpu.")
        return [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    found = list(wanted) if isinstance(wanted, list) else [wanted]
    if not found or not all(isinstance(name, str) and KINDS.fullmatch(name) for name in found):
        raise UserError(f"device={wanted} must be a name such as cuda, cuda:1, mps or cpu, a list of these, or all.")
    kinds = {name.partition(":")[0] for name in found}
    if len(kinds) > 1:
        raise UserError(
            f"device=[{','.join(found)}] names devices of several kinds, whose features differ: name those of one."
        )
    twice = sorted({name for name in found if found.count(name) > 1 and name != "cpu"})
    if twice:
        raise UserError(f"device=[{','.join(found)}] names {twice[0]} twice: name each GPU once.")
    return found


def run_on(
    devices: list[str], context: RunContext, embed_part: Callable[[BenchConfig, str, int, bool, bool], None]
) -> None:
    """Embed in one process a device, each a part of the slides or shards; they meet in the cache.

    A process that fails says why on stderr. What it has not embedded is still missing then, and found so by the caller.

    Parameters
    ----------
    embed_part : callable
        Takes the settings of the part, the device, the threads of the processor that it may use, whether it shows its
        progress, and whether it says lines.
    """
    processes = []
    talk = context.say is to_stderr
    threads = max(1, n_processors() // len(devices))
    started = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
    for number, device in enumerate(devices, 1):
        config = dataclasses.replace(
            context.config,
            device=device,
            steps=[Step.embed],
            part=" ".join([*([context.config.part] if context.config.part else []), f"{number}/{len(devices)}"]),
            workers=context.config.workers or threads,
            scratch_gib=context.config.scratch_gib / len(devices),
        )
        first = context.progress and number == 1
        processes.append(started.Process(target=embed_part, args=(config, device, threads, first, talk), name=device))
    context.say(f"embedding in {len(devices)} processes, on {', '.join(devices)}")
    for process in processes:
        process.start()
    try:
        for process in processes:
            process.join()
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
                process.join()
    for process in processes:
        if process.exitcode:
            context.say(
                f"the process on {process.name} ended early (exit code {process.exitcode}): {devices[0]} goes on"
            )


def n_processors() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usual_batch_size(device: str, side: int) -> int:
    """As many pixels as 256 tiles of 256 px on a GPU, an eighth of it on a CPU: one region of 4,096 px is a batch."""
    share = min(1.0, (256 / side) ** 2) if side else 1.0
    return max(1, round((256 if device.startswith("cuda") else 32) * share))


def memory_for_weights(context: RunContext) -> int | None:
    """What the weights of one pass may take together on the device."""
    if context.config.memory_gib is not None:
        return int(context.config.memory_gib * 2**30)
    if context.device.startswith("cuda"):
        import torch

        try:
            free, _ = torch.cuda.mem_get_info(torch.device(context.device))
        except (AssertionError, RuntimeError):  # no such device, as loading the first model says in a sentence
            return None
        return int(free * MEMORY_SHARE)
    if hasattr(os, "sysconf") and "SC_AVPHYS_PAGES" in os.sysconf_names:
        return int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * MEMORY_SHARE)
    return None


def best_device() -> str:
    """A GPU where there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
