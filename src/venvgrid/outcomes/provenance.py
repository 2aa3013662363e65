"""Provenance: compares the files from which modules were imported with the files of their distributions. Pure.

A distribution's files are those of its RECORD in the environment. A module of the project or of an axis package that
came from any other file proves nothing about the cell.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING

from venvgrid.model.config import EMPTY
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass
from venvgrid.outcomes.attestation import is_below

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from venvgrid.outcomes.witness import Witnessed

CODE = (".py", ".so", ".pyd")
IDENTIFIER = re.compile(r"[^\W\d]\w*")
# Top-level names that distributions ship by accident, and projects have too.
TEST_NAMES = frozenset(
    {"test", "tests", "doc", "docs", "example", "examples", "benchmark", "benchmarks", "conftest", "setup"}
)
COMMON_NAMES = TEST_NAMES | {"testing", "scripts", "tools", "util", "common", "src"}
CLOCK_STEP = 0.02  # seconds by which times of files lag behind the clock
MAX_NAMES = 3  # in a note
TESTS = frozenset({"test", "tests", "testsuite", "testcases", "unittests", "conftest"})  # as in the witness


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A distribution whose modules are watched. `files` maps the paths of its RECORD to sha256 in hex or ""."""

    name: str
    roots: tuple[str, ...]  # importable names: packages, and modules that are in no package of it
    files: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    is_absent: bool = False  # the cell says that it is not installed
    is_required: bool = False  # a green cell must have imported it


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a cell's modules are compared with. Folders are real paths.

    `project` is one of `watched`, or None. `checkout` is set where the project must come from there (an editable
    installation). `sources` are the folders of the checkout that hold the project's packages, `mapped` those that are
    packages of it by another name. `overlaps` are files that several distributions own, with their names.
    """

    site: str
    watched: tuple[Watched, ...] = ()
    project: Watched | None = None
    checkout: str = ""
    sources: tuple[str, ...] = ()
    mapped: tuple[str, ...] = ()
    overlaps: tuple[tuple[str, ...], ...] = ()
    began: float = 0.0  # seconds; when the command was started
    needs_python: bool = False  # a command that never starts the environment's Python proves nothing
    implementation: str = "cpython"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Result of the comparison: the first deviation or "", and notes of a green cell.

    `lacking` are distributions that were not imported though it is required, `unimported` those that need not be.
    """

    difference: str = ""
    lacking: tuple[str, ...] = ()
    unimported: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    python: str = ""  # version and executable of the first process
    project_origin: str = ""
    edited: frozenset[str] = frozenset()  # files that were imported after a change during the command


NOTHING_FOUND = Finding()
NEVER = "the Python of the environment was never started by the command"


def roots_of(name: str, files: Iterable[str], common: frozenset[str] = TEST_NAMES) -> tuple[str, ...]:
    """Return the importable names of a distribution; of a namespace package its own part ("google.cloud.x").

    Names in `common` are left out, unless the distribution has no others or is called so.
    """
    modules = [path.split("/") for path in files if path.endswith(CODE) and not path.startswith(("..", "/"))]
    modules = [parts for parts in modules if not parts[-1].startswith("__editable__")]
    packages = {tuple(parts[:-1]) for parts in modules if parts[-1].split(".")[0] == "__init__"}
    found = set()
    for parts in modules:
        inner = [depth for depth in range(1, len(parts)) if tuple(parts[:depth]) in packages]
        names = parts[: inner[0]] if inner else [*parts[:-1], parts[-1].split(".")[0]]
        if all(IDENTIFIER.fullmatch(item) for item in names):
            found.add(".".join(names))
    own = {root for root in found if root.split(".")[0] not in common or normalise(root) == normalise(name)}
    return tuple(sorted(own or found))


def compare(
    seen: Witnessed,
    scene: Scene,
    *,
    digest: Callable[[str], str],
    is_owned: Callable[[str], bool],
) -> Finding:
    """Compare what was imported with what is installed.

    `digest` returns the sha256 of a file in hex or ""; `is_owned` whether any RECORD of the environment lists a path.
    """
    never = "" if seen.processes else NEVER
    changed = {file for file, time in seen.changes if scene.began and time > scene.began - CLOCK_STEP}
    made = {file: name for name, file in seen.imports if file in changed and _is_made(name, file, scene, is_owned)}
    differences = (
        *([never] if never and scene.needs_python else ()),
        *_overlapping(scene),
        *_of_imports(seen, scene, is_owned, frozenset(made)),
        *_of_runs(seen, scene, digest),
    )
    missing = [item for item in scene.watched if item.roots and not item.is_absent and not _is_imported(item, seen)]
    origins = (file for name, file in seen.imports if scene.project and name in scene.project.roots)
    return Finding(
        difference=next(iter(differences), ""),
        lacking=tuple(item.name for item in missing if item.is_required),
        unimported=tuple(item.name for item in missing if not item.is_required),
        notes=(*([never] if never else ()), *_notes(seen, scene, tuple(made.values()))),
        python=" ".join((scene.implementation, *seen.processes[0])) if seen.processes else "",
        project_origin=next(origins, ""),
        edited=frozenset(changed - made.keys()),
    )


def _is_imported(item: Watched, seen: Witnessed) -> bool:
    return any(_root(item, name) for name, _ in seen.imports)


def _root(item: Watched, name: str) -> bool:
    return any(name == root or name.startswith(f"{root}.") for root in item.roots)


def _is_made(name: str, file: str, scene: Scene, is_owned: Callable[[str], bool]) -> bool:
    """Whether a module was made by the code that ran (a parser's tables) and takes the place of none that is installed.

    It lies where its name says, and no distribution ships a module of that name.
    """
    if not is_below(file, scene.site):
        return False
    path = _in_site(file, scene)
    is_shipped = any(_lists(item, name) for item in scene.watched) or is_owned(path)
    return path.partition(".")[0].removesuffix("/__init__") == name.replace(".", "/") and not is_shipped


def _in_site(file: str, scene: Scene) -> str:
    return _in(file, scene.site)


def _in(file: str, folder: str) -> str:
    return file[len(folder) :].replace("\\", "/").lstrip("/")


def _of_imports(seen: Witnessed, scene: Scene, is_owned: Callable[[str], bool], made: frozenset[str]) -> Iterator[str]:
    tests = frozenset(seen.checkout)
    for name, file in seen.imports:
        owners = [item for item in scene.watched if _root(item, name)] if file not in made else []
        problems = [_problem(item, name, file, scene, is_owned) for item in owners if (name, file) not in tests]
        if problems and all(problems):
            yield problems[0]


def _problem(item: Watched, name: str, file: str, scene: Scene, is_owned: Callable[[str], bool]) -> str:
    """Return why a module does not come from its distribution, or "" if it does."""
    if item.is_absent:
        return f"{name} was imported from {file}, but the cell says that {item.name} is absent"
    if item is scene.project and scene.checkout:
        installed = is_below(file, scene.site)
        return f"{name} was imported from {file}, not from {scene.checkout}" if installed else ""
    if not item.files:
        return ""
    if not is_below(file, scene.site):
        return f"{name} was imported from {file}, not from the environment: what is installed did not run"
    path = _in_site(file, scene)
    if path in item.files or path.endswith(".pyc"):
        return ""
    is_other = normalise(name.partition(".")[0]) != normalise(item.name)
    if is_owned(path) and (is_other or not _lists(item, name)):  # a part of a namespace, or a name of another one
        return ""
    return (
        f"{name} was imported from {file}, which is no file of the installed {item.name} (its RECORD does not list it)"
    )


def _lists(item: Watched, name: str) -> bool:
    base = name.replace(".", "/")
    return any(path in item.files for path in (f"{base}.py", f"{base}/__init__.py")) or any(
        path.startswith(f"{base}.") and path.endswith(CODE) for path in item.files
    )


def _of_runs(seen: Witnessed, scene: Scene, digest: Callable[[str], str]) -> Iterator[str]:
    """Yield sources of the project that were executed, under whatever name, although it is installed."""
    project = scene.project
    if project is None or scene.checkout or not project.files:
        return
    tests = {file for _, file in seen.checkout}
    for file in seen.runs:
        if is_below(file, scene.site):  # by a link from outside
            continue
        if file not in tests and (_is_source(file, scene, project) or _is_copy(file, project, digest)):
            yield (
                f"{file}, which is code of {project.name}, ran in place of what is installed "
                '(import it by its own name, or set install = "editable" in [project])'
            )


def _is_source(file: str, scene: Scene, project: Watched) -> bool:
    """Whether a file belongs to a package of the project in the checkout, and is no test of it."""
    for folder in scene.sources:
        if is_below(file, folder):
            name = _module(_in(file, folder))
            for root in project.roots:
                if name == root or (name.startswith(f"{root}.") and not is_test(name[len(root) + 1 :])):
                    return True
    # pytest runs the `__init__.py` of the folders above a test.
    inner = (_in(file, folder) for folder in scene.mapped if is_below(file, folder))
    return any(path.rpartition("/")[2] != "__init__.py" and not is_test(_module(path)) for path in inner)


def is_test(name: str) -> bool:
    """Whether a module below the project's package is a test, as in the witness."""
    return any(
        part in TESTS or part.startswith(("test_", "tests_")) or part.endswith(("_test", "_tests"))
        for part in name.split(".")
    )


def _is_copy(file: str, project: Watched, digest: Callable[[str], str]) -> bool:
    """Whether a file has path and content of code that the project installed; what is in none of its roots is none."""
    parts = file.replace("\\", "/").split("/")
    for length in range(1, min(len(parts), 9)):
        path = "/".join(parts[-length:])
        wanted = project.files.get(path, "")
        is_code = _root(project, _module(path)) and not is_test(parts[-1].rsplit(".", 1)[0])
        if wanted and wanted != EMPTY_FILE and is_code and digest(file) == wanted:
            return True
    return False


def _module(path: str) -> str:
    return path.rsplit(".", 1)[0].replace("/", ".").removesuffix(".__init__")


EMPTY_FILE = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def _overlapping(scene: Scene) -> Iterator[str]:
    """Yield a file of the project or an axis package that another distribution owns too, with another content."""
    names = {normalise(item.name) for item in scene.watched}
    for path, *owners in scene.overlaps:
        is_code = path.endswith(CODE) and path.split("/")[0].split(".")[0] not in COMMON_NAMES
        if is_code and names & set(owners):
            yield f"{path} belongs to {' and to '.join(owners)}: only one of them is what was tested"


def _notes(seen: Witnessed, scene: Scene, made: tuple[str, ...]) -> Iterator[str]:
    for path, *owners in scene.overlaps[:MAX_NAMES]:
        yield f"{path} belongs to {' and to '.join(owners)}, with different contents"
    if seen.checkout:
        tests = sorted({name for name, _ in seen.checkout})
        more = f" and {len(tests) - 1} more" if len(tests) > 1 else ""
        yield f"tests that the wheel does not ship came from the checkout: {tests[0]}{more}"
    if made:
        yield f"{', '.join(made[:MAX_NAMES])} was made while the tests ran: no distribution ships it"
    if seen.unregistered:
        number = seen.unregistered
        sessions = "a pytest session" if number == 1 else f"{number} pytest sessions"
        yield f"{sessions} ran without venvgrid's probe: the results are not counted"
