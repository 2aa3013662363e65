"""`venvgrid bounds` on a project whose dependencies are tiny wheels in a folder."""

from __future__ import annotations

import importlib.resources
import json
from typing import TYPE_CHECKING

import jsonschema  # type: ignore[import-untyped] # it has no types
import pytest
import rig
import wheels
from conftest import PYPROJECT

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Command, Write

pytestmark = pytest.mark.e2e

MATRIX = f"""
    [axes]
    python = ["{rig.HERE}"]
    vgtoya = ["latest"]
    [install]
    as-of = "release"
    [test]
    command = ["pytest", "-q", "-p", "no:cacheprovider"]
"""
DECLARING = f"""{PYPROJECT}    dependencies = [
        'vgtoya >= 1.0, < 3',  # vgtoya >= 1.0, < 3
        "vgtoyb",              # any

        "vgtoyc>=0.1,<1.2",
    ]
"""
DEMO = "import vgtoya, vgtoyb, vgtoyc\n"
TESTS = """
    from demo import vgtoya, vgtoyb, vgtoyc


    def test_alone():
        assert vgtoya.V >= (1, 2)


    def test_together():
        assert vgtoya.V >= (2, 0) or vgtoyb.V >= (1, 1)
"""
RELEASES = {
    "vgtoya": ("1.0", "1.1", "1.2", "2.0", "2.1", "3.0"),
    "vgtoyb": ("1.0", "1.1", "1.2"),
    "vgtoyc": ("0.1", "1.0", "1.1", "1.2"),
}


@pytest.fixture
def links(tmp_path: Path) -> Path:
    """Return a folder with the wheels; vgtoyc 0.1 requires a release that does not exist."""
    folder = tmp_path / "links"
    folder.mkdir()
    for name, versions in RELEASES.items():
        for version in versions:
            numbers = tuple(map(int, version.split(".")))
            needs = "Requires-Dist: vgtoya>99\n" if version == "0.1" else ""
            text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
            data = wheels.wheel(name, version, {f"{name}.py": f"V = {numbers}\n".encode()}, metadata=text)
            (folder / f"{name}-{version}-py3-none-any.whl").write_bytes(data)
    return folder


def test_floors_are_proven_alone_and_together_written_and_checked(
    venvgrid: Command, cache_dir: Path, project: Write, links: Path
) -> None:
    """One thread: wrong bounds are told with evidence, a pair is named, nothing runs twice; what is written holds.

    It begins with Ctrl-C in the middle of a search: nothing is written then, and what it knows is not asked again.
    """
    files = {"pyproject.toml": DECLARING, "src/demo/__init__.py": DEMO, "tests/test_demo.py": TESTS}
    root = project(MATRIX, files)
    env = {"UV_FIND_LINKS": str(links)}
    before = (root / "pyproject.toml").read_text(encoding="utf-8")
    kept = rig.interrupted(rig.argv("bounds", "--write"), root, rig.environment(cache_dir, **env), after=3)
    assert (root / "pyproject.toml").read_text(encoding="utf-8") == before
    assert not list((root / ".venvgrid").glob("envs/*"))
    checked = venvgrid("bounds", "--check", "-q", cwd=root, env=env)
    assert checked.status == 1, checked.out + checked.err
    assert "✗ vgtoya <3,>=1.0 allows 1.1, which fails" in checked.out
    assert "test_alone" in checked.out

    told = venvgrid("bounds", "--json", "-q", cwd=root, env=env)
    assert told.status == 0, told.out + told.err
    found = json.loads(told.out)
    assert kept < rig.answers(root)
    first = int(checked.out.rpartition(" builds, ")[2].split()[0])  # test runs
    assert first + found["tests"] == len(rig.answers(root)) - len(kept)
    written = json.loads(venvgrid("bounds", "--json", "--write", "-q", cwd=root, env=env).out)
    assert (written["bounds"], written["builds"], written["tests"]) == (found["bounds"], 0, 0)
    schema = importlib.resources.files("venvgrid").joinpath("model/schemas/bounds.schema.json").read_text("utf-8")
    jsonschema.Draft202012Validator(json.loads(schema)).validate(found)
    rows = {item["name"]: item for item in found["bounds"]}
    assert {name: (row["resolvable"], row["proven"], row["verdict"]) for name, row in rows.items()} == {
        "vgtoya": ("1.0", "1.2", "too-low"),
        "vgtoyb": ("1.0", "1.1", "too-low"),
        "vgtoyc": ("1.0", "1.0", "raised"),
    }
    proof, worse = rows["vgtoya"]["evidence"]
    assert (proof["outcome"], proof["tests"], proof["versions"]["vgtoya"]) == ("passed", 2, "1.2")
    assert (worse["outcome"], worse["versions"]["vgtoya"]) == ("failed", "1.1")
    (pair,) = found["pairs"]
    assert (pair["raised"], pair["partner"], pair["before"], pair["after"]) == ("vgtoyb", "vgtoya", "1.0", "1.1")
    assert "test_together" in pair["evidence"]["reason"]
    (joint,) = found["joint"]
    assert joint["evidence"]["versions"] == {"vgtoya": "1.2", "vgtoyb": "1.1", "vgtoyc": "1.0"}

    after = before.replace("'vgtoya >= 1.0,", "'vgtoya >= 1.2,").replace('"vgtoyb"', '"vgtoyb>=1.1"')
    after = after.replace("vgtoyc>=0.1", "vgtoyc>=1.0")
    assert (root / "pyproject.toml").read_text(encoding="utf-8") == after
    held = venvgrid("bounds", "--check", "--json", "-q", cwd=root, env=env)
    assert held.status == 0, held.out + held.err
    assert (json.loads(held.out)["verdict"], json.loads(held.out)["builds"]) == ("proven", 1)
