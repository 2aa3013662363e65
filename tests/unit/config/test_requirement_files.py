"""`-r FILE`, `-c FILE` and folders among the requirements of [install]."""
# ruff: noqa: SIM300 - expected == actual

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.config import loading, requirement_files
from venvgrid.model import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.model import Config


def config(root: Path, install: str) -> Config:
    """Read the configuration with an [install]."""
    return loading.parse(f"[install]\n{install}\n", file=root / "matrix.toml", running="3.11")


def write(root: Path, **files: str) -> None:
    """Write files; "__" in a name is a slash, and they end in .txt."""
    for name, text in files.items():
        path = root / f"{name.replace('__', '/')}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_a_file_stands_for_its_lines(tmp_path: Path) -> None:
    """Comments, continued lines and hashes are left out; files that it names are read beside it; -c constrains."""
    write(
        tmp_path,
        req__tests="# all\npytest>=8  # with a plugin\nidna==3.7 \\\n    --hash=sha256:1 \\\n    --hash=sha256:2\n"
        "-r more.txt\n-e .\n",
        req__more="attrs; python_version < '3.9'\n--constraint=../limits.txt\n-rlast.txt\n",
        req__last="wheel",
        limits="numpy<2\n",
    )
    read = config(tmp_path, 'requires = ["-r req/tests.txt", "pip"]\nconstraints = ["six<2", "-c limits.txt"]').install
    assert ("pytest>=8", "idna==3.7", "attrs; python_version < '3.9'", "wheel", "pip") == read.requires
    assert ("numpy<2", "six<2") == read.constraints


def test_a_file_may_list_the_project_with_its_extras(tmp_path: Path) -> None:
    """`-e .[dev]` in a file is the project under test, if [project] has these extras; the message names all."""
    write(tmp_path, a="-e .[Dev,tty]\npytest\n")
    text = '[project]\nextras = ["tty"{more}]\n[install]\nrequires = ["-r a.txt"]\n'
    read = loading.parse(text.format(more=', "dev"'), file=tmp_path / "matrix.toml")
    assert ("pytest",) == read.install.requires
    with pytest.raises(ConfigError, match=r'write extras = \["tty", "dev"\] in \[project\]'):
        loading.parse(text.format(more=""), file=tmp_path / "matrix.toml")


def test_the_project_may_be_listed_by_name_and_folder(tmp_path: Path) -> None:
    """`NAME @ file:.` is the project under test too, in a file (`uv pip compile` writes it) and alone."""
    write(tmp_path, a="mine @ file:.\npytest\n")
    assert ("pytest",) == config(tmp_path, 'requires = ["-r a.txt"]').install.requires
    assert ("idna",) == config(tmp_path, 'requires = ["mine @ file:./", "idna"]').install.requires
    (tmp_path / "sub").mkdir()
    other = config(tmp_path, 'requires = ["mine @ file:./sub"]').install.requires
    assert ["mine @ file:./sub"] == [item.replace("file:sub", "file:./sub") for item in other]
    with pytest.raises(ConfigError, match="is the project itself"):
        config(tmp_path, 'requires = ["mine[dev] @ file:."]')


def test_a_file_may_ask_for_pre_releases(tmp_path: Path) -> None:
    """`--pre` in a file is install.pre-releases, also in a file that it names; the key itself is stronger."""
    write(tmp_path, a="-r b.txt\n", b="--pre\npytest\n")
    assert config(tmp_path, 'requires = ["-r a.txt"]').install.pre_releases
    assert not config(tmp_path, 'requires = ["-r a.txt"]\npre-releases = false').install.pre_releases
    assert not config(tmp_path, 'requires = ["pytest"]').install.pre_releases


def test_a_changed_file_is_another_configuration(tmp_path: Path) -> None:
    """The digest, which results and locks are found by, follows the contents and not the name."""
    write(tmp_path, a="pytest\n", b="pytest # same\n")
    one, same = (config(tmp_path, f'requires = ["-r {name}.txt"]').digest for name in "ab")
    write(tmp_path, a="pytest<9\n")
    assert one == same
    assert config(tmp_path, 'requires = ["-r a.txt"]').digest != one


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--index-url https://h\n", "t.txt, line 1: '--index-url https://h' is an option of an installer"),
        ("a\n-r t.txt\n", "files that name each other"),
        ("a\n\n-r gone.txt\n", "t.txt, line 3: there is no file 'gone.txt'"),
        ("a b c\n", "t.txt, line 1: 'a b c' is no valid requirement"),
        ("-e .[dev]\n", "'.[dev]' is the project itself: write extras = [\"dev\"] in [project]"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, text: str, message: str) -> None:
    """Nothing of a file is left out silently."""
    write(tmp_path, t=text)
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, 'requires = ["-r t.txt"]')
    assert message in str(caught.value)


def test_a_folder_stands_for_the_project_in_it(tmp_path: Path) -> None:
    """Its name is that of its own declaration; the path is relative to the configuration."""
    for name, file, text in (
        ("b", "pyproject.toml", '[project]\nname = "Bee"'),
        ("c", "setup.cfg", "[metadata]\nname = cee"),
    ):
        (tmp_path / "packages" / name).mkdir(parents=True)
        (tmp_path / "packages" / name / file).write_text(text, encoding="utf-8")
    write(tmp_path, req__t="-e ../packages/c[x]\n")
    read = config(tmp_path, 'requires = ["./packages/b", "-r req/t.txt"]').install.requires
    assert ("Bee @ file:./packages/b", "cee[x] @ file:./packages/c") == read


@given(
    st.lists(st.sampled_from(["a", "b>=1", "c==2 --hash=sha256:0", "d ; python_version<'4'"]), max_size=8), st.data()
)
def test_no_line_is_lost(lines: list[str], data: st.DataObject) -> None:
    """However a file is laid out, each requirement comes out once, in order."""
    text = ""
    for line in lines:
        text += data.draw(st.sampled_from(["", "\n", "# x\n", "  # y \\\n"]))
        text += line.replace(" ", data.draw(st.sampled_from([" ", " \\\n  "])))
        text += data.draw(st.sampled_from(["\n", "  # z\n", "\r\n"]))
    found = ["".join(line.split()) for _, line in requirement_files.lines_of(text)]
    assert ["".join(line.partition(" --hash")[0].split()) for line in lines] == found
