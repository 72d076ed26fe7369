"""``python -m bench export FORMAT DIR ...``: features, tiles and attention for the programs of others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.data import PixelPlan, file_name
from bench.embedding import read_features
from bench.exports.cohort_tables import write_tables
from bench.exports.feature_files import FORMATS, SlideFeatures
from bench.exports.geojson import write_attention
from bench.exports.tile_pictures import write_tiles
from bench.files import unwritable
from bench.rows import rows_of, warn_once
from bench.runs import RunContext, embed_cohort, prepare, to_stderr
from registry.errors import UserError, near_match

ALL_FORMATS = (*FORMATS, "tiles", "geojson")
USAGE = """Usage: python -m bench export FORMAT DIR task=TASK data=DATA model=MODEL [settings of a run]
       python -m bench export geojson DIR [results=RESULTS]

  clam      h5_files/ID.h5, pt_files/ID.pt, dataset.csv and splits/splits_K.csv: what CLAM's training reads
  trident   MAGx_SIZEpx_OVERLAPpx_overlap/features_MODEL/ID.h5 and patches/ID_patches.h5: for Patho-Bench and TRIDENT
  pt        ID.pt, a tensor [tile, feature] a slide
  tiles     ID/X_Y.png, the tiles themselves, X and Y in level-0 px
  geojson   TASK/MODEL/HEAD/ID.geojson, the attention of each tile for QuPath, from the rows in RESULTS (results)

Features are float32. They come from the cache, and those that are not there are embedded first. One task of slides and
one model are exported at a time, with the settings of the run (its tiling, coords=, frontend=, part=)."""


def check_arguments(arguments: Sequence[str]) -> tuple[str, Path, list[str]]:
    """The format, the folder, and the settings of a run.

    Raises
    ------
    UserError
        If the format or the folder is missing or wrong.
    """
    words = [argument for argument in arguments if "=" not in argument and not argument.startswith("-")]
    if not words or words[0] not in ALL_FORMATS:
        near = near_match(words[0], ALL_FORMATS) if words else ""
        raise UserError(
            f"export needs one of the formats {', '.join(ALL_FORMATS)}"
            + (f", not '{words[0]}'" if words else "")
            + f": python -m bench export clam DIR task=slides data=cohort.csv model=uni.{near}"
        )
    if len(words) != 2:
        what = "no folder" if len(words) == 1 else f"{len(words) - 1} folders"
        raise UserError(f"export {words[0]} was called with {what}: name one, as in export {words[0]} DIR model=uni.")
    folder = Path(words[1]).expanduser()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}, the folder of the export, is a file: name another.")
    return words[0], folder, [argument for argument in arguments if argument not in words]


def export(context: RunContext, form: str, folder: Path) -> int:
    """Write the features or the tiles of one model on one task of slides; gives the number of slides.

    Raises
    ------
    UserError
        If there is not one task of slides with one model, the features cannot be made, or the folder cannot be written.
    """
    plan = prepare(context)
    if plan.failures:
        raise UserError("\n".join(plan.failures))
    works = [(task, part, own) for task in plan.tasks for part, work in task.passes for own in work]
    if len(plan.tasks) != 1 or len(works) != 1:
        raise UserError(
            f"One task and one model are exported at a time, not {len(plan.tasks)} tasks with {len(works)} models: "
            "set task=NAME and model=NAME."
        )
    ((task, part, own),) = works
    if task.cohort.noun == "tiles":
        raise UserError(
            f"The task {task.task.name} has single tiles, and the formats of this command are of slides: read the "
            "features of tiles from Python with bench.open_features."
        )
    if form == "tiles" and not isinstance(part, PixelPlan):
        raise UserError(
            f"The model {own.model.name} has features and no tiles: export tiles with the model that you mean."
        )
    cohort, embedding = embed_cohort(context, plan)
    for note in cohort.notes(embedding):
        context.say(note)
    files = {name: path for name, path in cohort.feature_files(embedding).items() if has_tiles(path)}
    try:
        if form == "tiles":
            assert isinstance(part, PixelPlan)
            wanted = {file_name(name) for name in files}
            for shard in part.known().shards:
                if shard.name in wanted:
                    context.say(f"{write_tiles(folder, shard)} tiles of {shard.name} are in {folder / shard.name}")
            return len(files)
        names = {name: file_name(name) for name in files}
        for name, path in sorted(files.items()):
            SlideFeatures(names[name], path).write(form, folder, file_name(own.model.name))
        if form == "clam":
            write_tables(folder, cohort.manifest, names)
    except OSError as error:
        raise unwritable(folder, error, "export FORMAT DIR") from error
    context.say(f"{len(files)} slides of {task.task.name} by {own.model.name} are in {folder}")
    return len(files)


def has_tiles(path: Path) -> bool:
    """Whether a feature file has a tile."""
    return len(read_features(path)[0]) > 0


def export_attention(results: Path, folder: Path) -> int:
    """Write the attention of all rows of a results folder that have one; gives the number of slides.

    Raises
    ------
    UserError
        If no row has one, a file is damaged, or the folder cannot be written.
    """
    rows = rows_of(results)
    for sentence in rows.sentences:
        warn_once(sentence)
    number = 0
    for row in rows.rows:
        attention = row.key.path(results, "predictions", "attention.h5")
        if row.ok and attention.is_file():
            place = folder / attention.relative_to(results / "predictions").with_suffix("").with_suffix("")
            try:
                number += sum(1 for _ in write_attention(place, attention))
            except OSError as error:
                raise unwritable(folder, error, "export geojson DIR") from error
    if not number:
        raise UserError(
            f"No row in {results / 'rows'} has the attention of tiles with coordinates: run a head with attention "
            "(protocol=abmil) on slides, or name another folder with results=DIR."
        )
    to_stderr(f"the attention on {number} slides is in {folder}")
    return number


def attention_command(folder: Path, settings: Sequence[str]) -> None:
    """``python -m bench export geojson DIR [results=DIR]``.

    Raises
    ------
    UserError
        As `export_attention`, and for another setting.
    """
    others = [argument for argument in settings if not argument.startswith("results=")]
    if others:
        raise UserError(f"{others[0]!r} is not an option of export geojson: that is results=DIR.")
    values = [argument.partition("=")[2] for argument in settings]
    export_attention(Path(values[-1] if values else "results").expanduser(), folder)
