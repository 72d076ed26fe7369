"""The colour fix against its definition, computed plainly."""

import numpy as np
import torch

from bench.frontends.restorers.stable_diffusion.wavelet import LEVELS, low_band, merged


def an_image(seed, height=40, width=56):
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plain_low_band(channel):
    height, width = channel.shape
    for level in range(LEVELS):
        hole, blurred = 2**level, np.zeros_like(channel)
        for down, row_weight in ((-hole, 0.25), (0, 0.5), (hole, 0.25)):
            for right, column_weight in ((-hole, 0.25), (0, 0.5), (hole, 0.25)):
                rows = np.clip(np.arange(height) + down, 0, height - 1)
                columns = np.clip(np.arange(width) + right, 0, width - 1)
                blurred += row_weight * column_weight * channel[rows][:, columns]
        channel = blurred
    return channel


def test_the_low_band_is_five_filters_with_growing_holes():
    image = an_image(1)

    np.testing.assert_allclose(low_band(image)[0, 1].numpy(), plain_low_band(image[0, 1].numpy()), atol=1e-13)


def test_details_come_from_one_image_and_colours_from_the_other():
    details, colours = an_image(1), an_image(2)
    image = merged(details, colours)

    torch.testing.assert_close(image - low_band(colours), details - low_band(details))
    torch.testing.assert_close(merged(details, details), details)


def test_the_low_band_of_the_merged_image_is_that_of_the_colours():
    y, x = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    smooth = (0.5 + 0.4 * torch.sin(2 * torch.pi * x / 1024) * torch.cos(2 * torch.pi * y / 1024)).expand(1, 3, -1, -1)
    details = an_image(3, 256, 256).float() * 0.3

    found = low_band(merged(details, smooth))[..., 64:-64, 64:-64]

    wrong = (found - low_band(smooth)[..., 64:-64, 64:-64]).abs().max()
    own = (found - low_band(details)[..., 64:-64, 64:-64]).abs().max()
    assert wrong < 0.02, "the filter is no projection, so that a little is left"
    assert own > 0.2


def test_a_cast_of_the_details_is_gone():
    tile = an_image(4)
    cast = torch.tensor([0.2, -0.1, 0.05], dtype=torch.float64)[:, None, None]

    torch.testing.assert_close(merged(tile + cast, tile), tile)
