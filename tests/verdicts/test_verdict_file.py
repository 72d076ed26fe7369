"""The file of a verdict: what is read is what was written, a changed digit is refused, and alarms make the badge."""

import json
import os

import pytest

from bench.verdicts import Audit, Finding, adjusted, audit_path, merged_audits, read_audit, write_audit

TESTED = Finding("controls", "date", "warning", "It is.", badge="shortcut", p=0.01, otherwise="It is not.")


def test_findings_come_back_and_a_changed_number_is_refused(tmp_path):
    audit = Audit("a/b", "0f" * 4, (TESTED, Finding("power", "groups", "note", "Few.")), "1", {"seeds": 3})

    path = write_audit(tmp_path, audit)

    assert read_audit(path) == audit
    assert path == audit_path(tmp_path, "a/b", "0f" * 4)
    assert merged_audits([tmp_path]) == ({("a/b", "0f" * 4): "shortcut"}, {("a/b", "0f" * 4): [tmp_path]}, [])
    path.write_text(path.read_text().replace('"p": 0.01', '"p": 0.51'))
    badges, _, (sentence,) = merged_audits([tmp_path])
    assert badges == {}
    assert "checksum" in sentence


def test_the_gravest_alarm_is_named_first(tmp_path):
    failure = Finding("controls", "number", "failure", "It is worse.", badge="control reaches models", p=0.001)
    audit = Audit("t", "c", (TESTED, failure))

    assert audit.badge == "control reaches models, shortcut"
    assert audit.sentences == ["It is worse.", "It is."]


def test_a_verdict_in_the_place_of_another_or_without_a_finite_p_has_no_badge(tmp_path):
    path = write_audit(tmp_path, Audit("t", "c", (TESTED,)))
    text = path.read_text()
    path.rename(path.with_name("other.json"))
    badges, _, (sentence,) = merged_audits([tmp_path])
    assert (badges, "of another task or cohort" in sentence) == ({}, True)

    record = json.loads(text)
    del record["written_crc32"]
    record["findings"][0]["p"] = float("nan")
    path.with_name("other.json").rename(path)
    path.write_text(json.dumps(record, indent=1) + "\n")
    assert merged_audits([tmp_path]).badges == {}


def test_folders_are_merged_by_their_alarms(tmp_path):
    write_audit(tmp_path / "a", Audit("t", "c", (TESTED,)))
    write_audit(tmp_path / "b", Audit("t", "c", ()))

    assert merged_audits([tmp_path / "a", tmp_path / "b", tmp_path / "none"])[0] == {("t", "c"): "shortcut"}
    assert merged_audits([tmp_path / "b"])[0] == {("t", "c"): "clear"}


@pytest.mark.parametrize("text", ["", "[]", '{"schema": 2}', '{"schema": 1, "findings": [{}]}', "\x00"])
def test_a_file_that_is_no_verdict_is_named(tmp_path, text):
    path = audit_path(tmp_path, "t", "c")
    path.parent.mkdir(parents=True)
    path.write_text(text)

    assert len(merged_audits([tmp_path]).sentences) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"badge": 5},
        {"badge": "\x1b]0;x\x07"},
        {"sentence": ["It is."]},
        {"numbers": [1]},
        {"numbers": {"value": {}}},
        {"p": "0"},
    ],
)
def test_a_finding_with_a_field_of_another_type_or_of_control_characters_is_named(tmp_path, changed):
    path = write_audit(tmp_path, Audit("t", "c", (TESTED,)))
    record = json.loads(path.read_text())
    del record["written_crc32"]
    record["findings"][0].update(changed)
    path.write_text(json.dumps(record))

    badges, _, (sentence,) = merged_audits([tmp_path])
    assert badges == {}
    assert f"a finding has the {next(iter(changed))} " in sentence
    assert sentence.isprintable()


def test_a_pipe_and_nested_text_in_the_place_of_a_verdict_are_named(tmp_path):
    path = audit_path(tmp_path, "t", "c")
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    audit_path(tmp_path, "t", "nested").write_text("[" * 100_000)

    of_pipe, of_nested = merged_audits([tmp_path]).sentences
    assert "it is no file" in of_pipe
    assert "it is nested too deeply" in of_nested


def test_p_values_are_adjusted_together_and_what_does_not_reject_says_so():
    found = adjusted([TESTED] * 6 + [Finding("power", "groups", "note", "Few.")])

    assert [one.verdict for one in found] == ["clear"] * 6 + ["note"]
    assert found[0].p_adjusted == pytest.approx(0.06)
    assert (found[0].sentence, found[0].badge) == ("It is not.", "")
    assert adjusted([TESTED])[0].is_alarm
