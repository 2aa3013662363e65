"""The state of a checkout in a capsule: its commit, its changes, and a patch without secrets."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from rig import has

from venvgrid.app.capsules import facts, given, repository_state
from venvgrid.config import loading
from venvgrid.model import Cell
from venvgrid.processes import runner
from venvgrid.processes.redaction import Redactor
from venvgrid.testing import interpreter

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.results.capsules.capsule import Sources

pytestmark = pytest.mark.skipif(not has("git"), reason="needs git")
ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "PYPI_TOKEN": "canary-4f1a9c77"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for name in ("matrix.toml", "code.py", "sub/module.py"):
        (tmp_path / name).write_text("x = 1\n", encoding="utf-8")
    git = ("git", "-c", "user.name=n", "-c", "user.email=n@example.org")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "x")):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    return tmp_path


def state(root: Path, project: str = "", **more: str) -> Sources:
    environ = {**ENVIRON, **more}
    found = (root / "matrix.toml", root / project, "digest", environ, runner.run, Redactor.from_environ(environ))
    return repository_state.sources(*found)


def test_a_clean_checkout_is_its_commit(root: Path) -> None:
    """Nothing else is told; paths are relative to the repository; what tools leave behind is no change."""
    for name in ("__pycache__/a.pyc", ".pytest_cache/x", "sub/.venvgrid/x"):
        (root / name).parent.mkdir()
        (root / name).write_text("x", encoding="utf-8")
    found = state(root, "sub")
    assert (len(found.commit), found.dirty, dict(found.changed), found.patch) == (40, False, {}, "")
    assert (found.config, found.project) == ("matrix.toml", "sub")
    assert state(root, GITHUB_SHA=found.commit, GITHUB_REF="refs/pull/7/merge").reference == "refs/pull/7/merge"
    assert state(root, GITHUB_SHA="0" * 40, GITHUB_REF="refs/pull/7/merge").reference == ""


def ids(root: Path) -> dict[str, str]:
    return repository_state.unchanged(root, ENVIRON, runner.run)


def test_what_git_calls_unchanged_is_equal_in_every_clone(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Also where it writes other line ends, and files for links."""
    (root / "link").symlink_to("code.py")
    for words in (("add", "-A"), ("-c", "user.name=n", "-c", "user.email=n@example.org", "commit", "-qm", "y")):
        subprocess.run(["git", *words], cwd=root, check=True)
    other = tmp_path_factory.mktemp("windows")
    options = ("-c", "core.autocrlf=true", "-c", "core.symlinks=false")
    subprocess.run(["git", "clone", "-q", *options, str(root), str(other)], check=True)
    assert ((other / "code.py").read_bytes(), (other / "link").is_symlink()) == (b"x = 1\r\n", False)
    assert ids(root) == ids(other)
    assert ids(root).keys() == {"matrix.toml", "code.py", "sub/module.py", "link"}


@pytest.mark.parametrize("how", ["edited", "staged", "assumed unchanged", "of LFS"])
def test_what_may_differ_has_no_id(root: Path, how: str) -> None:
    """Its bytes count: what git does not look at, or may have left out."""
    if how == "of LFS":
        (root / ".gitattributes").write_text("code.py filter=lfs\n", encoding="utf-8")
    else:
        if how == "assumed unchanged":
            subprocess.run(["git", "update-index", "--assume-unchanged", "code.py"], cwd=root, check=True)
        (root / "code.py").write_text("x = 2\n", encoding="utf-8")
        if how == "staged":
            subprocess.run(["git", "add", "code.py"], cwd=root, check=True)
    assert ids(root).keys() == {"matrix.toml", "sub/module.py"}


def test_changes_are_a_patch_and_new_files_are_named(root: Path) -> None:
    """The patch makes the files what they were; files that git does not know are named with a digest."""
    (root / "code.py").write_text("x = 2\n", encoding="utf-8")
    (root / "sub/module.py").unlink()
    (root / "new.py").write_text("y", encoding="utf-8")
    (root / ".env").write_text("short", encoding="utf-8")
    found = state(root, "sub")
    assert (found.dirty, sorted(found.changed)) == (True, [".env", "code.py", "new.py", "sub/module.py"])
    assert (found.changed[".env"], found.changed["sub/module.py"]) == ("not told", "absent")
    subprocess.run(["git", "stash", "-q"], cwd=root, check=True)
    (root.parent / "x.patch").write_text(found.patch, encoding="utf-8")
    subprocess.run(["git", "apply", str(root.parent / "x.patch")], cwd=root, check=True)
    assert (root / "code.py").read_text(encoding="utf-8") == "x = 2\n"
    assert not (root / "sub/module.py").exists()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"token = canary-4f1a9c77\n", "secret"),
        (b'API_KEY = "abcdefgh12345678"\n', "secret"),
        (b'"password": "correct horse"\n', "secret"),
        (b"-----BEGIN RSA PRIVATE KEY-----\n", "secret"),
        (b"url = https://me:pass@example.org/\n", "secret"),
        (b"key = ghp_abcdefghijklmnop0123\n", "secret"),
        (b"x" * 60_000 + b"\n", "more than 50000"),
        (b"caf\xe9\n", "not UTF-8"),
    ],
)
def test_a_patch_is_left_out_with_a_reason(root: Path, content: bytes, why: str) -> None:
    """Secrets of variables or by their form, very large ones, and what is no text."""
    (root / "code.py").write_bytes(content)
    found = state(root)
    assert (found.dirty, found.patch, why in found.patch_missing) == (True, "", True)
    assert list(found.changed) == ["code.py"]


def test_outside_of_a_repository_there_is_a_digest(tmp_path: Path) -> None:
    """The digest of the files stands for the commit."""
    (tmp_path / "matrix.toml").touch()
    found = state(tmp_path)
    assert (found.commit, found.inputs_digest, found.config, found.project) == ("", "digest", "matrix.toml", ".")


def test_values_of_variables_are_told_only_if_they_say_how(tmp_path: Path) -> None:
    """Who and where, secrets, and addresses with passwords: the name is told, the value is not."""
    text = '[axes]\npython = ["3.12"]\nenv.MODE = ["a"]\n[test]\npass-env = ["FLAG", "*_TOKEN", "INDEX", "PLAIN"]\n'
    config = loading.parse(text, file=tmp_path / "matrix.toml")
    values = {"FLAG": "yes", "LANG": "C", "TZ": "UTC", "MODE": "other", "OMP_NUM_THREADS": "2"}
    untold = {
        "HOME": "/home/me",
        "USER": "me",
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy",
        "PYPI_TOKEN": "x",
        "INDEX": "https://me:pw@host/",
        "PLAIN": "in canary-4f1a9c77 it",
        "SSL_CERT_FILE": "/x",
    }
    environ = {**values, **untold, "OTHER": "not passed", "PIP_INDEX_URL": "x"}
    redactor = Redactor.from_environ({**environ, "SECRET": "canary-4f1a9c77"})
    cell = Cell(id="c", axes={"python": "3.12", "env.MODE": "a"})
    got = given.given(config, environ, cell, interpreter())
    told = {name: value for name, value in got.items() if not given.hides(name, value, redactor)}
    assert told == {**values, "MODE": "a"}
    assert got.keys() == values.keys() | untold.keys()


@pytest.mark.parametrize(("number", "told"), [(0, "root"), (1000, "not root")])
def test_a_machine_tells_whether_its_user_is_root(monkeypatch: pytest.MonkeyPatch, number: int, told: str) -> None:
    """Not by name, which is nobody's business; it is never "not known" where the system has it."""
    monkeypatch.setattr(os, "geteuid", lambda: number, raising=False)
    assert facts.of_machine({})["user"] == told
