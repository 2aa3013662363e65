"""Previews in warm servers: what they say is what a full run says, and nothing of them stays."""

from __future__ import annotations

import os
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
import rig
import warm_lab

from venvgrid.model import Outcome, TestFinished
from venvgrid.processes.command import Cancellation
from venvgrid.project import inputs
from venvgrid.running.warm.overlay import Overlays
from venvgrid.running.warm.preview import Cold, Preview

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Write
    from warm_lab import Grid

    from venvgrid.model import Event

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(os.name != "posix", reason="forks are of POSIX")]

OLD = "3.7"
MARK = "venvgrid-warm-daemon"
MATRIX = f"""
    [axes]
    python = ["{OLD}", "{rig.HERE}"]
    env.KIND = ["plain", "exit", "segv", "thread"]
    [install]
    requires = ["pytest", "six", "threaded @ file:threaded"]
    [test]
    command = ["{{python}}", "-m", "pytest", "-q"]
"""
TESTS = f"""
    import ctypes, os, random, subprocess, sys, time
    import demo, pytest, six

    KIND = os.environ["KIND"]
    if KIND == "thread":
        import threaded


    def test_passes():
        assert demo.ANSWER == 42


    def test_fails():
        assert [demo.ANSWER] == [41]


    @pytest.fixture
    def broken():
        raise ValueError("no")


    def test_errs(broken):
        pass


    def test_is_as_in_a_new_process():
        assert sys.argv[0].endswith("__main__.py"), sys.argv
        assert sys.path.count(os.getcwd()) == 1 and not any("_venvgrid_warm" in entry for entry in sys.path)
        assert not [name for name in sys.modules if name.startswith("_venvgrid_") and "warm" in name]
        assert os.read(0, 1) == b""
        assert os.environ["TMPDIR"] == __import__("tempfile").gettempdir()
        assert "OPENBLAS_NUM_THREADS" not in os.environ


    def test_children_import_the_same():
        code = "import demo; print(demo.ANSWER)"
        for env in (None, {{}}):
            said = subprocess.check_output([sys.executable, "-c", code], env=env)
            assert int(said) == demo.ANSWER


    def test_leaves_a_daemon():
        code = "import os, time; os.setsid(); os.fork() and os._exit(0); time.sleep(600)"
        subprocess.Popen([sys.executable, "-c", code, "{MARK}-%s" % os.environ["MINE"]]).wait()


    def test_ends():
        if os.path.exists("hang"):
            time.sleep(600)
        if KIND == "exit":
            os._exit(0)
        if KIND == "segv":
            ctypes.string_at(0)
"""
THREADED = {
    "threaded/pyproject.toml": """
        [build-system]
        requires = ["flit_core>=3.4"]
        build-backend = "flit_core.buildapi"
        [project]
        name = "threaded"
        version = "1.0"
        description = "has a thread"
    """,
    "threaded/threaded.py": """
        import threading
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    """,
}


@pytest.fixture
def mark() -> str:
    """Return the mark of this test's processes."""
    return f"{MARK}-{os.getpid()}"


@pytest.fixture
def grid(project: Write, cache_dir: Path, needs: Any, mark: str) -> Iterator[Grid]:
    """Return the grid of the project, all of whose cells ran."""
    needs(OLD)
    matrix = textwrap.dedent(MATRIX) + f'env = {{ MINE = "{mark.rpartition("-")[2]}" }}\n'
    root = project(matrix, {"tests/test_demo.py": TESTS, **THREADED})
    with warm_lab.ran(root, cache_dir) as found:
        yield found


def preview(grid: Grid, cell: str, **options: Any) -> Preview:
    """Return the preview of a cell."""
    found = grid.pool.run(grid.tasks[cell], post=options.pop("post", lambda _event: None), **options)
    assert isinstance(found, Preview), found
    return found


def test_previews(grid: Grid, mark: str) -> None:
    """The verdicts of previews are those of full runs, an edit is seen, and no process is left, also when cancelled."""
    results, pool = grid.results, grid.pool
    assert {item.outcome for item in results.values()} == {Outcome.FAILED, Outcome.CRASHED}
    plain = results[f"py{rig.HERE}-KIND.plain"]
    assert plain.tests == {"passed": 5, "failed": 1, "error": 1}, plain.failures
    for cell in results:
        if "thread" not in cell:
            found, cold = preview(grid, cell), results[cell]
            assert (found.outcome, found.reason, found.tests) == (cold.outcome, cold.reason, cold.tests)
            assert {item.signature for item in found.failures} == {item.signature for item in cold.failures}
            assert rig.processes(mark) == []
    thread = f"py{rig.HERE}-KIND.thread"
    assert pool.run(grid.tasks[thread], post=lambda _event: None) == Cold(
        reason="a thread runs after `import threaded`"
    )
    # All that the tests import was imported, plugins too.
    assert {state and state.left for state in pool.states()} == {()}
    _sees_an_edit(grid, f"py{rig.HERE}-KIND.plain")
    _sees_an_edit(grid, f"py{OLD}-KIND.plain")
    _puts_tests_first(grid, f"py{rig.HERE}-KIND.plain")
    _is_cancelled(grid, f"py{OLD}-KIND.plain", mark)
    pool.close()
    assert rig.processes(f"{pool.folder}/") == []


def _sees_an_edit(grid: Grid, cell: str) -> None:
    """Previews import an edited package from the overlay, child processes too; the environment stays as it is."""
    task, root = grid.tasks[cell], grid.context.config.project.path
    overlays = Overlays(config=grid.context.config, folder=grid.pool.folder / f"overlays-{cell}")
    overlays.learn(task, inputs.take(root).contents)
    source = root / "src/demo/__init__.py"
    before = source.read_text(encoding="utf-8")
    source.write_text(before.replace("42", "41"), encoding="utf-8")
    place = overlays.of(task, inputs.take(root).contents)
    assert not isinstance(place, Cold)
    found = preview(grid, cell, overlay=place)
    assert found.failing == ("tests/test_demo.py::test_passes", "tests/test_demo.py::test_errs")
    source.write_text(before, encoding="utf-8")
    assert overlays.of(task, inputs.take(root).contents) is None
    assert "tests/test_demo.py::test_passes" not in preview(grid, cell).failing


def _puts_tests_first(grid: Grid, cell: str) -> None:
    """The tests that are to go first do; alone, if it is asked for."""
    finished = list[str]()

    def post(event: Event) -> None:
        if isinstance(event, TestFinished):
            finished.append(event.test.partition("::")[2])

    first = ("tests/test_demo.py::test_ends", "tests/test_demo.py::test_gone", "tests/test_demo.py::test_fails")
    assert preview(grid, cell, post=post, tests_first=first).left_out == 0
    assert finished[:3] == ["test_ends", "test_fails", "test_passes"]
    finished.clear()
    found = preview(grid, cell, post=post, tests_first=first, only_first=True)
    assert (finished, found.left_out, found.is_red) == (["test_ends", "test_fails"], 5, True)


def _is_cancelled(grid: Grid, cell: str, mark: str) -> None:
    """A preview that is cancelled leaves nothing that runs."""
    (grid.context.config.project.path / "hang").touch()
    cancellation, hangs = Cancellation(), "tests/test_demo.py::test_leaves_a_daemon"

    def post(event: Event) -> None:
        if isinstance(event, TestFinished) and event.test == hangs:
            assert rig.processes(mark)
            cancellation.set()

    assert preview(grid, cell, post=post, cancellation=cancellation).outcome is Outcome.CANCELLED
    assert rig.processes(mark) == []
