"""What all restorers share: names, settings, sizes, the same bytes in every batch, and the plain function."""

import dataclasses
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from restorer_tiles import apply, made_up, real_tiles, seeds_for

from bench.frontends.restorers import CLASSICAL, NAMES, restore, restorer
from bench.frontends.restorers.base import Restorer, in_batches_of
from bench.results.contrasts import CLASSICAL as REPORTED
from registry.errors import UserError

FAST_SIREN = {"hidden": 16, "layers": 1, "steps": 6, "learning_rate": 1e-3}
OWN = ["bicubic", "unsharp", "median", "median5", "nlm", "wiener", "wiener2", "macenko", "reinhard", "siren"]


def made(name):
    return restorer(name, FAST_SIREN if name == "siren" else {})


def test_the_names_are_all_there():
    assert {*OWN, "lpfm"} <= set(NAMES)
    for name in OWN:
        front_end = restorer(name)
        assert front_end.name == name
        assert front_end.restores
        assert front_end.memory_bytes == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", OWN)
def test_a_tile_gets_the_same_bytes_alone_in_a_batch_and_in_another_order(name, shared):
    some = torch.cat([real_tiles(shared, side=41), real_tiles(shared, ("NORM", "BACK"), side=41)])
    tiles = some.repeat(11, 1, 1, 1)[:64]
    tiles = torch.cat([tiles[:6], tiles[6:].flip(-1)])
    if name == "siren":
        tiles = tiles[:, :, :16, :15]
    seeds, front_end = seeds_for(64), made(name)
    before = tiles.clone()
    together = apply(front_end, tiles, seeds)

    assert together.dtype == torch.uint8
    assert together.shape == tiles.shape
    assert torch.equal(tiles, before), "the input is left as it is"
    for i in (0, 17, 63):
        assert torch.equal(apply(front_end, tiles[i : i + 1], seeds[i : i + 1])[0], together[i])
    order = torch.randperm(64, generator=torch.Generator().manual_seed(2))
    assert torch.equal(apply(front_end, tiles[order], seeds[order]), together[order])
    with torch.inference_mode():
        last = tiles.to(memory_format=torch.channels_last)
        assert torch.equal(apply(front_end, last, seeds), together)
    assert apply(front_end, tiles[:0], seeds[:0]).shape == (0, *tiles.shape[1:])


@given(count=st.integers(0, 9), size=st.integers(1, 5))
def test_a_function_sees_full_batches_only(count, size):
    tiles, seeds, seen = made_up(9, 4)[:count], seeds_for(count), []

    def add_seed(batch, own):
        seen.append(len(batch))
        assert len(batch) == len(own) == size
        assert batch.is_contiguous()
        return batch + own.view(-1, 1, 1, 1).to(torch.uint8)

    found = in_batches_of(size, add_seed, tiles, seeds)

    assert torch.equal(found, tiles + seeds.view(-1, 1, 1, 1).to(torch.uint8))
    assert seen == [size] * -(-count // size)


def test_settings_are_part_of_the_identity_in_one_form():
    assert restorer("unsharp", {"sigma": 3}).identity == restorer("unsharp", {"sigma": 3.0}).identity
    assert restorer("unsharp", {"sigma": 3}).identity != restorer("unsharp").identity
    assert restorer("unsharp", {"sigma": 2.0, "amount": 1.0}).identity == restorer("unsharp").identity
    assert restorer("unsharp").identity == "version=1 amount=1.0 sigma=2.0"
    assert restorer("median").identity == "version=1"


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        ("unsharp", {"sigmma": 1}, r"has no setting 'sigmma': its settings are sigma, amount. Is sigma meant\?"),
        ("median", {"side": 5}, "has no setting 'side': it has none."),
        ("lpfm", {"steps": 5}, "has no setting 'steps': it has none."),
        ("unsharp", {"sigma": "2"}, "sigma=2 of the restorer unsharp is not of the right type: it must be a number."),
        ("siren", {"steps": 1.5}, "steps=1.5 .* must be a whole number."),
        ("siren", {"steps": True}, "steps=True .* must be a whole number."),
        ("siren", {"steps": None}, "steps=null .* must be a whole number."),
        ("siren", {"steps": 0}, "steps=0 of the restorer siren is out of range: it must be from 1 to 100000."),
        ("wiener", {"balance": float("nan")}, "balance=nan of the restorer wiener is out of range"),
        ("wiener", {"sigma": float("inf")}, "sigma=inf of the restorer wiener is out of range"),
        ("nlm", {"patch": 4}, "patch=4 of the restorer nlm is even: it must be odd"),
    ],
)
def test_settings_that_cannot_be_are_refused(name, settings, sentence):
    with pytest.raises(UserError, match=sentence):
        restorer(name, settings)


def test_an_unknown_name_is_refused_with_the_near_one():
    with pytest.raises(UserError, match=r"no restorer 'medain': the restorers are bicubic, .*\. Is median meant\?"):
        restorer("medain")
    with pytest.raises(UserError, match="no restorer 'qqqq@random'"):
        restorer("qqqq@random")


@pytest.mark.parametrize("name", [*OWN, "lpfm@random"])
def test_tiles_that_are_too_small_are_refused(name):
    with pytest.raises(UserError, match=f"restorer {name} takes tiles of 8 px or more, and these are 7 x 30 px"):
        restorer(name).check(7, 30)
    restorer(name).check(8, 8)


def test_a_search_beyond_the_mirror_image_of_a_tile_is_refused():
    front_end = restorer("nlm", {"distance": 8, "patch": 7})

    with pytest.raises(UserError, match="nlm looks 11 px beyond the border of a tile, and these are 11 x 40 px"):
        front_end.check(11, 40)
    assert apply(front_end, made_up(1, 12)).shape == (1, 3, 12, 15)
    with pytest.raises(UserError, match="takes tiles of 8 px or more"):
        apply(restorer("median"), made_up(1, 5))


def test_the_plain_function_takes_a_seed_and_no_prompt_where_there_is_none(shared):
    tiles = real_tiles(shared, side=16)
    siren = restorer("siren", FAST_SIREN)

    assert torch.equal(restore(siren, tiles, seed=4), apply(siren, tiles, torch.full((4,), 4)))
    assert not torch.equal(restore(siren, tiles, seed=5), restore(siren, tiles))
    with pytest.raises(UserError, match="The front-end median takes no prompt: leave it out"):
        restore(restorer("median"), tiles, prompt="a sharp tile")
    with pytest.raises(UserError, match="takes tiles of 8 px or more"):
        restore(restorer("median"), tiles[..., :4])


@dataclasses.dataclass(frozen=True)
class _Prompt:
    prompt: str = ""
    amount: int = 1


class _Painter(Restorer):
    def function(self, device):
        return lambda tiles, seeds: tiles + len(self.settings.prompt) * self.settings.amount


def test_a_prompt_is_a_setting_of_the_restorers_that_have_one():
    tiles = made_up(2, 8)

    found = restore(_Painter("painter", _Prompt(amount=2)), tiles, prompt="abc")

    assert torch.equal(found, tiles + 6)


def test_names_are_known_without_torch_and_diffusers():
    code = (
        "import sys, bench.frontends.restorers as r; r.NAMES;"
        "print(*({'torch', 'timm', 'diffusers', 'skimage'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""


def test_the_report_knows_the_filters_that_there_are():
    assert set(REPORTED) == set(CLASSICAL)
