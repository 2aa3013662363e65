"""Wheels, source distributions, configurations and outputs that mean harm: nothing of it is executed or gets out."""

# ruff: noqa: E501 - payloads on a line

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
import rig
import wheels

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.usefixtures("toy_caches"),
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX paths"),
]
MATRIX, TEST = rig.TOY_MATRIX, rig.TOY_TEST
OTHER = f"py{rig.HERE}-toy-absent"
UP = "../" * 12


def listing(folder: Path, but: tuple[str, ...]) -> set[str]:
    """Return the paths below a folder, without folders named in `but`."""
    found = set()
    for place, folders, files in os.walk(folder):
        folders[:] = [item for item in folders if item not in but]
        found |= {f"{place}/{item}" for item in (*folders, *files)}
    return found


def outcome_of(tmp_path: Path, kind: str, data: bytes) -> tuple[rig.Ended, dict[str, str]]:
    """Run with a distribution of ours; it ends, and nothing outside of environments and caches may change."""
    index = wheels.Index()
    index.add("toy", "1.0", data, kind)
    root = rig.project(tmp_path / "project", MATRIX, TEST)
    (tmp_path / "victim").write_text("mine", encoding="utf-8")
    before = listing(tmp_path, (".venvgrid", "cache", "uv", "__pycache__"))
    with index.serving():
        env = {"UV_INDEX": f"private={index.address}", "UV_CACHE_DIR": str(tmp_path / "uv")}
        ended = rig.venvgrid(root, tmp_path / "cache", "run", **env)
    assert before == listing(tmp_path, (".venvgrid", "cache", "uv", "__pycache__"))
    assert (tmp_path / "victim").read_text(encoding="utf-8") == "mine"
    assert "Traceback" not in ended.err
    outcomes = rig.outcomes(root)
    assert outcomes[OTHER] == "passed", ended.out
    return ended, outcomes


def script(text: str) -> dict[str, bytes]:
    return {**wheels.GOOD, "toy-1.0.dist-info/entry_points.txt": f"[console_scripts]\n{text} = toy:VALUE\n".encode()}


@pytest.mark.parametrize(
    "members",
    [
        {**wheels.GOOD, f"{UP}tmp/pwned-by-a-wheel": b"x"},
        {**wheels.GOOD, "/tmp/pwned-by-a-wheel": b"x"},
        {**wheels.GOOD, "..\\..\\pwned": b"x"},
        {**wheels.GOOD, "C:\\pwned": b"x"},
        {**wheels.GOOD, f"toy-1.0.data/data/{UP}tmp/pwned-by-a-wheel": b"x"},
        {**wheels.GOOD, f"toy-1.0.data/scripts/{UP}tmp/pwned-by-a-wheel": b"#!python\n"},
        script(f"{UP}tmp/pwned-by-a-wheel"),
        script("a; touch pwned"),
    ],
    ids=["up", "absolute", "backslash", "drive", "data", "scripts", "entry point", "entry point with a shell's words"],
)
def test_wheels_whose_members_lead_out(tmp_path: Path, members: Mapping[str, bytes]) -> None:
    """Refused or dropped by the installer; written nowhere."""
    outcome_of(tmp_path, "wheel", wheels.wheel("toy", "1.0", members))
    assert not os.path.lexists("/tmp/pwned-by-a-wheel")


@pytest.mark.parametrize(
    "record",
    [
        {"toy.py": "sha256=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA,9"},
        {"toy.py": ""},
        {"../../../../../../victim": "sha256=AAAA,4"},
        {"missing.py": "sha256=AAAA,4"},
        {"./": ","},
    ],
    ids=["hash", "not listed", "victim", "missing", "all of it"],
)
def test_a_wrong_record_changes_nothing_elsewhere(tmp_path: Path, record: Mapping[str, str]) -> None:
    """What is not what RECORD says is never shared with another environment; a second run deletes nothing of others."""
    data = wheels.wheel("toy", "1.0", record=record)
    _, outcomes = outcome_of(tmp_path, "wheel", data)
    assert outcomes[f"py{rig.HERE}-toy1.0"] in {"passed", "build-failed"}
    if record.get("toy.py"):  # what is missing or leads out, uv leaves out of the RECORD that it writes
        assert list((tmp_path / "cache" / "trees").glob("*/toy-*")) == []
    again = rig.venvgrid(
        tmp_path / "project", tmp_path / "cache", "run", "--fresh", "--offline", UV_CACHE_DIR=str(tmp_path / "uv")
    )
    assert "Traceback" not in again.err
    assert (tmp_path / "victim").read_text(encoding="utf-8") == "mine"


def test_a_wheel_that_overwrites_another_distribution_is_not_shared(tmp_path: Path) -> None:
    """Only the installer knows who wins: neither of them makes a tree, and other environments are not touched."""
    members = {**wheels.GOOD, "iniconfig/__init__.py": b"raise SystemExit('poisoned')\n"}
    _, outcomes = outcome_of(tmp_path, "wheel", wheels.wheel("toy", "1.0", members))
    assert outcomes[OTHER] == "passed"
    root = tmp_path / "project"
    other = (root / "matrix.toml").read_text(encoding="utf-8").replace('"1.0", "absent"', '"absent"')
    (root / "matrix.toml").write_text(other, encoding="utf-8")
    assert rig.venvgrid(root, tmp_path / "cache", "run", "--fresh").status == 0


def test_bombs_end(tmp_path: Path) -> None:
    """A wheel of 300 MB in 300 kB: installed or refused, and venvgrid's own memory stays small."""
    outcome_of(tmp_path, "wheel", wheels.wheel("toy", "1.0", {**wheels.GOOD, "bomb.bin": b"\0" * 300_000_000}))


def test_differing_zips(tmp_path: Path) -> None:
    """The same member twice; a CRC that is wrong."""
    good = wheels.wheel("toy", "1.0")
    buffer = io.BytesIO(good)
    with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("toy.py", b"VALUE = 2\n")
    outcome_of(tmp_path / "twice", "wheel", buffer.getvalue())
    data = bytearray(good)
    place = data.index(b"toy.py")
    data[place - 16] ^= 0xFF  # in the local header: its CRC
    outcome_of(tmp_path / "crc", "wheel", bytes(data))


def link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(f"toy-1.0/{name}")
    entry.type, entry.linkname = kind, target
    return entry


@pytest.mark.parametrize(
    "members",
    [
        {"link": link("link", "/tmp", tarfile.SYMTYPE), "link/pwned-by-an-sdist": b"x"},
        {"hard": link("hard", "../../../../../../etc/passwd", tarfile.LNKTYPE)},
        {"device": link("device", "", tarfile.CHRTYPE)},
        {f"{UP}tmp/pwned-by-an-sdist": b"x"},
    ],
    ids=["symlink", "hardlink", "device", "up"],
)
def test_source_distributions_that_lead_out(tmp_path: Path, members: dict[str, bytes | tarfile.TarInfo]) -> None:
    """With only-binary they are not even opened; where builds are allowed, the installer refuses them."""
    metadata = b"[build-system]\nrequires = []\nbuild-backend = 'b'\nbackend-path = ['.']\n[project]\nname='toy'\nversion='1.0'\n"
    data = wheels.sdist("toy", "1.0", {"pyproject.toml": metadata, "PKG-INFO": b"Name: toy\nVersion: 1.0\n", **members})
    _, outcomes = outcome_of(tmp_path, "sdist", data)
    assert outcomes[f"py{rig.HERE}-toy1.0"] == "impossible"
    root = tmp_path / "project"
    matrix = (root / "matrix.toml").read_text(encoding="utf-8") + "[install]\nonly-binary = false\n"
    (root / "matrix.toml").write_text(matrix, encoding="utf-8")
    index = wheels.Index()
    index.add("toy", "1.0", data, "sdist")
    with index.serving():
        env = {"UV_INDEX": f"private={index.address}", "UV_CACHE_DIR": str(tmp_path / "uv2")}
        ended = rig.venvgrid(root, tmp_path / "cache", "run", "--fresh", **env)
    assert "Traceback" not in ended.err
    assert not os.path.lexists("/tmp/pwned-by-an-sdist")


PAYLOAD = '<script>alert(1)</script>" onload="x\' ]]> &#27; | ` ``` $(touch pwned) ; touch pwned \x1b]0;title\x07\x1b[2J ::set-env name=X::y \u202e'


def test_what_tests_say_is_only_text_everywhere(tmp_path: Path) -> None:
    """Names, messages and output of tests, in every report and on the screen."""
    test = f"""
        import sys
        import pytest

        PAYLOAD = {PAYLOAD!r}

        @pytest.mark.parametrize("value", [PAYLOAD])
        def test_name(value):
            print(PAYLOAD)
            sys.stderr.write("::error::forged\\n\\r✓ py3.11 passed\\n")
            raise ValueError(PAYLOAD)
    """
    root = rig.project(tmp_path / "project", MATRIX.replace('toy = ["1.0", "absent"]', ""), {"test_whole.py": test})
    forms = ("html", "junit", "markdown", "json", "github", "gitlab", "gitlab-junit", "table")
    reports = [f"--report={form}=report.{form}" for form in forms]
    ended = rig.venvgrid(root, tmp_path / "cache", "run", *reports)
    assert ended.status == 1, ended.err
    for stream in (ended.out, ended.err):
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(stream)
        assert not any(line.startswith("::") for line in stream.splitlines())
    page = (root / "report.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in page
    assert 'onload="x' not in page.replace("&quot;", "")
    for form in ("junit", "gitlab-junit"):
        ET.parse(root / f"report.{form}")
    for form in ("json", "gitlab"):
        json.loads((root / f"report.{form}").read_text(encoding="utf-8"))
    for line in (root / "report.github").read_text(encoding="utf-8").splitlines():
        assert line.startswith(("::error ", "::warning ", "::notice "))
        assert "set-env name" not in line.partition("::")[0]
    assert "<script>" not in (root / "report.markdown").read_text(encoding="utf-8").replace("`", "")
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize(
    "text",
    [
        'env.X = ["; touch pwned", "$(touch pwned)", "`touch pwned`", "../../x", "a\\nb"]',
        '"../../x" = ["1"]',
        'python = ["../../bin/sh", "$(touch pwned)"]',
        'env.X = ["' + "a" * 900 + '"]',
        "\n".join(f'env.V{n} = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]' for n in range(9)),
        'x = "' + "[" * 5000 + '"',
        "a" + ".a" * 2000 + " = 1",
    ],
    ids=["shell", "name", "python", "long", "a billion cells", "brackets", "deep"],
)
def test_configurations_that_mean_harm(tmp_path: Path, text: str) -> None:
    """No shell reads them, no path is made of them, and they end: there are no more cells than can be."""
    root = rig.project(tmp_path / "project", "x = 1\n", TEST)
    head = '[project]\ninstall = "none"\n[install]\nrequires = []\n[test]\ncommand = ["{python}", "-c", "pass"]\nreports = "exit-status"\n[axes]\n'
    (root / "matrix.toml").write_text(head + text, encoding="utf-8")
    before = listing(tmp_path, (".venvgrid", "cache", "__pycache__"))
    ended = rig.venvgrid(root, tmp_path / "cache", "run", "-q")
    assert ended.status in {0, 2, 3}, ended.err
    assert "Traceback" not in ended.err
    assert before == listing(tmp_path, (".venvgrid", "cache", "__pycache__"))


def test_a_huge_configuration_is_refused(tmp_path: Path) -> None:
    """100 MB, and a device without an end."""
    root = rig.project(tmp_path / "project", "x = 1\n", TEST)
    with (root / "matrix.toml").open("wb") as file:
        file.truncate(100_000_000)
    for name in ("matrix.toml", "/dev/zero"):
        ended = rig.venvgrid(root, tmp_path / "cache", "run", "-c", name)
        assert ended.status == 2, ended.err


def test_reports_of_others_are_read_with_limits(tmp_path: Path) -> None:
    """A JUnit file with entities, of other cells, with odd numbers, cut off, or without an end: never green."""
    laughs = '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><testsuite>&b;</testsuite>'
    texts = [
        laughs,
        "<testsuite><testcase name='a'/>",
        "<testsuite tests='1'><testcase name='a' time='nan'>",
        "x" * 1000,
        "",
    ]
    for number, text in enumerate(texts):
        matrix = f"""
            [project]
            install = "none"
            [axes]
            python = ["{rig.HERE}"]
            [install]
            requires = []
            [test]
            command = ["{{python}}", "-c", {json.dumps(f"open('r.xml', 'w').write({text!r})")}]
            reports = "junit:r.xml"
        """
        root = rig.project(tmp_path / f"project{number}", matrix, TEST)
        ended = rig.venvgrid(root, tmp_path / "cache", "run", "-q")
        assert ended.status == 1, ended.out + ended.err
        assert "Traceback" not in ended.err
