"""The acquisition passport: one page of an encoder, from its rows, and sentences that follow from them by rules."""

from bench.passport.command import make_passport, passport
from bench.passport.worst import Draw, Drawn, WorstCase

__all__ = ["Draw", "Drawn", "WorstCase", "make_passport", "passport"]
