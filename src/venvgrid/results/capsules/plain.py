"""Three commands that run the cell of a capsule without venvgrid. Pure."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from venvgrid.results.capsules.capsule import file_name

if TYPE_CHECKING:
    from venvgrid.model import Distribution
    from venvgrid.results.capsules.capsule import Capsule

FOLDER = "cell"  # of the environment that the commands make
# The last pip for Pythons whose own pip does not know today's wheels.
LAST_PIP = {(3, 6): "pip<22", (3, 7): "pip<24.1"}
MAX_TESTS = 20  # that are named; else the whole command runs


def requirements(distributions: tuple[Distribution, ...]) -> str:
    """Return a requirements.txt; it has hashes if all of the distributions have."""
    is_hashed = all(_is_hashed(item) for item in distributions)
    lines = []
    for item in distributions:
        requirement = f"{item.name} @ {item.direct}" if item.direct else f"{item.name}=={item.version}"
        lines.append(" ".join([requirement, *(f"--hash={value}" for value in item.hashes if is_hashed)]))
    return "".join(f"{line}\n" for line in lines)


def commands(capsule: Capsule, *, has_wheels: bool = False) -> tuple[str, ...]:
    """Return three lines for a shell in the project's folder, beside the capsule: environment, packages, tests."""
    is_windows = capsule.python.platform.startswith("win")
    scripts = f"{FOLDER}\\Scripts\\" if is_windows else f"{FOLDER}/bin/"
    python = f"{scripts}python"
    return (
        _environment(capsule, python),
        " && ".join(_packages(capsule, python, has_wheels=has_wheels)),
        _tests(capsule, scripts, is_windows=is_windows),
    )


def place(capsule: Capsule) -> str:
    """Return where the commands are typed."""
    folder = "" if capsule.sources.project == "." else f", in {capsule.sources.project}"
    commit = f" at commit {capsule.sources.commit}" if capsule.sources.commit else ""
    return f"in the sources of {capsule.project or 'the project'}{commit}{folder}, beside {file_name(capsule.cell)}"


def _environment(capsule: Capsule, python: str) -> str:
    release = _release(capsule)
    name = {"pypy": "pypy", "graalpy": "graalpy"}.get(capsule.python.implementation, "python")
    start = f"{name}{release[0]}.{release[1]}{'t' if capsule.python.free_threaded else ''}"
    if release[0] == 2:  # noqa: PLR2004  (Python 2.7 has no venv)
        return f"{start} -m virtualenv {FOLDER}"
    newer = f" && {python} -m pip install --upgrade '{LAST_PIP[release]}'" if release in LAST_PIP else ""
    return f"{start} -m venv {FOLDER}{newer}"


def _packages(capsule: Capsule, python: str, *, has_wheels: bool) -> list[str]:
    capsule_file, file = file_name(capsule.cell), f"{FOLDER}/requirements.txt"
    hashed = " --require-hashes" if all(_is_hashed(item) for item in capsule.lock.distributions) else ""
    install = f"{python} -m pip install --no-deps"
    if has_wheels:
        found = f" --no-index --find-links {FOLDER}/wheels"
        steps = [f"{python} -m zipfile -e {capsule_file} {FOLDER}"]
    else:
        found = ""
        code = f"import io, json; print(json.load(io.open('{capsule_file}', encoding='utf-8'))['requirements'])"
        steps = [f'{python} -c "{code}" > {file}']
    steps.append(f"{install}{hashed}{found} -r {file}")
    if capsule.install != "none":
        source = {"editable": "-e ."}.get(capsule.install, ".")
        own = f"--no-index --find-links {FOLDER}/project {capsule.project}" if has_wheels else source
        steps.append(f"{install} {own}")
    return steps


def _tests(capsule: Capsule, scripts: str, *, is_windows: bool) -> str:
    words = list(capsule.command)
    program = words[0] if words else "pytest"
    is_python = re.fullmatch(r"\{python\}|python[\d.]*", program) is not None
    is_plain = program == "pytest" or (is_python and words[1:3] == ["-m", "pytest"])
    words = [f"{scripts}python" if is_python else f"{scripts}{program}" if is_plain else program, *words[1:]]
    words = [word.replace("{python}", f"{scripts}python") for word in words]
    named = capsule.failing_tests
    if is_plain and _only_options(words[3 if is_python else 1 :]) and len(named) <= MAX_TESTS:
        words += named
    if is_plain and capsule.order.seed and any(item.name == "pytest-randomly" for item in capsule.lock.distributions):
        words.append(f"--randomly-seed={capsule.order.seed}")
    if is_windows:
        return "".join(f"set {name}={value} && " for name, value in capsule.assigned.items()) + " ".join(words)
    assigned = [f"{name}={shlex.quote(value)}" for name, value in capsule.assigned.items()]
    assigned += [] if is_plain or is_python else [f'PATH="$PWD/{FOLDER}/bin:$PATH"']
    return " ".join([*assigned, shlex.join(words)])


def _only_options(words: list[str]) -> bool:
    """Return whether there is no file among the arguments of pytest, so that tests can be named after them."""
    return all(word.startswith("-") for word in words)


def _release(capsule: Capsule) -> tuple[int, int]:
    major, minor = capsule.python.version.split(".")[:2]
    return int(major), int(re.sub(r"\D.*", "", minor))


def _is_hashed(item: Distribution) -> bool:
    return bool(item.hashes) and all(value.startswith("sha") for value in item.hashes)
