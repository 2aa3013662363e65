"""Which files of the project each test module of a cell reaches: kept in the cell's private folder, merged run by run.

The probe records it while a cell runs (see `reached` in `processes/guest`). It orders tests and cells. It is part of no
result, of no verdict and of no key: without it everything runs in its usual order.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING, Any

from venvgrid.model.config import EMPTY
from venvgrid.model.values import dataclass
from venvgrid.outcomes.signatures import stable_id
from venvgrid.storage import own_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

FILE = "reached.json"  # in the private folder of a cell
VERSION = 1
INSTALLED = "site-packages/"  # in front of an installed file whose source is not known
COMPILED = (".so", ".pyd")
NOISE = 0.1  # seconds
SOURCES = (".pyx", ".c", ".cpp", ".cc", ".rs", ".py")  # of a compiled module


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """A map of files. Names are relative to the project with "/", as those of its inputs.

    `tests` maps test modules, by the part of an id before "::", to their files. `edges` maps files to those that they
    use directly, `opened` test modules to the files that were opened while they were at work, and `seconds` test
    modules to the time that their tests took.
    """

    tests: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    edges: Mapping[str, frozenset[str]] = field(default_factory=dict)
    opened: Mapping[str, frozenset[str]] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)

    def and_then(self, later: Reach) -> Reach:
        """Return this map with what a later session recorded; that replaces what was known of the same files."""
        return Reach(
            tests={**self.tests, **later.tests},
            edges={**self.edges, **later.edges},
            opened={**{name: files for name, files in self.opened.items() if name not in later.tests}, **later.opened},
            seconds={**self.seconds, **later.seconds},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where files of the project may be: its checkout, the site-packages of a cell, and sources of installed packages.

    Each folder is given by all its names. `roots` are the importable names of the installed project.
    """

    checkout: tuple[str, ...]
    site: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()

    def prefixes(self) -> dict[str, tuple[str, ...]]:
        """Return the prefixes of files by which the probe knows the project's files."""
        packages = [os.path.join(folder, *root.split(".")) for folder in self.site for root in self.roots]  # noqa: PTH118
        return {
            "own": tuple(package + end for package in packages for end in (os.sep, ".")),
            "checkout": tuple(folder.rstrip(os.sep) + os.sep for folder in self.checkout),
            "others": tuple(folder.rstrip(os.sep) + os.sep for folder in self.environment),
        }

    def name(self, path: str) -> str:
        """Return the name of a file in the project; of an installed one that of its source, if that is there."""
        for folder in self.site:
            if path.startswith(folder + os.sep):
                inner = path[len(folder) + 1 :]
                source = next(self._sources_of(inner), "")
                return self._below(source) or INSTALLED + inner.replace(os.sep, "/")
        return self._below(path) or path

    def _below(self, path: str) -> str:
        for folder in self.checkout:
            if path.startswith(folder + os.sep):
                return path[len(folder) + 1 :].replace(os.sep, "/")
        return ""

    def _sources_of(self, inner: str) -> Iterator[str]:
        """Yield the files of the checkout from which an installed one may be."""
        stem = inner.partition(".")[0] if inner.endswith(COMPILED) else ""
        for folder in self.sources:
            base = folder.rstrip(os.sep)
            for name in (stem + end for end in SOURCES) if stem else (inner,):
                if os.path.isfile(path := f"{base}{os.sep}{name}"):  # noqa: PTH113  (a path as text is at hand)
                    yield path


def load(private: Path) -> Reach:
    """Return the map of a cell from its private folder; an empty one if there is none that can be read."""
    return load_all({"": private})[""]


def load_all(folders: Mapping[str, Path]) -> dict[str, Reach]:
    """Return the maps of cells from their private folders; cells whose maps are equal share one value."""
    known: dict[bytes, Reach] = {b"": Reach()}
    found = {}
    for cell, private in folders.items():
        text = b""
        with suppress(OSError):
            text = (private / FILE).read_bytes()
        if text not in known:
            known[text] = _parse(_read(text), str) or Reach()
        found[cell] = known[text]
    return found


def keep(private: Path, recorded: Path, places: Places) -> None:
    """Add what the sessions of a command recorded into a folder to the map of a cell.

    A full disk or a link in the way is no trouble of the tests: then the map stays as it is.
    """
    with suppress(OSError, own_folders.LinkError):
        _keep(private, recorded, places)


def _keep(private: Path, recorded: Path, places: Places) -> None:
    found = Reach()
    for path in sorted(recorded.glob("*.json")):
        found = found.and_then(_parse(_read(path.read_bytes()), places.name) or Reach())
    if not found.tests:
        return
    before = load(private)
    merged = before.and_then(found)
    if merged != before or _took_others(before.seconds, merged.seconds):
        own_folders.write(private, FILE, json.dumps(_plain(merged), separators=(",", ":")))


def _took_others(before: Mapping[str, float], after: Mapping[str, float]) -> bool:
    """Return whether a module took far longer or shorter than before: small differences are not worth a write."""
    pairs = ((before.get(name, 0.0) + NOISE, took + NOISE) for name, took in after.items())
    return any(max(pair) > 2 * min(pair) for pair in pairs)


def _read(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _parse(data: Any, name: Callable[[str], str]) -> Reach | None:
    """Return a map from its plain form, its files renamed; None if it is not one."""
    try:
        if data["v"] != VERSION:
            return None
        files = [name(str(path)) for path in data["files"]]
        edges: dict[str, set[str]] = {}
        for one, other in data["edges"]:
            edges.setdefault(files[one], set()).add(files[other])
        return Reach(
            tests={stable_id(str(test)): files[at] for test, at in data["tests"].items()},
            edges={one: frozenset(others) for one, others in edges.items()},
            opened={stable_id(test): frozenset(files[at] for at in some) for test, some in data["opened"].items()},
            seconds={stable_id(test): float(took) for test, took in data.get("seconds", {}).items()},
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None


def _plain(reach: Reach) -> dict[str, object]:
    """Return a map as numbers of files, which keeps it small."""
    parts: Iterable[Iterable[str]] = (reach.tests.values(), reach.edges, *reach.edges.values(), *reach.opened.values())
    files = sorted({name for part in parts for name in part})
    number = {name: at for at, name in enumerate(files)}
    return {
        "v": VERSION,
        "files": files,
        "edges": sorted((number[one], number[other]) for one, others in reach.edges.items() for other in others),
        "tests": {test: number[name] for test, name in sorted(reach.tests.items())},
        "seconds": dict(sorted(reach.seconds.items())),
        "opened": {test: sorted(number[name] for name in some) for test, some in sorted(reach.opened.items())},
    }
