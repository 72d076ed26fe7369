"""Restormer (Zamir et al., CVPR 2022), a U-Net of transformer blocks whose attention runs across channels.

Keys are those of swz30/Restormer, so that its checkpoints and LPFM's stage 1 load as they are.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

_STRIDE = 8  # three halvings


class _Norm(nn.Module):
    """LayerNorm over channels without mean subtraction of the output and without bias ("BiasFree")."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Float[Tensor, "image channel height width"]) -> Float[Tensor, "image channel height width"]:
        variance = x.var(dim=1, keepdim=True, correction=0)
        return x / torch.sqrt(variance + 1e-5) * self.weight[:, None, None]


class _WithBody(nn.Module):
    """Upstream keeps several layers one level down, under `body`."""

    def __init__(self, *body: nn.Module) -> None:
        super().__init__()
        self.body = body[0] if len(body) == 1 else nn.Sequential(*body)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class _Attention(nn.Module):
    """Attention between the channels of a head (MDTA): its matrix is channel x channel, whatever the image's size."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(dim, dim * 3, 1, bias=False)
        self.qkv_dwconv = nn.Conv2d(dim * 3, dim * 3, 3, padding=1, groups=dim * 3, bias=False)
        self.project_out = nn.Conv2d(dim, dim, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        q, k, v = self.qkv_dwconv(self.qkv(x)).unflatten(1, (3, self.heads, -1)).flatten(4).unbind(1)
        weights = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1) * self.temperature
        mixed = weights.softmax(dim=-1) @ v
        return self.project_out(mixed.flatten(1, 2).unflatten(2, (height, width)))


class _FeedForward(nn.Module):
    """Gated depthwise feed-forward (GDFN): one half through GELU times the other."""

    def __init__(self, dim: int, expansion: float) -> None:
        super().__init__()
        hidden = int(dim * expansion)
        self.project_in = nn.Conv2d(dim, hidden * 2, 1, bias=False)
        self.dwconv = nn.Conv2d(hidden * 2, hidden * 2, 3, padding=1, groups=hidden * 2, bias=False)
        self.project_out = nn.Conv2d(hidden, dim, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.dwconv(self.project_in(x)).chunk(2, dim=1)
        return self.project_out(F.gelu(gate) * value)


class _Block(nn.Module):
    def __init__(self, dim: int, heads: int, expansion: float) -> None:
        super().__init__()
        self.norm1 = _WithBody(_Norm(dim))
        self.attn = _Attention(dim, heads)
        self.norm2 = _WithBody(_Norm(dim))
        self.ffn = _FeedForward(dim, expansion)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.ffn(self.norm2(x))


class _Embed(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x)


def _down(dim: int) -> nn.Module:
    return _WithBody(nn.Conv2d(dim, dim // 2, 3, padding=1, bias=False), nn.PixelUnshuffle(2))


def _up(dim: int) -> nn.Module:
    return _WithBody(nn.Conv2d(dim, dim * 2, 3, padding=1, bias=False), nn.PixelShuffle(2))


class Restormer(nn.Module):
    """The network in the setting of LPFM's stage 1 (that of Restormer's colour denoiser).

    Calling it gives features, `restored` an image; both share the encoder.

    Parameters
    ----------
    dim : int
        Channels at full resolution; doubled at each of three halvings.
    blocks, heads : 4 ints
        Of each level.
    refinement : int
        Blocks at full resolution after the decoder.
    expansion : float
        Of the feed-forward.
    """

    no_tokens = "attends across channels and gives no patch tokens"

    def __init__(
        self,
        dim: int = 48,
        blocks: tuple[int, int, int, int] = (4, 6, 6, 8),
        heads: tuple[int, int, int, int] = (1, 2, 4, 8),
        refinement: int = 4,
        expansion: float = 2.66,
    ) -> None:
        super().__init__()

        def level(i: int, channels: int, n: int | None = None) -> nn.Sequential:
            return nn.Sequential(*(_Block(channels, heads[i], expansion) for _ in range(blocks[i] if n is None else n)))

        self.patch_embed = _Embed(dim)
        self.encoder_level1 = level(0, dim)
        self.down1_2 = _down(dim)
        self.encoder_level2 = level(1, dim * 2)
        self.down2_3 = _down(dim * 2)
        self.encoder_level3 = level(2, dim * 4)
        self.down3_4 = _down(dim * 4)
        self.latent = level(3, dim * 8)
        self.up4_3 = _up(dim * 8)
        self.reduce_chan_level3 = nn.Conv2d(dim * 8, dim * 4, 1, bias=False)
        self.decoder_level3 = level(2, dim * 4)
        self.up3_2 = _up(dim * 4)
        self.reduce_chan_level2 = nn.Conv2d(dim * 4, dim * 2, 1, bias=False)
        self.decoder_level2 = level(1, dim * 2)
        self.up2_1 = _up(dim * 2)
        self.decoder_level1 = level(0, dim * 2)  # full resolution keeps both halves of the skip: no reduction
        self.refinement = level(0, dim * 2, refinement)
        self.output = nn.Conv2d(dim * 2, 3, 3, padding=1, bias=False)

    def _encode(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        level1 = self.encoder_level1(self.patch_embed(image))
        level2 = self.encoder_level2(self.down1_2(level1))
        level3 = self.encoder_level3(self.down2_3(level2))
        return level1, level2, level3, self.latent(self.down3_4(level3))

    def forward(self, image: Float[Tensor, "tile 3 height width"]) -> Float[Tensor, "tile feature"]:
        """Mean over positions of the bottleneck, after its last block; sides must be multiples of 8 px."""
        return self._encode(image)[-1].mean(dim=(2, 3))

    def restored(self, image: Float[Tensor, "tile 3 height width"]) -> Float[Tensor, "tile 3 height width"]:
        """The restored image, RGB in 0..1 and not clipped; sides must be multiples of 8 px."""
        level1, level2, level3, latent = self._encode(image)
        x = self.reduce_chan_level3(torch.cat([self.up4_3(latent), level3], dim=1))
        x = self.reduce_chan_level2(torch.cat([self.up3_2(self.decoder_level3(x)), level2], dim=1))
        x = self.decoder_level1(torch.cat([self.up2_1(self.decoder_level2(x)), level1], dim=1))
        return self.output(self.refinement(x)) + image

    @torch.no_grad()
    def restore(self, image: UInt8[Tensor, "tile 3 height width"]) -> UInt8[Tensor, "tile 3 height width"]:
        """The restored image, of any size: reflected at the lower and right edge to multiples of 8 px, then cut."""
        height, width = image.shape[-2:]
        pixels = image.to(self.output.weight.device).float() / 255
        padded = F.pad(pixels, (0, -width % _STRIDE, 0, -height % _STRIDE), mode="reflect")
        out = self.restored(padded)[..., :height, :width]
        return (out.clamp(0, 1) * 255).round().to(torch.uint8)
