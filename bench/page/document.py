"""The HTML file itself: its template, style and script, and what it shows as JSON that no browser runs as code."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

from bench.page.content import content
from bench.plots import Plot
from bench.results import LeaderboardData

SCRIPTS = ("elements.js", "model.js", "tables.js", "leaderboard.js", "compare.js", "views.js", "main.js")
"""In the order in which they are run; together they are one script."""
PASSPORTS = "passports"
PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


def leaderboard_page(data: LeaderboardData, plots: Iterable[Plot] = (), results: Path | None = None) -> str:
    """Make the page of a leaderboard, the same text whenever nothing changed.

    Nothing of a row becomes markup: all of it is JSON, which the script shows as text, and the page's own policy
    (Content-Security-Policy) lets a browser run no script but this one and load nothing from anywhere.

    Parameters
    ----------
    data : LeaderboardData
    plots : iterable of Plot
        In the order in which they are shown. The first ones are part of the page, as many as its size allows; of the
        others it links the files in ``plots/`` beside it.
    results : Path or None
        The folder where the page will lie: it links the passports, audits and rows there.
    """
    passports = sorted(path.name for path in (results / PASSPORTS).glob("*.html")) if results else []
    style = _source("page.css")
    script = "".join(["(() => {\n'use strict';\n", *map(_source, SCRIPTS), "})();\n"])
    parts = {
        "policy": f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'",
        "style": style,
        "script": script,
        "data": as_json(content(data, plots, passports, results)),
    }
    return PLACEHOLDER.sub(lambda found: parts[found[1]], _source("page.html"))


def as_json(value: Any) -> str:
    """JSON in ASCII that can stand in a script element: no ``<``, ``>`` or ``&`` is in it."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _source(name: str) -> str:
    return (files("bench.page") / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """What a policy calls an inline script or style by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
