"""All rules of the page, in its order; a further rule is an entry of one of the three lists."""

from __future__ import annotations

from bench.passport import rules_of_centres, rules_of_loss, rules_of_restoring
from bench.passport.evidence import Encoder, Evidence
from bench.passport.rule import Rule

OF_HEADS: tuple[Rule, ...] = (*rules_of_loss.RULES, *rules_of_restoring.RULES)
OF_ENCODERS: tuple[Rule, ...] = rules_of_centres.RULES
RULES: tuple[Rule, ...] = (*OF_HEADS, *OF_ENCODERS)

RuledSentence = tuple[str, str]
"""A sentence and the name of its rule."""


def sentences_of_head(evidence: Evidence) -> list[RuledSentence]:
    """What follows for an encoder with one head on one task."""
    return [(sentence, rule.name) for rule in OF_HEADS if rule.of_head for sentence in rule.of_head(evidence)]


def sentences_of_encoder(encoder: Encoder) -> list[RuledSentence]:
    """What follows of centres, scanners, and of what was not measured."""
    return [(sentence, rule.name) for rule in OF_ENCODERS if rule.of_encoder for sentence in rule.of_encoder(encoder)]
