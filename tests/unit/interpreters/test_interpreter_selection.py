"""From specs to interpreters or reasons, and the listing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from fake_pythons import FakeRun, add, interpreter

from venvgrid.interpreters.candidates import Rejected
from venvgrid.interpreters.discovery import Found, Place, find_one
from venvgrid.interpreters.selection import Missing, resolve_specs
from venvgrid.reporters.terminal.python_table import python_json, python_lines

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.model import Interpreter

posix = pytest.mark.skipif(os.name == "nt", reason="the paths in messages are written as on POSIX")
FOUND = Found(
    interpreters=(
        interpreter("3.12.1"),
        interpreter("2.7.18"),
        interpreter("3.13.0", free_threaded=True, source="uv"),
        interpreter("3.11.2", source="PATH"),
        interpreter("3.10.14", implementation="pypy", source="PATH"),
    ),
    places=(
        Place(source="pyenv", folder="/home/x/.pyenv/versions", versions=("3.12.1", "2.7.18")),
        Place(source="uv", folder="/home/x/.local/share/uv/python", versions=("3.13.0",)),
        Place(source="conda", folder="/home/x/miniconda3", exists=False),
        Place(source="Homebrew", folder="/opt/homebrew/opt"),
        Place(source="PATH", folder="/usr/bin", versions=("3.11.2", "3.10.14")),
        Place(source="PATH", folder="/x/shims", rejected=(Rejected(path="/x/shims", reason="shims of pyenv"),)),
        Place(source="the Python that runs venvgrid", folder="/usr/bin", duplicates=1),
    ),
)
EVERYWHERE = (
    "looked in pyenv (2 found: 2.7.18, 3.12.1), uv (1 found: 3.13.0t), Homebrew (none), "
    "PATH (2 found: pypy3.10.14, 3.11.2)"
)


def no_path(path: Path) -> Rejected:
    """Answer for specs that are paths, where none is."""
    raise AssertionError(path)


def reason(spec: str, found: Found = FOUND, *, has_uv: bool = True) -> str:
    """Give the reason why a spec has no interpreter."""
    answer = resolve_specs([spec], found, ask=no_path, has_uv=has_uv)[spec]
    assert isinstance(answer, Missing)
    assert spec == answer.spec
    return answer.reason


def test_every_spec_has_its_answer_under_its_text() -> None:
    """Equal specs are resolved once, in order; what cannot be read is a reason, not an exception."""
    answers = resolve_specs(["3.12", "2.7", "3.12", "jython"], FOUND, ask=no_path)
    assert list(answers) == ["3.12", "2.7", "jython"]
    assert FOUND.interpreters[:2] == (answers["3.12"], answers["2.7"])
    assert isinstance(answers["jython"], Missing)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("3.14", "; install one with `pyenv install 3.14` or `uv python install 3.14` or `brew install python@3.14`"),
        ("3.7", "; install one with `pyenv install 3.7`"),
        (
            "3.13",
            (
                "; there is 3.13.0t (write '3.13t' for it); install one with `pyenv install 3.13` or "
                "`uv python install 3.13` or `brew install python@3.13`"
            ),
        ),
        (
            "3.12.4",
            (
                "; there is 3.12.1 (write '3.12' for it); install one with `pyenv install 3.12.4` or "
                "`uv python install 3.12.4`"
            ),
        ),
        (
            "pypy3.10.1",
            (
                "; there is pypy3.10.14 (write 'pypy3.10' for it); install one with `pyenv install pypy3.10.1` or "
                "`uv python install pypy3.10.1`"
            ),
        ),
        (
            "3.12t",
            "; there is 3.12.1 (write '3.12' for it); install one with `pyenv install 3.12t`",
        ),
        (
            ">=3.14",
            "; install one with `pyenv install 3.14` or `uv python install '>=3.14'` or `brew install python@3.14`",
        ),
        ("graalpy3.11", "; install one with `uv python install graalpy3.11`"),
        (
            "3.13d",
            (
                "; there is 3.13.0t (write '3.13t' for it); install one with pyenv or your system's packages, "
                "or give the path of one"
            ),
        ),
    ],
)
def test_a_missing_interpreter_says_where_was_looked_and_what_to_type(spec: str, expected: str) -> None:
    """Only what can work is advised: uv has nothing below 3.8, pyenv needs to be there."""
    text = reason(spec)
    assert expected == text[text.index(EVERYWHERE) + len(EVERYWHERE) :]
    assert text.startswith("no ")


def test_without_tools_the_advice_names_them() -> None:
    """A machine with nothing gets a general answer."""
    expected = (
        "no CPython 3.12 on this machine; none of the known places exists; "
        "install one with pyenv, uv or your system's packages, or give the path of one"
    )
    assert expected == reason("3.12", Found(), has_uv=False)


@posix
def test_a_path_is_asked(tmp_path: Path) -> None:
    """A file, or the folder of an environment or installation; relative to the root."""
    executable = add(tmp_path / "inst" / "bin" / "python3.12")
    windows = add(tmp_path / "win" / "python.exe", "3.11.1")

    def ask(path: Path) -> Interpreter | Rejected:
        return find_one(path, run=FakeRun(), cache=None, environ={})

    specs = ["./inst", "./inst/bin/python3.12", str(tmp_path / "win")]
    answers = resolve_specs(specs, Found(), ask=ask, root=tmp_path)
    expected = [str(executable), str(executable), str(windows)]
    assert expected == [item.executable for item in answers.values() if not isinstance(item, Missing)]


@posix
def test_a_path_that_leads_to_no_python_says_so(tmp_path: Path) -> None:
    """Missing file, folder without a Python, a program that is none."""
    (tmp_path / "empty").mkdir()
    broken = add(tmp_path / "broken" / "python", exit_code=3, stderr="boom")

    def ask(path: Path) -> Interpreter | Rejected:
        return find_one(path, run=FakeRun(), cache=None, environ={})

    answers = resolve_specs(["./gone", "./empty", "./broken"], Found(), ask=ask, root=tmp_path)
    expected = [
        f"{tmp_path}/gone is not there; `venvgrid python` lists the Pythons of this machine",
        f"no Python in the folder {tmp_path}/empty: looked for bin/python there",
        f"{broken} is no usable Python: exit status 3: boom",
    ]
    assert expected == [item.reason for item in answers.values() if isinstance(item, Missing)]


def test_the_listing_as_text() -> None:
    """Interpreters by implementation and version, then the places with what was passed over, then what is not there."""
    expected = [
        "2.7.18   CPython                pyenv  /pythons/2.7.18/bin/python",
        "3.11.2   CPython                PATH   /pythons/3.11.2/bin/python",
        "3.12.1   CPython                pyenv  /pythons/3.12.1/bin/python",
        "3.13.0   CPython free-threaded  uv     /pythons/3.13.0/bin/python",
        "3.10.14  PyPy                   PATH   /pythons/3.10.14/bin/python",
        "",
        "Looked in:",
        "  pyenv: /home/x/.pyenv/versions (2 found)",
        "  uv: /home/x/.local/share/uv/python (1 found)",
        "  Homebrew: /opt/homebrew/opt (nothing found)",
        "  PATH: /usr/bin (2 found)",
        "  PATH: /x/shims (nothing found)",
        "    passed over /x/shims: shims of pyenv",
        "  the Python that runs venvgrid: /usr/bin (nothing new, 1 already known)",
        "Not there:",
        "  /home/x/miniconda3",
    ]
    assert expected == python_lines(FOUND)


def test_an_empty_listing_says_so() -> None:
    """No table without rows."""
    assert python_lines(Found()) == ["No Python was found.", "", "Looked in:"]


def test_the_listing_as_data() -> None:
    """The format is named; interpreters and places say all that is known of them."""
    data = python_json(FOUND)
    assert data["format"] == "venvgrid-python-1"
    assert [item["version"] for item in data["interpreters"]] == ["2.7.18", "3.11.2", "3.12.1", "3.13.0", "3.10.14"]
    assert data["interpreters"][0]["markers"] == {"sys_platform": "linux"}
    assert data["places"][5] == {
        "source": "PATH",
        "folder": "/x/shims",
        "there": True,
        "found": 0,
        "versions": [],
        "again": 0,
        "passed_over": [{"path": "/x/shims", "reason": "shims of pyenv"}],
    }
