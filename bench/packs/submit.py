"""``python -m bench submit``: the rows and predictions of a results folder as one zip, a pack."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path, PureWindowsPath

from bench import rows
from bench.commands import complain, read_arguments, run_command
from bench.files import unwritable
from bench.packs.archive import write_pack
from bench.packs.layout import HASHED, LARGEST_PACK, MOST_FILES, PLAIN, PackRecord
from bench.packs.pseudonyms import Pseudonyms, hashed
from bench.packs.stripping import stripped
from bench.rows import ROW_FIELDS, Row
from registry.errors import UserError, first_few

OPTIONS = {"results": "results", "out": "", "salt": ""}
USAGE = f"""Usage: python -m bench submit results=DIR out=FILE.zip [salt=TEXT] [FIELD=VALUE[,VALUE...] ...]

Packs the rows of DIR, failed ones too, and their predictions into one zip: no images, features, weights or paths of
this machine. The same rows give the same bytes. `python -m bench verify FILE.zip` checks it
(docs/CONTRIBUTING_RESULTS.md).

  salt=TEXT     ids and groups become hashes with this salt of 16 characters or more, the same ones in every pack
  FIELD=VALUE   only rows with this value; FIELD is one of {", ".join(ROW_FIELDS)}"""


@dataclass(frozen=True)
class Packed:
    """What was packed: rows, failed ones among them, the bytes of the zip, and a sentence for each row left out."""

    rows: int
    failed: int
    bytes: int
    left_out: list[str]


def submit_command(arguments: Sequence[str]) -> int:
    """The command; gives its exit code: 0, or 2 with a sentence on stderr."""
    return run_command(arguments, USAGE, _submit)


def _submit(arguments: Sequence[str]) -> int:
    options, wanted = _parsed(arguments)
    out = Path(options["out"]).expanduser()
    found = submit(Path(options["results"]).expanduser(), out, options["salt"], wanted)
    for sentence in found.left_out:
        complain(sentence)
    ids = "ids and groups are hashes" if options["salt"] else "ids and groups stand as they are (salt=TEXT hashes them)"
    print(
        f"{out}: {found.rows} rows, {found.failed} of them failed or lost, {found.bytes:,} bytes; {ids}.\n"
        f"To check it: python -m bench verify {out}"
    )
    return 0


def submit(results: Path, out: Path, salt: str = "", wanted: Mapping[str, str] | None = None) -> Packed:
    """Write the pack of a results folder.

    Parameters
    ----------
    results, out : Path
        The results folder, and the zip.
    salt : str
        "" leaves ids and groups as they are.
    wanted : mapping of a name of `bench.rows.ROW_FIELDS` to str
        Values of the rows to pack; all rows without any.

    Raises
    ------
    UserError
        If there are no such rows, ids are paths of this machine, or the zip cannot be written.
    """
    pseudonyms = Pseudonyms(salt) if salt else None
    saved = rows.rows_of(results)
    if not saved.rows:
        raise UserError(rows.why_no_rows(results))
    chosen = rows.selected(saved.rows, wanted) if wanted else saved.rows
    left_out = list(saved.sentences)
    if 2 * len(chosen) >= MOST_FILES:
        raise UserError(
            f"A pack has {MOST_FILES // 2:,} rows at most and these are {len(chosen):,}: pack task by task."
        )
    with tempfile.TemporaryDirectory(prefix="pfmbench-submit-") as temporary:
        own = [(row, saved.folders[row.key]) for row in chosen]
        packed = [row for row, source in own if _written(Path(temporary), row, source, pseudonyms, left_out)]
        if not packed:
            raise UserError("\n".join([f"No row of {results} can be packed.", *left_out]))
        content = {
            path.relative_to(temporary).as_posix(): path.read_bytes()
            for path in Path(temporary).rglob("*")
            if path.is_file()
        }
    record = PackRecord(
        version=version("pfmbench"),
        ids=HASHED if pseudonyms else PLAIN,
        rows=len(packed),
        left_out=len(saved.rows) - len(packed),
        files={name: hashlib.sha256(data).hexdigest() for name, data in content.items()},
    )
    try:
        write_pack(out, record, content)
    except OSError as error:
        raise unwritable(out, error, "out=FILE") from error
    size = out.stat().st_size
    if size > LARGEST_PACK:
        raise UserError(f"{out} has {size / 2**20:,.0f} MiB and a pack is read up to {LARGEST_PACK >> 20}: pack less.")
    return Packed(len(packed), sum(not row.ok for row in packed), size, left_out)


def _parsed(arguments: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The options, and the values of the fields."""
    takes = f"those are results=DIR, out=FILE.zip, salt=TEXT and FIELD=VALUE with {', '.join(ROW_FIELDS)}"
    found = read_arguments(arguments, OPTIONS, takes, fields=ROW_FIELDS)
    if not found.options["out"].endswith(".zip"):
        raise UserError("Name the file of the pack, as in python -m bench submit results=results out=mine.zip.")
    return found.options, found.fields


def _written(folder: Path, row: Row, results: Path, pseudonyms: Pseudonyms | None, left_out: list[str]) -> bool:
    """Write a row and its predictions as they stand in a pack; a row whose predictions cannot be read is left out."""
    if not row.predictions:
        if row.ok:
            left_out.append(f"The row {row.key.name('rows', 'json')} has no predictions and is not in the pack.")
            return False
        rows.write(folder, stripped(row, results, (), pseudonyms), None)
        return True
    predictions = results / row.predictions
    try:
        found = rows.read_predictions(predictions)
    except UserError as error:
        left_out.append(f"{error} Its row is not in the pack.")
        return False
    names = {*found.ids.tolist(), *found.groups.tolist()}
    if pseudonyms:
        found = hashed(found, pseudonyms)
    else:
        _refuse_paths(names, predictions)
    rows.write(folder, replace(stripped(row, results, names, pseudonyms), predictions=""), found)
    return True


def _refuse_paths(names: set[str], predictions: Path) -> None:
    paths = sorted(name for name in names if name.startswith(("/", "~")) or PureWindowsPath(name).drive)
    if paths:
        raise UserError(
            f"The ids in {predictions} are paths of this machine ({first_few(paths, 2)}): add salt=TEXT so that they "
            "are hashed, or give the samples ids and run again."
        )
