"""The state of a checkout for a capsule: commit, changes, and a patch if it is small and holds no secret."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.processes import redaction
from venvgrid.processes.command import Command
from venvgrid.project import repository
from venvgrid.results.capsules.capsule import MAX_PATCH, Sources
from venvgrid.storage import digests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from venvgrid.processes.command import Runner
    from venvgrid.processes.redaction import Redactor

TIMEOUT = 60.0  # seconds
UNTOLD = "not told"  # in place of a digest: that of a short secret would tell it
MAX_CHANGED = 200  # files that are named
MAX_HASHED = 20_000_000  # bytes of one file
# What git calls the commit that a service checked out; a clone may have to fetch it by this name.
REFERENCES = {"GITHUB_REF": "GITHUB_SHA"}
QUIET = ("-c", "core.fsmonitor=false", "-c", "core.quotePath=false")
DIFF = (
    "diff",
    "HEAD",
    "--binary",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)
OWN = re.compile(r"(?:^|/)(?:\.venvgrid|__pycache__|\.pytest_cache)/")  # what venvgrid, Python and pytest leave
LISTED = ("ls-files", "-z", "-v", "--stage")
CHANGED = ("status", "--porcelain", "-z", "--untracked-files=no", "--no-renames")
LARGE = ("ls-files", "-z", "--", ":(attr:filter=lfs)")
STATUS = ("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames")


def git(words: tuple[str, ...], folder: Path, environ: Mapping[str, str], run: Runner) -> bytes | None:
    """Return the output of git as it is, or None if it failed. Hooks and pagers of the user are not started."""
    kept = {name: value for name, value in environ.items() if not name.startswith("GIT_")}
    chunks: list[bytes] = []
    env = {**kept, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    argv = ("git", *QUIET, "-c", f"core.hooksPath={os.devnull}", *words)
    done = run(Command(argv=argv, cwd=folder, env=env, timeout=TIMEOUT, listen=chunks.append))
    if not done.ok:
        return None
    return b"".join(chunks) if not done.stderr else done.stdout.encode("utf-8", "surrogateescape")


def unchanged(root: Path, environ: Mapping[str, str], run: Runner) -> dict[str, str]:
    """Return the ids of the tracked files that are as git would write them, whatever line ends it writes here.

    Left out are files at which git is told not to look, and those of LFS: a checkout may have them or pointers to them.
    """
    listed, changed, large = (git(words, root, environ, run) for words in (LISTED, CHANGED, LARGE))
    if listed is None or changed is None or large is None:
        return {}
    others = {*(entry[3:] for entry in changed.split(b"\0")), *large.split(b"\0")}
    found = {}
    for entry in listed.split(b"\0"):
        facts, _, name = entry.partition(b"\t")
        if facts.startswith(b"H ") and name not in others:
            found[os.fsdecode(name)] = facts[2:].decode("ascii")
    return found


def sources(
    config: Path, project: Path, inputs_digest: str, environ: Mapping[str, str], run: Runner, redactor: Redactor
) -> Sources:
    """Return where the sources of a project come from; `config` is the file of its configuration."""
    held = repository.find(project, environ)
    root = os.path.realpath(held.root if held else config.parent)
    found = Sources(config=_relative(config, root), project=_relative(project, root), inputs_digest=inputs_digest)
    if held is None or not held.commit:
        return found
    status = git(STATUS, held.root, environ, run) or b""
    changed = dict(_changed(status, held.root))
    patch, why = _patch(held.root, environ, run, redactor) if held.is_dirty else ("", "")
    references = (environ.get(name, "") for name, sha in REFERENCES.items() if environ.get(sha) == held.commit)
    return replace(
        found,
        commit=held.commit,
        reference=next(references, ""),
        dirty=held.is_dirty,
        changed=dict(sorted(changed.items())[:MAX_CHANGED]),
        patch=patch,
        patch_missing=why,
    )


def digest_of_files(snapshot: Mapping[str, str]) -> str:
    """Return the digest of a project's files, from theirs; what tools leave behind does not count."""
    files = {Path(name).as_posix(): digest for name, digest in snapshot.items()}
    return digests.of_json({name: digest for name, digest in files.items() if not OWN.search(name)})


def digest_of(path: Path) -> str:
    """Return the digest of a file, or why it has none."""
    try:
        if path.is_symlink():
            return f"link {hashlib.sha256(os.fsencode(path.readlink())).hexdigest()[:16]}"
        if not path.is_file():
            return "absent"
        if path.stat().st_size > MAX_HASHED:
            return f"{path.stat().st_size} bytes"
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError:
        return "unreadable"


def _changed(status: bytes, root: Path) -> Iterator[tuple[str, str]]:
    """Yield the files that differ from the commit, or that git does not know, and digests of their contents."""
    for entry in status.split(b"\0"):
        name = os.fsdecode(entry[3:])
        if name and not OWN.search(name):
            last = name.rpartition("/")[2]
            is_secret = last.startswith(".env") or redaction.is_secret_name(last)
            yield name, UNTOLD if is_secret else digest_of(root / name)


def _patch(root: Path, environ: Mapping[str, str], run: Runner, redactor: Redactor) -> tuple[str, str]:
    """Return the difference from the commit; or "", and why it is left out."""
    found = git(DIFF, root, environ, run)
    if found is None:
        return "", "git could not tell it"
    if len(found) > MAX_PATCH:
        return "", f"it has {len(found)} bytes, more than {MAX_PATCH}"
    try:
        text = found.decode("utf-8")
    except UnicodeDecodeError:
        return "", "it is not UTF-8"
    if redactor.text(text) != text or redaction.may_hold_secret(text):
        return "", "it may hold a secret"
    return text, ""


def _relative(path: Path, root: str) -> str:
    return os.path.relpath(os.path.realpath(path), root).replace(os.sep, "/")
