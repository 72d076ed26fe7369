"""Training of the small restorer: degradations, tiles, determinism, what is refused."""

import io
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import convolve

from bench.frontends.restorers.small_network import Shape
from bench.frontends.restorers.small_unet import SHIPPED, read_weights
from bench.frontends.train import main
from bench.frontends.training import loop
from bench.frontends.training.degradations import Degradation, convolved, degrade, kernels, levels
from bench.frontends.training.jpeg import jpeg
from bench.frontends.training.loop import COOLING, Options, Training, factor, train
from bench.frontends.training.mixture import SHARES, drawn
from bench.frontends.training.tiles import Tiles, read_folders
from registry.errors import UserError

OPTIONS = Options(seed=3, shape=Shape(8, (1, 1)), size=32, batch=2)


def picture(side=96, seed=0):
    """A smooth coloured tile with some texture, in 0..1: [1, 3, side, side]."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(60, 250, (side // 8, side // 8, 3), dtype=np.uint8))
    pixels = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC)).astype(np.float32)
    pixels = (pixels + rng.normal(0, 6, pixels.shape)).round().clip(0, 255).astype(np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    """Weights for pixels are learnt from the fourth step on."""
    monkeypatch.setattr(loop, "FIRST", 3)
    monkeypatch.setattr(loop, "WARM_UP", 2)


@pytest.fixture(autouse=True)
def _any_algorithm():
    """The command allows deterministic algorithms only, in its own process."""
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiles")
    for number in range(3):
        pixels = (picture(seed=number)[0] * 255).byte().permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def clean(folder):
    return Tiles(read_folders([folder], OPTIONS.side, 100, 0), [], 0.0)


def generator():
    return torch.Generator().manual_seed(0)


def test_nothing_becomes_of_a_tile_without_degradation():
    tile = levels(picture())

    assert torch.equal(degrade(tile, [Degradation()], generator()), tile)


def test_a_blur_is_a_convolution_with_its_kernel():
    tile = picture()
    what = [Degradation(blur=(3, 1.5), turn=0.4)]
    kernel = kernels(what, tile.device)
    wanted = np.stack([convolve(one, kernel[0].numpy(), mode="mirror") for one in tile[0].numpy()])
    along = np.arange(-20, 21)
    y, x = np.meshgrid(along, along, indexing="ij")
    spread = (kernel[0].numpy() * (np.cos(0.4) * x + np.sin(0.4) * y) ** 2).sum()

    assert np.abs(convolved(tile, kernel)[0].numpy() - wanted).max() < 1e-5
    assert spread == pytest.approx(9, rel=0.01), "the first axis is turned by the angle"


@pytest.mark.parametrize("quality", [20, 50, 90])
def test_jpeg_loses_what_pillow_loses(quality):
    tile = picture()
    pixels = (tile[0] * 255).byte().permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    wanted = np.asarray(Image.open(buffer)).astype(np.float64)

    ours = levels(jpeg(tile, torch.tensor([float(quality)])))[0].permute(1, 2, 0).numpy() * 255

    between, lost = (np.sqrt(np.square(wanted - other).mean()) for other in (ours, pixels))
    assert between < 0.35 * lost


def test_noise_has_the_strength_that_is_named():
    tile = torch.full((2, 3, 96, 96), 0.25)

    white, shot = degrade(tile, [Degradation(noise=20), Degradation(noise=20, shot=True)], generator()) * 255

    assert white.std() == pytest.approx(20, rel=0.03)
    assert shot.std() == pytest.approx(10, rel=0.03)


def test_a_tile_is_degraded_by_its_own_parameters_only():
    both = torch.cat([picture(seed=1), picture(seed=2)])
    strong = Degradation(blur=(2, 2), shrink=4, quality=30)

    first = degrade(both, [Degradation(blur=(1, 1)), strong], generator())
    second = degrade(both, [Degradation(blur=(1, 1)), Degradation()], generator())

    assert torch.equal(first[0], second[0])
    assert torch.equal(second[1], levels(both[1]))
    assert (first[1] - both[1]).abs().mean() > 3 / 255


def test_every_kind_of_degradation_is_drawn_and_clean_tiles_as_often_as_stated():
    rng = np.random.default_rng(0)
    every = [drawn(rng) for _ in range(2000)]

    assert sum(one == Degradation() for one in every) / 2000 == pytest.approx(SHARES["clean"], abs=0.02)
    assert sum(SHARES.values()) == pytest.approx(1)
    for field in ("disc", "noise", "shot"):
        assert any(getattr(one, field) for one in every)
    assert {one.enlarge for one in every} == {"bicubic", "bilinear", "nearest"}


def test_a_resumed_run_makes_the_same_bytes_as_one_that_was_not_ended(clean, tmp_path):
    runs = {}
    for name, stops in (("through", [None]), ("again", [None]), ("resumed", [2, 5, None])):
        path = tmp_path / name / "checkpoint.pt"
        for stop in stops:
            training = Training(OPTIONS, clean, torch.device("cpu"))
            if path.exists():
                training.resume(path)
            train(training, path, 8, 0, 1e9, stop)
        runs[name] = training.averaged().state_dict()

    assert runs["through"]["tail.weight"].abs().max() > 0, "weights for pixels are learnt too"
    assert runs["through"]["blend.4.weight"].abs().max() > 0
    for name, value in runs["through"].items():
        assert torch.equal(value, runs["again"][name])
        assert torch.equal(value, runs["resumed"][name])


def test_the_global_random_state_changes_nothing_and_is_not_changed(clean):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = Training(OPTIONS, clean, torch.device("cpu"))
    first.advance()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    second = Training(OPTIONS, clean, torch.device("cpu"))
    second.advance()

    assert all(torch.equal(value, second.average[name]) for name, value in first.average.items())


def test_steps_lower_the_loss_of_their_batch(clean):
    training = Training(OPTIONS, clean, torch.device("cpu"))
    training.steps = 10_000
    same = training.batch(0)
    training.batch = lambda step: same
    losses = [training.advance() for _ in range(60)]

    assert losses[-1] < losses[0] - 0.3


@pytest.mark.slow
def test_a_run_by_the_clock_is_that_of_as_many_steps(clean, tmp_path, monkeypatch):
    timed = Training(OPTIONS, clean, torch.device("cpu"))
    with monkeypatch.context() as patched:
        patched.setattr(loop, "time", SimpleNamespace(monotonic=itertools.count(step=0.1).__next__))
        train(timed, tmp_path / "timed.pt", 0, 0.01, 1e9)
    counted = Training(OPTIONS, clean, torch.device("cpu"))
    train(counted, tmp_path / "counted.pt", timed.step, 0, 1e9)

    assert timed.step > 2
    assert all(torch.equal(value, counted.average[name]) for name, value in timed.average.items())


def test_the_rate_rises_stays_and_falls(monkeypatch):
    monkeypatch.setattr(loop, "FIRST", 50)
    monkeypatch.setattr(loop, "WARM_UP", 10)

    rates = [factor(step, 0) for step in (0, 9, 49, 50, 59, 10_000)]

    assert rates == pytest.approx([0.1 * loop.FASTER, loop.FASTER, loop.FASTER, 0.1, 1, 1])
    assert factor(1000, 2000) == 1
    assert factor(2000 - 350, 2000) == pytest.approx(350 / (COOLING * 2000))


def test_another_number_of_steps_is_refused_once_the_rate_falls(clean, tmp_path):
    path = tmp_path / "checkpoint.pt"
    train(Training(OPTIONS, clean, torch.device("cpu")), path, 6, 0, 1e9, stop_at=5)
    training = Training(OPTIONS, clean, torch.device("cpu"))
    training.resume(path)

    with pytest.raises(UserError, match="in the last part of 6 steps"):
        train(training, path, 20, 0, 1e9)


SMALL = ["--width", "8", "--depths", "1", "1", "--size", "32", "--batch", "2", "--device", "cpu"]


def test_the_command_trains_and_goes_on(folder, tmp_path, capsys):
    command = ["--data", str(folder), "--phantom", "0", "--output", str(tmp_path / "out"), *SMALL, "--steps"]

    assert main([*command, "2"]) == 0
    first = (tmp_path / "out" / SHIPPED.name).read_bytes()
    assert main([*command, "2"]) == 0
    assert (tmp_path / "out" / SHIPPED.name).read_bytes() == first
    assert "2 steps" in capsys.readouterr().out
    assert read_weights(tmp_path / "out" / SHIPPED.name).shape == Shape(8, (1, 1))

    assert main([*command, "2", "--seed", "1"]) == 2
    assert "was written with another seed: name another --output" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--data", "{empty}"], "holds no image"),
        (["--data", "{empty}/none"], "There is no folder"),
        (["--data", "{folder}", "--size", "256"], "choose a smaller --size"),
        (["--data", "{folder}", "--size", "40"], "multiple of 16"),
        (["--phantom", "0"], "no tiles to train on"),
        (["--phantom", "2"], "a share from 0 to 1"),
        (["--data", "{folder}", "--device", "cuda:77"], "cannot be used: take --device cpu"),
    ],
)
def test_each_mistake_is_a_sentence(options, sentence, folder, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    filled = [one.format(empty=tmp_path / "empty", folder=folder) for one in options]

    assert main(["--output", str(tmp_path / "out"), "--steps", "1", *filled]) == 2

    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
