"""From the names of the released checkpoints (Latent Diffusion, OpenCLIP) to those of diffusers and transformers.

The names are those of Stability AI's ``v2-1_512-ema-pruned.ckpt`` and of DiffBIR's ControlNet, whose code LPFM's second
stage is. Each function takes a flat mapping of names to tensors and gives that of one network; a name that it does not
know it passes on, so that strict loading can report it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from registry.errors import UserError, first_few

if TYPE_CHECKING:
    from torch import Tensor

State = Mapping[str, "Tensor"]
Rule = tuple[str, str | Callable[[re.Match[str]], str]]

PREFIXES = {
    "unet": "model.diffusion_model.",
    "autoencoder": "first_stage_model.",
    "text": "cond_stage_model.model.",
}
# Beside the networks the file holds the noise schedule and the counters of its moving average; the authors' own log of
# a run of LPFM lists them as unused.
UNUSED = frozenset(
    [
        "model_ema.decay",
        "model_ema.num_updates",
        "betas",
        "alphas_cumprod",
        "alphas_cumprod_prev",
        "sqrt_alphas_cumprod",
        "sqrt_one_minus_alphas_cumprod",
        "log_one_minus_alphas_cumprod",
        "sqrt_recip_alphas_cumprod",
        "sqrt_recipm1_alphas_cumprod",
        "posterior_variance",
        "posterior_log_variance_clipped",
        "posterior_mean_coef1",
        "posterior_mean_coef2",
    ]
)
_TEXT_UNUSED = ("text_projection", "logit_scale")
_RESNET = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}


def flat(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """What a file holds as names and tensors: out of ``state_dict``, without the ``module.`` of parallel training."""
    state = content.get("state_dict", content)
    return {str(name).removeprefix("module."): value for name, value in state.items()}


def parts(state: State) -> dict[str, dict[str, Tensor]]:
    """The U-Net's, the autoencoder's and the text tower's names out of a Stable Diffusion file.

    Raises
    ------
    UserError
        If one of them is not there, or the file holds what belongs to none.
    """
    found: dict[str, dict[str, Tensor]] = {part: {} for part in PREFIXES}
    strange = []
    for name, value in state.items():
        part = next((part for part, prefix in PREFIXES.items() if name.startswith(prefix)), None)
        if part is not None:
            found[part][name.removeprefix(PREFIXES[part])] = value
        elif name not in UNUSED:
            strange.append(name)
    lacking = [prefix for part, prefix in PREFIXES.items() if not found[part]]
    if lacking:
        raise UserError(f"it has no names that start with {first_few(lacking)}, as those of Stable Diffusion 2.1 do")
    if strange:
        raise UserError(f"it holds {first_few(strange)}, which is no part of Stable Diffusion 2.1")
    return found


def unet(state: State, blocks: int = 2) -> dict[str, Tensor]:
    """The U-Net's; `blocks` are residual blocks of a level of its encoder."""
    return _renamed(state, _unet_rules(blocks))


def control_net(state: State, blocks: int = 2) -> dict[str, Tensor]:
    """The ControlNet's: the encoder half of a U-Net, and a layer at each of its outputs."""
    rules: list[Rule] = [
        (r"zero_convs\.(\d+)\.0\.", r"controlnet_down_blocks.\1."),
        (r"middle_block_out\.0\.", "controlnet_mid_block."),
    ]
    return _renamed(state, rules + _unet_rules(blocks))


def autoencoder(state: State, levels: int = 4) -> dict[str, Tensor]:
    """The autoencoder's; the products of its attention are 1 x 1 convolutions in the file."""
    attention = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}
    rules: list[Rule] = [
        (r"(encoder|decoder)\.mid\.attn_1\.(\w+)", lambda m: f"{m[1]}.mid_block.attentions.0.{attention[m[2]]}"),
        (r"(encoder|decoder)\.mid\.block_(\d)", lambda m: f"{m[1]}.mid_block.resnets.{int(m[2]) - 1}"),
        (r"encoder\.down\.(\d+)\.block\.", r"encoder.down_blocks.\1.resnets."),
        (r"encoder\.down\.(\d+)\.downsample\.", r"encoder.down_blocks.\1.downsamplers.0."),
        (r"decoder\.up\.(\d+)\.block\.", lambda m: f"decoder.up_blocks.{levels - 1 - int(m[1])}.resnets."),
        (r"decoder\.up\.(\d+)\.upsample\.", lambda m: f"decoder.up_blocks.{levels - 1 - int(m[1])}.upsamplers.0."),
        (r"(encoder|decoder)\.norm_out\.", r"\1.conv_norm_out."),
    ]
    renamed = _renamed(state, rules)
    return {
        name.replace("nin_shortcut", "conv_shortcut"): _as_matrix(value) if ".attentions." in name else value
        for name, value in renamed.items()
    }


def text_tower(state: State, layers: int = 24) -> dict[str, Tensor]:
    """The text tower's, without its last layer: Stable Diffusion 2 reads the last but one."""
    rules: list[Rule] = [
        (r"token_embedding\.", "embeddings.token_embedding."),
        (r"positional_embedding$", "embeddings.position_embedding.weight"),
        (r"ln_final\.", "final_layer_norm."),
        (r"transformer\.resblocks\.(\d+)\.ln_(\d)\.", r"encoder.layers.\1.layer_norm\2."),
        (r"transformer\.resblocks\.(\d+)\.mlp\.c_fc\.", r"encoder.layers.\1.mlp.fc1."),
        (r"transformer\.resblocks\.(\d+)\.mlp\.c_proj\.", r"encoder.layers.\1.mlp.fc2."),
        (r"transformer\.resblocks\.(\d+)\.attn\.", r"encoder.layers.\1.self_attn."),
    ]
    last = f"transformer.resblocks.{layers - 1}."
    wanted = {name: value for name, value in state.items() if name not in _TEXT_UNUSED and not name.startswith(last)}
    renamed = _renamed(wanted, rules)
    for name in [name for name in renamed if ".self_attn.in_proj_" in name]:
        stem, _, kind = name.rpartition("in_proj_")
        for product, third in zip("qkv", renamed.pop(name).chunk(3), strict=True):
            renamed[f"{stem}{product}_proj.{kind}"] = third
    return renamed


def _unet_rules(blocks: int) -> list[Rule]:
    def down(match: re.Match[str]) -> str:
        number, layer, rest = int(match[1]), int(match[2]), match[3]
        if number == 0:
            return f"conv_in.{rest}"
        level, position = divmod(number - 1, blocks + 1)
        if position == blocks:
            return f"down_blocks.{level}.downsamplers.0.{rest.replace('op.', 'conv.')}"
        return f"down_blocks.{level}.{_layer(layer, position, rest)}"

    def up(match: re.Match[str]) -> str:
        level, position = divmod(int(match[1]), blocks + 1)
        layer, rest = int(match[2]), match[3]
        if layer > 0 and rest.startswith("conv."):
            return f"up_blocks.{level}.upsamplers.0.{rest}"
        return f"up_blocks.{level}.{_layer(layer, position, rest)}"

    def middle(match: re.Match[str]) -> str:
        number = int(match[1])
        return f"mid_block.{_layer(number % 2, number // 2, match[2])}"

    return [
        (r"input_blocks\.(\d+)\.(\d)\.(.+)", down),
        (r"output_blocks\.(\d+)\.(\d)\.(.+)", up),
        (r"middle_block\.(\d)\.(.+)", middle),
        (r"time_embed\.0\.", "time_embedding.linear_1."),
        (r"time_embed\.2\.", "time_embedding.linear_2."),
        (r"out\.0\.", "conv_norm_out."),
        (r"out\.2\.", "conv_out."),
    ]


def _layer(layer: int, position: int, rest: str) -> str:
    """A residual block (layer 0), or the attention that follows it."""
    if layer == 1:
        return f"attentions.{position}.{rest}"
    name, _, kind = rest.rpartition(".")
    return f"resnets.{position}.{_RESNET.get(name, name)}.{kind}"


def _renamed(state: State, rules: Iterable[Rule]) -> dict[str, Tensor]:
    """Each name by the first rule that matches from its start."""
    renamed = {}
    for name, value in state.items():
        matching = next(((pattern, new) for pattern, new in rules if re.match(pattern, name)), None)
        renamed[re.sub(matching[0], matching[1], name, count=1) if matching else name] = value
    return renamed


def _as_matrix(value: Tensor) -> Tensor:
    return value.flatten(1) if value.ndim == 4 else value
