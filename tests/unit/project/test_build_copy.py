"""The build copy: what is in it, and what its digest covers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from venvgrid.project import build_copy, build_scope
from venvgrid.project.build_copy import BuildSources


def write(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name, encoding="utf-8")
    return root


def copied(project: Path, place: Path) -> set[str]:
    target, _ = build_copy.scan(project, os.environ).copy(place)
    return {path.relative_to(target).as_posix() for path in target.rglob("*") if not path.is_dir()}


def digest(project: Path) -> str:
    return BuildSources(project, dict(os.environ)).digest


def git(root: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(("git", *who, *words), cwd=root, check=True, capture_output=True, text=True).stdout


def test_caches_and_environments_are_left_out_without_git(tmp_path: Path) -> None:
    """Bytecode, tagged caches, virtual environments and .venvgrid are no sources; folders with their names may be."""
    root = write(tmp_path / "p", "demo.py", "build/own.py", "node_modules/a.js", "__pycache__/x.pyc", ".venvgrid/x")
    write(root, ".venv/pyvenv.cfg", ".venv/bin/python", "data/pyvenv.cfg", "data/x", "env/x")
    (root / ".cache").mkdir()
    (root / ".cache/CACHEDIR.TAG").write_bytes(build_scope.CACHE_TAG)
    expected = {"demo.py", "build/own.py", "node_modules/a.js", "data/pyvenv.cfg", "data/x", "env/x"}
    assert copied(root, tmp_path / "copy") == expected


def test_what_git_ignores_is_left_out_unless_it_is_part_of_the_project(tmp_path: Path) -> None:
    """Ignored files of a package and those that the build names are kept; a tracked file is never left out."""
    root = write(
        tmp_path / "p", "demo/__init__.py", "env/tracked", "demo/made.gen", "top.gen", "out/x", "assets/dist/x"
    )
    (root / ".gitignore").write_text("*.gen\n*.js\n_version.py\n/env\n/out\n/build\n/gen\ndist\n", encoding="utf-8")
    (root / "MANIFEST.in").write_text(
        "graft assets/dist\nrecursive-include web *.js\ngraft gen\nprune build\n", encoding="utf-8"
    )
    write(
        root,
        "web/made.js",
        "web/a",
        "src/_version.py",
        "src/a",
        "assets/dist/x",
        "build/lib/gone.py",
        "new/__pycache__/x.pyc",
        "new/x.py",
    )
    write(root, "gen/x")
    git(root, "init", "-q")
    git(root, "add", "-f", "demo/__init__.py", "env/tracked")
    found = {name for name in copied(root, tmp_path / "copy") if not name.startswith(".git/")}
    expected = {"demo/__init__.py", "demo/made.gen", "env/tracked", "new/x.py", "assets/dist/x"}
    expected |= {"gen/x", "web/made.js", "web/a", "src/_version.py", "src/a"}
    assert found == {*expected, ".gitignore", "MANIFEST.in"}


def test_a_namespace_package_is_a_package(tmp_path: Path) -> None:
    """Without `__init__.py`: ignored files in it are kept, below src or where it is named; those elsewhere are not."""
    inside = (
        "src/space/data/a.gen",
        "src/space/b.gen",
        "src/space/core.py",
        "src/deep/part/__init__.py",
        "src/deep/c.gen",
    )
    root = write(tmp_path / "p", *inside, "demo/d.gen", "demo/core.py", "docs/conf.py", "docs/e.gen", "src/web/f.gen")
    write(root, "src/web/index.js", "src/g.gen", "src/top.py")
    (root / ".gitignore").write_text("*.gen\n/src/space/data\n", encoding="utf-8")
    (root / "pyproject.toml").write_text('[project]\nname = "demo"\nversion = "1"\n', encoding="utf-8")
    git(root, "init", "-q")
    left_out = {"docs/e.gen", "src/web/f.gen", "src/g.gen"}
    found = {name for name in copied(root, tmp_path / "copy") if name.endswith(".gen")}
    everything = {path.relative_to(root).as_posix() for path in root.rglob("*.gen")}
    assert everything - found == left_out


def test_git_says_the_same_in_the_copy(tmp_path: Path) -> None:
    """Tags, branch, a dirty file and a staged one; what is done in the copy does not reach the repository."""
    root = write(tmp_path / "p", "a", "b")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")
    git(root, "tag", "v1")
    write(root, "staged")
    git(root, "add", "-A")
    (root / "a").write_text("dirty", encoding="utf-8")
    target, _ = build_copy.scan(root, os.environ).copy(tmp_path / "copy")
    for words in (
        ["describe", "--tags", "--dirty"],
        ["status", "--porcelain"],
        ["branch", "-a"],
        ["log", "--format=%H"],
    ):
        assert git(target, *words) == git(root, *words)
    git(target, "commit", "-q", "-a", "-m", "in the copy")
    git(target, "tag", "v2")
    git(target, "gc", "-q")
    assert (git(root, "tag"), git(root, "log", "--format=%s")) == ("v1\n", "first\n")


def test_work_trees_and_submodules_keep_their_history(tmp_path: Path) -> None:
    """A work tree of a bare repository, a repository with a submodule, and the submodule itself."""
    part = write(tmp_path / "part", "x")
    whole = write(tmp_path / "whole", "a")
    for root in (part, whole):
        git(root, "init", "-q")
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", "first")
        git(root, "tag", f"v-{root.name}")
    git(whole, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(part), "sub")
    git(whole, "commit", "-q", "-m", "second")
    git(whole, "clone", "-q", "--bare", str(whole), str(tmp_path / "bare"))
    git(tmp_path / "bare", "worktree", "add", "-q", str(tmp_path / "tree"))
    write(whole / "sub", "dirty")
    for root in (whole, whole / "sub", tmp_path / "tree"):
        target, _ = build_copy.scan(root, os.environ).copy(tmp_path / f"copy-of-{root.name}")
        for words in ("describe --tags --always", "status --porcelain", "rev-parse --abbrev-ref HEAD"):
            assert git(target, *words.split()) == git(root, *words.split())
        assert os.path.realpath(git(target, "rev-parse", "--show-toplevel").strip()) == os.path.realpath(target)


def test_a_repository_that_only_surrounds_the_project_is_not_its_own(tmp_path: Path) -> None:
    """A home folder under version control is not copied for a project that is not in it."""
    write(tmp_path / "home", "secret", ".bashrc")
    git(tmp_path / "home", "init", "-q")
    git(tmp_path / "home", "add", ".bashrc")
    root = write(tmp_path / "home/work/p", "demo.py")
    assert build_copy.scan(root, os.environ).root == Path(os.path.realpath(root))


@pytest.mark.parametrize("change", ["content", "mode", "link", "name", "empty", "above", "target"])
def test_the_digest_covers_what_is_copied(tmp_path: Path, change: str) -> None:
    """Contents, modes, targets of links, names, empty folders, files above that the build names, files behind links."""
    root = write(tmp_path / "p", "demo.py", "other.py")
    (tmp_path / "VERSION").write_text("1", encoding="utf-8")
    (tmp_path / "data").write_text("1", encoding="utf-8")
    (root / "setup.py").write_text("open('../VERSION')\n", encoding="utf-8")
    (root / "link").symlink_to("demo.py")
    (root / "absolute").symlink_to(tmp_path / "data")
    before = digest(root)
    assert digest(root) == before
    match change:
        case "content":
            (root / "demo.py").write_text("2", encoding="utf-8")
        case "mode":
            (root / "demo.py").chmod(0o755)
        case "link":
            (root / "link").unlink()
            (root / "link").symlink_to("other.py")
        case "name":
            (root / "demo.py").rename(root / "demo2.py")
        case "empty":
            (root / "folder").mkdir()
        case "above":
            (tmp_path / "VERSION").write_text("2", encoding="utf-8")
        case _:
            (tmp_path / "data").write_text("2", encoding="utf-8")
    assert digest(root) != before


def test_the_digest_is_that_of_the_copy(tmp_path: Path) -> None:
    """Sources that change between the scan and the copy: the digest is that of what was copied, for all builds."""
    root = write(tmp_path / "p", "demo.py")
    sources = BuildSources(root, dict(os.environ))
    first = sources.digest
    (root / "demo.py").write_text("changed", encoding="utf-8")
    project, copy = sources.materialise(tmp_path / "one")
    assert copy == sources.digest == digest(root) != first
    (project / "demo.py").write_text("by a build", encoding="utf-8")
    (root / "demo.py").write_text("later", encoding="utf-8")
    again, same = sources.materialise(tmp_path / "two")
    assert (same, (again / "demo.py").read_text(encoding="utf-8")) == (copy, "changed")


def test_links_of_the_copy_stay_in_it(tmp_path: Path) -> None:
    """An absolute link into the project leads into the copy; a relative one that leads out takes its target along."""
    root = write(tmp_path / "p/one", "demo.py")
    write(tmp_path / "p", "README.md", "shared/x.py")
    (root / "inside").symlink_to(root / "demo.py")
    (root / "README.md").symlink_to("../README.md")
    (root / "shared").symlink_to("../shared")
    (root / "gone").symlink_to("../nowhere")
    (root / "up").symlink_to("..")
    project, _ = build_copy.scan(root, os.environ).copy(tmp_path / "copy")
    place = os.path.realpath(tmp_path / "copy")
    for name in ("inside", "README.md", "shared/x.py"):
        assert (project / name).is_file()
        assert os.path.realpath(project / name).startswith(place)
    assert not (project / "gone").exists()
