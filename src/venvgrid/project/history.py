"""What version control says of a project: which files it ignores or tracks, and the state that versions come from."""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path

from venvgrid.model.values import dataclass
from venvgrid.processes import runner
from venvgrid.processes.command import Command

TIMEOUT = 60.0  # seconds
# Words in build files of projects whose version may come from the history.
MENTIONS = re.compile(
    r"scm|\bvcs|versioningit|versioneer|dunamai|\bpbr\b|dynamic-versioning|[^\w/.:@]git\b(?![+.:@])|get_git|subprocess"
)
BUILD_FILES = (
    *("pyproject.toml", "setup.py", "setup.cfg", "hatch_build.py", "build.py", "versioneer.py"),
    *("CMakeLists.txt", "meson.build"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Paths relative to the project; those of folders end with "/"."""

    ignored: frozenset[str]
    tracked: frozenset[str]


def files(project: Path) -> Files | None:
    """Return which files of a project git ignores and tracks, or None if it is no checkout of git."""
    if not is_checkout(project):
        return None
    tracked = _git(project, "ls-files", "-z")
    ignored = _git(project, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
    if tracked is None or ignored is None or "./" in ignored.split("\0"):  # the repository ignores the whole project
        return None
    return Files(ignored=frozenset(ignored.split("\0")), tracked=frozenset(tracked.split("\0")))


def state(project: Path) -> str:
    """Return commit, branch and tags, if a version may come from them, else ""."""
    if not is_checkout(project) or not may_have_version(project):
        return ""
    head = _git(project, "rev-parse", "HEAD", "--symbolic-full-name", "HEAD")
    tags = _git(project, "for-each-ref", "--format=%(refname) %(objectname)", "refs/tags")
    return f"{head}\n{tags}"


def references(project: Path) -> str:
    """Return a digest of what git commands tell besides the files: all references, the index, the settings."""
    asked = (("for-each-ref",), ("rev-parse", "HEAD", "--symbolic-full-name", "HEAD"), ("ls-files", "-s"))
    text = "\0".join(str(_git(project, *arguments)) for arguments in (*asked, ("config", "--list")))
    with suppress(OSError):  # where a shallow history begins
        text += (project / _line(project, "rev-parse", "--git-path", "shallow")).read_text(encoding="utf-8")
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def is_of(project: Path, folder: str, *, files: bool) -> bool:
    """Return whether git answers in a folder of a project by the project's repository, not by that of a submodule.

    With `files`, the answer depends on the files of the work tree, too: then the project must be all of it.
    """
    place = Path(folder)
    while place != project and project in place.parents:
        if os.path.lexists(place / ".git"):
            return False
        place = place.parent
    return not files or os.path.lexists(project / ".git")


def default_branch(folder: Path) -> str:
    """Return the default branch of a repository as it is known here, without network; "" if it is not.

    It is that of the remote `origin` when it was cloned. Else it is what new repositories begin with here, main, or
    master, if there is such a branch, and else the current branch.
    """
    if not is_checkout(folder):
        return ""
    if origin := _line(folder, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD"):
        return origin.removeprefix("origin/")
    for name in dict.fromkeys((_line(folder, "config", "init.defaultBranch"), "main", "master")):
        places = (f"refs/heads/{name}", f"refs/remotes/origin/{name}")
        if name and _line(folder, "for-each-ref", "--format=%(refname)", *places):
            return name
    return _line(folder, "symbolic-ref", "--quiet", "--short", "HEAD")


def _line(folder: Path, *arguments: str) -> str:
    return (_git(folder, *arguments) or "").strip()


def is_checkout(project: Path) -> bool:
    """Return whether the project or a folder above it has a repository of git."""
    folder = project.absolute()
    return any(os.path.lexists(place / ".git") for place in (folder, *folder.parents))


def may_have_version(project: Path) -> bool:
    """Return whether the build files of a project mention version control: its version may come from tags."""
    for name in BUILD_FILES:
        try:
            if MENTIONS.search((project / name).read_text(encoding="utf-8", errors="replace")):
                return True
        except OSError:
            continue
    return False


def _git(project: Path, *arguments: str) -> str | None:
    """Return the output of a command of git, or None if it failed."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    argv = ("git", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false", *arguments)
    done = runner.run(Command(argv=argv, cwd=project, env={**environ, "GIT_OPTIONAL_LOCKS": "0"}, timeout=TIMEOUT))
    return done.stdout if done.ok else None
