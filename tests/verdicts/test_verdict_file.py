"""The file of a verdict: what is read is what was written, a changed digit is refused, and alarms make the badge."""

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


def test_p_values_are_adjusted_together_and_what_does_not_reject_says_so():
    found = adjusted([TESTED] * 6 + [Finding("power", "groups", "note", "Few.")])

    assert [one.verdict for one in found] == ["clear"] * 6 + ["note"]
    assert found[0].p_adjusted == pytest.approx(0.06)
    assert (found[0].sentence, found[0].badge) == ("It is not.", "")
    assert adjusted([TESTED])[0].is_alarm
