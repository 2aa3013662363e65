"""Variants of the jobs of a GitHub Actions workflow: their matrices, and what their steps install and run.

`steps` reads what the steps of a job install and run.
"""

from __future__ import annotations

import itertools
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from venvgrid.migration.model import MAIN_NAMES, Notes, ParsedSource, Variant, subtable
from venvgrid.migration.readers import commands, env_names, places, requirements
from venvgrid.migration.readers.workflow.steps import MACHINE, PYTHON, Job, commands_of, filled
from venvgrid.model import UsageError
from venvgrid.model.names import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from venvgrid.migration.readers.requirements import InstallArguments

MAX_COMBINATIONS = 2_000  # combinations of a matrix
MAX_FILE_LENGTH = 1_000_000  # characters
_RUNNERS = {"tox": "tox.ini or tox.toml", "nox": "noxfile.py", "hatch": "hatch"}


def read(text: str, folder: Path, source: str, minors: Sequence[str]) -> ParsedSource:
    """Read a workflow; `minors` are the Pythons that the project declares.

    Raises:
        UsageError: it is no workflow with a matrix over Pythons.
    """
    whole = _parsed(text, source)
    jobs = whole.get("jobs")
    if not isinstance(jobs, dict):
        raise UsageError(f"{source}: it has no jobs; give a file of .github/workflows")
    notes, variants, skipped = Notes(), [], []
    for name, table in jobs.items():
        if isinstance(table, dict) and isinstance(table.get("uses"), str):
            notes.add(f"job {name} runs the workflow {table['uses']}: give that file to --from")
        if not isinstance(table, dict) or not isinstance(table.get("steps"), list):
            continue
        inherited = {key: {**subtable(whole, key), **subtable(table, key)} for key in ("env", "defaults")}
        job = Job(name=str(name), table={**table, **inherited}, folder=folder)
        found = list(itertools.islice(_variants(job, minors), MAX_COMBINATIONS))
        if any(item.command for item in found) and any(item.python for item in found):
            shared = job.notes
            variants += [
                replace(item, notes=(*shared.lines, *item.notes), missing=(*shared.lost, *item.missing))
                for item in found
            ]
        else:
            skipped.append(job.name)
            if (runner := _runner(job)) and any(item.python for item in found):
                notes.add(f"{job.where} calls {runner}: give {_RUNNERS[runner]} to --from, which says more")
            elif reasons := [reason for item in found for reason in item.missing]:
                notes.add(f"{job.where} cannot be carried over, because of {reasons[0].partition(': ')[2]}")
    if not variants:
        hint = next(
            iter(sorted(notes.lines, key=lambda note: "give" not in note)), "no job runs tests over a matrix of Pythons"
        )
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


def _variants(job: Job, minors: Sequence[str]) -> Iterator[Variant]:
    matrix = _matrix(job, minors)
    include, exclude = _tables(matrix.get("include")), _tables(matrix.get("exclude"))
    known = {key: values for key, values in matrix.items() if key not in {"include", "exclude"}}
    keys = {*known, *(key for row in include for key in row)}
    python_key = next((key for key in sorted(keys) if PYTHON.fullmatch(key)), "") or _python_key(job, keys)
    if machines := sorted(key for key in keys if MACHINE.fullmatch(key)):
        job.notes.add(f"{job.where}: {', '.join(machines)} (venvgrid tests where it runs: keep them in the workflow)")
    seen = set()
    for values in sorted(_rows(known, include, exclude), key=_is_elsewhere) or [{}]:
        relevant = {key: value for key, value in values.items() if not MACHINE.fullmatch(key)}
        identity = tuple(sorted((key, str(value)) for key, value in relevant.items()))
        if identity in seen:
            continue
        seen.add(identity)
        asked = str(values.get(python_key, "")) if python_key else _set_up(job, values)
        python = env_names.of_version(asked)
        if python_key and not python:
            value = repr(asked) if python_key in values else "a combination without one"
            job.notes.add(f"{job.where}: no version of Python in {value}")
            continue
        yield from _variants_of(replace(job, notes=Notes()), values, relevant, python, python_key)


def _is_elsewhere(row: Mapping[str, Any]) -> bool:
    """Whether a row of the matrix is for another system than this one."""
    machines = " ".join(str(value) for key, value in row.items() if MACHINE.fullmatch(key)).lower()
    here = {"linux": ("ubuntu", "linux"), "darwin": ("macos",), "win32": ("windows",)}.get(sys.platform, ())
    return bool(machines) and not any(name in machines for name in here)


def _set_up(job: Job, values: Mapping[str, Any]) -> str:
    """Return the Python that a job sets up for a row of its matrix, or ""."""
    for step in job.table["steps"]:
        if isinstance(step, dict) and str(step.get("uses", "")).startswith(
            ("actions/setup-python", "astral-sh/setup-uv")
        ):
            return filled(str(subtable(step, "with").get("python-version", "")), values, {}).strip()
    return ""


def _python_key(job: Job, keys: Iterable[str]) -> str:
    """Return the key of the matrix whose value is the Python that a job sets up, or ""."""
    return next((key for key in sorted(keys) if _set_up(job, {key: "3.12"}) == "3.12" != _set_up(job, {})), "")


def _matrix(job: Job, minors: Sequence[str]) -> dict[str, Any]:
    """Return the matrix of a job; computed values are replaced by the project's Pythons, or dropped."""
    matrix = subtable(job.table, "strategy").get("matrix")
    if isinstance(matrix, str):
        job.notes.add(f"{job.where}: its matrix is computed; the Pythons that pyproject.toml declares are used")
        return {"python-version": list(minors)}
    found = dict(matrix) if isinstance(matrix, dict) else {}
    for key, values in list(found.items()):
        if isinstance(values, str):
            is_python = bool(PYTHON.fullmatch(key))
            what = "those that pyproject.toml declares are used" if is_python else "it is left out"
            job.notes.add(f"{job.where}: the values of {key} are computed; {what}")
            found[key] = list(minors) if is_python else []
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
    job: Job, values: Mapping[str, Any], relevant: Mapping[str, Any], python: str, python_key: str
) -> Iterator[Variant]:
    """Yield the variants of a combination, one for each command that runs tests, or one without a command.

    `relevant` are those of its values that do not select the machine.
    """
    placed, env = commands_of(job, values)
    steps = commands.sort([item.argv for item in placed], job.folder, job.notes, job.where)
    folder = places.folder_of_tests(placed, job.folder, job.notes, job.where)
    for shown in (" ".join(early)[:80] for early in (steps.tests[-1].before if steps.tests else ())):
        if re.search(r"install|setup|bootstrap|depend|\.sh\b", shown):
            job.notes.lose(f"{job.where}: `{shown}` (it may install: write what it installs into install.requires)")
    env, more = requirements.variables(env, job.folder, job.notes, job.where)
    installs = requirements.parse_arguments([*more, *steps.arguments], job.folder, job.notes, job.where)
    tests = [item for item in steps.tests if "test" in commands.kind(item.command)]
    if not tests and job.notes.lost and "test" in str((*job.notes.lost, *placed)):
        tests = [commands.CommandOfTests(("pytest",))]  # its tests cannot be read: nothing takes the place of the job
    for number, item in enumerate(tests or [commands.CommandOfTests(())], 1):
        made = _variant(job, (values, relevant, python, python_key), installs, item.command)
        yield replace(
            made,
            before=item.before,
            env={**env, **item.variables},
            grid=f"{made.grid or 'tests'}-{number}" if number > 1 else made.grid,
            working_directory=folder,
            notes=tuple(job.notes.lines),
            missing=tuple(job.notes.lost),
        )


def _variant(
    job: Job,
    combination: tuple[Mapping[str, Any], Mapping[str, Any], str, str],
    installs: InstallArguments,
    command: tuple[str, ...],
) -> Variant:
    values, relevant, python, python_key = combination
    others = {key: value for key, value in relevant.items() if key != python_key and isinstance(value, str)}
    pins, guessed = _pins(others, installs.requires, command)
    for key, name in guessed.items():
        job.notes.add(f"{job.where}: what {key} means could not be read; it is taken for versions of {name}")
    fails = filled(str(job.table.get("continue-on-error", "")), values, {}).strip().lower()
    return Variant(
        name=f"{job.name} ({', '.join(map(str, relevant.values()))})",
        label="-".join(item for item in others.values() if item),
        python=python,
        requires=(*installs.requires, *pins),
        constraints=tuple(installs.constraints),
        named=tuple(installs.named),
        extras=tuple(dict.fromkeys(installs.extras)),
        groups=tuple(dict.fromkeys(installs.groups)),
        install={"editable": "editable", "wheel": ""}.get(installs.project, "none"),
        resolution=installs.resolution,
        pre_releases=installs.pre_releases,
        command=command,
        may_fail=fails == "true",
        grid="" if job.name in MAIN_NAMES else job.name,
    )


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


def _runner(job: Job) -> str:
    scripts = " ".join(str(step.get("run", "")) for step in job.table["steps"] if isinstance(step, dict))
    return next((name for name in _RUNNERS if re.search(rf"\b{name}\b", scripts)), "")


def _tables(raw: Any) -> list[Mapping[str, Any]]:
    return [item for item in raw if isinstance(item, dict)] if isinstance(raw, list) else []
