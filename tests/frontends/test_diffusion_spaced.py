"""The sampler against the published formulas, computed plainly."""

import math

import numpy as np
import pytest
import torch

from bench.frontends.restorers.stable_diffusion.spaced import sample, time_steps, training_alphas


def plain_alphas():
    alphas, product = [], 1.0
    for i in range(1000):
        root = math.sqrt(0.00085) + (math.sqrt(0.0120) - math.sqrt(0.00085)) * i / 999
        product *= 1 - root**2
        alphas.append(product)
    return alphas


def test_the_noise_schedule_is_that_of_stable_diffusion():
    alphas = training_alphas()

    np.testing.assert_allclose(alphas, plain_alphas(), rtol=1e-12)
    assert alphas[-1] == pytest.approx(0.0047, abs=5e-5), "the last step is not pure noise: no zero terminal SNR"


def test_the_steps_go_from_the_first_to_the_last_in_equal_distances():
    fifty = time_steps(50)

    assert len(fifty) == 50
    assert (fifty[0], fifty[1], fifty[-2], fifty[-1]) == (0, 20, 979, 999)
    assert set(np.diff(fifty)) == {20, 21}
    assert time_steps(1000) == list(range(1000))
    assert time_steps(2) == [0, 999]


@pytest.mark.parametrize("steps", [2, 7, 50])
def test_samples_are_those_of_a_plain_loop(steps):
    draws = np.random.default_rng(steps).standard_normal((steps, 1, 4, 3, 5))

    def predict(x, time):
        return torch.tanh(x) * (1 + time.double()[:, None, None, None] / 1000)

    found = sample(predict, iter(torch.from_numpy(draws)), steps)

    alphas = plain_alphas()
    x = draws[0]
    used = [round(i * 999 / (steps - 1)) for i in range(steps)]  # halves to even, as the published code does
    for i in reversed(range(steps)):
        now, before = alphas[used[i]], alphas[used[i - 1]] if i else 1.0
        noise = np.tanh(x) * (1 + used[i] / 1000)
        clean = (x - math.sqrt(1 - now) * noise) / math.sqrt(now)
        alpha = now / before
        mean = math.sqrt(before) * (1 - alpha) / (1 - now) * clean + math.sqrt(alpha) * (1 - before) / (1 - now) * x
        x = mean + (math.sqrt((1 - alpha) * (1 - before) / (1 - now)) * draws[steps - i] if i else 0)
    np.testing.assert_allclose(found.numpy(), x, rtol=1e-9, atol=1e-9)


def test_who_knows_the_noise_finds_the_image():
    image = torch.linspace(-1, 1, 48, dtype=torch.float64).reshape(1, 4, 3, 4)
    alphas = torch.from_numpy(training_alphas())

    def true_noise(x, time):
        now = alphas[time][:, None, None, None]
        return (x - now.sqrt() * image) / (1 - now).sqrt()

    draws = (torch.randn(1, 4, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(i)) for i in range(9))

    torch.testing.assert_close(sample(true_noise, draws, 9), image)
