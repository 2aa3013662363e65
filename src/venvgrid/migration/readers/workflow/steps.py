"""Reads the steps of a job of a GitHub Actions workflow: what they install and run.

Scripts are parsed line by line. A line that is no plain command and may install or test is lost.
"""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import field
from typing import TYPE_CHECKING, Any

from venvgrid.migration.model import Notes, subtable
from venvgrid.migration.readers import commands
from venvgrid.migration.readers.commands import Placed, enter
from venvgrid.migration.readers.substitution import UNAVAILABLE, escape
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

PYTHON = re.compile(r"py(?:thon)?(?:[-_]?version)?s?", re.IGNORECASE)
MACHINE = re.compile(r"os|runs-on|runner|platform|arch(?:itecture)?|image|container|target", re.IGNORECASE)
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_MATRIX = re.compile(r"matrix\.([\w-]+)|matrix\[['\"]([\w-]+)['\"]\]")
_INSTALL = re.compile(r"(?:python3? -m |uv )?pip3? install |uv sync|pdm install|poetry install|conda install")
MACHINE_PROGRAMS = frozenset({"sudo", "apt-get", "apt", "brew", "choco", "yum", "dnf", "apk", "locale-gen"})
TOOLS = frozenset(
    {"pip", "wheel", "uv", "tox", "nox", "hatch", "virtualenv", "tox-uv", "tox-gh-actions", "tox-gh", "poetry", "pdm"}
)
SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}  # as in runner.os
_SYSTEM = re.compile(r"(?:\$\{\{)?\s*runner\.os\s*(?P<how>==|!=)\s*'(?P<name>\w+)'\s*(?:\}\})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job of the workflow, and its notes."""

    name: str
    table: Mapping[str, Any]
    folder: Path
    notes: Notes = field(default_factory=Notes)

    @property
    def where(self) -> str:
        """How notes begin."""
        return f"job {self.name}"


def commands_of(job: Job, values: Mapping[str, Any]) -> tuple[list[Placed], dict[str, str]]:
    """Return the commands of the steps of a combination, with their folders, and the variables of its tests."""
    env = _env(job.table, values, job.notes, job.where)
    placed: list[Placed] = []
    where, notes = job.where, job.notes
    for name in subtable(job.table, "services"):
        notes.add(f"{where}: the service {name}: start it before")
    usual = subtable(subtable(job.table, "defaults"), "run").get("working-directory", ".")
    for step in job.table["steps"]:
        if not isinstance(step, dict) or not _applies(step, notes, where):
            continue
        folder = enter("", filled(str(step.get("working-directory", usual)), values))
        for line in _lines(filled(step["run"], values)):
            words = _words(re.split(r"\s\|\s*(?:cat|tee)\b", line)[0])
            if not words:
                if _INSTALL.search(line) or "pytest" in line:
                    notes.lose(f"{where}: `{line[:80]}`, which only a shell understands")
            elif words[0] in MACHINE_PROGRAMS:
                notes.add(f"{where}: `{line[:80]}` prepares the machine: do it before")
            elif words[0] == "cd" and len(words) == 2:  # noqa: PLR2004  (the word and its folder)
                folder = enter(folder, words[1])
            elif not _upgrades_tools(words):
                placed.append(Placed(tuple(map(escape, words)), folder))
                env |= _env(step, values, notes, where) if "test" in line else {}
    return placed, env


def _applies(step: Mapping[str, Any], notes: Notes, where: str) -> bool:
    """Whether a step runs commands on this machine; what cannot be known is noted."""
    if not isinstance(step.get("run"), str):
        if str(step.get("uses", "")).startswith("."):
            notes.lose(f"{where}: what the action {step['uses']} does")
        return False
    condition = " ".join(str(step.get("if", "")).split())
    if found := _SYSTEM.fullmatch(condition):
        is_here = (found["name"].lower() == SYSTEMS.get(sys.platform, "")) is (found["how"] == "==")
        if not is_here:
            notes.add(f"{where}: a step `if: {condition}`, which this machine is not")
        return is_here
    if condition and _installs_or_tests(step["run"]):
        notes.lose(f"{where}: a step that installs or tests only `if: {condition[:80]}`")
        return False
    return True


def _env(table: Mapping[str, Any], row: Mapping[str, Any], notes: Notes, where: str) -> dict[str, str]:
    env = {str(key): str(value) for key, value in subtable(table, "env").items()}
    known = {key: filled(value, row) for key, value in env.items() if not _is_about_the_machine(value)}
    for key, value in known.items():
        if UNAVAILABLE in value:
            notes.add(f"{where}: the variable {key} is left out: only GitHub knows its value")
    return {key: value for key, value in known.items() if UNAVAILABLE not in value}


def _is_about_the_machine(text: str) -> bool:
    """Whether a text depends on the Python or the machine, which the cell defines."""
    keys = [found[1] or found[2] for found in _MATRIX.finditer(text)]
    return any(PYTHON.fullmatch(key) or MACHINE.fullmatch(key) for key in keys)


def filled(text: str, row: Mapping[str, Any]) -> str:
    """Replace expressions that are a single value of a row."""

    def one(match: re.Match[str]) -> str:
        found = _MATRIX.fullmatch(match[1])
        value = row.get(found[1] or found[2], "") if found else None
        return value if isinstance(value, str) else UNAVAILABLE

    return _EXPRESSION.sub(one, text)


def _lines(script: str) -> Iterator[str]:
    for line in script.replace("\\\n", " ").splitlines():
        parts = (part.strip() for part in re.split(r"&&|;(?=\s)", line))
        yield from (part for part in parts if part and not part.startswith("#"))


def _words(line: str) -> tuple[str, ...]:
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return ()
    while words and re.fullmatch(r"[A-Za-z_]\w*=.*", words[0]):  # variables before a command
        words = words[1:]
    return (
        tuple(words)
        if not any(word in {"|", ">", ">>", "<", "||", "if", "for", "fi", "done"} for word in words)
        else ()
    )


def _upgrades_tools(words: Sequence[str]) -> bool:
    """Whether a command only installs the tools that make environments."""
    named = (
        [word for word in words[words.index("install") + 1 :] if not word.startswith("-")] if "install" in words else []
    )
    return bool(named) and all(word in TOOLS for word in named)


def _installs_or_tests(script: str) -> bool:
    return any(_INSTALL.match(line) or commands.kind(_words(line) or ("",)) == "pytest" for line in _lines(script))
