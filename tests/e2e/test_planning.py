"""Plans that nobody wrote or pruned: policies, grids, selections and learning, for real through the command line."""

from __future__ import annotations

import json
import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest
from conftest import declaring
from rig import HERE, outcomes, results

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Command, Write

pytestmark = pytest.mark.e2e

DECLARING = declaring("packaging>=22,<24.1")
DEAD = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple"}


def git(root: Path, *words: str) -> None:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


def test_policies_are_frozen_by_the_lock_and_moved_by_an_update(venvgrid: Command, project: Write) -> None:
    """What the index has now is chosen once; a later run uses the lock, also where the index is dead, and says so."""
    matrix = f'[axes]\npython = ["{HERE}"]\npackaging = "latest-minors:2"\n'
    root = project(matrix, {"pyproject.toml": DECLARING})
    locked = venvgrid("lock", cwd=root)
    assert locked.status == 0, locked.err
    assert "axes.packaging (latest-minors:2): 23.2, 24.0" in locked.err
    lock = root / "matrix.lock"
    frozen = tomllib.loads(lock.read_text(encoding="utf-8"))["axes"]
    assert frozen == {"packaging": {"policy": "latest-minors:2", "values": ["23.2", "24.0"]}}
    done = venvgrid("run", "--locked", cwd=root)
    assert (done.status, len(outcomes(root))) == (0, 2), done.err

    older = lock.read_text(encoding="utf-8").replace('values = ["23.2", "24.0"]', 'values = ["23.0", "23.2"]')
    kept = [line for line in older.splitlines() if not line.startswith("checksum")]
    lock.write_text("\n".join(kept), encoding="utf-8")
    shown = json.loads(venvgrid("plan", "--json", cwd=root).out)
    assert [item["axes"]["packaging"] for item in shown["cells"]] == ["23.0", "23.2"]
    without = venvgrid("lock", "--update", cwd=root, env=DEAD)
    assert (
        "note: packaging: 127.0.0.1:9 did not answer: ConnectionError; the versions are those of the lock"
        in without.err
    )
    updated = venvgrid("lock", "--update", cwd=root)
    assert "axes.packaging (latest-minors:2): + 24.0, - 23.0" in updated.err


def test_a_policy_that_gives_nothing_says_why(venvgrid: Command, project: Write) -> None:
    """Status 2 and the axis; without network and lock status 3."""
    root = project('[axes]\npackaging = "25..26"\n', {"pyproject.toml": DECLARING})
    refused = venvgrid("plan", cwd=root)
    assert (refused.status, refused.out) == (2, "")
    assert "axes.packaging: '25..26' gives no version of packaging: none from 25 to 26 is released" in refused.err
    dead = venvgrid("plan", cwd=root, env={**DEAD, "VENVGRID_CACHE_DIR": str(root / "empty")})
    assert dead.status == 3
    assert "did not answer" in dead.err


def test_grids_of_one_file(venvgrid: Command, project: Write) -> None:
    """Each by its name, or all of them; ids, locks and histories are apart, and the worst status counts."""
    matrix = f"""
        [axes]
        python = ["{HERE}"]
        env.MODE = ["a"]
        [grid.other]
        axes.env.MODE = ["b", "c"]
    """
    test = "import demo, os\n\n\ndef test_mode():\n    assert os.environ['MODE'] != 'b'\n"
    root = project(matrix, {"tests/test_demo.py": test})
    told = venvgrid("run", cwd=root, env={"UV_CONSTRAINT": "none.txt"})
    assert told.status == 0
    assert "grids that do not run: other; all of them: venvgrid run --all-grids" in told.err
    assert "cells are installed without UV_CONSTRAINT" in told.err
    main = f"py{HERE}-MODE.a"
    red, green = f"other-py{HERE}-MODE.b", f"other-py{HERE}-MODE.c"
    assert outcomes(root) == {main: "passed"}
    reports = ("--report", "junit=junit-{grid}.xml")
    every = venvgrid("run", "--all-grids", "-q", *reports, cwd=root)
    assert every.status == 1
    assert results(root)["grid"] == "other"
    assert outcomes(root) == {red: "failed", green: "passed"}
    assert (root / "junit-main.xml").is_file()
    assert red in (root / "junit-other.xml").read_text(encoding="utf-8")
    assert f"venvgrid run other -k {red}" in every.out
    assert venvgrid("run", "--failed", cwd=root).status == 4
    assert venvgrid("run", "other", "-q", "--failed", cwd=root).status == 1
    assert outcomes(root) == {red: "failed"}
    assert venvgrid("run", "other", "-q", "-k", "outcome==green", "--no-cache", cwd=root).status == 0
    assert outcomes(root) == {green: "passed"}
    assert venvgrid("run", "other", "-q", "--failed", cwd=root).status == 1, "it was red when it last ran"
    place = venvgrid("exec", green, "--", "python", "-c", "import demo; print(demo.ANSWER)", cwd=root)
    assert (place.status, place.out) == (0, "42\n"), place.err
    assert venvgrid("lock", "other", cwd=root).status == 0
    assert (root / "matrix.other.lock").is_file()
    assert not (root / "matrix.lock").exists()
    wrong = venvgrid("run", "oter", cwd=root)
    assert (wrong.status, "did you mean 'other'?" in wrong.err) == (2, True)
    assert venvgrid("run", "--all-grids", "--report", "junit=x.xml", cwd=root).status == 2


def test_only_cells_whose_lock_differs_from_that_of_a_revision(venvgrid: Command, project: Write) -> None:
    """Of two cells the one whose versions moved; none is status 4, a revision that is not there 2."""
    matrix = f'[axes]\npython = ["{HERE}"]\npackaging = ["23.2", ">=23,<24.0"]\n'
    root = project(matrix, {"pyproject.toml": DECLARING, ".gitignore": ".venvgrid\n"})
    git(root, "init", "-q")
    assert venvgrid("lock", cwd=root).status == 0
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    same = venvgrid("run", "--changed", "HEAD", cwd=root)
    assert (same.status, "every cell has the lock that it had at HEAD" in same.err) == (4, True)
    (root / "matrix.toml").write_text(matrix.replace("<24.0", "<23.2"), encoding="utf-8")
    stale = venvgrid("run", "--changed", "HEAD", cwd=root)
    assert (stale.status, "venvgrid lock" in stale.err) == (2, True)
    assert venvgrid("lock", cwd=root).status == 0
    done = venvgrid("run", "--changed", "HEAD", "-q", cwd=root)
    assert done.status == 0, done.err
    assert list(outcomes(root)) == [f"py{HERE}-packaging-ge23-lt23.2"]
    wrong = venvgrid("run", "--changed", "nowhere", cwd=root)
    assert (wrong.status, "git knows no such revision" in wrong.err) == (2, True)


def test_labels_select_cells(venvgrid: Command, project: Write) -> None:
    """An include gives them; a word of -k is one of them, or an id."""
    matrix = f"""
        [axes]
        python = ["{HERE}"]
        env.MODE = ["a", "b", "c"]
        [[include]]
        env.MODE = ["b", "c"]
        labels = ["nightly"]
    """
    root = project(matrix)
    shown = json.loads(venvgrid("plan", "--json", "-k", "nightly and not *.c", cwd=root).out)
    assert [item["axes"]["env.MODE"] for item in shown["cells"]] == ["b"]


def test_what_cannot_be_is_learnt_and_covered_otherwise(venvgrid: Command, project: Write, needs: object) -> None:
    """Numpy 1.26 has no wheel for 3.13: no cell of the plan is impossible, and the certificate counts why."""
    assert callable(needs)
    needs("3.12", "3.13")
    matrix = """
        [axes]
        python = ["3.12", "3.13"]
        numpy = ["1.26", "2.1"]
        env.A = ["1", "2"]
        env.B = ["1", "2"]
        [plan]
        strategy = "pairwise"
        [install]
        requires = []
    """
    root = project(matrix)
    shown = venvgrid("plan", "--json", cwd=root)
    planned = json.loads(shown.out)
    assert {item["status"] for item in planned["cells"]} == {"runnable"}, shown.err
    certificate = planned["strategy"]
    assert [item["values"] for item in certificate["learnt"]] == [{"python": "3.13", "numpy": "1.26"}]
    assert certificate["missing"] == []
    assert certificate["feasible"] == certificate["covered"] == 6 * 4 - 1
    pairs = {(item["axes"]["numpy"], item["axes"]["env.A"]) for item in planned["cells"]}
    assert len(pairs) == 4, "the other pairs of the impossible cell are in other cells"
