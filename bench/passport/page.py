"""The page of one encoder: from what is known of it to headings, sentences, tables and pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bench.passport.blocks import Block, Bullets, Gallery, Heading, Page, Paragraph, Picture
from bench.passport.evidence import Encoder, Evidence
from bench.passport.numbers import number
from bench.passport.rules import RULES, sentences_of_encoder, sentences_of_head
from bench.passport.tables import centre_tables, clean_words, costs_table, restorers_table, severity_tables
from bench.passport.worst import Drawn
from bench.rows import file_name

INTRODUCTION = (
    "What corruption, restoration, centre and scanner do to the features of this encoder, and to heads that were "
    "trained on clean tiles. A condition is a corruption at one severity, and a loss is the score on clean tiles less "
    "that of the condition. Sentences follow from the numbers by the rules at the end of the page, each with the name "
    "of its rule; they compare point estimates, whose intervals are in the tables of the results folder."
)


Plots = Callable[[Evidence], Sequence[Picture]]


def page_of(
    encoder: Encoder, drawn: Sequence[Drawn] = (), without_pictures: str = "", plots: Plots = lambda evidence: []
) -> Page:
    """The page.

    Parameters
    ----------
    drawn : sequence of Drawn
        The pictures of the worst cases.
    without_pictures : str
        The sentence in their place where there are none.
    plots : function
        The plots that belong to an encoder with a head.
    """
    return Page(
        f"{encoder.model}: acquisition passport",
        list(_blocks(encoder, drawn, without_pictures, plots)),
    )


def _blocks(encoder: Encoder, drawn: Sequence[Drawn], without_pictures: str, plots: Plots) -> Iterator[Block]:
    yield Paragraph(INTRODUCTION)
    yield costs_table(encoder)
    yield Heading("What follows")
    yield from _sentences(encoder)
    if encoder.failed:
        yield Paragraph("What failed and is not on this page:")
        yield Bullets([(words, "") for words in encoder.failed])
    yield Heading("Worst cases")
    yield from _pictures(encoder, drawn, without_pictures)
    for evidence in encoder.evidence:
        yield Heading(_name(evidence))
        yield Paragraph(clean_words(evidence))
        yield from plots(evidence)
        yield from severity_tables(evidence)
        yield from restorers_table(evidence, encoder)
    yield from centre_tables(encoder)
    yield Heading("Rules")
    yield Bullets([(f"{rule.name}: {rule.definition}", "") for rule in RULES])
    if encoder.version:
        yield Paragraph(f"The rows were made by pfmbench {encoder.version}.")


def _sentences(encoder: Encoder) -> Iterator[Block]:
    """What follows by the rules: under a heading for each head where there are several."""
    of_heads = [sentences_of_head(evidence) for evidence in encoder.evidence]
    of_encoder = sentences_of_encoder(encoder)
    if len(of_heads) == 1:
        yield Bullets([*of_heads[0], *of_encoder])
        return
    for evidence, sentences in zip(encoder.evidence, of_heads, strict=True):
        yield Heading(_name(evidence), 3)
        yield Bullets(sentences) if sentences else Paragraph("No rule holds.")
    yield Heading("Centres, scanners, and what was not measured", 3)
    yield Bullets(of_encoder) if of_encoder else Paragraph("No rule holds.")


def _name(evidence: Evidence) -> str:
    return f"{evidence.task}, {evidence.protocol}"


def _pictures(encoder: Encoder, drawn: Sequence[Drawn], without_pictures: str) -> Iterator[Block]:
    if not drawn:
        yield Paragraph(without_pictures)
        return
    yield Paragraph(
        "The conditions with the largest loss, one of each corruption at most, and the tiles of each whose features "
        "have the lowest cosine to those of the clean tile. They are restored by the restorer with the best score "
        "there."
    )
    lines = []
    for place, one in enumerate(drawn):
        case = one.case
        caption = f"{case.tile}, {case.corrupted}: cosine {number(case.cosine)}"
        if case.restored:
            caption += f", {number(case.cosine_restored)} behind {case.restored}"
        if one.remark:
            caption += f". {one.remark}"
        path = f"{file_name(encoder.model)}/{place + 1:02d}"
        lines.append(
            (
                caption,
                [
                    Picture(f"{path}-clean.png", one.clean, f"{case.tile}, clean"),
                    Picture(f"{path}-corrupted.png", one.corrupted, f"{case.tile}, {case.corrupted}"),
                    Picture(f"{path}-restored.png", one.restored, f"{case.tile}, {case.restored}")
                    if one.restored is not None
                    else None,
                ],
            )
        )
    yield Gallery(["clean", "corrupted", "restored"], lines)
