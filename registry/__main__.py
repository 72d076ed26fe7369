"""``python -m registry``: the catalogue on the command line."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import registry
from registry.catalogue import left_out
from registry.errors import UserError

USAGE = """\
python -m registry                            the table of all models
python -m registry NAME [OPTION=VALUE]        one card (also timm:NAME, hf-hub:OWNER/REPOSITORY), with its options
python -m registry access [NAME ...]          which gated repositories your token opens
python -m registry pins [NAME ...]            commit and sha256 of the files of cards that have none
python -m registry verify NAME [KEY=VALUE]    load it, run tissue through it, print what came out
python -m registry docs [FILE]                write the catalogue as Markdown (docs/MODELS.md)"""

KEYS = """\
--json prints the table or the card as JSON. Keys of verify, as for registry.load: checkpoint=PATH weights_dir=PATH
device=cuda revision=COMMIT offline=true token=TOKEN precision=float32 preprocess=exact weights=random
trust_remote_code=true OPTION=VALUE of the card, and tiles=FOLDER of images. plugins=FILE.py goes with every command."""

_TEXT = ("checkpoint", "weights_dir", "device", "revision", "token", "precision", "preprocess", "weights", "tiles")
_FLAGS = ("offline", "trust_remote_code")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code, 2 where the user can mend what is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m registry",
        usage="\n" + USAGE,
        epilog=KEYS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("words", nargs="*", metavar="NAME | verify NAME | access | pins | docs", help="what to show")
    parser.add_argument("--json", action="store_true", help="JSON instead of text")
    parsed = parser.parse_intermixed_args(arguments)
    try:
        words = [word for word in parsed.words if "=" not in word]
        given = dict(word.split("=", 1) for word in parsed.words if "=" in word)
        plugins = given.pop("plugins", "").removeprefix("[").removesuffix("]")  # as python -m bench has them
        registry.load_plugins(plugins.split(",") if plugins else [])
        print(_answer(words, given, parsed.json))
        for sentence in left_out():
            print(sentence, file=sys.stderr)
    except KeyboardInterrupt:
        print("Stopped by Ctrl-C.", file=sys.stderr)
        return 130
    except UserError as problem:
        print(problem, file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stderr.close()
    return 0


def _answer(words: list[str], given: dict[str, str], as_json: bool) -> str:
    from registry import table

    command = words[0] if words else ""
    own = {"access": ("token", "offline"), "pins": ("token", "offline")}.get(command, ())
    if command in ("", "docs", "access", "pins") and given.keys() - set(own):
        wrong = next(key for key in given if key not in own)
        raise UserError(f"'{wrong}=' goes with the name of a model; see python -m registry --help")
    if command == "access":
        from registry.access import access

        return access(words[1:], given.get("token"), offline=given.get("offline", "false").lower() == "true")
    if command == "pins":
        from registry.pins import pins

        return pins(words[1:], given.get("token"), offline=given.get("offline", "false").lower() == "true")
    if command == "verify":
        if len(words) != 2:
            raise UserError("verify takes one model: python -m registry verify NAME [checkpoint=PATH]")
        return _verify(words[1], given, as_json)
    if command == "docs":
        return _write(words[1:], table.document(map(registry.card, registry.names())))
    if len(words) > 1:
        raise UserError(f"'{' '.join(words)}' is more than one name; give one, or none for the table")
    if not words:
        cards = [registry.card(name) for name in registry.names()]
        return json.dumps([table.as_json(c) for c in cards], indent=1) if as_json else table.table(cards)
    of_verify = next((key for key in given if key in (*_TEXT, *_FLAGS)), None)
    if of_verify:
        raise UserError(f"'{of_verify}=' belongs to verify; see python -m registry --help")
    card = registry.card(command, given)
    return json.dumps(table.as_json(card), indent=1) if as_json else table.description(card)


def _verify(name: str, given: dict[str, str], as_json: bool) -> str:
    from registry.verify import verify

    for key in _FLAGS:
        if given.get(key, "true").lower() not in ("true", "false"):
            raise UserError(f"{key}={given[key]} is neither true nor false")
    arguments: dict[str, object] = {key: value for key, value in given.items() if key in _TEXT}
    arguments.update({key: given[key].lower() == "true" for key in _FLAGS if key in given})
    options = {key: value for key, value in given.items() if key not in (*_TEXT, *_FLAGS)}
    found = verify(name, options=options, **arguments)  # type: ignore[arg-type]
    return (
        json.dumps(found, indent=1) if as_json else "\n".join(f"{key + ':':15}{value}" for key, value in found.items())
    )


def _write(words: list[str], text: str) -> str:
    path = Path(words[0] if words else "docs/MODELS.md")
    temporary = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, "utf-8")
        temporary.replace(path)
    except OSError as problem:
        raise UserError(f"{path} cannot be written: {problem.strerror}") from problem
    return f"wrote {path}"


if __name__ == "__main__":
    raise SystemExit(main())
