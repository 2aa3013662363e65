"""Distributions as they are installed, kept once in the user's cache and put into every environment that has them.

What the installer made of a distribution in one environment is kept as a tree of files, for this interpreter and these
hashes, and later environments get it file by file, without the installer: see `cloning`. With it are kept its compiled
files (see `bytecode`). A distribution is kept only if every file is what its RECORD says.

    trees/cpython-312-3.12.1-a1b2c3d4/numpy-2.2.6-HASH/tree.json    what is in it
                                                       seals.json   how each file was when it was last known to be right
                                                       site/…       what goes into site-packages, __pycache__ too
                                                       outside/…    scripts and data; scripts without their environment

A tree in which anything is missing or different is deleted, and the installer is asked again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.cloning import Cloner, DamagedError, FileFacts, write_new
from venvgrid.durable import write_whole
from venvgrid.manifest import entry_at, identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from venvgrid.manifest import Manifest
    from venvgrid.model import Distribution, Interpreter

FORMAT = "venvgrid-tree-1"
HERE = b"\0venvgrid: path of the environment\0"  # stands in scripts for what differs between environments
LONGEST_FIRST_LINE = 127  # bytes of a script's "#!" line that every kernel reads
UNUSED_FOR = 30 * 86400.0  # seconds after which a tree that nothing used is deleted
UNFINISHED_FOR = 86400.0
NOT_SEALED = (0, 0)
COPIED = ".copied"  # beside a tree: a test wrote into it once, so it is no longer linked


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """One distribution for one interpreter. Paths are relative to `site` and `outside`, and written with "/"."""

    path: Path
    site: Mapping[str, FileFacts]
    outside: Mapping[str, FileFacts]
    compiled: Mapping[str, FileFacts]
    record: str
    short: bool  # whether its scripts name their interpreter in the "#!" line: not every path fits there

    @property
    def key(self) -> str:
        """Its name: KIND/NAME-VERSION-HASH."""
        return f"{self.path.parent.name}/{self.path.name}"


@dataclass(kw_only=True)
class Given:
    """What an environment got: the trees by the distributions they hold, its new files, and which of these are links.

    `links` maps the keys of trees to their files that are one with the environment's; `compiled` is relative to
    site-packages, too.
    """

    trees: dict[str, Tree] = field(default_factory=dict)
    manifest: Manifest = field(default_factory=dict)
    links: dict[str, list[str]] = field(default_factory=dict)
    compiled: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trees:
    """The trees of a user's cache. Used by several threads and processes at once: trees only ever appear whole."""

    folder: Path
    cloner: Cloner = field(default_factory=Cloner)
    known: dict[Path, Tree] = field(default_factory=dict)
    touched: set[Path] = field(default_factory=set)  # trees whose seals are to be written down

    def find(self, interpreter: Interpreter, distribution: Distribution) -> Tree | None:
        """Give the tree of a distribution; None if there is none, or if it was damaged and is now deleted."""
        path = self.place(interpreter, distribution)
        if path is None:
            return None
        return self.known.get(path) or self._read(path)

    def reload(self, tree: Tree) -> Tree | None:
        """Give a tree as it is now; None if it was deleted."""
        self.known.pop(tree.path, None)
        return self._read(tree.path)

    def place(self, interpreter: Interpreter, distribution: Distribution) -> Path | None:
        """Give where the tree of a distribution is or would be; None for what is not told by hashes what it is."""
        if not distribution.hashes or distribution.direct:
            return None
        contents = [distribution.name, distribution.version, sorted(distribution.hashes)]
        name = f"{distribution.name}-{distribution.version}-{_digest(contents)}"
        return self.folder / kind_of(interpreter) / name

    def give(self, tree: Tree, environment: Path, site: Path, given: Given, *, may_link: bool) -> None:
        """Put a tree into an environment.

        Raises:
            DamagedError: a file is not what it was; the tree is deleted.
            FileExistsError: the environment has one of the files already.
            OSError: it cannot be written.
        """
        try:
            linking = may_link and self.should_link(tree.path, environment)
            self._give(tree, environment, site, given, may_link=linking)
        except DamagedError:
            self.drop(tree)
            raise
        given.trees[tree.key] = tree
        self.touched.add(tree.path)

    def fits(self, tree: Tree, python: Path) -> bool:
        """Whether the scripts of a tree can be made for an environment's interpreter."""
        return not tree.outside or tree.short == has_short_first_line(python)

    def settle(self) -> None:
        """Write down, for later runs, how the files of the trees that were used are when they are right."""
        while self.touched:
            path = self.touched.pop()
            tree = self.known.get(path)
            if tree is None:
                continue
            prefix, seals = len(str(path)) + 1, self.cloner.seals
            known = {file[prefix:]: seals[file] for file in self._paths(tree) if file in seals}
            with suppress(OSError):
                write_whole(path / "seals.json", json.dumps(known))

    def changed(
        self, links: Mapping[str, Iterable[str]], site: Path, ctimes: Mapping[str, int]
    ) -> dict[str, list[str]]:
        """Give those of an environment's links that are not what they were, by the keys of their trees.

        `ctimes` are those of the environment's files just now, by their path relative to site-packages.
        """
        found = {}
        for key, names in links.items():
            path = self.folder / key
            tree = self.known.get(path) or self._read(path)
            kept, seals = f"{path}{os.sep}site{os.sep}", self.cloner.seals
            wrong = [
                name
                for name in names
                if tree is None
                or (
                    (name not in ctimes or ctimes[name] != seals.get(kept + name, NOT_SEALED)[0])
                    and not self.is_right(tree, site, name)
                )
            ]
            if wrong:
                found[key] = wrong
        return found

    def is_right(self, tree: Tree, site: Path, name: str) -> bool:
        """Whether a file of a tree is what it was, and one with the file of that name in an environment."""
        facts = tree.site.get(name) or tree.compiled.get(name)
        kept = f"{tree.path}{os.sep}site{os.sep}{name}"
        with suppress(OSError):
            return (
                facts is not None
                and os.path.samefile(kept, site / name)  # noqa: PTH121  (many)
                and self.cloner.is_unchanged(kept, facts)
            )
        return False

    def poison(self, key: str) -> None:
        """Delete a tree into which a test wrote through a link; when it is made again, it is copied, never linked."""
        path = self.folder / key
        with suppress(OSError):
            path.with_name(f"{path.name}{COPIED}").touch()
        tree = self.known.get(path) or self._load(path)
        if tree is not None:
            self.drop(tree)

    def drop_damaged(self, key: str) -> None:
        """Delete a tree if any of its files is not what it was."""
        path = self.folder / key
        tree = self.known.get(path) or self._read(path)
        if tree is not None and not all(
            self.cloner.is_unchanged(f"{path}{os.sep}site{os.sep}{name}", facts)
            for files in (tree.site, tree.compiled)
            for name, facts in files.items()
        ):
            self.drop(tree)

    def should_link(self, path: Path, environment: Path) -> bool:
        """Whether the files of a tree are to be one with those of an environment."""
        is_copied = path.with_name(f"{path.name}{COPIED}").exists()
        return not is_copied and self.cloner.should_link(path.parent, environment)

    def save(self, tree: Tree) -> None:
        """Write down what is in a tree.

        Raises:
            OSError: it cannot be written.
        """
        parts = {
            name: [[path, facts.size, facts.mtime, facts.mode, facts.digest] for path, facts in files.items()]
            for name, files in (("site", tree.site), ("outside", tree.outside), ("compiled", tree.compiled))
        }
        data = {"format": FORMAT, "record": tree.record, "short": tree.short, **parts}
        write_whole(tree.path / "tree.json", json.dumps(data))
        self.known[tree.path] = tree

    def drop(self, tree: Tree) -> None:
        """Delete a tree: it is out of the way at once."""
        self.known.pop(tree.path, None)
        for path in self._paths(tree):
            self.cloner.seals.pop(path, None)
        with suppress(OSError):
            trash = Path(tempfile.mkdtemp(prefix=".partial-", dir=tree.path.parent))
            tree.path.rename(trash / "tree")
            shutil.rmtree(trash, ignore_errors=True)

    def sweep(self, now: float) -> None:
        """Delete what was not used for long, and what was being made or deleted when its process was killed."""
        with suppress(OSError):
            for place in self.folder.glob("*/*"):
                limit = UNFINISHED_FOR if place.name.startswith(".partial-") else UNUSED_FOR
                used = place / "seals.json" if (place / "seals.json").is_file() else place
                if now - used.lstat().st_mtime > limit:
                    shutil.rmtree(place, ignore_errors=True)

    def _read(self, path: Path) -> Tree | None:
        tree = self._load(path)
        if tree is not None:
            self.known[path] = tree
        return tree

    def _load(self, path: Path) -> Tree | None:
        try:
            data = json.loads((path / "tree.json").read_text(encoding="utf-8"))
            if data["format"] != FORMAT:
                return None
            parts = {
                name: {row[0]: FileFacts(*row[1:]) for row in data[name]} for name in ("site", "outside", "compiled")
            }
            tree = Tree(path=path, record=data["record"], short=data["short"], **parts)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        seals = self.cloner.seals
        with suppress(OSError, ValueError, AttributeError, TypeError):
            for name, (ctime, names) in json.loads((path / "seals.json").read_text(encoding="utf-8")).items():
                file = f"{path}{os.sep}{name}"
                seals[file] = max((ctime, names), seals.get(file, NOT_SEALED))
        return tree

    def _paths(self, tree: Tree) -> Iterator[str]:
        base = str(tree.path)
        for part, files in (("site", tree.site), ("site", tree.compiled), ("outside", tree.outside)):
            yield from (os.path.join(base, part, path) for path in files)  # noqa: PTH118  (many)

    def _give(self, tree: Tree, environment: Path, site: Path, given: Given, *, may_link: bool) -> None:
        prefix = site.relative_to(environment).as_posix() + "/"
        source, target = os.path.join(str(tree.path), "site", ""), f"{environment}{os.sep}{prefix}"  # noqa: PTH118
        links: list[str] = []
        for files in (tree.site, tree.compiled):
            for folder in sorted({path.rpartition("/")[0] for path in files}):
                os.makedirs(target + folder, exist_ok=True)  # noqa: PTH103  (many)
            links += self.cloner.put_all(source, target, files, may_link=may_link)
        linked = frozenset(links)
        given.manifest |= {
            prefix + path: [facts.size, facts.mtime, facts.mode, 0] if path in linked else entry_at(target + path)
            for path, facts in tree.site.items()
        }
        given.compiled.update(tree.compiled)
        if tree.outside:
            self._give_outside(tree, environment, prefix, given)
            links = [path for path in links if path != tree.record]
        if links:
            given.links[tree.key] = links

    def _give_outside(self, tree: Tree, environment: Path, prefix: str, given: Given) -> None:
        """Put scripts and data into an environment, with its own path, and their new hashes into RECORD."""
        changed = {}
        for path, facts in tree.outside.items():
            source = tree.path / "outside" / path
            if not self.cloner.is_unchanged(str(source), facts):
                raise DamagedError(str(source))
            content = source.read_bytes().replace(HERE, os.fsencode(environment))
            (environment / path).parent.mkdir(parents=True, exist_ok=True)
            write_new(str(environment / path), content, facts)
            given.manifest[path] = entry_at(str(environment / path))
            changed[path] = content
        name, facts = prefix + tree.record, tree.site[tree.record]
        place = environment / name
        content = with_hashes(place.read_bytes(), prefix, changed)
        place.unlink()
        write_new(str(place), content, facts)
        given.manifest[name] = entry_at(str(place))


def kind_of(interpreter: Interpreter) -> str:
    """Name an interpreter so that everything that is installed or compiled for it is good for no other build."""
    build = [interpreter.executable, *identity(interpreter.executable), interpreter.platform, interpreter.bits]
    build += [interpreter.free_threaded, interpreter.debug]
    return f"{interpreter.cache_tag or interpreter.implementation}-{interpreter.version}-{_digest(build)[:8]}"


def has_short_first_line(python: Path) -> bool:
    """Whether a script can name this interpreter in its "#!" line; else installers write a shell's line or two."""
    text = os.fsencode(python)
    return b" " not in text and len(b"#!" + text + b"\n") <= LONGEST_FIRST_LINE


def with_hashes(record: bytes, prefix: str, changed: Mapping[str, bytes]) -> bytes:
    """Give a RECORD with the hashes and sizes of what is now in the files outside of site-packages."""
    from base64 import urlsafe_b64encode  # noqa: PLC0415

    up = "../" * prefix.count("/")
    lines = []
    for line in record.decode("utf-8").splitlines(keepends=True):
        path = line.split(",", 1)[0]
        content = changed.get(path.removeprefix(up)) if path.startswith(up) else None
        if content is not None and ",sha256=" in line:
            digest = urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            line = f"{path},sha256={digest},{len(content)}{line[len(line.rstrip()) :]}"  # noqa: PLW2901
        lines.append(line)
    return "".join(lines).encode("utf-8")


def _digest(data: object) -> str:
    return hashlib.blake2b(json.dumps(data).encode(), digest_size=10).hexdigest()
