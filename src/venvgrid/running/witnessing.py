"""The witness of a cell's command: its specification, and the comparison of its records."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.analysis.affected.reach import Places
from venvgrid.environments.manifest import MARKER
from venvgrid.environments.package_cache import record
from venvgrid.model import AxisKind, InstallMode
from venvgrid.model.config import EXIT_STATUS, JUNIT
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass
from venvgrid.outcomes import provenance, witness
from venvgrid.outcomes.outside import programs
from venvgrid.outcomes.provenance import CLOCK_STEP, Finding, Scene, Watched
from venvgrid.outcomes.witness import Ran
from venvgrid.processes import variables
from venvgrid.project import build_files, reads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from venvgrid.environments.package_cache.record import InstalledFiles
    from venvgrid.model import Config, Environment
    from venvgrid.outcomes.witness import Witnessed
    from venvgrid.processes.command import Command, Completed
    from venvgrid.running.tasks import TestTask

SOURCE_FOLDERS = ("", "src", "lib", "python")  # of a checkout, in which its packages may be
MAX_COMPARED = 50  # files of a package, to find the folder that it was built from
SIZE_LIMIT = 1 << 24  # bytes of a file that is compared by its content


@dataclass(frozen=True, slots=True, kw_only=True)
class CellWitness:
    """The witness of one run of a cell's command. `folder` is for this run alone.

    `project` is its checkout.
    Files below its parent and below the `private` folder of the cell are read without a note. A preview notes no reads
    at all; `overlay` holds the project's modules as they are now (see `running.warm`).
    """

    task: TestTask
    scene: Scene
    folder: Path
    private: Path
    project: Path
    is_preview: bool = False
    overlay: Path | None = None

    def switch_on(self) -> dict[str, str]:
        """Prepare the witness and return its variables."""
        return witness.switch_on(self.folder, self._specification())

    def watch(self, command: Command, run: Callable[[Command], Completed], seen: list[Witnessed]) -> Completed:
        """Run a command that comes before the tests. What it is and reads counts as what they read: `seen` gets it."""
        completed = run(replace(command, env={**command.env, **self.switch_on()}))
        itself, found = Ran(cwd=str(command.cwd), argv=command.argv, path=command.env.get("PATH", "")), self.seen()
        seen.append(replace(found, ran=(itself, *found.ran)))
        return completed

    @property
    def places(self) -> Places:
        """Return where the files of the project are."""
        scene, environment = self.scene, self.task.environment
        return Places(
            checkout=_names_of(self.project),
            site=_names_of(environment.site),
            environment=_names_of(environment.path),
            sources=scene.sources,
            roots=scene.project.roots if scene.project and not scene.checkout else (),
        )

    def seen(self) -> Witnessed:
        """Return what the processes of the command recorded."""
        return witness.read(self.folder)

    def finding(self, seen: Witnessed) -> Finding:
        """Compare what the processes of the command imported with what is installed."""
        owned: set[str] = set()

        def is_owned(path: str) -> bool:
            if not owned:
                found = record.distributions(self.task.environment.site)
                owned.update(name for item in found.values() for name in item.files)
            return path in owned

        return provenance.compare(seen, self.scene, digest=_digest, is_owned=is_owned)

    def _specification(self) -> Iterator[tuple[str, str]]:
        site, scene = self.task.environment.site, self.scene
        yield "site", str(site)
        if self.overlay is not None:
            yield "overlay", str(self.overlay)
        own = (f"{place}{os.sep}" for place in (self.private, self.folder.parent))
        for prefix in () if self.is_preview else (*reads.SYSTEM, *own):
            yield "unnoted", prefix
        for folder in dict.fromkeys((str(self.task.environment.path), os.path.realpath(self.task.environment.path))):
            yield "inside", folder
        for item in scene.watched:
            for root in item.roots:
                yield "root", root
        if scene.project and scene.project.files and not scene.checkout:
            yield "project", normalise(scene.project.name)
            for root in scene.project.roots:
                if root.split(".")[0] not in provenance.TEST_NAMES:
                    yield "first", root
            for folder in scene.sources:
                yield "source", folder


def _names_of(folder: Path) -> tuple[str, ...]:
    """Return a folder as it is called, and its real path."""
    return tuple(dict.fromkeys((str(folder), os.path.realpath(folder))))


def scene_of(task: TestTask, config: Config) -> Scene:
    """Return what the modules of a cell are compared with."""
    site = task.environment.site
    installed = {name: item for (name, _), item in record.distributions(site, _names(task, config)).items()}
    checkout = Path(os.path.realpath(config.project.path))
    project = None
    is_editable = config.project.install is InstallMode.EDITABLE
    if task.project:
        name = normalise(task.project.metadata.name)
        files = installed[name].files if name in installed else {}
        roots = provenance.roots_of(name, files) or (_declared(site, name, checkout) if is_editable else ())
        default = config.test.reports != EXIT_STATUS
        required = {"required": True, "noted": False}.get(config.test.imports, default)
        project = Watched(name=task.project.metadata.name, roots=roots, files=files, is_required=required)
    axes = tuple(_axis(task, config, name, installed) for name in _axes(config))
    sources, mapped = _sources(checkout, project) if project else ((), ())
    return Scene(
        site=os.path.realpath(site),
        began=start_time(task.environment),
        watched=(*([project] if project else []), *axes),
        project=project,
        checkout=str(checkout) if is_editable else "",
        sources=sources,
        mapped=mapped,
        overlaps=task.environment.overlaps,
        needs_python=config.test.reports.startswith(JUNIT),
        implementation=task.entry.interpreter.implementation,
    )


def start_time(environment: Environment) -> float:
    """Return the time of the start in seconds; wait until files of a build that just ended are surely older."""
    with suppress(OSError):
        age = time.time() - (environment.path / MARKER).stat().st_mtime
        time.sleep(max(0.0, CLOCK_STEP - max(0.0, age)))
    return time.time()


def edited_code(changed: tuple[str, ...], edited: frozenset[str], environment: Environment) -> str:
    """Return the first of the changed files of an environment that was imported after its change, or ""."""
    folder = os.path.realpath(environment.path)
    return next((name for name in changed if os.path.join(folder, *name.split("/")) in edited), "")  # noqa: PTH118


def _axis(task: TestTask, config: Config, name: str, installed: Mapping[str, InstalledFiles]) -> Watched:
    item = installed.get(normalise(name))
    is_absent = not any(locked.name == normalise(name) for locked in task.entry.distributions)
    return Watched(
        name=name,
        roots=provenance.roots_of(name, item.files, provenance.COMMON_NAMES)
        if item
        else (normalise(name).replace("-", "_"),),
        files=item.files if item else {},
        is_absent=is_absent,
        is_required=config.test.imports == "required",
    )


def _axes(config: Config) -> tuple[str, ...]:
    return tuple(axis.name for axis in config.axes if axis.kind is AxisKind.DEPENDENCY)


def _names(task: TestTask, config: Config) -> frozenset[str]:
    own = (task.project.metadata.name,) if task.project else ()
    return frozenset(normalise(name) for name in (*_axes(config), *own))


def _declared(site: Path, name: str, checkout: Path) -> tuple[str, ...]:
    """Return the modules of an editable project: RECORD does not list them."""
    found: list[str] = []
    for file in site.glob("*.dist-info/top_level.txt"):
        if (
            normalise(file.parent.name.rpartition("-")[0].rpartition("-")[0] or file.parent.name.partition("-")[0])
            == name
        ):
            found += file.read_text(encoding="utf-8", errors="replace").split()
    guess = name.replace("-", "_")
    return tuple(found) or ((guess,) if any(_holds(checkout / folder, guess) for folder in SOURCE_FOLDERS) else ())


def _sources(checkout: Path, project: Watched) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the folders that hold packages of the project by their names, and those that are packages by another one.

    Beside the usual folders, these are the ones that the build's files name, if they hold what is installed.
    """
    usual = [str(checkout / folder) for folder in SOURCE_FOLDERS]
    roots = [root for root in project.roots if root not in provenance.TEST_NAMES]
    sources = [folder for folder in usual if any(_holds(Path(folder), root) for root in roots)]
    lacking = [root for root in roots if not any(_holds(Path(folder), root) for folder in sources)]
    if not lacking:
        return tuple(sources), ()
    words = {place for word in build_files.words(checkout) for place in (word, word.rpartition("/")[0])} - {""}
    named = [str(checkout / word) for word in sorted(words) if ".." not in word and (checkout / word).is_dir()]
    mapped = []
    for root in lacking:
        files = {path: digest for path, digest in project.files.items() if _is_compared(path, root, digest)}
        held = [folder for folder in named if folder not in usual and _ships(folder, "", files)]
        sources += held
        mapped += [] if held else [folder for folder in named if _ships(folder, f"{root.replace('.', '/')}/", files)]
    return tuple(dict.fromkeys(sources)), tuple(dict.fromkeys(mapped))


def _is_compared(path: str, root: str, digest: str) -> bool:
    """Return whether a file of a root is one that tells by its content where it was taken from."""
    is_part = path == f"{root.replace('.', '/')}.py" or path.startswith(f"{root.replace('.', '/')}/")
    return is_part and path.endswith(".py") and digest not in {"", provenance.EMPTY_FILE}


def _ships(folder: str, prefix: str, files: Mapping[str, str]) -> bool:
    """Return whether a folder has one of the first installed files, whose names have a prefix."""
    for path, digest in [*files.items()][:MAX_COMPARED]:
        place = os.path.join(folder, *path.removeprefix(prefix).split("/"))  # noqa: PTH118
        if path.startswith(prefix) and _digest(place) == digest:
            return True
    return False


def named_files(given: Mapping[str, str], folder: str) -> dict[str, str]:
    """Return the files that variables name: libraries and programs read them without a note."""
    places = (place for name, value in given.items() for place in variables.paths_in(name, value, folder))
    return dict.fromkeys(filter(os.path.isfile, places), programs.SETTING)


def _holds(folder: Path, root: str) -> bool:
    place = folder.joinpath(*root.split("."))
    return place.is_dir() or place.with_name(f"{place.name}.py").is_file()


def _digest(file: str) -> str:
    try:
        with open(file, "rb") as stream:  # noqa: PTH123
            return hashlib.sha256(stream.read(SIZE_LIMIT)).hexdigest()
    except OSError:
        return ""
