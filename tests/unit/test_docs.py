"""What the documentation says is true: configurations parse, commands are accepted, files exist, no key is left out."""

# ruff: noqa: SLF001  (argparse tells what its parsers hold through private names only)

from __future__ import annotations

import argparse
import importlib.resources
import importlib.util
import json
import re
import shlex
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

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


def script(name: str) -> Any:
    """Import a script of the documentation."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/scripts/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.mark.parametrize("name", ["options.md", "keys.md"])
def test_the_pages_that_follow_from_the_code_are_current(name: str) -> None:
    """Whoever changes an option or a key runs docs/scripts/reference.py."""
    made = script("reference").PAGES[name]()
    assert made == (ROOT / "docs/reference" / name).read_text(encoding="utf-8")


def test_the_manual_page_has_every_command_and_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/scripts/manual.py writes a page for `man` from the parser."""
    monkeypatch.setattr(sys, "argv", [])
    script("manual").main(str(tmp_path / "venvgrid.1"))
    page = (tmp_path / "venvgrid.1").read_text(encoding="utf-8").replace("\\-", "-").replace("\\", "")
    assert page.splitlines()[0].startswith('.TH VENVGRID "1"')
    for name, parser in subparsers().items():
        assert f"venvgrid {name}" in page
        options = {option for action in parser._actions for option in action.option_strings} - {"-h", "--help"}
        assert {option for option in options if option not in page} == set()


def test_every_page_stands_in_the_index() -> None:
    """Each page of the documentation is in one group of the sidebar, and each group has a caption."""
    text = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    groups = re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL)
    named = [line for group in groups for line in group.split("\n") if line and not line.startswith(":")]
    pages = {page.relative_to(ROOT / "docs").with_suffix("").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert sorted(named) == sorted(pages - {"index"})
    assert all(":caption:" in group for group in groups)


def test_every_command_in_a_table_is_accepted() -> None:
    """The parser takes what the tables of other runners and of installers name in their cells."""
    for page in ("README.md", "docs/how-to/migrate.md", "docs/how-to/install.md"):
        rows = [line for line in (ROOT / page).read_text(encoding="utf-8").splitlines() if line.startswith("|")]
        spans = re.findall(r"`([^`]+)`", "\n".join(rows))
        for command in [found[1] for span in spans if (found := re.search(r"(?:^| )(venvgrid \S.*)$", span))]:
            words = shlex.split(command)
            arguments = words[1 : words.index("--")] if "--" in words else words[1:]
            assert parsers.build().parse_args(arguments).command, command


def test_hooks_of_pre_commit_run_commands_that_exist() -> None:
    """The parser takes the entry of each hook, and the docs name each hook."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    text = (ROOT / "docs/how-to/install.md").read_text(encoding="utf-8")
    for hook in hooks:
        assert parsers.build().parse_args(shlex.split(hook["entry"])[1:]).command == "plan"
        assert f"id: {hook['id']}" in text
        for name in ("matrix.toml", "pyproject.toml"):
            assert re.search(hook["files"], name)


def test_the_schema_says_where_editors_find_it() -> None:
    """The `$id` of the configuration's schema is the address in the entry for SchemaStore."""
    schema = json.loads(
        importlib.resources.files("venvgrid").joinpath("model/schemas/config.schema.json").read_text("utf-8")
    )
    entry = json.loads(blocks_of("docs/how-to/editors.md", "json")[0])
    assert schema["$id"] == entry["url"]
    assert entry["fileMatch"] == ["matrix.toml"]


def blocks_of(page: str, language: str) -> list[str]:
    return [text for name, text in blocks(language) if name == page]
