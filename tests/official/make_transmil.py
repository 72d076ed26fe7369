"""Run TransMIL's network and optimiser on bags from seeds, and write transmil.npz.

The package nystrom-attention must be importable, 0.0.11 or newer: 0.0.9, which TransMIL's requirements pin, cuts the
padding off the wrong end of its output (lucidrains/nystrom-attention, issue 5), so that a class token has the output of
a token of zeros.

    python tests/official/make_transmil.py --official TransMIL --commit 9d6aee5
"""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
import torch
from mil_helpers import Names, bags, checkout, fill_official, load_file, orders, save, summary_official

folder, commit = checkout()
torch.Tensor.cuda = lambda self: self  # type: ignore[assignment,method-assign]  # the class token is moved to a GPU
TransMIL = load_file(folder / "models" / "TransMIL.py").TransMIL

from MyOptimizer import create_optimizer  # noqa: E402
from MyOptimizer.lookahead import Lookahead  # noqa: E402

# It does not call its base's constructor, which makes these in today's torch.
Lookahead._optimizer_step_pre_hooks = Lookahead._optimizer_step_post_hooks = {}  # type: ignore[assignment]

SIZES, STEP_SIZES, RATE, DECAY = [3, 150, 225, 226, 300], [20, 9, 30, 12], 2e-4, 1e-5

OWN = {"embed.0": "_fc1.0", "classify": "_fc2", "norms.2": "norm"}
OWN |= {f"norms.{i}": f"layer{i + 1}.norm" for i in range(2)}
OWN |= {f"layers.{i}.out.0": f"layer{i + 1}.attn.to_out.0" for i in range(2)}
OWN |= {f"position.{i}": f"pos_layer.proj{i or ''}" for i in range(3)}
NAMES: Names = {
    **{f"{a}.{part}": f"{b}.{part}" for a, b in OWN.items() for part in ("weight", "bias")},
    **{f"layers.{i}.qkv.weight": f"layer{i + 1}.attn.to_qkv.weight" for i in range(2)},
    **{f"layers.{i}.convolution.weight": f"layer{i + 1}.attn.res_conv.weight" for i in range(2)},
    "token": "cls_token",
}


class Options:
    """The section Optimizer of Camelyon/TransMIL.yaml."""

    opt, lr, weight_decay, opt_eps, opt_betas, momentum = "lookahead_radam", RATE, DECAY, None, None, None


def logits(network: torch.nn.Module, tiles: list[torch.Tensor]) -> np.ndarray:
    network.eval()
    with torch.no_grad():
        return torch.cat([network(data=x[None])["logits"] for x in tiles]).numpy()


def network_run() -> dict[str, np.ndarray]:
    network = TransMIL(n_classes=2)
    fill_official(network, NAMES)
    found = {"logits": logits(network, [torch.from_numpy(b) for b in bags(0, SIZES, 1024)])}
    small = [torch.from_numpy(b) for b in bags(1, STEP_SIZES, 1024)]
    optimiser = create_optimizer(Options, network)
    cross_entropy, network = torch.nn.CrossEntropyLoss(), network.train()
    torch.manual_seed(2)
    for at, slide in enumerate(orders(3, 1, len(small))[0]):  # two bags a step, as with accumulate_grad_batches=2
        loss = cross_entropy(network(data=small[slide][None])["logits"], torch.tensor([slide % 2]))
        (loss / 2).backward()
        if at % 2:
            optimiser.step()
            optimiser.zero_grad()
    found["trained_logits"] = logits(network, small)
    found["trained"] = summary_official(network, NAMES)
    return found


def optimiser_run() -> np.ndarray:
    """The weights of a small layer after each of 40 steps with gradients from a seed, at a rate and decay that show."""
    layer = torch.nn.Linear(3, 2)
    fill_official(layer, {"weight": "weight", "bias": "bias"})
    options = type("Large", (Options,), {"lr": 0.05, "weight_decay": 0.1})
    optimiser, rng, path = create_optimizer(options, layer), np.random.default_rng(0), []
    for _ in range(40):
        for p in layer.parameters():
            p.grad = torch.from_numpy(rng.normal(size=p.shape).astype(np.float32))
        optimiser.step()
        path.append(torch.cat([p.detach().flatten() for p in layer.parameters()]).numpy().copy())
    return np.stack(path)


if __name__ == "__main__":
    shape = {"sizes": np.array(SIZES), "step_sizes": np.array(STEP_SIZES)}
    commit += f", nystrom-attention {version('nystrom-attention')}"
    save("transmil", commit, **shape, **network_run(), optimiser=optimiser_run())
