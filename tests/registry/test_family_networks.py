"""The networks that timm lacks, each against its definition written out plainly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import registry
from registry.architectures import chief, conch, genbio, longnet, resnet, rope, rudolfv
from registry.errors import UserError


@pytest.fixture(autouse=True)
def _no_gradients():
    torch.manual_seed(0)
    with torch.no_grad():
        yield


def dilated_attention_by_definition(attention, x, segments, ratios):
    """Token by token, in float64: the sum over branches of exp(logits) v over the sum over branches of exp(logits)."""
    heads = attention.heads
    n, dim = x.shape
    q, k, v = (
        layer(x).double().reshape(n, heads, dim // heads)
        for layer in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    out = torch.zeros(n, heads, dim // heads, dtype=torch.float64)
    for head in range(heads):
        for i in range(n):
            above, below = torch.zeros(dim // heads, dtype=torch.float64), 0.0
            for segment, ratio in zip(segments, ratios, strict=True):
                length = min(segment, n)
                start, offset = i // length * length, head // (heads // ratio)
                if (i - start) % ratio != offset:
                    continue
                for place in range(offset, -(-length // ratio) * ratio, ratio):
                    key = start + place
                    if place < length and key < n:
                        weight = torch.exp(q[i, head] @ k[key, head] / np.sqrt(dim // heads))
                        above, below = above + weight * v[key, head], below + weight
                    else:
                        below = below + 1.0  # a padding key: logit 0, value 0
            out[i, head] = above / below
    return attention.out_proj(attention.inner_attn_ln(out.reshape(n, dim).float()))


@settings(max_examples=12)
@given(
    n=st.integers(1, 23),
    segments=st.tuples(st.integers(1, 9), st.integers(3, 14), st.integers(8, 40)),
    limit=st.sampled_from([1, 40, 2**25]),
)
def test_dilated_attention(n, segments, limit):
    attention = longnet.DilatedAttention(8, 4, segments, (1, 2, 4))
    x = torch.randn(n, 8)
    with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(longnet, "_LOGITS", limit)
        ours = attention(x[None])[0]
        expected = dilated_attention_by_definition(attention, x, segments, (1, 2, 4))
    torch.testing.assert_close(ours, expected, atol=2e-5, rtol=1e-4)


def test_positions_are_rows_of_maes_table():
    """The table as MAE makes it, for a grid of 12 x 12 cells instead of 1000 x 1000."""
    dim, side = 16, 12
    omega = 1.0 / 10000 ** (np.arange(dim // 4) / (dim / 4.0))

    def one_axis(cells):
        return np.concatenate([np.sin(np.outer(cells, omega)), np.cos(np.outer(cells, omega))], axis=1)

    rows, columns = np.divmod(np.arange(side * side), side)
    table = np.concatenate([one_axis(columns), one_axis(rows)], axis=1)
    coords = torch.from_numpy(np.random.default_rng(0).integers(0, side * 512, (30, 2)))
    index = (coords // 512) @ torch.tensor([side, 1])  # x counts the table's rows
    np.testing.assert_allclose(longnet.positions(coords, 512, dim).numpy(), table[index.numpy()], atol=1e-6)


def test_slides_of_a_batch_do_not_see_each_other():
    encoder = longnet.LongNetSlideEncoder(dim_in=6, dim=32, depth=2).eval()
    features, coords = torch.randn(2, 5, 6), torch.randint(0, 9999, (2, 5, 2))
    both = encoder(features, coords)
    for i in range(2):
        torch.testing.assert_close(both[i], encoder(features[i : i + 1], coords[i : i + 1])[0])


def test_slide_encoders_say_what_they_need():
    model = registry.load("gigapath_slide@random")
    with pytest.raises(UserError, match="give coords"):
        model(torch.randn(3, 1536))
    with pytest.raises(UserError, match="slide without tiles"):
        model(torch.randn(0, 1536), torch.zeros(0, 2))
    coords = torch.tensor([[0, 0], [512, 0], [0, 512]])
    features = torch.randn(3, 1536)
    assert torch.equal(model(features, coords * 2, tile_size=512), model(features, coords))
    assert not torch.allclose(model(features, coords * 2), model(features, coords))


def test_chief_is_the_weighted_mean_of_its_input():
    model = registry.load("chief@random")
    features = torch.randn(7, 768)
    first, gate = model.network.attention_net[0], model.network.attention_net[3]
    hidden = torch.relu(first(features))
    a, b = gate.attention_a[0](hidden).tanh(), gate.attention_b[0](hidden).sigmoid()
    weights = (a * b @ gate.attention_c.weight.T + gate.attention_c.bias).softmax(0)
    torch.testing.assert_close(model(features)[0], (weights * features).sum(0))
    assert isinstance(model.network, chief.Chief)


def test_rotary_embedding_turns_pairs_by_place():
    heads_dim, grid = 16, (3, 5)
    periods = rope.periods(heads_dim)
    np.testing.assert_allclose(periods.numpy(), 100.0 ** (np.arange(4) / 4), rtol=1e-6)
    x = torch.randn(2, 2 + 15, heads_dim)
    turned = rope.rotate(x, *rope.turns(*grid, periods)).numpy()
    np.testing.assert_array_equal(turned[:, :2], x[:, :2].numpy())
    for row in range(3):
        for column in range(5):
            patch = 2 + row * 5 + column
            place = 2 * np.array([(row + 0.5) / 3, (column + 0.5) / 5]) - 1
            angles = 2 * np.pi * np.concatenate([place[0] / periods.numpy(), place[1] / periods.numpy()])
            low, high = x[:, patch, :8].numpy(), x[:, patch, 8:].numpy()
            expected = np.concatenate(
                [low * np.cos(angles) - high * np.sin(angles), high * np.cos(angles) + low * np.sin(angles)], axis=1
            )
            np.testing.assert_allclose(turned[:, patch], expected, atol=2e-5)


def test_genbio_channels_are_images_of_their_own():
    network = genbio.GenBioPathFM(dim=64, depth=2, heads=2, hidden=48).eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    tiles = torch.randn(2, 3, 32, 48)
    features = network(tiles).unflatten(1, (3, 64))
    torch.testing.assert_close(network(tiles[:, [2, 0, 1]]).unflatten(1, (3, 64)), features[:, [2, 0, 1]])
    assert (features[:, 0] - features[:, 1]).abs().max() > 0.1


def test_genbio_turns_in_bfloat16_whatever_it_is_cast_to():
    network = genbio.GenBioPathFM(dim=64, depth=1, heads=2, hidden=48)
    assert network.float().rope_embed.periods.dtype == torch.bfloat16
    network.load_state_dict({**network.state_dict(), "rope_embed.periods": rope.periods(32).float()})
    assert network.rope_embed.periods.dtype == torch.bfloat16
    sine, cosine = rope.turns(2, 2, network.rope_embed.periods)
    assert sine.dtype == cosine.dtype == torch.bfloat16
    exact = rope.rotate(torch.randn(5, 32), sine.float(), cosine.float())
    assert rope.rotate(exact, sine, cosine).dtype == torch.float32


def test_rudolfv2_has_the_published_total_and_tokens():
    with torch.device("meta"):
        network = rudolfv.RudolfV2(1536, 40, 24, 4096)
    assert sum(value.numel() for value in network.state_dict().values()) == 1_133_789_200
    small = rudolfv.RudolfV2(32, 1, 2, 24).eval()
    tokens = small(torch.randn(2, 3, 224, 224))
    assert tokens.shape == (2, 1 + 8 + 28 * 28, 32)
    attention = small.blocks[0].attn
    x, turn = torch.randn(1, 13, 32), rope.turns(2, 2, rope.periods(16))
    before = attention(x, turn)
    attention.qkv.weight[:64] *= 3.0  # queries and keys are normalised: their scale is lost
    attention.qkv.bias[:64] *= 3.0
    torch.testing.assert_close(attention(x, turn), before, atol=1e-4, rtol=1e-4)


def test_conch_v1_5_pooler_is_attention_without_biases():
    pooler = conch._PoolerV15(48, 64, heads=8)
    nn.init.normal_(pooler.query)
    oracle = nn.MultiheadAttention(48, 8, bias=False, kdim=64, vdim=64, batch_first=True)
    oracle.load_state_dict(
        {
            "q_proj_weight": pooler.to_q.weight,
            "k_proj_weight": pooler.to_kv.weight[:48],
            "v_proj_weight": pooler.to_kv.weight[48:],
            "out_proj.weight": pooler.to_out.weight,
        }
    )
    tokens = torch.randn(2, 9, 64)
    keys, query = pooler.ln_k(tokens), pooler.ln_q(pooler.query).expand(2, 1, 48)
    torch.testing.assert_close(pooler(tokens), oracle(query, keys, keys)[0][:, 0])


def test_resnet50_layer3_is_timms_feature_network():
    import timm

    network = resnet.ResNetLayer3().eval()
    whole = timm.create_model("resnet50", features_only=True, out_indices=[3], num_classes=0).eval()
    whole.load_state_dict(network.state_dict())
    tiles = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(network(tiles), whole(tiles)[0].mean((2, 3)))
