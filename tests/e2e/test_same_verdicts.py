"""Real projects and cases whose truth is known: on machines they have the results that they have at home."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest
import rig

pytest.importorskip("distributed", reason="needs the extra dask: pip install 'venvgrid[dask]'")
from test_machines import cluster, told  # (it needs the extra)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc"),
    pytest.mark.xdist_group("machines"),
]
CASES = ("green", "red", "crash", "exit", "none", "broken")
# A wheel; a version of six that the project excludes; and what a test file can do besides to fail.
TRUTH = f"""
    [axes]
    python = ["{rig.HERE}"]
    six = ["1.16", "1.10"]
    env.CASE = [{", ".join(f'"{case}"' for case in CASES)}]
    [[exclude]]
    six = "1.10"
    env.CASE = [{", ".join(f'"{case}"' for case in CASES[1:])}]
    [install]
    requires = ["pytest==8.4.2"]
    [test]
    command = ["pytest", "-q", "-p", "no:cacheprovider"]
"""
FILES = {
    "pyproject.toml": """
        [build-system]
        requires = ["flit_core>=3.4"]
        build-backend = "flit_core.buildapi"
        [project]
        name = "demo"
        version = "1.0"
        description = "x"
        dependencies = ["six>=1.15"]
    """,
    "src/demo/__init__.py": "ANSWER = 42\n",
    "test_whole.py": """
        import os, signal
        import demo, six

        CASE = os.environ["CASE"]
        if CASE == "broken":
            import nowhere_to_be_found

        def test_it():
            assert demo.ANSWER == 42
            if CASE == "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            if CASE == "exit":
                os._exit(0)
            assert CASE != "red", CASE

        if CASE == "none":
            del test_it
    """,
}
FREEZEGUN = f'[axes]\npython = ["{rig.HERE}", "3.13"]\nfreezegun = ["1.2", "1.5"]\n'


def test_projects_have_the_results_that_they_have_at_home(
    tmp_path: Path, cache_dir: Path, source: Callable[[str, str], Path], needs: Callable[..., None]
) -> None:
    """Verdicts, reasons, failures, attestations, rules: of itsdangerous with freezegun, and of cases that are known."""
    needs("3.13")
    dangerous = source("itsdangerous", "2.2.0")
    (dangerous / "matrix.toml").write_text(FREEZEGUN, encoding="utf-8")
    truth = rig.project(tmp_path / "truth", TRUTH, FILES)
    with cluster(tmp_path / "cluster", cache_dir) as made:
        made.worker("w1", "--any-plan")
        made.worker("w2", "--any-plan")
        for root in (dangerous, truth):
            home = rig.venvgrid(root, cache_dir, "run", "--no-cache", "-j", "2")
            local = rig.results(root)
            on = ("--on", made.address, "--machines", "2")
            away = rig.venvgrid(root, cache_dir, "run", "--no-cache", *on)
            assert (home.status, away.status) == (1, 1), away.out + away.err
            assert told(local) == told(rig.results(root))
    assert rig.outcomes(dangerous) == {
        f"py{rig.HERE}-freezegun1.2": "passed",
        f"py{rig.HERE}-freezegun1.5": "passed",
        "py3.13-freezegun1.2": "failed",
        "py3.13-freezegun1.5": "passed",
    }
    found = {name.rpartition("CASE.")[2]: outcome for name, outcome in rig.outcomes(truth).items() if "1.16" in name}
    assert found == {
        "green": "passed",
        "red": "failed",
        "crash": "crashed",
        "exit": "failed",
        "none": "no-tests",
        "broken": "failed",
    }
    assert rig.outcomes(truth)[f"py{rig.HERE}-six1.10-CASE.green"] == "impossible"
    shutil.rmtree(truth)
