"""The audit as a command: a planted number is found, page and badge are there, and nothing is embedded twice."""

import numpy as np
import pandas as pd
import pytest
from command_helpers import bench, refused
from PIL import Image
from plain_loop import USUAL

from bench.verdicts import read_audit

HEAD = (USUAL[0], "protocol=linear", "protocols.linear.n_strengths=2")
NULLS = ("network=scaled", "random=2", *HEAD)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    """Sixty tiles of 30 patients, numbered by class, and the same of six patients."""
    folder = tmp_path_factory.mktemp("tiles")
    rng = np.random.default_rng(0)
    rows = []
    for place in range(60):
        label = place // 2 % 2
        name = f"t{place}.png"
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(folder / name)
        side = ("train", "test")[place // 4 % 2]
        number = 1000 * label + place
        of = {"path": name, "id": f"case{number}", "label": "ab"[label], "patient": f"P{place // 2}"}
        rows.append({**of, "split": side})
    frame = pd.DataFrame(rows)
    frame.to_csv(folder / "tiles.csv", index=False)
    few = frame.label + frame.split + (frame.index // 20).astype(str)
    frame.assign(patient=few).to_csv(folder / "few.csv", index=False)
    return folder


def audit(folder, data, *arguments):
    return bench(folder, "audit", "task=tiles", f"data={data}", *NULLS, *arguments)


@pytest.mark.slow
def test_a_planted_number_is_found_and_stands_beside_the_task_in_tables(tiles, tmp_path):
    done = audit(tmp_path, tiles / "tiles.csv")

    assert done.returncode == 0, done.stderr
    assert "tiles: shortcut" in done.stdout
    (path,) = (tmp_path / "results" / "audits" / "tiles").glob("*.json")
    found = read_audit(path)
    assert [one.subject for one in found.findings if one.is_alarm] == ["number in the id"]
    assert {one.subject for one in found.findings} >= {"random network", "colour", "stain", "date", "file size"}
    assert "The number in the id alone scores" in path.with_suffix(".html").read_text()
    assert path.with_suffix(".md").is_file()

    again = audit(tmp_path, tiles / "tiles.csv")
    assert "tiles/s" in done.stderr
    assert "tiles/s" not in again.stderr, "features are in the cache"

    run = bench(tmp_path, "task=tiles", f"data={tiles / 'tiles.csv'}", "model=means", *HEAD, "null=none")
    assert "audit: shortcut" in run.stdout
    assert set(pd.read_csv(tmp_path / "results" / "leaderboard.csv").audit) == {"shortcut"}
    assert "[Audit](audits/tiles/" in (tmp_path / "results" / "leaderboard.md").read_text()
    assert f'"audit":["shortcut","audits/tiles/{path.stem}.html"]' in (
        tmp_path / "results" / "leaderboard.html"
    ).read_text().replace(", ", ",").replace(": ", ":")

    compared = audit(tmp_path, tiles / "tiles.csv")
    assert "control reaches models" in compared.stdout, "noise tells nothing, so the model is not better"


def test_a_task_of_few_patients_is_one_sentence(tiles, tmp_path):
    done = audit(tmp_path, tiles / "few.csv")

    assert "tiles: too small" in done.stdout
    assert "too small to audit" in " ".join(done.stdout.split())
    assert not (tmp_path / "cache" / "features").exists()


def test_what_an_audit_cannot_use_is_refused(tmp_path):
    refused(bench(tmp_path, "audit"), "An audit is of a task")
    refused(bench(tmp_path, "audit", "task=tiles", "model=uni"), "model=uni is not for an audit")
    refused(bench(tmp_path, "audit", "task=tiles", "random=0"), "random=0 must be a number of seeds")
    refused(bench(tmp_path, "audit", "task=tiles", "randm=2"), "There is no option randm of an audit: ")
    refused(bench(tmp_path, "audit", "task=tiles", "network=colour"), "network=colour has no weights")
    assert "Usage: python -m bench audit" in bench(tmp_path, "audit", "--help").stdout


@pytest.mark.slow
def test_slides_are_audited_over_folds_with_heads_for_vectors_and_for_bags(table, tmp_path):
    table.drop(columns="split").to_csv(tmp_path / "slides.csv", index=False)

    done = bench(
        tmp_path,
        "audit",
        "task=slides",
        "data=slides.csv",
        "tasks.slides.split.folds=2",
        USUAL[0],
        "network=scaled",
        "random=2",
        "protocol=[pooled,abmil]",
        "protocols.abmil.epochs=1",
    )

    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "results" / "audits" / "slides").glob("*.json")
    found = {(one.subject, one.head): one for one in read_audit(path).findings}
    assert found["tile count", "pooled"].numbers["value"] is not None
    assert found["random network", "abmil"].numbers["n_seeds"] == 2
    assert found["slide count", ""].verdict == found["JPEG quality", ""].verdict == "absent"
    assert found["stain", "abmil"].verdict == "clear"
