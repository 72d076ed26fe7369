"""Multiply-accumulate operations of cards are those of published networks, and need no weights."""

from dataclasses import replace

import pytest
import torch

import registry
from registry.card import Architecture
from registry.cost import _counted, gmacs


@pytest.mark.parametrize(
    ("name", "published"),
    [("resnet50", 4.09), ("random_vit_s16", 4.60), ("vit_b16_in21k", 17.6), ("efficientnet_lite0", 0.385)],
)
def test_gmacs_are_the_published_ones_of_networks_whose_cost_is_known(name: str, published: float) -> None:
    assert gmacs(registry.card(name)) == pytest.approx(published, rel=0.01)


def test_gmacs_of_random_weights_are_those_of_the_network() -> None:
    assert gmacs(registry.card("resnet50@random")) == gmacs(registry.card("resnet50"))


def test_gmacs_of_a_slide_encoder_are_not_known_as_they_depend_on_its_tiles() -> None:
    assert gmacs(registry.card("gigapath_slide")) is None


def test_colour_statistics_have_no_products() -> None:
    assert gmacs(registry.card("colour")) == 0


def test_a_network_that_cannot_be_run_has_no_gmacs() -> None:
    broken = replace(registry.card("resnet50"), architecture=Architecture(builder="torch:eye", kwargs={"n": 2}))

    assert gmacs(broken) is None


def test_a_card_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    card = registry.card("resnet50")
    found = gmacs(card)
    monkeypatch.setattr("registry.cost._count", lambda _: pytest.fail("counted again"))

    assert gmacs(card) == found == _counted[card.digest()]


def test_counting_leaves_the_default_device_alone() -> None:
    gmacs(registry.card("efficientnet_lite2"))

    assert torch.empty(1).device.type == "cpu"
