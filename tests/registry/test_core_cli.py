"""``python -m registry``: the table, a card, verify, the document, and one sentence for what the user can mend."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import registry
from registry import table
from registry.__main__ import main


def run(capsys, *words):
    code = main(list(words))
    return code, *capsys.readouterr()


def test_table_has_every_model_and_column(capsys):
    code, out, _ = run(capsys)
    head, *rows = out.splitlines()
    assert code == 0
    assert head.split() == ["name", "paper", "params", "dim", "input", "mpp", "licence", "weights", "cohorts", "unit"]
    assert [row.split()[0] for row in rows] == registry.names()


def test_json_holds_the_whole_card(capsys):
    cards = {card["name"]: card for card in json.loads(run(capsys, "--json")[1])}
    assert sorted(cards) == registry.names()
    uni = json.loads(run(capsys, "uni", "--json")[1])
    assert uni == cards["uni"]
    assert uni["weights"]["sha256"] == registry.card("uni").weights.sha256
    assert uni["digest"] == registry.card("uni").digest()


@pytest.mark.parametrize("name", registry.names())
def test_card_in_words(capsys, name):
    card = registry.card(name)
    _, out, _ = run(capsys, name)
    for part in (card.title, card.paper, card.licence, str(card.dim), f"{card.params:,}", card.notes):
        assert part in out


def test_verify_runs_tissue(capsys):
    code, out, _ = run(capsys, "verify", "efficientnet_lite0", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["shape"] == "4 x 1280"
    assert found["sha256"] == registry.fingerprint("efficientnet_lite0")
    assert float(found["between tiles"]) > 0.05
    assert "CMU-1" in found["input"]


def test_verify_with_arguments(capsys, tmp_path, shared):
    _, out, _ = run(
        capsys, "verify", "efficientnet_lite0", "weights=random", f"tiles={shared / 'data/nct_crc_sample/LYM'}"
    )
    assert "efficientnet_lite0@random" in out
    assert "224 x 224 px" in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["unii"], "did you mean uni"),
        (["verify"], "verify takes one model"),
        (["verify", "uni", "checkpoint=/no/such.bin"], "there is no checkpoint /no/such.bin"),
        (["verify", "uni", "colour=red"], "uni has no option 'colour'"),
        (["verify", "uni", "offline=maybe"], "offline=maybe is neither true nor false"),
        (["verify", "colour", "tiles=/no/folder"], "there is no image in /no/folder"),
        (["uni", "checkpoint=x"], "'checkpoint=' belongs to verify"),
        (["uni", "resnet50"], "is more than one name"),
        (["plugins=/no/such.py"], "there is no plugin file"),
        (["plugins=[/no/such.py]"], "there is no plugin file /no/such.py;"),
        (["docs", "/proc/no/such.md"], "cannot be written"),
    ],
)
def test_what_the_user_can_mend_is_one_sentence_and_code_2(capsys, words, sentence):
    code, out, err = run(capsys, *words)
    assert code == 2
    assert out == ""
    assert sentence in err
    assert err.count("\n") == 1


def test_as_a_program():
    command = [sys.executable, "-m", "registry"]
    shown = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout
    assert "python -m registry verify NAME" in shown
    wrong = subprocess.run([*command, "unii"], capture_output=True, text=True)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "Traceback" not in wrong.stderr


@pytest.mark.slow
def test_the_document_is_fresh():
    path = Path(__file__).parents[2] / "docs" / "MODELS.md"
    fresh = table.document(map(registry.card, registry.names()))
    assert path.read_text() == fresh, "docs/MODELS.md is stale: run `python -m registry docs`"


def test_cohorts_in_words():
    assert table.cohorts(registry.card("colour")) == "none"
    assert "GTEx" in table.cohorts(registry.card("uni"))
