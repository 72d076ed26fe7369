"""The hub path through the real client, against a stand-in hub on loopback."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys

import huggingface_hub
import pytest
import torch
from safetensors.torch import save
from stand_in_hub import COMMIT, StandInHub

import registry

OPEN, GATED = "lab/open-model", "lab/gated-model"


def _net():
    import timm

    torch.manual_seed(3)
    return timm.create_model("resnet18", num_classes=0).eval()


@pytest.fixture(scope="module")
def weights():
    return save(_net().state_dict())


def address(monkeypatch, url):
    """What ``HF_ENDPOINT`` sets when the client is first imported."""
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + template[template.index("/{repo_id}") :])


@pytest.fixture
def hub(weights, tmp_path, monkeypatch, forget):
    """A hub with an open and a gated model, an empty cache, and two cards that point at them."""
    config = {
        "architecture": "resnet18",
        "num_features": 512,
        "pretrained_cfg": {
            "input_size": [3, 64, 64],
            "crop_pct": 1.0,
            "interpolation": "bilinear",
            "mean": [0.5, 0.5, 0.5],
            "std": [0.2, 0.2, 0.2],
            "license": "mit",
        },
    }
    remote = {"auto_map": {"AutoModel": "modeling.Own"}, "hidden_size": 12, "model_type": "own"}
    files = {
        OPEN: {"model.safetensors": weights, "config.json": json.dumps(config).encode()},
        GATED: {"model.safetensors": weights},
        "lab/remote": {"config.json": json.dumps(remote).encode(), "model.safetensors": weights},
        "lab/bert": {"config.json": b'{"model_type": "bert"}'},
        "lab/broken": {"config.json": b"<html>"},
        "lab/bare": {"README.md": b"x"},
    }
    card = registry.card("timm:resnet18")
    for name, repository, gated in (("open_model", OPEN, False), ("gated_model", GATED, True)):
        digest = hashlib.sha256(weights).hexdigest()
        source = dataclasses.replace(
            card.weights,
            hub=repository,
            file="model.safetensors",
            sha256=digest,
            gated=gated,
            page=f"https://huggingface.co/{repository}",
        )
        registry.add(dataclasses.replace(card, name=name, weights=source))
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no_token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with StandInHub(files, gated={GATED}) as server:
        address(monkeypatch, server.url)
        yield server


def refusal(name, **arguments):
    with pytest.raises(registry.UserError) as caught:
        registry.load(name, **arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_found_and_recorded(hub, weights):
    model = registry.load("open_model")
    assert model.weights.commit == COMMIT
    assert model.weights.sha256 == hashlib.sha256(weights).hexdigest()
    assert model.weights.origin == f"hub {OPEN} at {COMMIT[:12]}"
    tiles = torch.randint(0, 256, (1, 3, 235, 235), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(model(tiles), _net()(model.preprocess(tiles)))


def test_a_pinned_commit_is_not_asked_for_twice(hub):
    registry.load("open_model", revision=COMMIT)
    asked = len(hub.log)
    registry.load("open_model", revision=COMMIT)
    assert len(hub.log) == asked


def test_gated_without_a_token_names_the_page_and_the_ways_out(hub):
    sentence = refusal("gated_model")
    for part in (f"https://huggingface.co/{GATED}", "hf auth login", "checkpoint=", "is gated"):
        assert part in sentence


def test_gated_with_a_wrong_and_with_the_right_token(hub):
    assert "is gated" in refusal("gated_model", token="hf_wrong")
    assert registry.load("gated_model", token="hf_right").weights.commit == COMMIT


def test_what_the_hub_does_not_have(hub):
    assert "no repository lab/nothing" in refusal("hf-hub:lab/nothing")
    assert "has no revision 'v9'" in refusal("open_model", revision="v9")
    hub.files[OPEN].pop("model.safetensors")
    assert "has no file model.safetensors" in refusal("open_model")
    assert "no name of a hub repository" in refusal("hf-hub:a/b/c")


def test_cut_off_in_the_middle_and_resumed(hub, weights):
    hub.cut = {"model.safetensors"}
    model = registry.load("open_model")
    assert model.weights.sha256 == hashlib.sha256(weights).hexdigest()
    resumed = [line for line in hub.log if line.startswith("GET") and "bytes=" in line]
    assert len(resumed) == 1
    assert int(resumed[0].rsplit("bytes=")[1].split("-")[0]) > 0


def test_offline_without_a_cached_copy_asks_nobody(hub):
    sentence = refusal("open_model", offline=True)
    assert "(offline) and the hub's local cache lacks it" in sentence
    assert "checkpoint=" in sentence
    assert "(offline)" in refusal(f"hf-hub:{OPEN}", offline=True)
    assert hub.log == []


def test_a_client_that_has_not_loaded_its_helpers_yet_is_no_fault(hub, monkeypatch):
    monkeypatch.delattr(huggingface_hub, "utils", raising=False)
    monkeypatch.delenv("HF_HUB_DISABLE_PROGRESS_BARS", raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_PROGRESS_BARS", None)
    with pytest.raises(registry.UserError, match="not at hand"):
        registry.load("open_model", offline=True)


def test_offline_with_a_cached_copy(hub):
    online = registry.load("open_model")
    asked = len(hub.log)
    offline = registry.load("open_model", offline=True)
    assert offline.weights == online.weights
    assert len(hub.log) == asked


def test_unreachable_hub_falls_back_to_the_cache_and_says_so_without(hub, monkeypatch):
    registry.load("open_model")
    address(monkeypatch, "http://127.0.0.1:9")
    assert registry.load("open_model").weights.commit == COMMIT
    assert "the hub cannot be reached" in refusal("gated_model")


def test_a_hub_without_an_address_is_not_tried_again_and_again(hub, monkeypatch):
    """The client would ask six times for each file of each model, with waits between."""
    local_only, download = [], huggingface_hub.hf_hub_download

    def recorded(*names, **how):
        local_only.append(how["local_files_only"])
        return download(*names, **how)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", recorded)
    monkeypatch.setattr("urllib.request.getproxies", dict)
    address(monkeypatch, "https://hub.invalid")  # a name that no server has (RFC 2606)
    sentence = refusal("open_model")
    assert "the hub cannot be reached and the hub's local cache lacks it" in sentence
    assert set(local_only) == {True}


def test_a_file_that_is_not_the_published_one_is_refused(hub):
    hub.files[OPEN]["model.safetensors"] = save({"x": torch.zeros(1)})
    assert "is not the published file of open_model: its sha256 is" in refusal("open_model")


def test_a_web_page_in_place_of_the_file(hub):
    hub.files[OPEN]["model.safetensors"] = b"<!DOCTYPE html><html>proxy login</html>"
    assert "is a web page" in refusal(f"hf-hub:{OPEN}")


@pytest.mark.slow
def test_timm_repository_outside_the_registry(hub):
    card = registry.card(f"hf-hub:{OPEN}")
    assert (card.dim, card.params, card.licence) == (512, 11_176_512, "mit")
    assert (card.preprocessing.size, card.preprocessing.interpolation) == (64, "bilinear")
    assert card.preprocessing.std == (0.2, 0.2, 0.2)
    assert card.weights.revision == COMMIT
    model = registry.load(f"hf-hub:{OPEN}")
    tiles = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.allclose(model(tiles), _net()(model.preprocess(tiles)), atol=1e-6)
    untrained = registry.load(f"hf-hub:{OPEN}@random")
    assert untrained.weights.origin == "random"
    assert not torch.allclose(untrained(tiles), model(tiles))


def test_older_repositories_hold_a_pickle(hub, tmp_path):
    torch.save(_net().state_dict(), tmp_path / "w.bin")
    del hub.files[OPEN]["model.safetensors"]
    hub.files[OPEN]["pytorch_model.bin"] = (tmp_path / "w.bin").read_bytes()
    registry.load(f"hf-hub:{OPEN}")
    assert registry.load(f"hf-hub:{OPEN}", offline=True).weights.commit == COMMIT


def test_own_checkpoint_for_a_hub_architecture(hub, tmp_path):
    torch.save(_net().state_dict(), tmp_path / "own.pth")
    assert registry.load(f"hf-hub:{OPEN}", checkpoint=tmp_path / "own.pth").weights.commit is None
    assert not any("model.safetensors" in line for line in hub.log)


def test_repositories_that_cannot_be_read(hub):
    assert "is no timm repository (its config.json is bert)" in refusal("hf-hub:lab/bert")
    assert "is not a JSON object" in refusal("hf-hub:lab/broken")
    assert "has no config.json" in refusal("hf-hub:lab/bare")


def test_remote_code_runs_only_when_told(hub):
    card = registry.card("hf-hub:lab/remote")
    assert card.dim == 12
    sentence = refusal("hf-hub:lab/remote")
    assert "runs Python code of its own" in sentence
    assert "trust_remote_code=true" in sentence
    assert not any("modeling" in line or "safetensors" in line for line in hub.log)


@pytest.mark.slow
def test_the_environment_names_the_hub_and_registry_first_makes_timm_importable(hub, tmp_path):
    """``HF_ENDPOINT`` and ``HF_HOME`` as a user sets them, and the imports in this order, in a process of its own."""
    imports = "import registry, timm, torchvision.transforms.v2; assert timm.is_model('resnet18')"
    code = f"{imports}; print(registry.load('hf-hub:{OPEN}').weights.commit)"
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == COMMIT, done.stderr
