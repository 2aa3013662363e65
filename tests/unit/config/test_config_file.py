"""The configuration: where it is found, which files are refused, and what its digest depends on."""

# ruff: noqa: SIM300 - expected == actual; helpers are named by what they give
from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.config import config_file, loading
from venvgrid.config.config_file import Source
from venvgrid.model import ConfigError

if TYPE_CHECKING:
    import random

    from venvgrid.model import Config

FILE = Path(__file__).resolve().parent / "matrix.toml"


def read(text: str, running: str = "3.11") -> Config:
    return loading.parse(text, file=FILE, running=running)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_load_prefers_matrix_toml(tmp_path: Path) -> None:
    """matrix.toml comes before pyproject.toml, and the file that -c gives before both."""
    write(tmp_path / "matrix.toml", '[axes]\nx = "1"')
    write(tmp_path / "pyproject.toml", '[tool.venvgrid.axes]\ny = "1"')
    write(tmp_path / "other" / "z.toml", '[axes]\nz = "1"')
    assert "x" == loading.load(None, cwd=tmp_path).axes[1].name
    assert "y" == loading.load(Path("pyproject.toml"), cwd=tmp_path).axes[1].name
    other = loading.load(Path("other/z.toml"), cwd=tmp_path)
    assert ("z", tmp_path / "other") == (other.axes[1].name, other.root)


def test_load_looks_above(tmp_path: Path) -> None:
    """In a checkout: up to the folder with .git. Without one: as far up as the folders are the user's alone."""
    write(tmp_path / "matrix.toml", '[axes]\nabove = "1"')
    inner = tmp_path / "checkout" / "src" / "deep"
    inner.mkdir(parents=True)
    assert "above" == loading.load(None, cwd=inner).axes[1].name
    (tmp_path / "checkout" / ".git").mkdir()
    with pytest.raises(ConfigError) as caught:
        loading.load(None, cwd=inner)
    assert f"in {inner} or in a folder above it, up to {tmp_path / 'checkout'}." in str(caught.value)
    write(tmp_path / "checkout" / "pyproject.toml", '[tool.venvgrid.axes]\nfound = "1"')
    assert "found" == loading.load(None, cwd=inner).axes[1].name


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
def test_load_trusts_no_folder_that_others_can_write_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration names commands: one in a shared folder or in the home is only used from that very folder."""
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    write(tmp_path / "a" / "matrix.toml", '[axes]\nx = "1"')
    assert config_file.find(None, cwd=inner).table
    (tmp_path / "a").chmod(0o777)
    with pytest.raises(ConfigError):
        config_file.find(None, cwd=inner)
    assert config_file.find(None, cwd=tmp_path / "a").table
    (tmp_path / "a").chmod(0o700)
    monkeypatch.setenv("HOME", str(tmp_path / "a"))
    with pytest.raises(ConfigError):
        config_file.find(None, cwd=inner)


def test_the_choice_of_a_file_is_told(tmp_path: Path) -> None:
    """A file above, and a second configuration beside it, are notes; the usual case has none."""
    write(tmp_path / "matrix.toml", "[axes]")
    assert () == config_file.find(None, cwd=tmp_path).notes
    pyproject = write(tmp_path / "pyproject.toml", "[project]\nname = 'x'")
    assert () == config_file.find(None, cwd=tmp_path).notes
    write(pyproject, "[tool.venvgrid.axes]")
    (tmp_path / "src").mkdir()
    above, two = config_file.find(None, cwd=tmp_path / "src").notes
    assert f"the configuration is {tmp_path / 'matrix.toml'}" == above
    assert f"{tmp_path} has two configurations: matrix.toml is used, [tool.venvgrid] of pyproject.toml is not" in two
    assert () == config_file.find(pyproject, cwd=tmp_path).notes
    write(pyproject, "not TOML")
    assert () == config_file.find(None, cwd=tmp_path).notes


def test_load_says_where_it_looked(tmp_path: Path) -> None:
    """Without a configuration the error lists the folders and the command that makes one."""
    write(tmp_path / "pyproject.toml", "[project]\nname = 'x'")
    (tmp_path / ".git").mkdir()
    with pytest.raises(ConfigError) as caught:
        loading.load(None, cwd=tmp_path)
    assert (
        f"no configuration found: neither matrix.toml nor [tool.venvgrid] of pyproject.toml is in {tmp_path} "
        f"({tmp_path / 'pyproject.toml'} has no [tool.venvgrid]). Type `venvgrid init` to write a first matrix.toml"
    ) == str(caught.value)


def test_mistakes_in_pyproject_have_the_whole_key_path(tmp_path: Path) -> None:
    """In pyproject.toml the key path begins with tool.venvgrid."""
    write(tmp_path / "pyproject.toml", "[tool.venvgrid.test]\ntimout = 1")
    with pytest.raises(ConfigError) as caught:
        loading.load(None, cwd=tmp_path)
    assert str(caught.value).startswith(
        "pyproject.toml: tool.venvgrid.test.timout: unknown key; did you mean 'timeout'?"
    )


def test_a_pyproject_without_our_table(tmp_path: Path) -> None:
    """A pyproject.toml that -c gives must hold [tool.venvgrid], as a table."""
    path = write(tmp_path / "pyproject.toml", "[tool]\nvenvgrid = 1")
    with pytest.raises(
        ConfigError, match=r"^pyproject\.toml: tool\.venvgrid: expected a table, \[tool\.venvgrid\], got the"
    ):
        loading.load(path, cwd=tmp_path)
    write(path, "tool = 1")
    with pytest.raises(ConfigError, match=r"has no \[tool\.venvgrid\]\. Type `venvgrid init`"):
        loading.load(path, cwd=tmp_path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"x" * 1_000_001, "is larger than 1,000,000 bytes: this is no configuration"),
        (b"\n# caf\xe9", "line 2 is not UTF-8; save the file as UTF-8"),
        ("[axes]".encode("utf-16"), "line 1 is not UTF-8; save the file as UTF-8"),
    ],
)
def test_files_that_cannot_be_a_configuration(tmp_path: Path, content: bytes, problem: str) -> None:
    """A file that is too large or not UTF-8 is a ConfigError that says so."""
    path = tmp_path / "matrix.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        loading.load(None, cwd=tmp_path)
    assert f"{path}: {problem}" == str(caught.value)


def test_what_is_no_file(tmp_path: Path) -> None:
    """A folder, a missing file, and a name that no file can have are ConfigErrors."""
    with pytest.raises(ConfigError, match="is a folder; give the file"):
        loading.load(Path(), cwd=tmp_path)
    with pytest.raises(ConfigError, match="no such file"):
        loading.load(Path("nope.toml"), cwd=tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        loading.load(Path("a\0b"), cwd=tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A named pipe is refused instead of being read for ever."""
    os.mkfifo(tmp_path / "matrix.toml")
    with pytest.raises(ConfigError, match="is no regular file"):
        loading.load(None, cwd=tmp_path)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    (tmp_path / "matrix.toml").write_bytes(b"\xef\xbb\xbf[axes]\nx = '1'")
    assert "x" == loading.load(None, cwd=tmp_path).axes[1].name


def test_a_project_folder_may_have_any_name(tmp_path: Path) -> None:
    """Spaces, quotes and letters beyond ASCII are fine in project.path."""
    folder = tmp_path / "a 'b' é"
    folder.mkdir()
    write(tmp_path / "matrix.toml", """[project]\npath = "a 'b' é/" """)
    assert folder == loading.load(None, cwd=tmp_path).project.path


def test_the_digest_does_not_depend_on_the_folder(tmp_path: Path) -> None:
    """Equal configurations in two checkouts have one digest, also with paths in them."""
    text = '[project]\npath = "sub/.."\n[axes]\npython = ["./py/bin/python"]\n[[exclude]]\npython = "./py/bin/python"'
    digests = set()
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        digests.add(loading.load(write(tmp_path / name / "matrix.toml", text), cwd=tmp_path).digest)
    assert 1 == len(digests)


@pytest.mark.parametrize(
    "other",
    [
        '[axes]\nnumpy = ["1"]',
        '[axes]\nnumpy = ["1", "2"]\n[test]\ntimeout = 1',
        '[axes]\nnumpy = ["1", "2"]\n[test]\ncommand = ["pytest", "-x"]',
        '[axes]\nnumpy = ["1", "2"]\n[[exclude]]\nnumpy = "1"',
        '[axes]\nnumpy = ["1", "2"]\n[[include]]\nnumpy = "1"',
    ],
)
def test_the_digest_depends_on_the_meaning(other: str) -> None:
    """Another value is another digest."""
    assert read(other).digest != read('[axes]\nnumpy = ["1", "2"]').digest


def test_defaults_written_out_have_the_digest_of_none() -> None:
    """Writing a default out changes nothing."""
    text = '[project]\npath = "."\n[install]\nrequires = ["pytest"]\nonly-binary = true\n[test]\ntimeout = "1h"'
    assert read("").digest == read(text).digest


VALID = {
    "project": {"path": ".", "install": "none", "extras": ["a", "b"]},
    "axes": {
        "python": ["3.9", "3.10"],
        "numpy": ["1", ">=2,<3"],
        "pandas": ["2"],
        "env": {"A": ["1"], "B": ["x", ""]},
        "as-of": ["release", dt.date(2023, 1, 1)],
    },
    "exclude": [{"python": "3.9", "numpy": "1"}],
    "include": [{"allow-failure": True, "python": "3.14", "numpy": ["1"]}],
    "test": {"timeout": "10m", "retries": 2, "env": {"X": "1", "Y": "2"}},
    "install": {"requires": ["pytest", "x>1"], "only-binary": False},
}


def reordered(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        chance.shuffle(keys)
        return {key: reordered(value[key], chance) for key in keys}
    return [reordered(item, chance) for item in value] if isinstance(value, list) else value


def toml(value: Any) -> str:
    """Write a value as inline TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return value.isoformat() if isinstance(value, dt.date) else json.dumps(value)


@given(st.randoms(use_true_random=False))
def test_the_order_of_keys_means_nothing(chance: random.Random) -> None:
    """Any order of the keys, written as TOML and read back, has the same digest."""
    text = "\n".join(f"{key} = {toml(value)}" for key, value in reordered(VALID, chance).items())
    assert loading.build(Source(table=VALID, file=FILE), running="3.11").digest == read(text).digest


def test_skipping_missing_interpreters_is_no_change_of_the_grid() -> None:
    """The key is read, must be true or false, and leaves the digest as it is: no cell runs again for it."""
    plain = read('[axes]\npython = ["3.11"]')
    skipping = read('[axes]\npython = ["3.11"]\n[plan]\nskip-missing-interpreters = true')
    assert (False, True) == (plain.planning.skip_missing, skipping.planning.skip_missing)
    assert plain.digest == skipping.digest
    with pytest.raises(ConfigError, match=r"plan\.skip-missing-interpreters: expected true or false"):
        read('[plan]\nskip-missing-interpreters = "yes"')
