"""SwinIR (Liang et al. 2021) as DiffBIR changes it: it works at an eighth of the image's size.

Names are those of the released checkpoints, so that LPFM's first stage of virtual staining loads as it is; masks and
tables that follow from the sizes are in those files too and are left out.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Image = Float[Tensor, "tile 3 height width"]
Grid = Float[Tensor, "tile row column channel"]

_MEAN = (0.4488, 0.4371, 0.4040)  # of DIV2K, as SwinIR subtracts it
_FACTOR = 8
COMPUTED = ("relative_position_index", "attn_mask")


class _Attention(nn.Module):
    """Attention within a window, with a learned bias for each distance of two of its positions."""

    def __init__(self, dim: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.qkv = nn.Linear(dim, dim * 3)
        self.proj = nn.Linear(dim, dim)

    def _bias(self) -> Float[Tensor, "head position position"]:
        rows, columns = torch.meshgrid(torch.arange(self.window), torch.arange(self.window), indexing="ij")
        down = rows.flatten()[:, None] - rows.flatten() + self.window - 1
        right = columns.flatten()[:, None] - columns.flatten() + self.window - 1
        return self.relative_position_bias_table[down * (2 * self.window - 1) + right].permute(2, 0, 1)

    def forward(self, windows: Tensor, mask: Tensor | None) -> Tensor:
        q, k, v = self.qkv(windows).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        bias = self._bias()[None]
        if mask is not None:
            bias = (bias + mask[:, None]).repeat(len(windows) // len(mask), 1, 1, 1)
        weights = (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1) + bias).softmax(dim=-1)
        return self.proj((weights @ v).transpose(1, 2).flatten(2))


class _FeedForward(nn.Module):
    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class _Block(nn.Module):
    """Attention in windows, which every second block shifts by half a window, and a feed-forward."""

    def __init__(self, dim: int, heads: int, window: int, ratio: float, shifted: bool) -> None:
        super().__init__()
        self.shift = window // 2 if shifted else 0
        self.window = window
        self.norm1 = nn.LayerNorm(dim)
        self.attn = _Attention(dim, heads, window)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = _FeedForward(dim, int(dim * ratio))

    def forward(self, x: Grid) -> Grid:
        height, width = x.shape[1:3]
        shifted = torch.roll(self.norm1(x), (-self.shift, -self.shift), (1, 2))
        mask = self._mask(height, width).to(x) if self.shift else None
        windows = self.attn(_windows(shifted, self.window), mask)
        x = x + torch.roll(_joined(windows, self.window, height, width), (self.shift, self.shift), (1, 2))
        return x + self.mlp(self.norm2(x))

    def _mask(self, height: int, width: int) -> Float[Tensor, "window position position"]:
        """-100 between positions that only the shift brought into one window."""

        def regions(side: int) -> Tensor:
            places = torch.arange(side)
            return (places >= side - self.window).long() + (places >= side - self.shift).long()

        region = regions(height)[:, None] * 3 + regions(width)
        of_window = _windows(region[None, :, :, None], self.window).squeeze(-1)
        return torch.where(of_window[:, None] != of_window[:, :, None], -100.0, 0.0)


def _windows(x: Tensor, side: int) -> Tensor:
    """[B, H, W, C] to [B * windows, side * side, C]."""
    return x.unflatten(2, (-1, side)).unflatten(1, (-1, side)).transpose(2, 3).flatten(0, 2).flatten(1, 2)


def _joined(windows: Tensor, side: int, height: int, width: int) -> Tensor:
    """The windows back in their places."""
    grid = windows.unflatten(1, (side, side)).unflatten(0, (-1, height // side, width // side))
    return grid.transpose(2, 3).flatten(3, 4).flatten(1, 2)


class _Group(nn.Module):
    """Blocks and a convolution, around which their input is carried."""

    def __init__(self, dim: int, depth: int, heads: int, window: int, ratio: float) -> None:
        super().__init__()
        self.residual_group = nn.Module()
        self.residual_group.blocks = nn.ModuleList(
            _Block(dim, heads, window, ratio, shifted=i % 2 == 1) for i in range(depth)
        )
        self.conv = nn.Conv2d(dim, dim, 3, padding=1)

    def forward(self, x: Grid) -> Grid:
        inside = x
        for block in self.residual_group.blocks:  # type: ignore[union-attr]
            inside = block(inside)
        return x + self.conv(inside.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class _Norm(nn.Module):
    """A norm that the released names put one level down."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Grid) -> Grid:
        return self.norm(x)


class SwinIR(nn.Module):
    """In the setting of LPFM's first stage of virtual staining.

    Parameters
    ----------
    dim, heads, window : int
        Of the attention.
    depths : tuple of int
        Blocks of each group.
    ratio : float
        Of the feed-forward's width to `dim`.
    width : int
        Channels of the layers that bring the image back to its size.
    """

    def __init__(
        self,
        dim: int = 180,
        depths: tuple[int, ...] = (6,) * 8,
        heads: int = 6,
        window: int = 8,
        ratio: float = 2.0,
        width: int = 64,
    ) -> None:
        super().__init__()
        self.conv_first = nn.Sequential(nn.PixelUnshuffle(_FACTOR), nn.Conv2d(3 * _FACTOR**2, dim, 3, padding=1))
        self.patch_embed = _Norm(dim)
        self.layers = nn.ModuleList(_Group(dim, depth, heads, window, ratio) for depth in depths)
        self.norm = nn.LayerNorm(dim)
        self.conv_after_body = nn.Conv2d(dim, dim, 3, padding=1)
        self.conv_before_upsample = nn.Sequential(nn.Conv2d(dim, width, 3, padding=1), nn.LeakyReLU())
        self.conv_up1, self.conv_up2, self.conv_up3, self.conv_hr = (
            nn.Conv2d(width, width, 3, padding=1) for _ in range(4)
        )
        self.conv_last = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, image: Image) -> Image:
        """The image in another stain, RGB about 0..1 and not clipped; sides must be multiples of 64 px."""
        mean = torch.tensor(_MEAN, device=image.device)[:, None, None]
        first = self.conv_first(image - mean)
        x = self.patch_embed(first.permute(0, 2, 3, 1))
        for layer in self.layers:
            x = layer(x)
        x = self.conv_after_body(self.norm(x).permute(0, 3, 1, 2)) + first
        x = self.conv_before_upsample(x)
        for conv in (self.conv_up1, self.conv_up2, self.conv_up3):
            x = F.leaky_relu(conv(F.interpolate(x, scale_factor=2, mode="nearest")), 0.2)
        return self.conv_last(F.leaky_relu(self.conv_hr(x), 0.2)) + mean
