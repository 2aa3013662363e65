"""Bad input: a clear message, the right exit status, and nothing lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import DEMO, Command, Write, cell
from rig import HERE, LIMIT, outcomes, results, wait_for

pytestmark = pytest.mark.e2e

MATRIX = f'[axes]\npython = ["{HERE}"]\n'


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        ("[axes\n", ["not valid TOML", "line 1", "in the line '[axes'"]),
        (
            '[axes]\npython = ["3.11"]\n[test]\ntimout = "1s"\nretires = 1\n',
            ["did you mean 'timeout'", "did you mean 'retries'"],
        ),
        ("[axes]\nsix = []\n", ["axes.six: an axis needs at least one value"]),
        ('[axes]\nsix = ["1"]\n[[exclude]]\nsxi = "1"\n', ["exclude[0].sxi", "did you mean 'six'"]),
        ('[axes]\npyhton = ["3.11"]\n', ["axes.pyhton: is no axis; did you mean 'python'?"]),
        ('[axes]\nenv.A = ["x", "X"]\n', ["two cells would have the same id"]),
        ('[project]\npath = "nowhere"\n[axes]\nsix = ["1"]\n', ["project.path", "nowhere"]),
        (
            '[project]\ngroups = ["tset"]\n[axes]\nsix = ["1"]\n',
            ["matrix.toml: project.groups", "no group 'tset'", "has no [dependency-groups]"],
        ),
        (
            '[project]\nextras = ["plto"]\n[axes]\nsix = ["1"]\n',
            ["matrix.toml: project.extras: demo has no extra 'plto'", "it declares none"],
        ),
    ],
    ids=[
        "broken TOML",
        "unknown keys",
        "no values",
        "unknown axis",
        "wrong axis",
        "same ids",
        "no project",
        "no group",
        "no extra",
    ],
)
def test_mistakes_of_the_configuration_end_with_2(
    venvgrid: Command, project: Write, matrix: str, said: list[str]
) -> None:
    """Every mistake is told at once, nothing runs, and nothing is written."""
    root = project(matrix)
    ended = venvgrid("run", cwd=root)
    assert ended.status == 2, ended.err
    for words in said:
        assert words in ended.err
    assert "Traceback" not in ended.err
    assert not (root / ".venvgrid").exists()


def test_no_configuration_says_how_to_write_one(venvgrid: Command, tmp_path: Path) -> None:
    """An empty folder: where it looked, and `venvgrid init`."""
    ended = venvgrid("run", cwd=tmp_path)
    assert ended.status == 2
    assert "venvgrid init" in ended.err


def test_a_folder_without_a_project_says_both_ways_out(venvgrid: Command, project: Write) -> None:
    """Nothing to install: set project.path, or install = "none", and that works."""
    files = dict.fromkeys(DEMO) | {"test_it.py": "def test_it():\n    pass\n"}
    root = project(MATRIX, files)
    ended = venvgrid("run", cwd=root)
    assert ended.status == 2
    assert 'project.install = "none"' in ended.err
    (root / "matrix.toml").write_text(MATRIX + '[project]\ninstall = "none"\n', encoding="utf-8")
    assert venvgrid("run", cwd=root).status == 0


@pytest.mark.parametrize(
    ("pin", "reason"),
    [
        ('six = ["99"]', "matrix.toml: axes.six: six has no release 99; the newest is 1."),
        (
            'sixnosuchthing = ["1"]',
            "matrix.toml: axes.sixnosuchthing: no index has a distribution named sixnosuchthing",
        ),
        ('[install]\nrequires = ["pytset-xdsit"]', "install.requires: no index has a distribution named pytset-xdsit"),
    ],
)
def test_what_the_index_does_not_have_is_a_mistake(venvgrid: Command, project: Write, pin: str, reason: str) -> None:
    """A version or a name that does not exist is a typo in the configuration: status 2, with the reason."""
    root = project(MATRIX + pin)
    for command in ("run", "plan"):
        ended = venvgrid(command, cwd=root)
        assert (ended.status, reason in ended.err) == (2, True), ended.err


def test_a_backend_that_fails_is_told_by_every_cell(venvgrid: Command, project: Write) -> None:
    """The exception is the reason, the whole output is in the log, the exit status is 3."""
    files = {
        "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n',
        "setup.py": "raise RuntimeError('boom in setup')\n",
    }
    root = project(MATRIX + 'env.A = ["1", "2"]\n', files)
    ended = venvgrid("run", cwd=root)
    assert ended.status == 3
    assert set(outcomes(root).values()) == {"build-failed"}
    found = results(root)
    assert "RuntimeError: boom in setup" in found["cells"][0]["reason"]
    log = root / ".venvgrid/runs" / found["run"] / found["cells"][0]["log"]
    assert "Traceback" in log.read_text(encoding="utf-8")


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0, reason="mounts file systems, as root on Linux"
)
def test_a_full_disk_breaks_nothing_for_good(venvgrid: Command, project: Write) -> None:
    """Out of space the run ends with 3 and says where; with room again the same command passes."""
    root = project(MATRIX)
    place = root / ".venvgrid"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=True)
    try:
        ended = venvgrid("run", cwd=root)
        assert ended.status == 3
        assert "No space left on device" in ended.err + ended.out
        subprocess.run(["mount", "-o", "remount,size=200m", place], check=True)
        ended = venvgrid("run", cwd=root)
        assert (ended.status, cell(root)["outcome"]) == (0, "passed"), ended.err
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0, reason="mounts file systems, as root on Linux"
)
def test_a_read_only_folder_is_said(venvgrid: Command, project: Write, tmp_path: Path) -> None:
    """Where `.venvgrid` cannot be written: exit status 3 and the path."""
    root = project(MATRIX)
    subprocess.run(["mount", "--bind", root, root], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", root], check=True)
    try:
        ended = venvgrid("run", cwd=root)
    finally:
        subprocess.run(["umount", root], cwd=tmp_path, check=True)
    assert ended.status == 3
    assert f"{root / '.venvgrid'} cannot be written: Read-only file system" in ended.err


def test_no_network_is_not_impossible(venvgrid: Command, project: Write, tmp_path: Path) -> None:
    """An index that refuses the connection, and nothing in the caches: build-failed with the cause, exit status 3."""
    root = project(MATRIX + 'six = ["1.16"]\n')
    dead = {"UV_CACHE_DIR": str(tmp_path / "uv"), "VENVGRID_CACHE_DIR": str(tmp_path / "cache"), "UV_HTTP_RETRIES": "0"}
    dead["UV_DEFAULT_INDEX"] = "http://user:sesame-street@127.0.0.1:9/simple"
    ended = venvgrid("run", cwd=root, env=dead)
    assert (ended.status, cell(root)["outcome"]) == (3, "build-failed")
    assert "could not be reached" in cell(root)["reason"]
    written = [file.read_bytes() for file in (root / ".venvgrid").rglob("*") if file.is_file()]
    assert b"sesame-street" not in b"".join([*written, ended.out.encode(), ended.err.encode()])


def test_offline_uses_the_caches_and_says_what_is_missing(venvgrid: Command, project: Write) -> None:
    """What was fetched before runs offline; what was not is no impossible cell."""
    root = project(MATRIX + 'six = ["1.16"]\n')
    assert venvgrid("run", cwd=root).status == 0
    assert venvgrid("run", "--offline", cwd=root).status == 0
    (root / "matrix.toml").write_text(MATRIX + 'toposort = ["1.5"]\n', encoding="utf-8")
    ended = venvgrid("run", "--offline", cwd=root)
    assert (ended.status, cell(root)["outcome"]) == (3, "build-failed")


ODD = ["a b", "it's", 'quote"s', "é ü 日本", "$HOME;x"]


@pytest.mark.parametrize(("installer", "name"), [*(("uv", name) for name in ODD), ("pip", " ".join(ODD))], ids=ascii)
def test_odd_paths_work(venvgrid: Command, project: Write, installer: str, name: str) -> None:
    """Spaces, quotes, and letters of any script in the project's path: the cell passes, with uv and with pip."""
    plain = project(MATRIX)
    if os.name == "nt" and '"' in name:
        pytest.skip("no such file name on Windows")
    root = plain.rename(plain.parent / name)
    ended = venvgrid("run", cwd=root, env={"VENVGRID_INSTALLER": installer})
    assert (ended.status, cell(root)["outcome"]) == (0, "passed"), ended.err


def test_a_missing_interpreter_says_where_it_looked_and_what_to_type(venvgrid: Command, project: Write) -> None:
    """No CPython 3.99: exit status 3 and a reason to act on; with --skip-missing-interpreters 0."""
    root = project(f'[axes]\npython = ["{HERE}", "3.99"]\n')
    ended = venvgrid("run", cwd=root, env={"VENVGRID_PYTHON_DOWNLOADS": "never"})
    assert ended.status == 3
    assert outcomes(root) == {f"py{HERE}": "passed", "py3.99": "missing-interpreter"}
    assert "no CPython 3.99 on this machine" in cell(root, "py3.99")["reason"]
    assert (ended.out + ended.err).count("no CPython 3.99 on this machine") == 1
    assert venvgrid("run", "--skip-missing-interpreters", cwd=root).status == 0
    (root / "matrix.toml").write_text(
        f'[axes]\npython = ["{HERE}", "3.99"]\n[plan]\nskip-missing-interpreters = true\n', encoding="utf-8"
    )
    assert venvgrid("run", cwd=root).status == 0
    assert venvgrid("plan", "--no-skip-missing-interpreters", cwd=root).status == 3


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_an_interrupted_run_keeps_its_results(project: Write, cache_dir: Path, number: signal.Signals) -> None:
    """A signal to venvgrid alone: 128 + n, the grid so far, results.json, and no process of the tests is left."""
    body = "    pathlib.Path('began').touch()\n    threading.Event().wait()\n"
    test = f"import pathlib, threading\n\n\ndef test_waits():\n{body}"
    root = project(MATRIX + 'env.A = ["1", "2"]\n', {"tests/test_demo.py": test})
    environment = {**os.environ, "VENVGRID_CACHE_DIR": str(cache_dir)}
    command = [sys.executable, "-m", "venvgrid", "run", "-j", "1"]
    with subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        wait_for((root / "began").exists, running)
        running.send_signal(number)
        out, _ = running.communicate(timeout=LIMIT)
        assert running.returncode == 128 + number
    assert set(outcomes(root).values()) == {"cancelled"}
    assert b"2 cancelled" in out
    assert not [pid for pid in Path("/proc").glob("[0-9]*") if _mentions(pid, str(root))]


def _mentions(process: Path, text: str) -> bool:
    try:
        return text.encode() in (process / "environ").read_bytes() and (process / "exe").exists()
    except OSError:
        return False


def test_a_second_run_in_the_same_folder_waits(project: Write, cache_dir: Path) -> None:
    """Two runs at once: the second says for whom it waits, and both are green."""
    test = """
        import demo, pathlib, time


        def test_waits_for_the_second_run():
            pathlib.Path("began").touch()
            while not pathlib.Path("second").exists():
                time.sleep(0.02)
    """
    root = project(MATRIX + '[test]\ntimeout = "10m"\n', {"tests/test_demo.py": test})
    environment = {**os.environ, "VENVGRID_CACHE_DIR": str(cache_dir)}
    command = [sys.executable, "-m", "venvgrid", "run", "-q"]
    with subprocess.Popen(command, cwd=root, env=environment) as first:
        wait_for((root / "began").exists, first)
        with subprocess.Popen(command, cwd=root, env=environment, stderr=subprocess.PIPE, text=True) as second:
            assert second.stderr is not None
            assert f"waiting for process {first.pid}" in second.stderr.readline()
            (root / "second").touch()
            assert first.wait(timeout=LIMIT) == 0
            second.communicate(timeout=LIMIT)
            assert second.returncode == 0
