"""`python -m registry pins`: what pins the files of cards that have no pin yet."""

from types import SimpleNamespace

import huggingface_hub
import pytest

import registry
from registry.__main__ import main


class Hub:
    """A stand-in for the hub: one commit a repository; SP85M cannot be seen."""

    def __init__(self, token):
        self.token = token

    def model_info(self, repository, revision=None):
        if "SP85M" in repository:
            raise ConnectionError("401 Client Error")
        return SimpleNamespace(sha=f"commit-of-{repository.split('/')[1]}-{self.token}")

    def get_paths_info(self, repository, paths, revision):
        assert revision.startswith("commit-of")
        return [SimpleNamespace(lfs=SimpleNamespace(sha256=f"sum-of-{paths[0]}"))]


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setattr("registry.pins.answers", lambda endpoint: True)
    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)


def test_cards_without_a_revision_get_a_line_with_their_pin(hub, capsys):
    assert main(["pins", "token=mine"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()[1:]}

    cards = [registry.card(name) for name in registry.names()]
    assert lines.keys() == {card.name for card in cards if card.weights.hub and not card.weights.revision}
    assert lines["prost40m"].endswith('revision="commit-of-Prost40M-mine", sha256="sum-of-model.safetensors"')
    assert lines["sp85m"].endswith("unknown: 401 Client Error")


def test_a_model_elsewhere_and_a_hub_that_is_away_are_one_sentence(hub, capsys, monkeypatch):
    assert main(["pins", "chief"]) == 2
    assert "chief is not on the hub" in capsys.readouterr().err
    monkeypatch.setattr("registry.pins.answers", lambda endpoint: False)
    assert main(["pins"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
