"""Every published layout: whole it loads strictly, damaged it is refused, and positions are resampled by its rule."""

from __future__ import annotations

import copy
import json
from functools import cache

import numpy as np
import parity_cases as parity
import published
import pytest
import torch

import registry
from registry import layouts
from registry.architectures import conch, dino_positions
from registry.build import build
from registry.card import Architecture
from registry.checkpoint import differences
from registry.errors import UserError
from registry.loading import layout

OTHERS_TEST = ("efficientnet_lite", "dinov2_", "uni", "resnet50")
CARDS = [
    card
    for card in map(registry.card, registry.names())
    if card.weights.layout not in ("random", "none")
    and not (card.name.startswith(OTHERS_TEST[:2]) or card.name in OTHERS_TEST[2:])
]
FILES = [
    pytest.param(card, publish, id=f"{card.name}-{i}")
    for card in CARDS
    for i, publish in enumerate(published.files(card))
]


@cache
def _network(builder: str, kwargs: str):
    with torch.device("meta"):
        return build(Architecture(builder=builder, kwargs=json.loads(kwargs)))


def network(card):
    return _network(card.architecture.builder, json.dumps(card.architecture.kwargs))


def wrong(card, content) -> list[str]:
    """What keeps the content from loading; a sentence of the layout counts too."""
    try:
        return differences(network(card), layout(card)(content))
    except (UserError, KeyError) as problem:
        return [str(problem)]


def edited(content, edit):
    """A copy of the file with its innermost dictionary (of the last file) edited in place."""
    content = copy.copy(dict(content))
    for key in ("teacher", "model", "state_dict", "params", "vit4k_xs_dino.pth"):
        if key in content:
            content[key] = edited(content[key], edit)
            return content
    edit(content)
    return content


@pytest.mark.parametrize(("card", "publish"), FILES)
def test_published_file_loads_strictly_and_damaged_ones_do_not(card, publish):
    with torch.device("meta"):
        content = publish(network(card).state_dict())
        assert wrong(card, content) == []

        def drop(state):
            del state[next(key for key in state if "norm" in key or "bn1" in key or "attention" in key)]

        def rename(state):
            key = next(
                key for key in state if key.endswith("weight") and ("blocks" in key or "layer" in key or "0" in key)
            )
            state[f"{key}s"] = state.pop(key)

        def add(state):
            state["projector.weight"] = torch.empty(2, 2)

        def reshape(state):
            key = next(key for key in state if key.endswith((".bias", ".weight")))
            state[key] = torch.empty(state[key].shape[0] + 1, *state[key].shape[1:])

        for damage in (drop, rename, add, reshape):
            assert wrong(card, edited(content, damage)), damage.__name__


@pytest.mark.parametrize(
    ("name", "vector"),
    [
        ("ctranspath", "ctranspath"),
        ("hipt_vit256", "hipt_vit256"),
        ("phikon", "phikon"),
        ("virchow2", "virchow2"),
        ("lpfm", "lpfm_stage1"),
        ("gigapath_slide", "gigapath_slide"),
        ("conch", "conch_v1"),
    ],
)
def test_these_inverses_are_the_official_key_lists(name, vector):
    card, spec = registry.card(name), parity.read(vector)
    with torch.device("meta"):
        content = published.innermost(published.files(card)[0](network(card).state_dict()))
    ours = {key: list(value.shape) for key, value in content.items()}
    dropped = tuple(spec["nesting"].get("unused_key_prefixes", ["module.head.", "text", "logit_scale"]))
    official = {key: shape for key, (shape, _) in spec["keys"].items() if not key.startswith(dropped)}
    assert {key: shape for key, shape in ours.items() if not key.startswith(dropped)} == official


SMALL = [
    "hipt_vit256",
    "kaiko_vits16",
    "lunit_vits8",
    "lunit_resnet50_bt",
    "pathdino",
    "prost40m",
    "rudolfv2_s",
    "sp22m",
]


@pytest.mark.parametrize("name", [*SMALL, "ctranspath", "resnet50_layer3", "chief"])
def test_values_arrive_where_they_belong(name, tmp_path):
    card = registry.card(name)
    own = {
        key: torch.from_numpy(np.array(parity.rule().tensor(key, value.shape)))
        for key, value in network(card).state_dict().items()
    }
    path = tmp_path / "weights.pth"
    torch.save(dict(published.files(card)[0](own)), path)
    model = registry.load(name, checkpoint=path)
    assert {key: value.shape for key, value in own.items()} == {
        k: v.shape for k, v in model.network.state_dict().items()
    }
    assert all(torch.equal(own[key], value) for key, value in model.network.state_dict().items())
    assert model.weights.sha256 is not None


def test_another_models_file_is_named(tmp_path):
    with torch.device("meta"):
        own = network(registry.card("rudolfv2_s")).state_dict()
    torch.save({f"model.{key}": torch.zeros(value.shape) for key, value in own.items()}, tmp_path / "file.pth")
    with pytest.raises(UserError, match="use model=rudolfv2_s") as refusal:
        registry.load("rudolfv2_b", checkpoint=tmp_path / "file.pth")
    assert "\n" not in str(refusal.value)


def test_models_of_one_architecture_differ_by_the_name_of_the_file(tmp_path):
    """CTransPath as CHIEF tuned it has the same keys and shapes."""
    path = tmp_path / "CHIEF_CTransPath.pth"
    torch.save({"model": {}}, path)
    with pytest.raises(UserError, match=r"chief_ctranspath's file by its name.*use model=chief_ctranspath"):
        registry.load("ctranspath", checkpoint=path)
    with pytest.raises(UserError, match="is not chief_ctranspath's weight file"):
        registry.load("chief_ctranspath", checkpoint=path)


def test_unknown_names_of_rudolfv2_are_listed_not_guessed(tmp_path):
    with torch.device("meta"):
        own = network(registry.card("rudolfv2_s")).state_dict()
    state = {f"model.{key.replace('mlp.w12', 'mlp.gate_up')}": torch.zeros(v.shape) for key, v in own.items()}
    torch.save(state, tmp_path / "model.pth")
    with pytest.raises(UserError, match=r"lacks blocks\.0\.mlp\.w12\.weight.*has besides blocks\.0\.mlp\.gate_up"):
        registry.load("rudolfv2_s", checkpoint=tmp_path / "model.pth")


def test_models_without_public_weights_say_so():
    for name in ("rudolfv", "pluto"):
        with pytest.raises(UserError, match=f"{name} has no public weights .* give your own file as checkpoint="):
            registry.load(name)


def cubic(x: np.ndarray) -> np.ndarray:
    """The kernel of torch's bicubic, a = -0.75."""
    x, a = np.abs(x), -0.75
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def linear(x: np.ndarray) -> np.ndarray:
    return np.maximum(0, 1 - np.abs(x))


def interpolation(size: int, target: int, scale: float, kernel) -> np.ndarray:
    """Matrix [target, size] of one axis: sampled at ``(i + 1/2) / scale - 1/2``, edges repeated, not antialiased."""
    matrix = np.zeros((target, size))
    for i in range(target):
        centre = (i + 0.5) / scale - 0.5
        for j in range(int(np.floor(centre)) - 1, int(np.floor(centre)) + 3):
            matrix[i, np.clip(j, 0, size - 1)] += kernel(np.array(centre - j))
    return matrix


def grid_by_hand(positions, rows, columns, scale, kernel=cubic):
    side = int(np.sqrt(positions.shape[1] - 1))
    grid = positions[0, 1:].reshape(side, side, -1).double().numpy()
    down = interpolation(side, rows, scale[0], kernel)
    across = interpolation(side, columns, scale[1], kernel)
    return np.einsum("ri,ijd,cj->rcd", down, grid, across).reshape(rows * columns, -1)


def test_dino_rule_by_hand():
    positions = torch.randn(1, 197, 3, generator=torch.Generator().manual_seed(0))
    for rows, columns in ((16, 16), (3, 4), (28, 28), (1, 9)):
        ours = dino_positions.resample(positions, rows, columns)
        expected = grid_by_hand(positions, rows, columns, ((rows + 0.1) / 14, (columns + 0.1) / 14))
        np.testing.assert_allclose(ours[0, 1:].numpy(), expected, atol=1e-5)
        assert torch.equal(ours[:, 0], positions[:, 0])
    assert dino_positions.resample(positions, 14, 14) is positions


def test_midnight_positions_by_hand():
    positions = torch.randn(1, 1370, 3, generator=torch.Generator().manual_seed(1))
    ours = layouts.midnight({"embeddings.position_embeddings": positions})["pos_embed"]
    expected = grid_by_hand(positions, 16, 16, (16 / 37, 16 / 37))
    np.testing.assert_allclose(ours[0, 1:].numpy(), expected, atol=1e-5)
    assert torch.equal(ours[:, 0], positions[:, 0])


def test_conch_v1_5_positions_by_hand():
    positions = torch.randn(1, 785, 3, generator=torch.Generator().manual_seed(2))
    ours = conch.layout_v15({"trunk.pos_embed": positions})["trunk.pos_embed"]
    expected = grid_by_hand(positions, 14, 14, (0.5, 0.5), linear)
    np.testing.assert_allclose(ours[0, 1:].numpy(), expected, atol=1e-5)
    same = torch.randn(1, 197, 3)
    assert torch.equal(conch.layout_v15({"trunk.pos_embed": same})["trunk.pos_embed"], same)


def test_position_of_the_class_token_is_added_to_it():
    cls, positions, registers = torch.randn(1, 1, 4), torch.randn(1, 5, 4), torch.randn(1, 2, 4)
    by_transformers = layouts.hibou(
        {
            "embeddings.cls_token": cls,
            "embeddings.position_embeddings": positions,
            "embeddings.register_tokens": registers,
        }
    )
    by_dinov2 = layouts.dinov2({"cls_token": cls, "pos_embed": positions, "register_tokens": registers})
    for state in (by_transformers, by_dinov2):
        assert torch.equal(state["cls_token"], cls + positions[:, :1])
        assert torch.equal(state["pos_embed"], positions[:, 1:])
        assert torch.equal(state["reg_token"], registers)
    mirror = {"cls_token": cls, "pos_embed": positions, "reg_token": registers}
    assert torch.equal(layouts.dinov2(mirror)["cls_token"], cls), "timm's own names are folded already"


def test_queries_keys_and_values_become_one_matrix_in_this_order():
    parts = {p: torch.full((2, 2), float(i)) for i, p in enumerate(("query", "key", "value"))}
    state = layouts.transformers(
        {f"encoder.layer.7.attention.attention.{part}.weight": value for part, value in parts.items()}
    )
    assert list(state) == ["blocks.7.attn.qkv.weight"]
    assert torch.equal(state["blocks.7.attn.qkv.weight"], torch.cat(list(parts.values())))
