"""The command `multiverse`: which protocols run, which are named and left out, and that nothing is computed twice."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from command_helpers import bench, files
from PIL import Image
from stand_in_models import PATH

from bench.config import conf_folder
from bench.protocols import boosted, configured
from bench.runs import multiverse, multiverse_overrides, published_protocols
from bench.runs.configuration import load_settings
from bench.tasks import SampleLevel
from registry.errors import UserError


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    """Tiles of two classes that brightness tells apart, without a validation side."""
    folder, rng = tmp_path_factory.mktemp("tiles"), np.random.default_rng(0)
    for side, n in (("train", 8), ("test", 6)):
        for label, level in (("a", 80), ("b", 150)):
            (folder / side / label).mkdir(parents=True)
            for i in range(n):
                pixels = rng.normal(level, 30, (1, 1, 3)) + rng.normal(0, 25, (32, 32, 3))
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / side / label / f"{i}.png")
    return folder


def test_every_name_of_the_list_is_a_protocol_and_every_setting_is_one_of_its_own():
    found = published_protocols()

    assert found.missing == ()
    assert set(found.authors.values()) == set(yaml.safe_load((conf_folder() / "published_protocols.yaml").read_text()))
    assert {"linear_eva", "linear_uni", "linear_thunder", "linear_pathobench", "ridge_hest", "linear"} <= set(
        found.authors
    )
    assert {"forest_hest", "xgboost_hest", "mean_of_slides", "abmil_by_slide"} <= set(found.authors)
    assert "fewshot" not in found.authors
    assert found.patients == {"mean_of_slides", "abmil_by_slide"}
    assert found.settings["mean_of_slides"] == {"head": "linear_sklearn"}
    assert {"linear_eva", "linear_thunder"} <= found.validation
    assert "linear_uni" not in found.validation
    for name, settings in load_settings("protocol", dict(found.settings)).items():
        assert configured(settings).kinds, name


def test_a_new_preset_of_the_same_authors_is_found_and_a_name_without_a_file_is_missing(tmp_path):
    (tmp_path / "protocol").mkdir()
    for name in ("linear_eva", "knn_eva", "ridge"):
        shutil.copy(conf_folder() / "protocol" / "knn.yaml", tmp_path / "protocol" / f"{name}.yaml")
    listed = [
        'eva: {protocols: ["*_eva"], validation: ["linear_*"], patients: ["knn_*"], settings: {"knn*": {k: [1]}}}',
        "X: {protocols: [gone, knn_eva, '*_x']}",
    ]
    (tmp_path / "published_protocols.yaml").write_text("\n".join(listed))
    found = published_protocols(tmp_path)

    assert found.authors == {"knn_eva": "eva", "linear_eva": "eva"}
    assert (found.validation, found.patients) == ({"linear_eva"}, {"knn_eva"})
    assert found.settings == {"knn_eva": {"k": [1]}}
    assert found.missing == (
        "published_protocols.yaml names gone of X, and there is no such protocol: it is left out.",
    )
    assert multiverse_overrides(["task=pcam"], found) == [
        *("null=none", "protocol=[knn_eva,linear_eva]", "protocols.knn_eva.k=[1]", "task=pcam"),
    ]
    assert multiverse_overrides(["protocol=knn", "null=same"], found) == ["protocol=knn", "null=same"]


@pytest.mark.parametrize(
    "text", ["[1]", "eva: {}", "eva: {protocols: knn}", "eva: {protocols: [knn], kind: x}", "a: [", ""]
)
def test_a_wrong_list_is_a_sentence(tmp_path, text):
    (tmp_path / "protocol").mkdir()
    (tmp_path / "published_protocols.yaml").write_text(text)

    with pytest.raises(UserError, match=r"published_protocols.yaml"):
        published_protocols(tmp_path)


@pytest.mark.slow
def test_what_fits_is_run_once_and_the_rest_is_named(tiles, tmp_path):
    protocols = "protocol=[prototype,linear_pathobench,linear_eva,ridge]"
    arguments = ("task=tiles", f"data={tiles}", "model=[means,colour]", f"plugins=[{PATH}]", protocols)
    done = bench(tmp_path, "multiverse", *arguments)

    text = " ".join(done.stdout.split())
    assert done.returncode == 0, done.stderr
    assert "tiles: 2 models under 2 protocols, balanced accuracy on 12 test samples of 12 groups (patients)." in text
    assert "Not run, as they do not fit the task: ridge (regression, ordinal)." in text
    assert (
        "Not run, as they choose by a validation side and tiles has none (tasks.tiles.split.val=0.1 draws one)" in text
    )
    assert "draws one): linear_eva." in text
    made = files(tmp_path, "results/rows/**/*.json")
    assert {path.name.split("-")[0] for path in made} == {"prototype", "linear_pathobench"}
    (folder,) = (tmp_path / "results" / "multiverse" / "tiles").iterdir()
    written = {path.name: path.read_bytes() for path in folder.iterdir()}

    again = bench(tmp_path, "multiverse", *arguments)
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert files(tmp_path, "results/rows/**/*.json") == made
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == written

    alone = bench(tmp_path, "multiverse", *arguments[:2], "model=colour", "protocol=prototype")
    assert alone.returncode == 0
    assert "needs two models and two protocols, and this run has 1 model under 1 protocol." in " ".join(
        alone.stdout.split()
    )


def test_where_nothing_can_run_it_says_why(tiles, tmp_path):
    done = bench(tmp_path, "multiverse", "task=tiles", f"data={tiles}", "model=colour", "protocol=[linear_eva]")

    assert done.returncode == 2
    assert "tiles: no protocol was run. Not run, as they choose by a validation side" in done.stderr


@pytest.mark.parametrize(("unit", "left"), [("slide", ["linear"]), ("patient", ["linear", "mean_of_slides"])])
def test_protocols_of_a_patients_slides_are_for_tasks_of_patients(unit, left):
    plan = SimpleNamespace(
        task=SimpleNamespace(name="own", unit=SampleLevel(unit)),
        heads={"linear": None, "mean_of_slides": None},
        passes=[],
        failed=[(SimpleNamespace(protocol="mean_of_slides"), None)],
    )
    found = multiverse._without_patients(plan, frozenset({"mean_of_slides", "abmil_by_slide"}))

    assert list(plan.heads) == left
    assert bool(found) == (unit == "slide") == (not plan.failed)
    if found:
        (sentence,) = found
        assert sentence.endswith("about the several slides of a patient and own has unit=slide: mean_of_slides.")


@pytest.mark.slow
def test_a_head_whose_package_is_not_installed_is_named_and_the_rest_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(boosted.importlib.util, "find_spec", lambda name: None)
    rng = np.random.default_rng(0)
    lines = ["id,path,label,group,split"]
    for i in range(24):
        level = rng.uniform(60, 180)
        pixels = np.full((32, 32, 3), level) + rng.normal(0, 25, (32, 32, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(tmp_path / f"{i}.png")
        lines.append(f"{i},{i}.png,{level + rng.normal(0, 20):.1f},{i},{'test' if i % 3 == 0 else 'train'}")
    (tmp_path / "genes.csv").write_text("\n".join(lines))
    arguments = ("task=tiles", f"data={tmp_path / 'genes.csv'}", "tasks.tiles.kind=regression", "model=[means,colour]")
    presets = "protocol=[ridge_hest_a2,forest_hest,xgboost_hest]"
    done = bench(tmp_path, "multiverse", *arguments, f"plugins=[{PATH}]", presets, "protocols.forest_hest.trees=3")

    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert "tiles: 2 models under 2 protocols, pearson on 8 test samples of 8 groups (patients)." in text
    assert "Not run, as a package that they need is not installed: xgboost_hest." in text
    assert "pfmbench: The boosted head needs XGBoost" in done.stderr
    assert "pip install" not in done.stdout
