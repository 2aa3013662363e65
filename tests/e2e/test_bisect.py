"""`venvgrid bisect` as a user types it: the releases of a private index and local wheels, and the project's commits."""

from __future__ import annotations

import hashlib
import json
import subprocess
from typing import TYPE_CHECKING

import pytest
import rig
import wheels
from conftest import declaring

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Command, Write

pytestmark = pytest.mark.e2e
MATRIX = f"""
[project]
install = "none"
[axes]
python = ["{rig.HERE}"]
[install]
requires = ["pytest", "venvgrid-toy"]
"""
TESTS = {
    "tests/test_toy.py": """
        import venvgrid_toy

        def test_value():
            assert venvgrid_toy.VALUE == 1

        def test_other():
            assert venvgrid_toy.VALUE
    """,
    "tests/test_demo.py": None,
}


def toy(version: str, value: int) -> bytes:
    return wheels.wheel("venvgrid_toy", version, {"venvgrid_toy.py": f"VALUE = {value}\n".encode()})


def index() -> wheels.Index:
    """Return an index with 12 releases: 2.1 breaks, 2.0 is for no Python, and 1.2 is yanked."""
    found = wheels.Index()
    attributes = {"2.0": 'data-requires-python="&lt;3"', "1.2": "data-yanked"}
    good = ("1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "2.0")
    for version in (*good, "2.1", "2.2", "2.3", "2.4", "3.0"):
        data = toy(version, 1 if version in good else 2)
        found.add("venvgrid_toy", version, data, attributes=attributes.get(version, ""))
    return found


def test_the_release_that_broke_a_cell(venvgrid: Command, project: Write, tmp_path: Path) -> None:
    """From a red run to the release: its good end is found, both sides are proven, and nothing enters the history.

    The second time nothing is run again. A local wheel is a release like others.
    """
    root = project(MATRIX, TESTS)
    with index().serving() as served:
        env = {"UV_INDEX": f"private={served.address}"}
        assert venvgrid("run", cwd=root, env=env).status == 1
        runs = sorted((root / ".venvgrid/runs").iterdir())
        ended = venvgrid("bisect", "venvgrid-toy", "--json", cwd=root, env=env)
        assert ended.status == 0, ended.out + ended.err
        found = json.loads(ended.out)
        assert (found["good"], found["bad"], found["skipped"]) == ("1.5", "2.1", ["2.0"])
        assert found["left_out"] == {"1.2": "yanked", "2.0": "needs Python <3"}
        assert found["tests"] == ["tests/test_toy.py::test_value"]
        assert {item["name"]: (item["verdict"], item["runs"]) for item in found["probes"]}["1.5"] == ("good", 3)
        assert sorted((root / ".venvgrid/runs").iterdir()) == runs

        again = json.loads(venvgrid("bisect", "venvgrid-toy", "--json", cwd=root, env=env).out)
        assert (again["runs"], again["probes"]) == (0, found["probes"])

        wheel = tmp_path / "nightly" / "venvgrid_toy-3.1.dev1-py3-none-any.whl"
        wheel.parent.mkdir()
        wheel.write_bytes(toy("3.1.dev1", 2))
        ended = venvgrid("bisect", "venvgrid-toy", "1.0", str(wheel), cwd=root, env=env)
        assert ended.status == 0, ended.out + ended.err
        assert ended.out.startswith(f"venvgrid-toy 2.1 broke py{rig.HERE}\n")
        assert "  good  1.5: passed in 3 of 3 runs\n  bad   2.1: failed in 3 of 3 runs\n" in ended.out


def git(root: Path, *words: str) -> str:
    argv = ["git", "-c", "user.name=n", "-c", "user.email=n@example.org", *words]
    return subprocess.run(argv, cwd=root, check=True, capture_output=True, text=True).stdout


def state(root: Path) -> list[tuple[str, str]]:
    """Return the digests of all files but those of venvgrid."""
    files = [path for path in root.rglob("*") if path.is_file() and ".venvgrid" not in path.parts]
    return sorted((str(path), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files)


@pytest.mark.skipif(not rig.has("git"), reason="needs git")
def test_the_commit_that_broke_a_cell(venvgrid: Command, project: Write, tmp_path: Path) -> None:
    """A test that is in no commit, run with each: the commit within a merge is found, and the checkout stays as it is.

    The commit changed a dependency, too: that is told, and acquitted, as the commit before it passes with the new
    release. Without that test nothing is red: status 5.
    """
    root = project(f'[axes]\npython = ["{rig.HERE}"]\n', {"pyproject.toml": declaring("venvgrid-toy<2")})
    folder = tmp_path / "wheels"
    folder.mkdir()
    for version in ("1.0", "2.0"):
        (folder / f"venvgrid_toy-{version}-py3-none-any.whl").write_bytes(toy(version, 1))
    module = root / "src/demo/__init__.py"
    git(root, "init", "-q", "-b", "main")

    def commit(subject: str, line: str) -> None:
        module.write_text(module.read_text() + line)
        if subject == "culprit":
            (root / "pyproject.toml").write_text(declaring("venvgrid-toy>=2"))
        git(root, "add", "-A", ":!.venvgrid")
        git(root, "commit", "-q", "-m", subject)

    commit("first", "")
    git(root, "checkout", "-q", "-b", "branch")
    for subject, line in (("fine", "# 1\n"), ("culprit", "OTHER = 2\n"), ("later", "# 2\n")):
        commit(subject, line)
    git(root, "checkout", "-q", "main")
    git(root, "merge", "-q", "--no-ff", "-m", "merged", "branch")
    commit("last", "# 3\n")
    (root / "tests/test_new.py").write_text("import demo\n\n\ndef test_new():\n    assert not hasattr(demo, 'OTHER')\n")
    before, temporary = state(root), tmp_path / "tmp"
    temporary.mkdir()
    env = {"TMPDIR": str(temporary), "UV_FIND_LINKS": str(folder)}
    ended = venvgrid(*("bisect", "--commits", "--tests-of", ".", "--json"), cwd=root, env=env)
    assert ended.status == 0, ended.out + ended.err
    found = json.loads(ended.out)
    titles = dict(line.split(" ", 1) for line in git(root, "log", "--all", "--format=%H %s").splitlines())
    assert (titles[found["good"]], titles[found["bad"]]) == ("fine", "culprit")
    assert found["tests"] == ["tests/test_new.py::test_new"]
    assert (found["company"], found["acquitted"]) == ({"venvgrid-toy": ["1.0", "2.0"]}, True)
    assert git(root, "status", "--porcelain") == "?? tests/test_new.py\n"
    assert state(root) == before
    assert list(temporary.iterdir()) == []
    ended = venvgrid("bisect", "--commits", "HEAD~1", cwd=root, env=env)
    assert ended.status == 5, ended.out + ended.err
    assert "nothing is red at the bad end" in ended.out
