"""Reads the steps of a job of a GitHub Actions workflow: what they install and run.

Conditions and expressions are evaluated for a row of the matrix, on this system. A script that only a shell understands
is lost if it installs or tests; else it stays a script, before the tests.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from venvgrid.migration.expressions import UNKNOWN
from venvgrid.migration.model import Notes, subtable
from venvgrid.migration.readers import commands, shell
from venvgrid.migration.readers.places import Placed, enter
from venvgrid.migration.readers.substitution import UNAVAILABLE, display, escape
from venvgrid.migration.readers.workflow import conditions
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PYTHON = re.compile(r"py(?:thon)?(?:[-_]?version)?s?", re.IGNORECASE)
MACHINE = re.compile(r"os|runs-on|runner|platform|arch(?:itecture)?|image|container|target", re.IGNORECASE)
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_MATRIX = re.compile(r"matrix\.([\w-]+)|matrix\[['\"]([\w-]+)['\"]\]")
MACHINE_PROGRAMS = frozenset({"sudo", "apt-get", "apt", "brew", "choco", "yum", "dnf", "apk", "locale-gen"})
TOOLS = frozenset(
    {"pip", "wheel", "uv", "tox", "nox", "hatch", "virtualenv", "tox-uv", "tox-gh-actions", "tox-gh", "poetry", "pdm"}
)
# Actions that make an environment with what a file or their inputs name.
_INSTALLING_ACTIONS = re.compile(r"conda|mamba|pixi|devbox|nix|pip-install|cached-pip|install-wheel", re.IGNORECASE)
# They prepare the checkout, the Python and its tools, or report.
_HARMLESS_ACTIONS = re.compile(
    r"(?:actions|github|codecov|coverallsapp|docker|codacy|sonarsource|step-security|zizmorcore|dorny|re-actors)/.*"
    r"|astral-sh/(?:setup-uv|ruff-action)|snok/install-poetry|pdm-project/setup-pdm|abatilo/actions-poetry|pypa/hatch"
    r"|extractions/setup-just|hynek/setup-cached-uv|taiki-e/install-action|dtolnay/rust-toolchain|wntrblm/nox",
    re.IGNORECASE,
)


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
    """Return the commands of the steps of a combination, with their folders, and the variables of the job."""
    env = _env(job.table, values, {}, job)
    placed: list[Placed] = []
    for name in subtable(job.table, "services"):
        job.notes.add(f"{job.where}: the service {name}: start it before")
    usual = subtable(subtable(job.table, "defaults"), "run").get("working-directory", ".")
    kept: dict[str, str] = {}  # variables that a step keeps for those after it
    for step in job.table["steps"]:
        if not isinstance(step, dict) or not _applies(step, values, {**env, **kept}, job):
            continue
        own = {**kept, **_env(step, values, env, job)}
        folder = enter("", filled(str(step.get("working-directory", usual)), values, env))
        script = filled(step["run"], values, {**env, **own})
        for line in shell.lines(script, {**env, **own}, kept, lambda name: (job.folder / name).is_file()):
            words = _carried(line, job)
            if words[:1] == ("cd",) and len(words) == 2:  # noqa: PLR2004  (the word and its folder)
                folder = enter(folder, words[1])
            elif words and not _upgrades_tools(words):
                mark = () if words[0] == "env" or not own else ("env",)
                given = (f"{name}={text}" for name, text in own.items())
                placed.append(Placed((*mark, *given, *words) if mark else _joined(words, own), folder))
    return placed, env


def _joined(words: tuple[str, ...], own: Mapping[str, str]) -> tuple[str, ...]:
    """Return a command with the variables of its step, which give way to those of its own."""
    return ("env", *(f"{name}={text}" for name, text in own.items()), *words[1:]) if words[:1] == ("env",) else words


def _carried(line: shell.Line, job: Job) -> tuple[str, ...]:
    """Return the words of a line of a script, or () if it has no place in a configuration."""
    if line.argv:
        if commands.split_variables(line.argv)[1][0] in MACHINE_PROGRAMS:
            job.notes.add(f"{job.where}: `{line.text[:80]}` prepares the machine: do it before")
            return ()
        return tuple(map(escape, line.argv))
    shown = f"`{display(' '.join(line.text.split()))[:80]}`"
    if shell.needs_a_shell(line.text) or UNAVAILABLE in line.text:
        job.notes.lose(f"{job.where}: {shown}, which only a shell understands")
        return ()
    if any(re.search(rf"\b{name}\b", line.text) for name in MACHINE_PROGRAMS):
        job.notes.add(f"{job.where}: {shown} prepares the machine: do it before")
        return ()
    return ("bash", "-c", escape(line.text))


def _applies(step: Mapping[str, Any], values: Mapping[str, Any], env: Mapping[str, str], job: Job) -> bool:
    """Whether a step runs commands on this machine; what cannot be known is noted."""
    condition = " ".join(str(step.get("if", "")).split())
    inner = whole[1] if (whole := _EXPRESSION.fullmatch(condition)) else condition
    holds = conditions.evaluate(inner, values, env) if condition else True
    if not isinstance(step.get("run"), str):
        if holds is UNKNOWN or conditions.is_true(holds):
            _action(str(step.get("uses", "")), job)
        return False
    matters = _installs_or_tests(step["run"])
    if holds is UNKNOWN:
        if matters:
            job.notes.lose(f"{job.where}: a step that installs or tests only `if: {condition[:80]}`")
        return False
    if not conditions.is_true(holds) and matters and _depends_on_the_system(inner, values, env):
        job.notes.add(f"{job.where}: a step `if: {condition}`, which this machine is not")
    return conditions.is_true(holds)


def _depends_on_the_system(condition: str, values: Mapping[str, Any], env: Mapping[str, str]) -> bool:
    """Whether a condition would hold for the same row on another system."""
    anywhere = {key: UNKNOWN if MACHINE.fullmatch(key) else value for key, value in values.items()}
    return conditions.evaluate(condition.replace("runner.os", "runner.any"), anywhere, env) is UNKNOWN


def _action(uses: str, job: Job) -> None:
    """Note what an action may do: one that makes an environment is lost, as one of the repository is."""
    name = uses.partition("@")[0]
    if uses.startswith(".") or _INSTALLING_ACTIONS.search(name):
        job.notes.lose(f"{job.where}: what the action {name} does")
    elif name and not _HARMLESS_ACTIONS.fullmatch(name):
        job.notes.add(f"{job.where}: the action {name}: do before what it does")


def _env(table: Mapping[str, Any], row: Mapping[str, Any], known: Mapping[str, str], job: Job) -> dict[str, str]:
    given = {str(key): str(value) for key, value in subtable(table, "env").items()}
    found = {key: filled(value, row, known) for key, value in given.items() if not _is_about_the_machine(value)}
    for key, value in found.items():
        if UNAVAILABLE in value:
            job.notes.add(f"{job.where}: the variable {key} is left out: only GitHub knows its value")
    return {key: value for key, value in found.items() if UNAVAILABLE not in value}


def _is_about_the_machine(text: str) -> bool:
    """Whether a text depends on the Python or the machine, which the cell defines."""
    keys = [found[1] or found[2] for found in _MATRIX.finditer(text)]
    return any(PYTHON.fullmatch(key) or MACHINE.fullmatch(key) for key in keys)


def filled(text: str, row: Mapping[str, Any], env: Mapping[str, str]) -> str:
    """Replace the expressions of a text by their values for a row of the matrix."""

    def one(match: re.Match[str]) -> str:
        value = conditions.evaluate(match[1], row, env)
        if isinstance(value, bool):
            return str(value).lower()
        return value if isinstance(value, str) else "" if value is None else UNAVAILABLE

    return _EXPRESSION.sub(one, text)


def _upgrades_tools(words: Sequence[str]) -> bool:
    """Whether a command only installs tools that make environments, in any or a new enough version."""
    named = (
        [word for word in words[words.index("install") + 1 :] if not word.startswith("-")] if "install" in words else []
    )
    return bool(named) and all(map(_is_tool, named))


def _is_tool(word: str) -> bool:
    with suppress(InvalidRequirement):
        found = Requirement(word)
        return canonicalize_name(found.name) in TOOLS and all(item.operator == ">=" for item in found.specifier)
    return False


def _installs_or_tests(script: str) -> bool:
    found = list(shell.lines(script, {}))
    return any(shell.needs_a_shell(line.text) for line in found)
