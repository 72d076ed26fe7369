"""`python -m registry`: cards with their options, which gated repositories a token opens, installed plugins."""

from __future__ import annotations

import importlib.metadata
import socket

import numpy as np
import pytest
import torch
from PIL import Image

import registry
from registry import catalogue, hub
from registry.__main__ import main
from registry.extractor import SlideEncoder
from registry.weights import LoadedWeights


def test_a_card_is_shown_with_its_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["h0_mini", "pooling=cls+mean"]) == 0
    assert "features:             1536" in capsys.readouterr().out
    assert main(["h0_mini", "pooling=max"]) == 2
    assert "h0_mini has no pooling=max; choose one of cls, cls+mean" in capsys.readouterr().err


def test_without_network_access_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.access.answers", lambda endpoint: False)
    for words, why in ((["access"], "it does not answer"), (["access", "uni", "offline=true"], "offline")):
        assert main(words) == 2
        assert why in (said := capsys.readouterr().err)
        assert said.count("\n") == 1
    assert main(["access", "chief"]) == 2
    assert "chief is not on the hub" in capsys.readouterr().err


def test_access_says_which_repositories_open(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub
    from huggingface_hub import errors

    def metadata(url: str, token: str | None = None) -> None:
        if "Virchow2" in url:
            raise errors.GatedRepoError.__new__(errors.GatedRepoError)
        if "Virchow" in url:
            raise errors.RepositoryNotFoundError.__new__(errors.RepositoryNotFoundError)
        if token != "mine":
            raise ConnectionError

    monkeypatch.setattr("registry.access.answers", lambda endpoint: True)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", metadata)
    assert main(["access", "uni", "virchow", "virchow2", "token=mine"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["model", "uni", "virchow", "virchow2"]
    assert lines[1].endswith("open to you")
    assert "hf auth login" in lines[2]
    assert lines[3].endswith("ask for it at https://huggingface.co/paige-ai/Virchow2")
    assert main(["access", "uni"]) == 0
    assert "unknown: ConnectionError" in capsys.readouterr().out


class Entry:
    def __init__(self, name: str, found: object) -> None:
        self.name, self.value, self._found = name, f"{name}:CARDS", found

    def load(self) -> object:
        if isinstance(self._found, BaseException):
            raise self._found
        return self._found


def test_a_bad_card_of_an_installed_plugin_breaks_no_other_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    good = dataclasses.replace(registry.card("uni"), name="of_a_plugin")
    bad = dataclasses.replace(good, name="bad", weights=dataclasses.replace(good.weights, layout="tim"))
    entries = [Entry("one", (good, bad)), Entry("two", ImportError("no such")), Entry("three", SystemExit(0))]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: entries)
    monkeypatch.setattr(catalogue, "_left_out", [])
    monkeypatch.setattr(catalogue, "_cards", catalogue._cards.__wrapped__)
    assert "of_a_plugin" in registry.names()
    assert "bad" not in registry.names()
    monkeypatch.setattr(catalogue, "_left_out", [])
    cards = catalogue._cards()
    monkeypatch.setattr(catalogue, "_cards", lambda: cards)
    assert main(["uni"]) == 0
    out, err = capsys.readouterr()
    assert "UNI" in out
    assert len(err.splitlines()) == 3
    assert "the card 'bad' has the layout 'tim', which does not exist" in err
    assert "Is timm meant?" in err
    assert "ImportError: no such; mend or uninstall it" in err
    assert main(["bad"]) == 2
    assert "it is left out" in capsys.readouterr().err


def test_a_hub_that_takes_no_connection_is_tried_once(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """A server that is down: no retries of the client, no line of its log, and nothing tried for the second file."""
    from huggingface_hub import constants

    asked: list[str] = []

    def connect(place: tuple[str, int], timeout: float) -> socket.socket:
        asked.append(place[0])
        raise TimeoutError

    monkeypatch.setattr(hub.socket, "create_connection", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("the client connects by itself"))
    monkeypatch.setattr("urllib.request.getproxies", dict)
    monkeypatch.setattr(constants, "ENDPOINT", "https://down.example")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for name in ("sp85m", "uni", "hf-hub:owner/name"):
        with pytest.raises(registry.UserError, match="the hub cannot be reached"):
            registry.load(name)
    assert asked == ["down.example"]


def test_images_and_arrays_are_taken_as_tensors_are() -> None:
    model = registry.load("colour")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 20, 30, 3), np.uint8)
    wanted = model(torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous())
    assert torch.equal(model(pixels), wanted)
    assert torch.equal(model(pixels[0]), wanted[:1])
    assert torch.equal(model([Image.fromarray(tile) for tile in pixels]), wanted)
    assert torch.equal(model(Image.fromarray(pixels[0])), wanted[:1])


@pytest.mark.parametrize(
    ("tiles", "says"),
    [
        ("tile.png", "of the type str"),
        ([], "of the type list"),
        (np.zeros((1, 3, 8, 8), np.uint8), r"an array uint8 \[1, 3, 8, 8\]"),
        (np.zeros((8, 8, 3)), r"an array float64 \[8, 8, 3\]"),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), r"a tensor uint8 \[3, 8, 8\]"),
        ([Image.new("RGB", (8, 8)), Image.new("RGB", (9, 8))], "images of 2 sizes, 8 x 8 and 9 x 8 px"),
    ],
)
def test_what_is_no_batch_of_tiles_is_a_sentence(tiles: object, says: str) -> None:
    with pytest.raises(registry.UserError, match=says):
        registry.load("colour")(tiles)


def test_features_of_another_width_name_the_encoder_that_is_meant() -> None:
    card = registry.card("gigapath_slide")
    encoder = SlideEncoder(card, torch.nn.Identity(), LoadedWeights("none"), "float32", 1536)
    with pytest.raises(registry.UserError, match=r"features \[N, 1536\] of prov_gigapath, .* \[5, 1024\]: embed the"):
        encoder(torch.zeros(5, 1024), torch.zeros(5, 2))


def test_gigapath_gives_the_vector_before_the_closing_norm_too() -> None:
    from registry.architectures.longnet import LongNetSlideEncoder

    torch.manual_seed(0)
    network = LongNetSlideEncoder(dim_in=6, dim=32, depth=12).eval()
    torch.nn.init.normal_(network.encoder.layer_norm.weight)
    features, coords = torch.randn(1, 7, 6), torch.arange(14).view(1, 7, 2) * 256.0
    states = list(network.states(features, coords, 256.0))
    assert len(states) == 14
    for output, state in (("mean", 13), ("mean_layer12", 12), ("mean_layer11", 11)):
        network.output = output
        assert torch.equal(network(features, coords), network.pool(states[state]))
    assert set(registry.card("gigapath_slide").options["output"]) == {"mean", "cls", "mean_layer11", "mean_layer12"}
