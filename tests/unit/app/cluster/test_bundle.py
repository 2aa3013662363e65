"""The bundle: another machine gets the project as tests see it here, and nothing that is nobody's business."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rig import committed, has

from venvgrid.app.cluster import bundle
from venvgrid.app.context import RunContext
from venvgrid.app.options import FrontEnd, RunOptions
from venvgrid.config import loading
from venvgrid.model import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Mapping

MATRIX = '[project]\ninstall = "none"\n[axes]\npython = ["3.12"]\n'


def context_of(root: Path, matrix: str = MATRIX, **options: object) -> RunContext:
    """Make the context of a run whose configuration lies in `root`."""
    (root / "matrix.toml").write_text(matrix, encoding="utf-8")
    config = loading.load(root / "matrix.toml", cwd=root)
    front = FrontEnd(environ={"PATH": os.environ["PATH"]}, notify=lambda _text: None)
    return RunContext(config=config, options=RunOptions(**options), front=front)  # type: ignore[arg-type]


def sent(context: RunContext, folder: Path) -> tuple[Path, bundle.Unpacked]:
    """Send a project: return the folder in which it arrives, and what it is for."""
    made = bundle.make(context, folder / "bundle.tar")
    there = folder / "thére"
    there.mkdir()
    return there, bundle.unpack(made.path, there)


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "project", {"a.py": "A\n", "tests/test_a.py": "def test(): pass\n"})


def names(there: Path) -> set[str]:
    return {path.relative_to(there).as_posix() for path in there.rglob("*") if not path.is_dir() or path.is_symlink()}


def test_files_arrive_with_their_modes_and_links(root: Path, tmp_path: Path) -> None:
    """Content, the x bit, links to files and folders, hard links, and an empty folder are as they are here."""
    (root / "tool.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    (root / "tool.sh").chmod(0o755)
    (root / "private").write_text("p", encoding="utf-8")
    (root / "private").chmod(0o600)
    (root / "link.py").symlink_to("a.py")
    (root / "folder").symlink_to("tests")
    (root / "nowhere").symlink_to("../not-there")
    os.link(root / "a.py", root / "hard.py")
    (root / "empty").mkdir()
    os.mkfifo(root / "pipe")
    there, _ = sent(context_of(root), tmp_path)
    files = ("a.py", "tests/test_a.py", "tool.sh", "private", "hard.py", "matrix.toml")
    assert names(there) == {*files, "link.py", "folder", "nowhere"}
    assert [(there / name).lstat().st_mode & 0o777 for name in ("tool.sh", "private")] == [0o755, 0o600]
    assert [str((there / name).readlink()) for name in ("link.py", "folder", "nowhere")] == [
        "a.py",
        "tests",
        "../not-there",
    ]
    assert (there / "hard.py").read_text(encoding="utf-8") == "A\n"
    assert (there / "empty").is_dir()


def test_names_that_are_no_text_arrive(root: Path, tmp_path: Path) -> None:
    """A file name that is not UTF-8, one with a line break, and a long one."""
    strange = [os.fsdecode(b"caf\xe9.txt"), "a\nb", "x" * 200 + "/" + "y" * 200]
    for name in strange:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"x")
    there, _ = sent(context_of(root), tmp_path)
    assert {*strange} <= names(there)


@pytest.mark.skipif(not has("git"), reason="needs git")
def test_what_git_ignores_stays_here(root: Path, tmp_path: Path) -> None:
    """Secrets in ignored files, and the history, do not travel; untracked files and changes do."""
    write(root, {".gitignore": ".env\n*.key\n", ".env": "SECRET", "a.key": "SECRET", "a.py": "A = 1\n"})
    committed(root)
    write(root, {"new.txt": "new", "a.py": "A = 2\n"})
    there, _ = sent(context_of(root), tmp_path)
    assert names(there) == {".gitignore", "a.py", "tests/test_a.py", "new.txt", "matrix.toml"}
    assert (there / "a.py").read_text(encoding="utf-8") == "A = 2\n"
    assert b"SECRET" not in (tmp_path / "bundle.tar").read_bytes()


@pytest.mark.skipif(not has("git"), reason="needs git")
def test_a_project_in_a_subfolder_has_its_repository(tmp_path: Path) -> None:
    """Of a monorepo all that tests may read arrives, and the configuration names the folders there."""
    top = write(tmp_path / "mono", {"shared/data.txt": "d", "packages/one/a.py": "A\n"})
    context = context_of(top / "packages/one")
    committed(top)
    there, unpacked = sent(context, tmp_path)
    assert names(there) == {"shared/data.txt", "packages/one/a.py", "packages/one/matrix.toml"}
    assert unpacked.config.project.path == there / "packages/one"
    assert unpacked.config.file == there / "packages/one/matrix.toml"


def test_a_configuration_beside_the_project(tmp_path: Path) -> None:
    """`project.path` may lead to a folder beside that of the configuration."""
    write(tmp_path / "project", {"a.py": "A\n", "tests/test_a.py": "def test(): pass\n"})
    ci = tmp_path / "ci"
    ci.mkdir()
    there, unpacked = sent(context_of(ci, MATRIX.replace("[project]", '[project]\npath = "../project"')), tmp_path)
    assert names(there) == {"project/a.py", "project/tests/test_a.py", "ci/matrix.toml"}
    assert (unpacked.config.project.path, unpacked.config.root) == (there / "project", there / "ci")


def test_a_project_that_is_reached_by_a_link(root: Path, tmp_path: Path) -> None:
    """The configuration there names nothing of here, whatever way led to it."""
    (tmp_path / "way").symlink_to(root)
    there, unpacked = sent(context_of(tmp_path / "way"), tmp_path)
    assert {"a.py", "tests/test_a.py", "matrix.toml"} <= names(there)
    assert unpacked.config.project.path == unpacked.config.root == there


def test_a_link_that_leads_to_the_whole_machine_takes_it_nowhere(root: Path, tmp_path: Path) -> None:
    """What is behind a link out of the project is not what another machine is to get; the link itself is."""
    up = "../" * len(root.parts)
    (root / "hosts").symlink_to(f"{up}etc/hosts")
    there, unpacked = sent(context_of(root), tmp_path)
    assert str((there / "hosts").readlink()) == f"{up}etc/hosts"
    assert unpacked.config.root == there


def test_the_options_of_the_run_arrive(root: Path, tmp_path: Path) -> None:
    """What changes a cell travels; where the run writes does not."""
    options = RunOptions(arguments=("-x", str(root / "tests")), tests=("a.py::test",), fresh=True, workers=7)
    context = context_of(root)
    there, unpacked = sent(RunContext(config=context.config, options=options, front=context.front), tmp_path)
    assert unpacked.options == RunOptions(arguments=("-x", str(there / "tests")), tests=("a.py::test",), fresh=True)


def test_a_file_that_cannot_be_read_is_named(root: Path, tmp_path: Path) -> None:
    """The run ends before anything is sent."""
    context = context_of(root)
    _ = context.project.inputs
    with pytest.raises(InfrastructureError, match=r"nowhere.*cannot be sent to other machines"):
        bundle.make(context, tmp_path / "nowhere" / "bundle.tar")


def _archive(folder: Path, *members: tarfile.TarInfo, manifest: object = None) -> Path:
    """Write a bundle with a good manifest and strange members."""
    made = folder / "evil.tar"
    with tarfile.open(made, "w") as archive:
        content = json.dumps(manifest if manifest is not None else {"config": {}, "options": {}}).encode()
        first = tarfile.TarInfo(bundle.MANIFEST)
        first.size = len(content)
        archive.addfile(first, io.BytesIO(content))
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return made


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, link, 1 if kind == tarfile.REGTYPE else 0
    return made


@pytest.mark.parametrize(
    "members",
    [
        [_member("files/../../evil")],
        [_member("files//tmp/evil-of-venvgrid")],
        [_member("files/out", tarfile.SYMTYPE, ".."), _member("files/out/evil")],
        [_member("files/out", tarfile.SYMTYPE, "/tmp"), _member("files/out/evil-of-venvgrid")],
        [_member("files/hard", tarfile.LNKTYPE, "../../victim"), _member("files/hard")],
    ],
    ids=["dots", "absolute", "link", "absolute link", "hard link"],
)
def test_nothing_is_written_outside_of_the_folder(tmp_path: Path, members: list[tarfile.TarInfo]) -> None:
    """A bundle that tries to leave its folder is refused, or what it writes stays in it."""
    (tmp_path / "victim").write_text("safe", encoding="utf-8")
    there = tmp_path / "a" / "there"
    there.mkdir(parents=True)
    with pytest.raises(InfrastructureError, match="cannot be used"):
        bundle.unpack(_archive(tmp_path, *members), there)
    assert (tmp_path / "victim").read_text(encoding="utf-8") == "safe"
    assert not list(tmp_path.glob("**/evil")) or list(there.rglob("evil")) == list(tmp_path.glob("**/evil"))
    assert not Path("/tmp/evil-of-venvgrid").exists()


@pytest.mark.parametrize("content", [b"", b"no archive", b"\0" * 1024])
def test_a_damaged_bundle_is_said(tmp_path: Path, content: bytes) -> None:
    """Whatever is wrong with it is one error with a reason."""
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(InfrastructureError, match="the bundle of the run cannot be used"):
        bundle.unpack(tmp_path / "x.tar", tmp_path)


@pytest.mark.parametrize("manifest", [[], {}, {"config": 1, "options": {}}, {"format": "venvgrid-bundle-2"}])
def test_a_bundle_of_another_kind_is_said(tmp_path: Path, manifest: object) -> None:
    """A manifest that this version does not know is one error with a reason."""
    with pytest.raises(InfrastructureError, match="the bundle of the run cannot be used"):
        bundle.unpack(_archive(tmp_path, manifest=manifest), tmp_path)
