"""Writes the reference pages that follow from the code: `python docs/scripts/reference.py`."""
# ruff: noqa: INP001, SLF001  (a script; argparse tells what its parsers hold through private names only)

from __future__ import annotations

import argparse
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from venvgrid.cli import parser as parsers

PLACE = Path(__file__).resolve().parents[1] / "reference"
NOTE = "<!-- Made by docs/scripts/reference.py: change the code, then run it again. -->\n"


def options() -> str:
    """Give a page with every command, its options and examples."""
    parser = parsers.build()
    (commands,) = [item for item in parser._actions if isinstance(item, argparse._SubParsersAction)]
    parts = [NOTE, "# Every command\n"]
    for name, command in commands.choices.items():
        parts.append(f"## venvgrid {name}\n\n{command.description}\n\n{_options(command)}")
        for action in command._actions:
            if isinstance(action, argparse._SubParsersAction):
                lines = [f"| `{word}` | {choice.description} |" for word, choice in action.choices.items()]
                parts.append("\n".join(["| action | |", "|---|---|", *lines, ""]))
        if command.epilog:
            parts.append(f"```text\n{command.epilog.rstrip()}\n```\n")
    return "\n".join(parts)


def _options(command: argparse.ArgumentParser) -> str:
    rows = ["| option | |", "|---|---|"]
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction) or action.dest == "help":
            continue
        value = action.metavar or ("{" + ",".join(map(str, action.choices)) + "}" if action.choices else "")
        words = action.option_strings or [str(value or action.dest)]
        shown = ", ".join(
            f"`{word}{f' {value}' if action.option_strings and action.nargs != 0 and value else ''}`" for word in words
        )
        rows.append(f"| {shown} | {_escaped(action.help or '')} |")
    return "\n".join([*rows, ""]) if len(rows) > 2 else ""  # noqa: PLR2004  (the head alone)


def keys() -> str:
    """Give a page with every key of the configuration, from its JSON Schema."""
    schema = json.loads((files("venvgrid") / "model/schemas/config.schema.json").read_text(encoding="utf-8"))
    parts = [NOTE, "# Every key\n", "What an editor knows that reads the schema (`venvgrid schema`).\n"]
    for section, table in schema["properties"].items():
        inner = table.get("items", table)
        brackets = f"[[{section}]]" if table.get("type") == "array" else f"[{section}]"
        parts.append(f"## `{brackets}`\n\n{inner.get('description') or table.get('description', '')}\n")
        rows = [_key(name, known, schema) for name, known in inner.get("properties", {}).items()]
        if rows:
            parts.append("\n".join(["| key | type | default | |", "|---|---|---|---|", *rows, ""]))
    return "\n".join(parts)


def _key(name: str, known: dict[str, Any], schema: dict[str, Any]) -> str:
    default = f"`{json.dumps(known['default'])}`" if "default" in known else ""
    return f"| `{name}` | {_type(known, schema)} | {default} | {_escaped(known.get('description', ''))} |"


def _type(known: dict[str, Any], schema: dict[str, Any]) -> str:
    if "$ref" in known:
        return str(known["$ref"]).rpartition("/")[2]
    if "enum" in known:
        return " or ".join(f"`{json.dumps(value)}`" for value in known["enum"])
    for several in ("anyOf", "oneOf"):
        if several in known:
            return " or ".join(_type(item, schema) for item in known[several])
    if known.get("type") == "array":
        return f"list of {_type(known.get('items', {}), schema)}"
    return str(known.get("type", "anything"))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


PAGES = {"options.md": options, "keys.md": keys}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (PLACE / name).write_text(page(), encoding="utf-8")
