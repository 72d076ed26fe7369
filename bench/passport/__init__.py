"""The acquisition passport: one page of an encoder, from its rows, and sentences that follow from them by rules."""

from bench.passport.as_html import html
from bench.passport.as_markdown import markdown
from bench.passport.blocks import Block, Bullets, Gallery, Heading, Page, Paragraph, Picture, Table
from bench.passport.command import make_passport, passport
from bench.passport.worst import Draw, Drawn, WorstCase

__all__ = [
    "Block",
    "Bullets",
    "Draw",
    "Drawn",
    "Gallery",
    "Heading",
    "Page",
    "Paragraph",
    "Picture",
    "Table",
    "WorstCase",
    "html",
    "make_passport",
    "markdown",
    "passport",
]
