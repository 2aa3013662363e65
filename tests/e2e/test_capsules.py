"""Capsules: the red cell of a shard is brought home, by another user, with and without venvgrid."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import rig
from conftest import DEMO
from rig import HERE, has

from venvgrid.app.capsules import plain
from venvgrid.results.capsules import capsule
from venvgrid.results.capsules.capsule import MAX_BYTES
from venvgrid.storage import digests

if TYPE_CHECKING:
    from conftest import Command, Write

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not has("git"), reason="needs git")]

MATRIX = f"""
[axes]
python = ["{HERE}"]
six = ["1.15", "1.16"]
env.MODE = ["a", "b"]
[install]
requires = ["pytest==8.4.2", "pytest-randomly"]
[test]
command = ["pytest", "-q"]
pass-env = ["FLAG", "SECRET_TOKEN"]
"""
# The outcome goes by a file of the user: red there, another failure or green at home.
TESTS = """
import os
from pathlib import Path

import demo


def test_demo():
    assert demo.ANSWER == 42


def test_home():
    place = Path(os.environ["HOME"], "answer")
    if not place.exists():
        raise LookupError("there is no answer")
    assert place.read_text() == "42"
"""
IGNORED = ".venvgrid\n__pycache__\ncell\n*.capsule\n"
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
GIT = ("git", "-c", "user.name=n", "-c", "user.email=n@example.org")


def git(root: Path, *words: str) -> str:
    done = subprocess.run([*GIT, *words], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def as_nobody(folder: Path) -> tuple[str, ...]:
    """Return the beginning of commands as another user, () where that one could not read this Python."""
    if os.name != "posix" or os.geteuid() != 0 or not has(NOBODY[0]):
        return ()
    asked = subprocess.run([*NOBODY, sys.executable, "-c", "import venvgrid"], capture_output=True, check=False)
    if asked.returncode or any(not item.stat().st_mode & 1 for item in folder.parents):
        return ()
    for item in (folder, *folder.rglob("*")):
        os.chown(item, 65534, 65534, follow_symlinks=False)
    return NOBODY


@pytest.fixture
def checkout(project: Write) -> Path:
    """Return a project under version control whose tests need a file of the user."""
    root = project(MATRIX, {**DEMO, "tests/test_demo.py": TESTS, ".gitignore": IGNORED})
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "x")
    return root


@pytest.fixture
def away(tmp_path: Path) -> dict[str, str]:
    """Return the variables of the machine where cells are red."""
    (tmp_path / "away").mkdir()
    return {"HOME": str(tmp_path / "away"), "FLAG": "yes", "SECRET_TOKEN": "canary-4f1a9c77", "TZ": "Asia/Kolkata"}


def capsule_of(root: Path) -> Path:
    """Return the only capsule of the last run."""
    (found,) = (max((root / ".venvgrid" / "runs").iterdir()) / "capsules").iterdir()
    return found


def test_a_red_cell_of_a_shard_is_brought_home(
    venvgrid: Command, checkout: Path, away: dict[str, str], tmp_path: Path
) -> None:
    """Another folder, user and HOME with an empty cache: it is reproduced, fails in another way, passes."""
    plan, record = tmp_path / "plan.json", tmp_path / "shard-2.record"
    assert venvgrid("plan", "-q", "-o", str(plan), cwd=checkout).status == 0
    options = ("--plan", str(plan), "--shard", "2/4", "--record", str(record))
    assert venvgrid("run", "-q", *options, cwd=checkout, env=away).status == 1
    assert venvgrid("merge", str(record), "-o", "merged", cwd=tmp_path).status == 0
    (name,) = [item.name for item in (tmp_path / "merged/capsules").iterdir()]
    content = (tmp_path / "merged/capsules" / name).read_bytes()
    assert (len(content) < MAX_BYTES, b"canary" in content, b"FLAG" in content) == (True, False, True)
    assert json.loads(content)["order"]["seed"].isdecimal()
    assert json.loads(content)["plan"] == json.loads(plan.read_text(encoding="utf-8"))["digest"]

    home = tmp_path / "home"
    git(tmp_path, "clone", "-q", str(checkout), str(home / "clone"))
    shutil.rmtree(checkout)
    shutil.copy(record, home)
    before = as_nobody(home) or ("sh", "-c", 'umask 077; exec "$@"', "sh")
    env = {"HOME": str(home), "UV_CACHE_DIR": str(home / "uv"), "XDG_CACHE_HOME": str(home / "xdg")}

    def reproduce() -> rig.Ended:
        return rig.venvgrid(home / "clone", home / "cache", "reproduce", str(home / record.name), before=before, **env)

    first = reproduce()
    assert (first.status, "reproduced: 1 of 1 failure" in first.out) == (0, True), first.out + first.err
    assert "LookupError: there is no answer" in first.out
    assert "SECRET_TOKEN: set (its value is not told) there, not set here" in first.out
    assert "FLAG" not in first.out.partition("Without venvgrid")[0]  # its value was taken over, as the time zone
    assert "zone" not in first.out
    (home / "answer").write_text("41", encoding="utf-8")
    second = reproduce()
    assert (second.status, "another failure: 1 failed of 2 tests" in second.out) == (1, True), second.out + second.err
    (home / "answer").write_text("42", encoding="utf-8")
    third = reproduce()
    assert (third.status, f"{name.removesuffix('.capsule')}: passes here" in third.out) == (5, True), third.out
    assert git(home / "clone", "-c", "safe.directory=*", "status", "--porcelain") == ""
    assert list((home / "clone/.venvgrid").glob("runs/*")) == []


def test_another_commit_and_changes_are_tested_in_a_copy(
    venvgrid: Command, checkout: Path, away: dict[str, str], tmp_path: Path
) -> None:
    """The checkout stays as it is; a patch is applied if one asks for it, a commit that is not there is named."""
    module = checkout / "src/demo/__init__.py"
    module.write_text("ANSWER = 43\n", encoding="utf-8")
    assert venvgrid("run", "-q", "-k", "six==1.16 and env.MODE==a", cwd=checkout, env=away).status == 1
    left = str(shutil.copy(capsule_of(checkout), tmp_path / "x.capsule"))
    assert json.loads(Path(left).read_bytes())["sources"]["dirty"] is True
    git(checkout, "checkout", "-q", "--", "src")
    module.write_text("ANSWER = 0\n", encoding="utf-8")
    git(checkout, "commit", "-qam", "another")
    module.write_text("ANSWER = 1\n", encoding="utf-8")
    (tmp_path / "away/answer").write_text("42", encoding="utf-8")
    plain = venvgrid("reproduce", left, cwd=checkout, env=away)
    assert (plain.status, "passes here" in plain.out) == (5, True), plain.out + plain.err
    assert "src/demo/__init__.py" in plain.out
    assert "--patch applies" in plain.out
    patched = venvgrid("reproduce", left, "--patch", cwd=checkout, env=away)
    assert (patched.status, "reproduced: 1 of 2 failures" in patched.out) == (0, True), patched.out + patched.err
    assert module.read_text(encoding="utf-8") == "ANSWER = 1\n"
    assert git(checkout, "worktree", "list").count("\n") == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    git(elsewhere, "init", "-q")
    shutil.copy(checkout / "matrix.toml", elsewhere)
    git(elsewhere, "add", "-A")
    git(elsewhere, "commit", "-qm", "y")
    ended = venvgrid("reproduce", left, cwd=elsewhere, env=away)
    assert (ended.status, "git fetch origin" in ended.err) == (2, True), ended.err
    ended = venvgrid("reproduce", left, cwd=tmp_path, env=away)
    assert (ended.status, "in a clone of it" in ended.err) == (2, True), ended.err


def offline() -> tuple[str, ...]:
    return ("unshare", "-n") if rig.may_cut_off() else ()


def test_a_complete_capsule_needs_no_network_and_the_commands_no_venvgrid(
    venvgrid: Command, checkout: Path, away: dict[str, str], tmp_path: Path
) -> None:
    """`--with-wheels` works with empty caches and without a network; the commands are typed as they stand."""
    chosen = ("run", "-q", "-k", "six==1.16 and env.MODE==b")
    assert venvgrid(*chosen, "--with-wheels", cwd=checkout, env=away).status == 1
    whole = capsule_of(checkout)
    with zipfile.ZipFile(whole) as archive:
        made = capsule.parse(archive.read("capsule.json"), "x")
    small = tmp_path / "small.capsule"
    small.write_bytes(capsule.render(replace(made, plain=plain.commands(made))))  # as without --with-wheels
    env = {**away, "UV_CACHE_DIR": str(tmp_path / "uv"), "XDG_CACHE_HOME": str(tmp_path / "xdg")}
    options = ("reproduce", "--offline", str(whole))
    ended = rig.venvgrid(checkout, tmp_path / "empty", *options, before=offline(), **env)
    assert (ended.status, "reproduced: 1 of 1" in ended.out) == (0, True), ended.out + ended.err
    assert "-m zipfile -e" in ended.out.partition("Without venvgrid")[2]  # the capsule is an archive
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / f"python{HERE}").symlink_to(Path(sys.base_prefix, "bin", f"python{HERE}"))
    variables = {name: value for name, value in rig.environment(tmp_path, **away).items() if name != "VIRTUAL_ENV"}
    variables["PATH"] = f"{programs}:/usr/bin:/bin"
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(checkout), str(clone))
    shutil.copy(small, clone / whole.name)
    told = venvgrid("reproduce", "--commands", str(small), cwd=tmp_path)
    assert told.out.count("\n") == 3
    words = ["bash", "-c", f"set -e\n{told.out}"]
    typed = subprocess.run(words, cwd=clone, env=variables, capture_output=True, text=True, check=False)
    assert (typed.returncode, "there is no answer" in typed.stdout) == (1, True), typed.stdout + typed.stderr
    assert "1 failed" in typed.stdout


def test_a_capsule_that_means_harm_does_none(
    venvgrid: Command, checkout: Path, away: dict[str, str], tmp_path: Path
) -> None:
    """No command, option, variable, address or patch of a capsule is used that could do more than run the tests."""
    assert venvgrid("run", "-q", "-k", "six==1.15 and env.MODE==a", cwd=checkout, env=away).status == 1
    content: dict[str, Any] = json.loads(capsule_of(checkout).read_bytes())
    evil, precious = tmp_path / "evil", tmp_path / "precious"
    precious.mkdir()

    def reproduce(**changes: Any) -> rig.Ended:
        data = {name: value for name, value in {**content, **changes}.items() if name != "checksum"}
        file = tmp_path / "evil.capsule"
        file.write_text(json.dumps({**data, "checksum": digests.of_json(data)}), encoding="utf-8")
        return venvgrid("reproduce", str(file), cwd=checkout, env=away)

    touch = ["sh", "-c", f"touch {evil}"]
    patch = f"--- a/tests/test_demo.py\n+++ b/tests/test_demo.py\n@@ -1,1 +1,2 @@\n \n+open({str(evil)!r}, 'w')\n"
    ended = reproduce(
        command=touch,
        arguments=[f"--basetemp={precious}", "-p", "evil", "-c/dev/null", "-q"],
        passed={"FLAG": "no", "PATH": str(tmp_path), "LD_PRELOAD": "x.so", "PYTHONSTARTUP": str(evil), "LANG": "../x"},
        assigned={"PYTEST_ADDOPTS": f"--basetemp={precious}"},
        plain=[f"touch {evil}"],
        sources={**content["sources"], "patch": patch, "dirty": True},
    )
    assert (ended.status, "reproduced" in ended.out) == (0, True), ended.out + ended.err
    assert f"--basetemp={precious} -p evil -c/dev/null" in ended.out
    assert f"touch {evil}" not in ended.out
    assert (evil.exists(), precious.exists()) == (False, True)
    distributions = content["lock"]["distributions"]
    direct = {**distributions[0], "direct": "https://example.org/x-1-py3-none-any.whl"}
    ended = reproduce(lock={"distributions": [direct, *distributions[1:]]})
    assert (ended.status, "which the project does not name" in ended.err) == (2, True), ended.err
    other = [{**item, "version": "1.16.0"} if item["name"] == "six" else item for item in distributions]
    ended = reproduce(lock={"distributions": other})
    assert (ended.status, "the cell says six==1.15" in ended.err) == (2, True), ended.err
    line = {**distributions[0], "name": "x --index-url https://example.org"}
    ended = reproduce(lock={"distributions": [line]})
    assert (ended.status, "refused" in ended.err) == (2, True), ended.err
    ended = reproduce(axes={**content["axes"], "six": "1.16"})
    assert (ended.status, "has no cell" in ended.err) == (2, True), ended.err
