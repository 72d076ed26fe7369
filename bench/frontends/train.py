"""Train the small restorer `small_unet` on clean tiles: they are degraded on the device, and the network restores them.

    python -m bench.frontends.train --data TILES [TILES ...] --output FOLDER (--steps N | --minutes M)

The same options, tiles and machine give the same weights bit for bit, also where a run was ended and started again: it
goes on from FOLDER/checkpoint.pt. The weights are FOLDER/small_unet.safetensors; `weights_dir=FOLDER` uses them, or
`checkpoints.small_unet=FOLDER/small_unet.safetensors` does.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from bench.demo import make_tiles
from bench.frontends.restorers.small_network import Shape
from bench.frontends.restorers.small_unet import SHIPPED, write_weights
from bench.frontends.training.loop import Options, Training, train
from bench.frontends.training.tiles import Pixels, Tiles, read_folders
from registry import native_bfloat16
from registry.errors import UserError

PHANTOM_PATIENTS, PHANTOM_TILES = 8, 12  # tiles of each of them
CHECKPOINT_SECONDS = 120.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, and print where the weights are; an error of the user is one sentence on stderr and the exit code 2."""
    options = _parser().parse_args(arguments)
    try:
        print(run(options))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"Stopped; the same command goes on from {options.output / 'checkpoint.pt'}.", file=sys.stderr)
        return 130
    return 0


def run(chosen: argparse.Namespace) -> str:
    """Train as the options say, and say in a sentence what was made.

    Raises
    ------
    UserError
        If an option is out of range, a folder holds no usable tiles, or the output cannot be written.
    """
    device = _checked(chosen)
    options = Options(
        seed=chosen.seed,
        shape=Shape(chosen.width, tuple(chosen.depths)),
        size=chosen.size,
        batch=chosen.batch,
        rate=chosen.rate,
        precision=_precision(chosen.precision, device),
    )
    torch.use_deterministic_algorithms(True)
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    real = read_folders(chosen.data, options.side, chosen.at_most, chosen.seed)
    tiles = Tiles(real, phantom(chosen.output / "phantom", chosen.seed) if chosen.phantom else [], chosen.phantom)
    training = Training(options, tiles, device)
    checkpoint = chosen.output / "checkpoint.pt"
    if checkpoint.exists():
        training.resume(checkpoint)
    train(training, checkpoint, chosen.steps or 0, chosen.minutes or 0.0, CHECKPOINT_SECONDS)
    weights = chosen.output / SHIPPED.name
    recipe = {"seed": options.seed, "steps": training.step, "tiles": tiles.sha256, "phantom": tiles.share}
    write_weights(weights, training.averaged(), recipe)
    return (
        f"{weights}: {training.step} steps in {training.elapsed / 60:.1f} minutes on {len(tiles.real)} real and "
        f"{len(tiles.synthetic)} synthetic tiles; --steps {training.step} makes the same weights on this machine."
    )


def phantom(folder: Path, seed: int) -> list[Pixels]:
    """Synthetic tiles, which are made in a folder once."""
    make_tiles(folder, seed, PHANTOM_PATIENTS, PHANTOM_TILES)
    paths = sorted((folder / "tiles").rglob("*.jpg"))
    return [np.asarray(Image.open(path).convert("RGB")) for path in paths]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.frontends.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", nargs="*", type=Path, default=[], metavar="TILES", help="folders of clean tiles, subfolders included")
    add("--phantom", type=float, default=0.15, metavar="SHARE", help="synthetic tiles in batches, 0 to 1 (0.15)")
    add("--output", type=Path, required=True, metavar="FOLDER", help="checkpoint, weights and synthetic tiles")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--steps", type=int, help="steps in all, those before a restart counted")
    length.add_argument("--minutes", type=float, help="minutes in all; the number of steps follows from the speed")
    add("--size", type=int, default=64, help="side of crops, px, a multiple of 16 (64)")
    add("--batch", type=int, default=16, help="crops a step (16)")
    add("--width", type=int, default=32, help="channels of the finest level (32)")
    add("--depths", type=int, nargs="+", default=[2, 2, 4], help="blocks of each level (2 2 4)")
    add("--rate", type=float, default=1e-3, help="learning rate (0.001)")
    add("--seed", type=int, default=0, help="of everything that is drawn (0)")
    add("--at-most", type=int, default=20_000, metavar="N", help="tiles in memory; of more, a random subset (20000)")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu, cuda or cuda:N (cuda if there)")
    add(
        "--precision", choices=["auto", "float32", "bfloat16"], default="auto", help="of products (what the device has)"
    )
    add("--threads", type=int, default=0, help="of the processor (torch's own choice)")
    return parser


def _checked(chosen: argparse.Namespace) -> torch.device:
    for name in ("batch", "width", "at_most", "rate"):
        if getattr(chosen, name) <= 0:
            raise UserError(f"--{name.replace('_', '-')} must be above 0, and it is {getattr(chosen, name)}.")
    if chosen.size < 32 or chosen.size % 16 or chosen.size % Shape(depths=chosen.depths).multiple:
        raise UserError(f"--size must be a multiple of 16 and of 2^levels from 32 on, and it is {chosen.size}.")
    if min(chosen.depths) < 1:
        raise UserError("--depths must be at least one block for every level.")
    if not 0 <= chosen.phantom <= 1:
        raise UserError(f"--phantom is a share from 0 to 1, and it is {chosen.phantom}.")
    if not chosen.data and not chosen.phantom:
        raise UserError("There are no tiles to train on: name folders with --data, or give --phantom a share above 0.")
    if (chosen.steps or chosen.minutes or 0) <= 0:
        raise UserError("--steps or --minutes must be above 0.")
    try:
        device = torch.device(chosen.device)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"The device {chosen.device} cannot be used: take --device cpu.") from error
    return device


def _precision(wanted: str, device: torch.device) -> str:
    if wanted != "auto":
        return wanted
    return "bfloat16" if device.type == "cuda" or native_bfloat16() else "float32"


if __name__ == "__main__":
    sys.exit(main())
