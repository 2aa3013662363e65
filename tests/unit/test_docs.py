"""What the documentation says is true: configurations parse, commands are accepted, files exist, no key is left out."""

# ruff: noqa: SLF001  (argparse tells what its parsers hold through private names only)

from __future__ import annotations

import argparse
import importlib.resources
import importlib.util
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from venvgrid.cli import parser as parsers
from venvgrid.config import grids, loading
from venvgrid.planning import expansion

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (page.relative_to(ROOT).as_posix(), text)
        for page in PAGES
        for found, text in FENCE.findall(page.read_text(encoding="utf-8"))
        if found == language
    ]


def subparsers() -> dict[str, argparse.ArgumentParser]:
    (commands,) = [item for item in parsers.build()._actions if isinstance(item, argparse._SubParsersAction)]
    return commands.choices


@pytest.mark.parametrize(("page", "text"), blocks("toml"))
def test_every_configuration_in_the_docs_parses(page: str, text: str) -> None:
    """Each TOML block is a configuration that venvgrid takes, and each of its grids gives cells."""
    assert page
    for grid in ("", *grids.names(tomllib.loads(text))):
        made = loading.parse(text, file=ROOT / "matrix.toml", grid=grid)
        assert expansion.expand(made).cells or any(axis.policy for axis in made.axes)


def test_the_example_parses() -> None:
    """matrix.example.toml is a configuration of 18 cells."""
    text = (ROOT / "matrix.example.toml").read_text(encoding="utf-8")
    assert len(expansion.expand(loading.parse(text, file=ROOT / "matrix.example.toml")).cells) == 18


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    """Relative links name files that exist."""
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize(("page", "text"), blocks("console"))
def test_every_command_in_the_docs_is_accepted(page: str, text: str) -> None:
    """The parser takes each `venvgrid …` line."""
    assert page
    for line in text.splitlines():
        for command in line.split("&&"):
            words = shlex.split(command)
            if words and words[0] == "venvgrid":
                arguments = words[1 : words.index("--")] if "--" in words else words[1:]
                assert parsers.build().parse_args(arguments).command


def test_every_option_is_in_the_reference() -> None:
    """Commands, their options and the exit statuses are all described in command-line.md."""
    text = (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")
    options = {
        option for parser in subparsers().values() for action in parser._actions for option in action.option_strings
    }
    assert {option for option in options if option not in text} == set()
    assert {name for name in subparsers() if f"venvgrid {name}" not in text} == set()
    assert {status for status in ("0", "1", "2", "3", "4", "130", "70") if f"| {status} |" not in text} == set()


def test_every_key_of_the_configuration_is_in_the_reference() -> None:
    """The schema and configuration.md know the same sections and keys."""
    text = (ROOT / "docs/reference/configuration.md").read_text(encoding="utf-8")
    schema = json.loads(
        importlib.resources.files("venvgrid").joinpath("model/schemas/config.schema.json").read_text("utf-8")
    )
    for section, table in schema["properties"].items():
        assert f"[{section}]" in text
        for key in table.get("items", table).get("properties", {}):
            assert f"`{key}`" in text or f"`{key}." in text or f"**`{key}" in text, f"{section}.{key}"


def test_files_that_the_docs_name_exist() -> None:
    """Modules that the architecture page names are there, and files and folders that CONTRIBUTING.md names."""
    text = (ROOT / "docs/explanation/architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"[a-z_]+\*?\.py", text)) - {"test_architecture.py"}
    assert {name for name in named if not list((ROOT / "src" / "venvgrid").rglob(name))} == set()
    text = FENCE.sub("", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    paths = set(re.findall(r"(?:`|\s)((?:[\w.-]+/)+[\w.-]*|[\w-]+\.md)(?=[`\s])", text))
    assert {path for path in paths if not any((top / path).exists() for top in (ROOT, ROOT / "src/venvgrid"))} == set()


@pytest.mark.parametrize("name", ["options.md", "keys.md"])
def test_the_pages_that_follow_from_the_code_are_current(name: str) -> None:
    """Whoever changes an option or a key runs docs/scripts/reference.py."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs/scripts/reference.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    made = script.PAGES[name]()
    assert made == (ROOT / "docs/reference" / name).read_text(encoding="utf-8")
