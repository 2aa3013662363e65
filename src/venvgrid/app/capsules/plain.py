"""Three commands that run the cell of a capsule without venvgrid. Pure."""

from __future__ import annotations

import itertools
import re
import shlex
from typing import TYPE_CHECKING

from venvgrid.config import placeholders
from venvgrid.model import Cell
from venvgrid.model.values import dataclass
from venvgrid.results.capsules.capsule import file_name

if TYPE_CHECKING:
    from venvgrid.model import Distribution
    from venvgrid.results.capsules.capsule import Capsule

FOLDER = "cell"  # of the environment that the commands make
FILES = f"{FOLDER}-files"  # the folder that stands for {tmp}
# The last pip for Pythons whose own pip does not know today's wheels.
LAST_PIP = {(3, 6): "pip<22", (3, 7): "pip<24.1"}
MAX_TESTS = 20  # that are named; else the whole command runs


def places(back: str) -> dict[str, str]:
    """Return what stands for the places of a cell; `back` is the project's folder, seen from where commands run."""
    return {"python": "python", "project": back or ".", "tmp": f"{back}/{FILES}" if back else FILES}


def requirements(distributions: tuple[Distribution, ...]) -> str:
    """Return a requirements.txt; it has hashes if all of the distributions have."""
    is_hashed = all(_is_hashed(item) for item in distributions)
    lines = []
    for item in distributions:
        requirement = f"{item.name} @ {item.direct}" if item.direct else f"{item.name}=={item.version}"
        lines.append(" ".join([requirement, *(f"--hash={value}" for value in item.hashes if is_hashed)]))
    return "".join(f"{line}\n" for line in lines)


def commands(capsule: Capsule, *, is_archive: bool = False, has_wheels: bool = False) -> tuple[str, ...]:
    """Return three lines for a shell in the project's folder, beside the capsule: environment, packages, tests.

    `is_archive`: the capsule is an archive; `has_wheels`: the wheels in it are installed, without a network.
    """
    is_windows = capsule.python.platform.startswith("win")
    scripts = f"{FOLDER}\\Scripts\\" if is_windows else f"{FOLDER}/bin/"
    python = f"{scripts}python"
    return (
        _environment(capsule, python),
        " && ".join(_packages(capsule, python, is_archive=is_archive, has_wheels=has_wheels)),
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


def _packages(capsule: Capsule, python: str, *, is_archive: bool, has_wheels: bool) -> list[str]:
    capsule_file, file = file_name(capsule.cell), f"{FOLDER}/requirements.txt"
    hashed = " --require-hashes" if all(_is_hashed(item) for item in capsule.lock.distributions) else ""
    install = f"{python} -m pip install --no-deps"
    found = f" --no-index --find-links {FOLDER}/wheels" if has_wheels else ""
    if is_archive or has_wheels:
        steps = [f"{python} -m zipfile -e {capsule_file} {FOLDER}"]
    else:
        code = f"import io, json; print(json.load(io.open('{capsule_file}', encoding='utf-8'))['requirements'])"
        steps = [f'{python} -c "{code}" > {file}']
    steps.append(f"{install}{hashed}{found} -r {file}")
    if capsule.install != "none":
        source = {"editable": "-e ."}.get(capsule.install, ".")
        has_wheel = has_wheels and capsule.install != "editable"  # of the project
        own = f"--no-index --find-links {FOLDER}/project {capsule.project}" if has_wheel else source
        steps.append(f"{install} {own}")
    return steps


def _tests(capsule: Capsule, scripts: str, *, is_windows: bool) -> str:
    """Return the line that goes into the folder of the tests, and runs the commands before them, then the tests."""
    back = f"{capsule.back}/" if capsule.back else ""
    own = _Own(f"{back}{scripts}".replace("/", "\\") if is_windows else f"{back}{scripts}", back)
    go = [f"cd {shlex.quote(capsule.folder)}"] if capsule.folder else []
    commands_ = [*(own.words(list(command)) for command in capsule.before), own.words(_chosen(capsule))]
    values = placeholders.of_cell(Cell(id=capsule.cell, axes=capsule.axes), **places(capsule.back))
    values["python"] = f"{own.scripts}python"
    assigned = {name: placeholders.fill_variable(value, values) for name, value in capsule.assigned.items()}
    made = _made(capsule.folder, " ".join([*assigned.values(), *itertools.chain.from_iterable(commands_)]))
    if is_windows:
        go += [f"set {name}={value}" for name, value in assigned.items()]
        # There mkdir fails for a folder that is there.
        return f"mkdir {made} & " * bool(made) + " && ".join([*go, *map(" ".join, commands_)])
    told = [f"{name}={shlex.quote(value)}" for name, value in assigned.items()]
    lines = (" ".join([*told, *own.path(words), shlex.join(words)]) for words in commands_)
    return f"mkdir -p {made} && " * bool(made) + " && ".join([*go, *lines])


def _made(folder: str, texts: str) -> str:
    """Return the folder that stands for {tmp}, or the one in it where commands run; "" if none is used."""
    if folder.partition("/")[0] == FILES:
        return shlex.quote(folder)
    return FILES if FILES in texts else ""


@dataclass(frozen=True)
class _Own:
    """The programs of the environment; `scripts` and `back` are prefixes, seen from where commands run."""

    scripts: str
    back: str

    def words(self, command: list[str]) -> list[str]:
        """Return a command that starts the environment's own Python or pytest."""
        program, *rest = command or ["pytest"]
        if _is_python(program):
            program = f"{self.scripts}python"
        elif program == "pytest":
            program = f"{self.scripts}pytest"
        return [word.replace("{python}", f"{self.scripts}python") for word in [program, *rest]]

    def path(self, words: list[str]) -> list[str]:
        """Return the search path for a program that is not of the environment."""
        return [] if words[0].startswith(self.scripts) else [f'PATH="$PWD/{self.back}{FOLDER}/bin:$PATH"']


def _is_python(program: str) -> bool:
    return re.fullmatch(r"\{python\}|python[\d.]*", program) is not None


def _chosen(capsule: Capsule) -> list[str]:
    """Return the test command, with the tests that failed and the seed, where it is plain pytest."""
    words = list(capsule.command) or ["pytest"]
    is_module = _is_python(words[0]) and words[1:3] == ["-m", "pytest"]
    if not is_module and words[0] != "pytest":
        return words
    named = capsule.failing_tests
    options = words[3 if is_module else 1 :]
    if not capsule.folder and all(word.startswith("-") for word in options) and len(named) <= MAX_TESTS:
        words += named  # whose ids are relative to the project's folder
    if capsule.order.seed and any(item.name == "pytest-randomly" for item in capsule.lock.distributions):
        words.append(f"--randomly-seed={capsule.order.seed}")
    return words


def _release(capsule: Capsule) -> tuple[int, int]:
    major, minor = capsule.python.version.split(".")[:2]
    return int(major), int(re.sub(r"\D.*", "", minor))


def _is_hashed(item: Distribution) -> bool:
    return bool(item.hashes) and all(value.startswith("sha") for value in item.hashes)
