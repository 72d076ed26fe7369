"""Front-ends by name and chains of them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from bench.frontends import Chain, Loaded, Mixture, chain_of, find, seeds_of
from registry.errors import UserError


@dataclasses.dataclass(frozen=True)
class Adds:
    """A front-end that adds its number, and counts the tiles that it was given."""

    name: str
    number: int
    restores: bool = False
    memory_bytes: int = 7
    given: list[int] = dataclasses.field(default_factory=list, compare=False)

    @property
    def identity(self) -> str:
        return str(self.number)

    def check(self, height: int, width: int) -> None:
        if height < 8:
            raise UserError("too small")

    def load(self, device: torch.device) -> Any:
        def apply(tiles: torch.Tensor, seeds: torch.Tensor) -> torch.Tensor:
            self.given.append(len(tiles))
            return tiles + self.number + (seeds % 3).to(torch.uint8)[:, None, None, None]

        return apply


def test_a_chain_is_named_by_a_word_a_list_or_words_that_are_joined():
    assert chain_of("none").parts == chain_of(None).parts == chain_of([]).parts == ()
    assert chain_of("none").name == chain_of("none").identity == ""
    assert chain_of("jpeg_3").name == "jpeg_3"
    assert chain_of(["jpeg_3", "median"]).name == chain_of("jpeg_3+median").name == "jpeg_3+median"


def test_the_identity_changes_with_what_can_change_a_tile():
    identities = {
        chain_of(wanted).identity
        for wanted in ("jpeg_3", "jpeg_4", "median", ["jpeg_3", "median"], ["median", "jpeg_3"])
    }
    other = chain_of("siren", {"siren": {"steps": 3}}).identity

    assert len(identities) == 5
    assert other != chain_of("siren").identity


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ("jpg_3", "Is jpeg"),
        ("jpeg", "frontend=jpeg needs a severity from 1 to 5, such as jpeg_3."),
        ("jpeg_9", "severity must be from 1 to 5"),
        ("jpeg_0", "severity must be from 1 to 5"),
        ("meadian", "Is median meant?"),
        ([3], "must be a name or a list of names"),
        ("uni", "restores no"),
    ],
)
def test_what_is_no_front_end_is_refused_with_the_one_that_was_meant(wanted, sentence):
    with pytest.raises(UserError) as error:
        chain_of(wanted)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_a_corruption_has_no_settings():
    with pytest.raises(UserError, match=r"frontends\.jpeg_3 has the setting quality"):
        find("jpeg_3", {"quality": 3})


def test_every_chain_of_a_batch_is_computed_once():
    first, second, third = Adds("a", 1), Adds("b", 10), Adds("c", 100)
    chains = [Chain((first,)), Chain((first, second)), Chain((first, third)), Chain(), Chain((first, second))]
    loaded = Loaded(torch.device("cpu"))
    for chain in chains:
        loaded.load(chain)
    tiles, seeds = torch.zeros(4, 3, 8, 8, dtype=torch.uint8), torch.tensor([0, 3, 6, 9])

    behind = loaded.on(tiles, seeds)
    values = [int(behind(chain)[0, 0, 0, 0]) for chain in chains]

    assert values == [1, 11, 101, 0, 11]
    assert (first.given, second.given, third.given) == ([4], [4], [4])
    assert behind(chains[1]).is_contiguous(memory_format=torch.channels_last)
    assert not tiles.any()


def test_a_corruption_that_comes_twice_draws_other_numbers_the_second_time():
    tiles = torch.full((1, 3, 16, 16), 128, dtype=torch.uint8)
    loaded = Loaded(torch.device("cpu"))
    once, twice = chain_of("gaussian_noise_1"), chain_of("gaussian_noise_1+gaussian_noise_1")
    loaded.load(twice)
    behind = loaded.on(tiles, torch.tensor([5]))

    first, both = behind(once).int() - 128, behind(twice).int() - 128

    correlation = torch.corrcoef(torch.stack([first.flatten(), (both - first).flatten()]).float())[0, 1]
    assert abs(float(correlation)) < 0.2


def test_restoring_before_corrupting_is_told():
    restores, corrupts = Adds("r", 1, restores=True), Adds("c", 1)

    assert Chain((restores, corrupts)).restores_first
    assert not Chain((corrupts, restores)).restores_first
    assert not Chain((restores,)).restores_first


def test_a_mixture_gives_each_tile_one_of_its_parts_whatever_the_batch():
    mixture = Mixture((Adds("a", 10), Adds("b", 20), Adds("c", 30)))
    apply = mixture.load(torch.device("cpu"))
    seeds = torch.from_numpy(seeds_of([f"tile {i}" for i in range(60)]) * 3 % 2**62)
    tiles = torch.zeros(60, 3, 8, 8, dtype=torch.uint8)

    whole = apply(tiles, seeds)
    alone = torch.cat([apply(tiles[i : i + 1], seeds[i : i + 1]) for i in range(60)])

    assert torch.equal(whole, alone)
    assert {int(value) // 10 for value in whole[:, 0, 0, 0]} == {1, 2, 3}
    with pytest.raises(UserError, match="too small"):
        mixture.check(4, 4)


def test_seeds_are_those_of_the_name_alone():
    assert seeds_of(["a", "b"]).tolist() == [*seeds_of(["a"]), *seeds_of(["b"])]
    assert len(set(seeds_of([str(i) for i in range(1000)]).tolist())) == 1000
    assert (seeds_of([str(i) for i in range(1000)]) >= 0).all()
