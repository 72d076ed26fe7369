"""The slide manifest."""

from __future__ import annotations

import math

import pytest

from bench.slides import read_cohort
from registry.errors import UserError


@pytest.fixture
def write(tmp_path):
    for name in ("a.svs", "b.svs", "c.tif", "deep/a.svs", "mask.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "linked.svs").symlink_to("a.svs")

    def write(text: str):
        (tmp_path / "cohort.csv").write_text(text)
        return tmp_path / "cohort.csv"

    return write


def test_two_columns_suffice(write, tmp_path) -> None:
    frame = read_cohort(write("slide,label\na.svs,x\ndeep/../b.svs , y\n\n"))
    assert frame["id"].tolist() == frame["group"].tolist() == ["a", "b"]
    assert frame["path"].tolist() == [str(tmp_path / "a.svs"), str(tmp_path / "deep/../b.svs")]
    assert frame["label"].tolist() == ["x", "y"]
    assert frame["mpp"].isna().all()
    assert frame["mask"].tolist() == ["", ""]
    assert "split" not in frame


def test_all_columns(write, tmp_path) -> None:
    frame = read_cohort(
        write(
            "Slide,label,patient,split,mpp,mask,centre,extra\n"
            f"{tmp_path}/a.svs,x,p1,train,0.25,mask.png,A,1\nb.svs,y,p1,Training,,,B,2\nc.tif,y,,test,,,A,3\n"
        )
    )
    assert frame["group"].tolist() == ["p1", "p1", "c"]
    assert frame["mpp"].tolist()[0] == 0.25
    assert math.isnan(frame["mpp"].tolist()[1])
    assert frame["mask"].tolist() == [str(tmp_path / "mask.png"), "", ""]
    assert frame["centre"].tolist() == ["A", "B", "A"]
    assert frame["split"].tolist() == ["train", "Training", "test"]


def test_same_names_need_ids(write) -> None:
    with pytest.raises(UserError, match=r"have the id a \(rows 1, 3 below the header\).* column `id`"):
        read_cohort(write("slide,label\na.svs,x\nb.svs,y\ndeep/a.svs,y\n"))
    assert read_cohort(write("id,slide,label\n1,a.svs,x\n2,deep/a.svs,y\n"))["id"].tolist() == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("slide,class\na.svs,x\n", "no column label: it needs slide and label"),
        ("label\nx\n", "no column slide"),
        ("slide,label\na.svs,\n", "Row 1 below the header of .* has no label"),
        ("slide,label\n", "lists no slide"),
        ("slide,label\na.svs,x\nz.svs,y\n", "1 of 2 slide files .*z.svs"),
        ("slide,label,mask\na.svs,x,z.png\n", "1 of 1 mask files .*z.png"),
        ("slide,label,label\na.svs,x,y\n", r"more than one column label \(label, label;"),
        ("slide,Label,label\na.svs,x,y\n", r"more than one column label \(Label, label;"),
        ("slide,label,MPP, mpp\na.svs,x,1,1\n", r"more than one column mpp \(MPP, mpp;"),
        ("slide,label\na.svs,x,1\n", r"Expected 2 fields in line 2, saw 3\): save it as CSV in UTF-8\.$"),
        ("slide,label\na.svs,x\nb.svs,y,1\n", r"Expected 2 fields in line 3, saw 3\): save it"),
        ("slide,label,mpp\na.svs,x,40x\n", "has the mpp '40x'"),
        ("slide,label,mpp\na.svs,x,-0.25\n", "has the mpp '-0.25'"),
        ("slide,label,mpp\na.svs,x,\nb.svs,y,20\n", "Row 2 below .* the mpp '20': .*between 0.02 and 10,"),
        ("slide,label,mpp\na.svs,x,inf\n", "has the mpp 'inf'"),
        ("id,slide,label\n1,a.svs,x\n2,a.svs,x\n", "is listed twice"),
        ("slide,label,id\nb.svs,x,0\na.svs,x,1\ndeep/../a.svs,y,2\n", r"a.svs is listed twice .*rows 2, 3 below"),
        ("slide,label\na.svs,x\nlinked.svs,y\n", r"a.svs and as .*linked.svs is listed twice"),
    ],
)
def test_wrong_manifests(write, text, said) -> None:
    with pytest.raises(UserError, match=said):
        read_cohort(write(text))


@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_separators(write, separator) -> None:
    row = ['"a,;\t.svs"', "x", "0.5"]
    manifest = write("\n".join(separator.join(cells) for cells in (["slide", "label", "mpp"], row)))
    frame = read_cohort(manifest, check_files=False)
    assert frame["path"].item().endswith("a,;\t.svs")
    assert (frame["label"].item(), frame["mpp"].item()) == ("x", 0.5)


def test_a_target_has_a_column_of_its_own(write) -> None:
    for name in ("mpp", "Patient", "group"):
        with pytest.raises(UserError, match=f"The column {name} .* cannot be a target"):
            read_cohort(write(f"slide,{name}\na.svs,0.5\n"), targets=[name])
    frame = read_cohort(write("slide,label,grade\na.svs,x,2\n"), targets=["Grade"])
    assert frame["Grade"].tolist() == ["2"]


def test_columns_of_no_meaning_may_repeat(write) -> None:
    assert len(read_cohort(write("slide,label,note,note,,\na.svs,x,1,2,,\n"))) == 1


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_other_encodings(write, tmp_path, encoding) -> None:
    write("").write_bytes("slide,label\na.svs,gutartig-ä\n".encode(encoding))
    with pytest.raises(UserError, match="save it as CSV in UTF-8"):
        read_cohort(tmp_path / "cohort.csv")


def test_no_manifest(tmp_path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        read_cohort(tmp_path / "none.csv")
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00" * 50)
    with pytest.raises(UserError, match="no CSV"):
        read_cohort(tmp_path / "a.csv")


def test_features_alone_need_no_slides(write) -> None:
    assert len(read_cohort(write("slide,label\nz.svs,x\n"), check_files=False)) == 1


def test_the_home_folder(write, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "deep"))
    frame = read_cohort(write("slide,label,mask\n~/a.svs,x,~/../mask.png\n"))
    assert frame["path"].tolist() == [str(tmp_path / "deep/a.svs")]
    assert frame["mask"].tolist() == [str(tmp_path / "deep/../mask.png")]
