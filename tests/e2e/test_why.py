"""`venvgrid why`: from a red cell to the release that did it, with an index of hand-made wheels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import rig
import wheels
from rig import HERE

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Command, Write

pytestmark = pytest.mark.e2e

MATRIX = f"""\
[project]
install = "none"
[axes]
python = ["{HERE}"]
[install]
requires = ["pytest", "alpha", "beta"]
"""
TESTS = """
import alpha, beta


def test_both():
    assert alpha.VALUE + beta.VALUE == 2


def test_alpha():
    assert alpha.VALUE == 1, "alpha is wrong"


def test_beta():
    assert not hasattr(beta, "REMOVED"), "beta has lost it"
"""

COUNTED = """
import alpha


def test_alpha():
    with open({log!r}, "a") as file:
        file.write(".")
    assert alpha.VALUE == 1
"""
FLAKY = """
import pathlib

import alpha


def test_alpha():
    log = pathlib.Path({log!r})
    runs = len(log.read_text()) if log.exists() else 0
    if alpha.VALUE == 2:
        log.write_text("." * (runs + 1))
        assert runs % 2 == 1
"""


def add(folder: Path, name: str, version: str, code: str = "VALUE = 1\n") -> None:
    folder.mkdir(exist_ok=True)
    data = wheels.wheel(name, version, {f"{name}.py": code.encode()})
    (folder / f"{name}-{version}-py3-none-any.whl").write_bytes(data)


def test_each_culprit_is_named_though_it_hides_the_next(venvgrid: Command, project: Write, tmp_path: Path) -> None:
    """Two releases break different tests; the last green run is the good end, and no run is added to the history.

    The second time all answers are known. The text for a tracker has the failure and the versions. Reports tell it.
    """
    root, folder = project(MATRIX, {"tests/test_demo.py": TESTS}), tmp_path / "wheels"
    env = {"UV_FIND_LINKS": str(folder)}
    add(folder, "alpha", "1.0")
    add(folder, "beta", "1.0")
    assert venvgrid("run", "-q", cwd=root, env=env).status == 0
    for version in ("1.1", "1.2", "2.1"):
        add(folder, "alpha", version)
        add(folder, "beta", version)
    add(folder, "alpha", "2.0.1", "VALUE = 1\n")
    add(folder, "alpha", "2.0.2", "VALUE = 3\n")
    add(folder, "alpha", "2.1", "VALUE = 3\n")
    add(folder, "beta", "2.2", "VALUE = 1\nREMOVED = True\n")
    assert venvgrid("run", "-q", cwd=root, env=env).status == 1
    runs = sorted((root / ".venvgrid" / "runs").iterdir())

    ended = venvgrid("why", "--json", "-q", cwd=root, env=env)
    assert ended.status == 0, ended.out + ended.err
    found = json.loads(ended.out)
    assert found["format"] == "venvgrid-why-1"
    told = {(item["name"], item["good"], item["bad"]) for item in found["culprits"]}
    assert told == {("alpha", "2.0.1", "2.0.2"), ("beta", "2.1", "2.2")}
    assert found["proven"]
    assert sorted((root / ".venvgrid" / "runs").iterdir()) == runs
    for name in ("envs", "cells"):  # nothing of the probes
        assert len(list((root / ".venvgrid" / name).iterdir())) == 1

    again = json.loads(venvgrid("why", "--json", "-q", cwd=root, env=env).out)
    assert again["culprits"] == found["culprits"]
    assert (again["probes"]["builds"], again["probes"]["tests"]) == (0, 0)
    elsewhere = json.loads(venvgrid("why", "--json", "-q", cwd=root, env={**env, "LANGUAGE": "eo"}).out)
    assert elsewhere["probes"]["tests"] > 0  # tests get this variable: what they did without it is no answer

    text = venvgrid("why", "test_beta", "--upstream", "-q", cwd=root, env=env).out
    assert "beta 2.2: AssertionError: beta has lost it" in text
    assert "passes with beta 2.1 and fails with beta 2.2" in text

    page = venvgrid("report", "--format", "markdown", cwd=root, env=env).out
    for release in ("alpha 2.0.2", "beta 2.2"):
        assert f"**{release}" in page
    assert "`venvgrid why test_beta --upstream`" in page


def test_what_an_interrupted_search_knows_is_not_asked_again(
    venvgrid: Command, cache_dir: Path, project: Write, tmp_path: Path
) -> None:
    """After Ctrl-C the same command goes on: no world is tested twice, and the answer is right."""
    root, folder = (
        project(MATRIX, {"tests/test_demo.py": COUNTED.format(log=str(tmp_path / "log"))}),
        tmp_path / "wheels",
    )
    env = {"UV_FIND_LINKS": str(folder)}
    add(folder, "alpha", "1.0")
    add(folder, "beta", "1.0")
    assert venvgrid("run", "-q", cwd=root, env=env).status == 0
    for number in range(1, 10):
        add(folder, "alpha", f"1.{number}", f"VALUE = {1 + number // 7}\n")
        add(folder, "beta", f"1.{number}")
    assert venvgrid("run", "-q", cwd=root, env=env).status == 1
    log = tmp_path / "log"
    log.unlink()

    variables = rig.environment(cache_dir, **env)
    kept = rig.interrupted(rig.argv("why", "-q", "--json"), root, variables, after=3)
    ended = venvgrid("why", "-q", "--json", cwd=root, env=env)
    assert ended.status == 0, ended.out + ended.err
    (found,) = json.loads(ended.out)["culprits"]
    assert (found["name"], found["good"], found["bad"]) == ("alpha", "1.6", "1.7")
    assert kept <= rig.answers(root)
    assert json.loads(ended.out)["probes"]["tests"] == len(rig.answers(root)) - len(kept)


def test_a_failure_that_comes_and_goes_blames_nobody(venvgrid: Command, project: Write, tmp_path: Path) -> None:
    """Where one world fails and passes, the answer is "too flaky", with a status of its own."""
    root, folder = project(MATRIX, {"tests/test_demo.py": FLAKY.format(log=str(tmp_path / "log"))}), tmp_path / "wheels"
    env = {"UV_FIND_LINKS": str(folder)}
    add(folder, "alpha", "1.0")
    add(folder, "beta", "1.0")
    assert venvgrid("run", "-q", cwd=root, env=env).status == 0
    add(folder, "alpha", "1.1", "VALUE = 2\n")
    assert venvgrid("run", "-q", cwd=root, env=env).status == 1
    ended = venvgrid("why", "-q", cwd=root, env=env)
    assert ended.status == 5, ended.out + ended.err
    assert "too flaky" in ended.out


ALONE = """
import os, pathlib


def test_flaky():
    log = pathlib.Path({log!r} + os.environ["MODE"])
    runs = log.read_text() if log.exists() else ""
    log.write_text(runs + ".")
    assert runs or os.environ["MODE"] != "b", "the first time"


def test_of_c():
    assert os.environ["MODE"] != "c", "never with c"


def test_slow_path():
    pass
"""


def test_a_failure_of_one_cell_runs_again_before_a_rule_is_told(
    venvgrid: Command, project: Write, tmp_path: Path
) -> None:
    """A flaky one gets no rule, a real one does; both cells stay red, and only their failing tests ran twice.

    What the second run showed is in the journal, in results.json and in what is printed; it leaves no folder.
    """
    matrix = f'[project]\ninstall = "none"\n[axes]\npython = ["{HERE}"]\nenv.MODE = ["a", "b", "c", "d"]\n'
    root = project(matrix, {"tests/test_demo.py": ALONE.format(log=str(tmp_path / "log-"))})
    ended = venvgrid("run", cwd=root)
    assert ended.status == 1
    assert ended.err.count("1 failing test again, as no other cell has this failure") == 2
    told = ended.out[ended.out.index("AssertionError: the first time") :].split("\n\n")[0]
    assert "passed when it ran again by itself" in told
    assert "with env.MODE" not in told
    told = ended.out[ended.out.index("AssertionError: never with c") :].split("\n\n")[0]
    assert "fails in 1 of 1 cell with env.MODE = c" in told
    assert "seen in one cell only" not in told
    assert (tmp_path / "log-b").read_text() == ".."
    assert (tmp_path / "log-c").read_text() == "."
    report = json.loads(venvgrid("report", "--format", "json", cwd=root).out)
    again = {item["id"]: (item["outcome"], item["failures"][0]["again"]) for item in report["cells"][1:3]}
    assert list(again.values()) == [("failed", "passed"), ("failed", "failed")]
    assert not list((root / ".venvgrid").glob("*/*.again"))


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["nosuch"], 2, "there is no cell 'nosuch'"),
        ([f"py{HERE}", "--good", "yesterday"], 2, "no date"),
        ([f"py{HERE}", "--good", "today"], 2, "no date"),
        ([f"py{HERE}", "--good", "2999-01-01"], 2, "not in the past"),
        ([f"py{HERE}", "--good", "gone.lock"], 2, "gone.lock"),
    ],
)
def test_mistakes_name_what_is_wrong(
    venvgrid: Command, project: Write, arguments: list[str], status: int, words: str
) -> None:
    """A wrong cell, a wrong date, a lock that is not there: status 2, and nothing is built."""
    ended = venvgrid("why", *arguments, cwd=project(MATRIX))
    assert (ended.status, words in ended.err) == (status, True), ended.err
