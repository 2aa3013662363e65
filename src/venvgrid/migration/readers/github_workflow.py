"""Variants of the jobs of a GitHub Actions workflow: their matrices, and what their steps install and run.

Scripts of steps are parsed line by line, if a line is a plain command; other lines are ignored.
"""

from __future__ import annotations

import itertools
import re
import shlex
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from venvgrid.migration.model import MAIN_NAMES, Notes, ParsedSource, Variant, subtable
from venvgrid.migration.readers import commands, pythons, requirements
from venvgrid.migration.readers.substitution import UNAVAILABLE, escape
from venvgrid.model import UsageError
from venvgrid.model.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from venvgrid.migration.readers.requirements import InstallArguments

MAX_COMBINATIONS = 2_000  # combinations of a matrix
MAX_FILE_LENGTH = 1_000_000  # characters
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
_RUNNERS = {"tox": "tox.ini or tox.toml", "nox": "noxfile.py", "hatch": "hatch"}


def read(text: str, folder: Path, source: str, declared: Sequence[str]) -> ParsedSource:
    """Read a workflow; `declared` are the Pythons of the project.

    Raises:
        UsageError: it is no workflow with a matrix over Pythons.
    """
    jobs = _parsed(text, source).get("jobs")
    if not isinstance(jobs, dict):
        raise UsageError(f"{source}: it has no jobs; give a file of .github/workflows")
    notes, variants, skipped = Notes(), [], []
    for name, table in jobs.items():
        if not isinstance(table, dict) or not isinstance(table.get("steps"), list):
            continue
        job = _Job(name=str(name), table=table, folder=folder)
        found = list(itertools.islice(_variants(job, declared), MAX_COMBINATIONS))
        if any(item.command for item in found) and any(item.python for item in found):
            variants += [replace(item, notes=tuple(job.notes.lines), missing=tuple(job.notes.lost)) for item in found]
        else:
            skipped.append(job.name)
            if (runner := _runner(job)) and any(item.python for item in found):
                notes.add(f"{job.where} calls {runner}: give {_RUNNERS[runner]} to --from, which says more")
    if not variants:
        hint = next((note for note in notes.lines if "give" in note), "no job runs tests over a matrix of Pythons")
        raise UsageError(f"{source}: {hint}")
    return ParsedSource(source=source, variants=tuple(variants), skipped=tuple(skipped), notes=tuple(notes.lines))


def _parsed(text: str, source: str) -> dict[str, Any]:
    import yaml  # noqa: PLC0415  (only workflows need it)

    if len(text) > MAX_FILE_LENGTH:
        raise UsageError(f"{source}: is larger than {MAX_FILE_LENGTH:,} characters: this is no workflow")
    try:
        # Keep scalars as text: in YAML, 3.10 is a number and "on" is true.
        data = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  (the base loader makes texts, lists and tables only)
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"{source}: no YAML that can be read: {str(error).splitlines()[0]}") from error
    return data if isinstance(data, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A job of the workflow, and its notes."""

    name: str
    table: Mapping[str, Any]
    folder: Path
    notes: Notes = field(default_factory=Notes)

    @property
    def where(self) -> str:
        return f"job {self.name}"


def _variants(job: _Job, declared: Sequence[str]) -> Iterator[Variant]:
    matrix = _matrix(job, declared)
    include, exclude = _tables(matrix.get("include")), _tables(matrix.get("exclude"))
    known = {key: values for key, values in matrix.items() if key not in {"include", "exclude"}}
    keys = {*known, *(key for row in include for key in row)}
    python_key = next((key for key in keys if PYTHON.fullmatch(key)), "")
    if machines := sorted(key for key in keys if MACHINE.fullmatch(key)):
        job.notes.add(f"{job.where}: {', '.join(machines)} (venvgrid tests where it runs: keep them in the workflow)")
    seen = set()
    for values in _rows(known, include, exclude):
        relevant = {key: value for key, value in values.items() if not MACHINE.fullmatch(key)}
        identity = tuple(sorted((key, str(value)) for key, value in relevant.items()))
        if identity in seen:
            continue
        seen.add(identity)
        python = pythons.of_version(str(values.get(python_key, "")))
        if python_key and not python:
            value = repr(str(values[python_key])) if python_key in values else "a combination without one"
            job.notes.add(f"{job.where}: no version of Python in {value}")
            continue
        yield from _variants_of(job, values, relevant, python, python_key)


def _matrix(job: _Job, declared: Sequence[str]) -> dict[str, Any]:
    """Return the matrix of a job; computed values are replaced by the project's Pythons, or dropped."""
    matrix = subtable(job.table, "strategy").get("matrix")
    if isinstance(matrix, str):
        job.notes.add(f"{job.where}: its matrix is computed; the Pythons that pyproject.toml declares are used")
        return {"python-version": list(declared)}
    found = dict(matrix) if isinstance(matrix, dict) else {}
    for key, values in list(found.items()):
        if isinstance(values, str):
            is_python = bool(PYTHON.fullmatch(key))
            what = "those that pyproject.toml declares are used" if is_python else "it is left out"
            job.notes.add(f"{job.where}: the values of {key} are computed; {what}")
            found[key] = list(declared) if is_python else []
    return found


def _rows(
    known: Mapping[str, Any], include: Sequence[Mapping[str, Any]], exclude: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Expand a matrix as GitHub does: excludes first, then each include extends matching rows, or adds one."""
    listed = {key: values for key, values in known.items() if isinstance(values, list) and values}
    rows = [
        dict(zip(listed, found, strict=True))
        for found in itertools.islice(itertools.product(*listed.values()), MAX_COMBINATIONS)
    ]
    rows = [row for row in rows if row and not any(item.items() <= row.items() for item in exclude)]
    original = [dict(row) for row in rows]
    for item in include:
        is_new = True
        for row, extended in zip(original, rows, strict=False):
            if all(row[key] == value for key, value in item.items() if key in row):
                extended |= {key: value for key, value in item.items() if key not in row}
                is_new = False
        if is_new:
            rows.append(dict(item))
    return rows


def _variants_of(
    job: _Job, values: Mapping[str, Any], relevant: Mapping[str, Any], python: str, python_key: str
) -> Iterator[Variant]:
    """Yield the variants of a combination, one for each command that runs tests, or one without a command.

    `relevant` are those of its values that do not select the machine.
    """
    argvs, env = _commands(job, values)
    steps = commands.sort(argvs, job.folder, job.notes, job.where)
    for shown in (" ".join(early)[:80] for early in (steps.before[-1] if steps.before else ())):
        if re.search(r"install|setup|bootstrap|depend|\.sh\b", shown):
            job.notes.lose(f"{job.where}: `{shown}` (it may install: write what it installs into install.requires)")
    env, more = requirements.variables(env, job.folder, job.notes, job.where)
    installs = requirements.parse_arguments([*more, *steps.arguments], job.folder, job.notes, job.where)
    pairs = list(zip(steps.before, steps.tests, strict=True))
    pairs = [pair for pair in pairs if "test" in commands.kind(pair[1])] or [((), ())]
    for number, (before, command) in enumerate(pairs, 1):
        made = _variant(job, (values, relevant, python, python_key), installs, command)
        grid = f"{made.grid or 'tests'}-{number}" if number > 1 else made.grid
        yield replace(made, before=before, env=env, grid=grid)


def _variant(
    job: _Job,
    combination: tuple[Mapping[str, Any], Mapping[str, Any], str, str],
    installs: InstallArguments,
    command: tuple[str, ...],
) -> Variant:
    values, relevant, python, python_key = combination
    others = {key: value for key, value in relevant.items() if key != python_key and isinstance(value, str)}
    pins, guessed = _pins(others, installs.requires, command)
    for key, name in guessed.items():
        job.notes.add(f"{job.where}: what {key} means could not be read; it is taken for versions of {name}")
    fails = _filled(str(job.table.get("continue-on-error", "")), values).strip().lower()
    return Variant(
        name=f"{job.name} ({', '.join(map(str, relevant.values()))})",
        label="-".join(item for item in others.values() if item),
        python=python,
        requires=(*installs.requires, *pins),
        constraints=tuple(installs.constraints),
        named=tuple(installs.named),
        extras=tuple(dict.fromkeys(installs.extras)),
        groups=tuple(dict.fromkeys(installs.groups)),
        install="editable" if installs.project == "editable" else "",
        resolution=installs.resolution,
        command=command,
        may_fail=fails == "true",
        grid="" if job.name in MAIN_NAMES else job.name,
    )


def _commands(job: _Job, values: Mapping[str, Any]) -> tuple[list[tuple[str, ...]], dict[str, str]]:
    """Return the commands of the steps of a combination, and the variables of its tests."""
    env = _env(job.table, values)
    argvs: list[tuple[str, ...]] = []
    where, notes = job.where, job.notes
    for step in job.table["steps"]:
        if not isinstance(step, dict) or not isinstance(step.get("run"), str):
            continue
        if not _applies(step, notes, where):
            continue
        if step.get("working-directory", ".") not in {".", "./"}:
            notes.lose(f"{where}: a step with working-directory: {step['working-directory']}")
        for line in _lines(_filled(step["run"], values)):
            words = _words(re.split(r"\s\|\s*(?:cat|tee)\b", line)[0])
            if not words:
                if _INSTALL.search(line) or "pytest" in line:
                    notes.lose(f"{where}: `{line[:80]}`, which only a shell understands")
            elif words[0] in MACHINE_PROGRAMS:
                notes.add(f"{where}: `{line[:80]}` prepares the machine: do it before")
            elif not _upgrades_tools(words):
                argvs.append(tuple(map(escape, words)))
                env |= _env(step, values) if "test" in line else {}
    return argvs, env


def _applies(step: Mapping[str, Any], notes: Notes, where: str) -> bool:
    """Whether a step runs on this machine; a condition that cannot be known is noted."""
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


def _pins(
    others: Mapping[str, str], requires: Sequence[str], command: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    """Return pins for keys such as "django-version" that no known step uses, and the guessed distributions."""
    pins, guessed = [], {}
    for key, value in others.items():
        name = re.sub(r"[-_]version$", "", key)
        is_version = re.fullmatch(r"\d+(?:\.\d+)*(?:\.[*x])?", value)
        if name != key and is_version and not any(value in item for item in (*requires, *command)):
            pins.append(f"{normalise(name)}=={value.rstrip('.*x')}.*")
            guessed[key] = name
    return pins, guessed


def _env(table: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, str]:
    env = {str(key): str(value) for key, value in subtable(table, "env").items()}
    filled = {key: _filled(value, row) for key, value in env.items() if not _is_about_the_machine(value)}
    return {key: value for key, value in filled.items() if UNAVAILABLE not in value}


def _is_about_the_machine(text: str) -> bool:
    """Whether a text depends on the Python or the machine, which the cell defines."""
    keys = [found[1] or found[2] for found in _MATRIX.finditer(text)]
    return any(PYTHON.fullmatch(key) or MACHINE.fullmatch(key) for key in keys)


def _filled(text: str, row: Mapping[str, Any]) -> str:
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


def _runner(job: _Job) -> str:
    scripts = " ".join(str(step.get("run", "")) for step in job.table["steps"] if isinstance(step, dict))
    return next((name for name in _RUNNERS if re.search(rf"\b{name}\b", scripts)), "")


def _tables(raw: Any) -> list[Mapping[str, Any]]:
    return [item for item in raw if isinstance(item, dict)] if isinstance(raw, list) else []
