"""Where the files of the second stage are looked for, and the sentences where they are not there."""

import pytest

from bench.frontends.base import WeightSources
from bench.frontends.restorers.stable_diffusion import files
from registry import UserError

THREE = ("lpfm_restore_stage1.pth", "lpfm_restore_stage2.pt", "v2-1_512-ema-pruned.ckpt")


def put(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(name.encode())
    return folder


def found(restorer="lpfm2", **sources):
    return {
        path.relative_to(path.parents[1]).as_posix()
        for path in files.locate(restorer, WeightSources(**sources)).values()
    }


def test_three_files_in_the_folder_that_is_the_checkpoint(tmp_path):
    own = put(tmp_path / "own", *THREE)

    expected = {f"own/{name}" for name in THREE}
    assert found(checkpoints={"lpfm2": str(own)}) == expected
    assert found(checkpoints={"lpfm2": str(own / THREE[1])}) == expected, "the folder of the file that is named"


def test_files_in_the_folder_of_weights(tmp_path):
    put(tmp_path / "lpfm2", THREE[1])
    put(tmp_path / "virtual_stain", "stage1_vs.pt", "stage2_vs.pt")
    put(tmp_path, "lpfm.pth", "v2-1_512-ema-pruned.safetensors")

    shared = f"{tmp_path.name}/v2-1_512-ema-pruned.safetensors"
    assert found(weights_dir=str(tmp_path)) == {f"lpfm2/{THREE[1]}", f"{tmp_path.name}/lpfm.pth", shared}
    stains = {"virtual_stain/stage1_vs.pt", "virtual_stain/stage2_vs.pt", shared}
    assert found("virtual_stain", weights_dir=str(tmp_path)) == stains


def test_the_first_stage_is_found_where_lpfm_has_it(tmp_path):
    own = put(tmp_path / "own", *THREE[1:])
    lpfm = put(tmp_path / "lpfm", "net.pth") / "net.pth"

    assert "lpfm/net.pth" in found(checkpoints={"lpfm2": str(own), "lpfm": str(lpfm)})


def test_missing_files_are_named_in_one_sentence(tmp_path):
    with pytest.raises(UserError) as nothing:
        files.locate("lpfm2", WeightSources())
    assert str(nothing.value) == (
        "lpfm2 lacks lpfm_restore_stage1.pth and lpfm_restore_stage2.pt and v2-1_512-ema-pruned.ckpt: put "
        "lpfm_restore_stage1.pth, lpfm_restore_stage2.pt, v2-1_512-ema-pruned.ckpt, which "
        "https://github.com/ziniBRC/LPFM links to, into one folder and give it as checkpoints.lpfm2=FOLDER."
    )
    own = put(tmp_path / "own", *THREE[:2])
    with pytest.raises(UserError, match=rf"lpfm2 lacks v2-1_512-ema-pruned.ckpt \(looked in {own}\): put"):
        files.locate("lpfm2", WeightSources(checkpoints={"lpfm2": str(own)}))
    with pytest.raises(UserError, match=r"there is no .*nowhere, which checkpoints.virtual_stain names; give"):
        files.locate("virtual_stain", WeightSources(checkpoints={"virtual_stain": str(tmp_path / "nowhere")}))


def test_the_vocabulary_is_beside_the_checkpoints_or_in_openclip(tmp_path, monkeypatch):
    own = put(tmp_path / "own", "bpe_simple_vocab_16e6.txt.gz")
    assert files.vocabulary("lpfm2", WeightSources(checkpoints={"lpfm2": str(own)})).parent == own

    monkeypatch.setattr(files.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"lpfm2 needs the vocabulary bpe_.*gz: `pip install open_clip_torch`"):
        files.vocabulary("lpfm2", WeightSources(weights_dir=str(tmp_path)))

    package = put(tmp_path / "site" / "open_clip", "__init__.py", "bpe_simple_vocab_16e6.txt.gz")
    spec = type("Spec", (), {"submodule_search_locations": [str(package)]})
    monkeypatch.setattr(files.importlib.util, "find_spec", lambda _: spec)
    assert files.vocabulary("lpfm2", WeightSources()).parent == package


def test_a_file_that_changes_has_another_digest(tmp_path):
    path = put(tmp_path, "weights.pt") / "weights.pt"
    before = files.digest(path)
    path.write_bytes(b"longer than before")

    assert len(before) == 64
    assert files.digest(path) != before
