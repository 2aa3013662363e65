"""What tests read beside the inputs, in whatever process and way: it counts, or the cell is not kept and says why."""

from __future__ import annotations

import os
import subprocess
from multiprocessing import shared_memory
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import rig
from conftest import cell
from rig import HERE, has, results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conftest import Command, Write

pytestmark = pytest.mark.e2e

MATRIX = f'[project]\ninstall = "none"\n[axes]\npython = ["{HERE}"]\n'
IGNORED = ".venvgrid\nlocal*\nprivate/\n__pycache__\n"
FIRST_CPU = str(min(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ""
CHILD = "subprocess.check_call([sys.executable, '-c', 'open(\"{}\").read()']{})"


# The name of a file → how the tests read it. A name that begins with "../" or "new" is made later.
READS = {
    "local-child": CHILD.format("local-child", ""),
    "local-bare": CHILD.format("local-bare", ", env={}"),
    "local-cat": "subprocess.check_call(['cat', 'local-cat'])",
    "local-shell": "subprocess.check_call('X=1 cat < local-shell | wc -l', shell=True)",
    "local-system": "assert os.system('cat local-system') == 0",
    "local-spawned": "spawned()",
    "local.db": "sqlite3.connect('file:local.db?mode=ro', uri=True)",
    "private/by-descriptor": "os.close(os.open('by-descriptor', os.O_RDONLY, dir_fd=os.open('private', os.O_RDONLY)))",
    "private/elsewhere": "subprocess.check_call(['cat', 'elsewhere'], cwd='private')",
    "new: local-asked": "assert not os.path.exists('local-asked') or True",
    "new: ../asked": "Path('../asked').is_file()",
    "new: local-access": "os.access('local-access', os.R_OK)",
    "new: private/listed": "os.listdir('private')",
    "new: tests/local-globbed": "list(Path('tests').glob('*'))",
    "new: tests/local_conftest/conftest.py": "list(Path('tests').iterdir())",
    "../measured": "assert os.path.getsize('../measured') < 2",
    "local.so": "loaded('local.so')",
    "local-sized": "assert os.path.getsize('local-sized') < 9",
    "local-linked": "linked('local-linked')",
    "local.pem": "certificate('local.pem')",
    "local-attached": "attached('local-attached')",
    "local-reached": "open(os.path.join(sys.prefix, os.path.relpath('local-reached', sys.prefix)))",
    "new: private/asked": "os.access('asked', os.R_OK, dir_fd=os.open('private', os.O_RDONLY | os.O_DIRECTORY))",
    "new: ../beside": "os.listdir('..')",
    "new: local-flag": "subprocess.call(['test', '-f', 'local-flag'])",
    "new: private/entered/file": "tried(os.chdir, 'private/entered')",
    "new: private/started/file": "tried(lambda: subprocess.call(['true'], cwd='private/started'))",
    "local data.db": "sqlite3.connect('file:local%20data.db?mode=ro', uri=True)",
    "new: local-changed": "tried(os.chmod, 'local-changed', 0o644)",
    "new: local-touched": "tried(os.utime, 'local-touched')",
    "new: local-cut": "tried(os.truncate, 'local-cut', 0)",
    "new: local-volume": "tried(os.statvfs, 'local-volume')",
    "new: local-limit": "tried(os.pathconf, 'local-limit', 'PC_NAME_MAX')",
    "new: local-ls": "subprocess.check_call(['ls'])",
    "new: tests/local_package/__init__.py": "importlib.util.find_spec('local_package')",
    "new: tests/local_space/below/module.py": "importlib.util.find_spec('local_space')",
    "new: tests/local_empty/data.txt": "importlib.util.find_spec('local_empty')",
    "new: tests/local.egg-info/PKG-INFO": "importlib.metadata.packages_distributions()",
}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def body(lines: Iterable[str]) -> str:
    names = (
        "import ctypes, importlib.machinery, importlib.util, multiprocessing, os, sqlite3, ssl, subprocess, sys\n"
        "import importlib.metadata, tempfile\n"
        "from pathlib import Path\n\n\ndef loaded(path):\n"
        '    loader = importlib.machinery.ExtensionFileLoader("x", path)\n    try:\n'
        '        loader.create_module(importlib.util.spec_from_loader("x", loader))\n'
        "    except ImportError:\n        pass\n\n\n"
    )
    more = (
        "def tried(function, *arguments):\n    here = os.getcwd()\n    try:\n        function(*arguments)\n"
        "    except OSError:\n        pass\n    os.chdir(here)\n\n\n"
        "def linked(name):\n    place = os.path.join(tempfile.mkdtemp(), 'x')\n"
        "    os.symlink(os.path.abspath(name), place)\n    open(place)\n\n\n"
        "def attached(name):\n    connection = sqlite3.connect(':memory:')\n"
        "    connection.execute('ATTACH \"%s\" AS other' % name)\n    connection.close()\n\n\n"
        "def certificate(name):\n    try:\n        ssl.create_default_context(cafile=name)\n"
        "    except ssl.SSLError:\n        pass\n\n\n"
    )
    child = (
        'def spawned():\n    context = multiprocessing.get_context("spawn")\n'
        '    child = context.Process(target=open, args=("local-spawned",))\n'
        "    child.start()\n    child.join()\n    assert child.exitcode == 0\n\n\n"
    )
    return f"{names}{more}{child}def test_it():\n" + "".join(f"    {line}\n" for line in lines)


@pytest.fixture
def again(venvgrid: Command) -> Callable[..., dict[str, Any]]:
    """Return a function that runs the project; it returns the cell's result."""

    def run(root: Path) -> dict[str, Any]:
        ended = venvgrid("run", "-q", cwd=root)
        assert ended.status == 0, ended.out + ended.err
        return cell(root)

    return run


def test_each_way_to_read_counts(project: Write, again: Callable[..., dict[str, Any]]) -> None:
    """Children with and without variables, tools, shells, databases, descriptors, folders, what is not there yet."""
    root = project(MATRIX, {"tests/test_demo.py": body(READS.values()), ".gitignore": IGNORED})
    for name in READS:
        if not name.startswith("new: "):
            write(root / name, "")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    assert again(root)["notes"] == []
    assert again(root)["cached"] is True
    for name in READS:
        write(root / name.removeprefix("new: "), "#")
        assert (name, again(root)["cached"]) == (name, False)
    assert again(root)["cached"] is True


def test_what_cannot_be_deleted_or_moved_counts(project: Write, again: Callable[..., dict[str, Any]]) -> None:
    """A file that is not there is an error of the test; it is none as soon as the file is there."""
    for line in ("os.unlink('local-x')", "os.rename('local-x', 'local-y')", "os.rmdir('local-x')"):
        test = body([f"with pytest.raises(OSError):\n        {line}"]).replace("import ctypes", "import pytest, ctypes")
        root = project(MATRIX, {"tests/test_demo.py": test, ".gitignore": IGNORED})
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
        again(root)
        assert (line, again(root)["cached"]) == (line, True)
        (root / "local-x").mkdir() if "rmdir" in line else write(root / "local-x", "")
        with pytest.raises(AssertionError, match="DID NOT RAISE"):
            again(root)
    test = body(["Path('local-x').unlink(missing_ok=True)", "open('local-x', 'w').close()"])
    root = project(MATRIX, {"tests/test_demo.py": test, ".gitignore": IGNORED})
    again(root)
    assert again(root)["cached"] is True, "it does not matter whether the file is there"


UNKNOWN = {
    "os.listxattr('pytest.ini')": "read an extended attribute",
    "os.setgid(os.getgid())": "called os.setgid, after which not all is noted",
    "subprocess.check_call(['true'], group=os.getgid())": "started a program as another user",
    "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, r.getrlimit(r.RLIMIT_FSIZE))": "called resource.setrlimit",
    "subprocess.check_call('echo tests/*', shell=True)": "ran sh",
    "subprocess.check_call([sys.executable, '-S', '-c', ''])": "ran python",
    "subprocess.check_call(['env', 'cat', 'pytest.ini'])": "ran env",
    "subprocess.check_call(['ls', '..'])": "listed ..",
    "subprocess.check_call(['stdbuf', '-o0', 'ls'])": "ran stdbuf",
    "subprocess.call('cat ~/nothing', shell=True)": "ran sh",
    "subprocess.check_call(['python3', '-c', ''], env={'PATH': os.path.join(sys.base_prefix, 'bin')})": "ran python3",
    "ctypes.CDLL(None).access(b'local', 0)": "called access by ctypes",
    "os.symlink(os.path.abspath('..'), os.path.join(tempfile.mkdtemp(), 'x'))": "listed ..",
    "open('/proc/self/cwd/../tests-of-another', 'a+').close(); open('/proc/self/cwd/../x', 'w')": "read ../tests-of",
    "open(os.path.join(os.path.dirname(os.__file__), '__pycache__', 'venvgrid-test.pyc'), 'w').close()": "wrote ",
}


def test_what_is_not_known_is_told(project: Write, again: Callable[..., dict[str, Any]]) -> None:
    """A program that may read anything, a Python without its witness, a write into the interpreter: never kept."""
    root = project(MATRIX)
    for line, told in UNKNOWN.items():
        write(root / "tests/test_demo.py", body([line]))
        (note,) = again(root)["notes"]
        assert note.startswith(told)
        assert note.endswith(": not kept")
        assert again(root)["cached"] is False
    (Path(os.__file__).parent / "__pycache__" / "venvgrid-test.pyc").unlink()


COMMANDS = {
    "a line of Python": 'command = ["{python}", "-c", "open(\'local.cfg\')"]\nreports = "exit-status"\n',
    "a plain tool": 'command = ["cat", "local.cfg"]\nreports = "exit-status"\n',
    "JUnit": 'command = ["pytest", "-q", "--junitxml=local.xml"]\nreports = "junit:local.xml"\n',
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_that_are_not_pytests(project: Write, again: Callable[..., dict[str, Any]], name: str) -> None:
    """With `exit-status` and `junit:FILE` an ignored file that the command reads counts as well."""
    files = {"tests/test_demo.py": body(["open('local.cfg')"]), ".gitignore": IGNORED, "local.cfg": "1"}
    root = project(f"{MATRIX}[test]\n{COMMANDS[name]}", files)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    again(root)
    assert again(root)["cached"] is True
    write(root / "local.cfg", "2")
    assert again(root)["cached"] is False


def test_a_cell_without_distributions_is_kept(project: Write, again: Callable[..., dict[str, Any]]) -> None:
    """What venvgrid adds to an empty site-packages is no change of the tests: nothing is installed for unittest."""
    test = "import unittest\n\n\nclass Test(unittest.TestCase):\n    def test_it(self):\n        pass\n"
    more = '[install]\nrequires = []\n[test]\ncommand = ["python", "-m", "unittest", "discover", "tests"]\n'
    root = project(f'{MATRIX}{more}reports = "exit-status"\n', {"tests/test_demo.py": test})
    assert again(root)["notes"] == []
    assert again(root)["cached"] is True


def test_a_command_that_is_any_program_is_not_kept(project: Write, again: Callable[..., dict[str, Any]]) -> None:
    """A script of the shell reads whatever it likes."""
    root = project(f'{MATRIX}[test]\ncommand = ["sh", "check.sh"]\nreports = "exit-status"\n', {"check.sh": "true\n"})
    assert again(root)["notes"][-1] == "ran sh, which does not say what it reads: not kept"
    assert again(root)["cached"] is False


def test_old_pythons_tell_as_well(venvgrid: Command, project: Write, needs: Callable[..., None]) -> None:
    """Without an audit hook: opened, asked for, listed, imported, given to a program."""
    needs("2.7", "3.7")
    lines = (
        *("open('local-opened').close()", "os.path.exists('local-asked')", "os.listdir('private')"),
        *("sys.path.insert(0, 'private'); import local_module", "subprocess.check_call(['cat', 'local-cat'])"),
        "import sqlite3; sqlite3.connect('local.db').close()",
    )
    test = "import os, subprocess, sys\n\n\ndef test_it():\n" + "".join(f"    {line}\n" for line in lines)
    matrix = '[project]\ninstall = "none"\n[axes]\npython = ["2.7", "3.7"]\n'
    root = project(matrix, {"tests/test_demo.py": test, ".gitignore": IGNORED})
    for name in ("local-opened", "private/local_module.py", "local-cat", "local.db"):
        write(root / name, "")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)

    def kept() -> list[bool]:
        ended = venvgrid("run", "-q", cwd=root)
        assert ended.status == 0, ended.out + ended.err
        return [item["cached"] for item in results(root)["cells"]]

    kept()
    assert kept() == [True, True]
    for name in ("local-opened", "local-asked", "private/listed", "private/local_module.py", "local-cat", "local.db"):
        write(root / name, "#")
        assert (name, kept()) == (name, [False, False])
    assert kept() == [True, True]


def test_the_umask_counts(project: Write, again: Callable[..., dict[str, Any]]) -> None:
    """Files that tests make have other modes under another one."""
    root = project(MATRIX, {"tests/test_demo.py": body(["pass"])})
    before = os.umask(0o022)
    try:
        again(root)
        assert again(root)["cached"] is True
        os.umask(0o027)
        assert again(root)["cached"] is False
    finally:
        os.umask(before)


@pytest.mark.parametrize("before", [("nice", "-n", "1"), ("taskset", "-c", FIRST_CPU)], ids=["nice", "taskset"])
def test_priority_and_cpus_count(
    project: Write, cache_dir: Path, again: Callable[..., dict[str, Any]], before: tuple[str, ...]
) -> None:
    """Tests may ask for what their processes inherit: with another one of it the cell runs again."""
    if not has(before[0]) or (before[0] == "taskset" and len(os.sched_getaffinity(0)) == 1):
        pytest.skip(f"{before[0]} changes nothing here")
    root = project(MATRIX, {"tests/test_demo.py": body(["pass"])})
    again(root)
    assert again(root)["cached"] is True
    assert rig.venvgrid(root, cache_dir, "run", "-q", before=before).status == 0
    assert cell(root)["cached"] is False


def test_another_process_has_written_shared_memory(project: Write, again: Callable[..., dict[str, Any]]) -> None:
    """Memory that a test opens by its name is of another process: not kept. What the cell makes itself is its own."""
    other = shared_memory.SharedMemory(create=True, size=1)
    try:
        told = f"read /dev/shm/{other.name.lstrip('/')}, which is outside the project: not kept"
        for name, notes in ((f"'{other.name}'", [told]), ("create=True, size=1", [])):
            made = f"memory = shared_memory.SharedMemory({name}); memory.close()"
            own = (
                "memory.unlink()" if "create" in name else "resource_tracker.unregister(memory._name, 'shared_memory')"
            )
            lines = ["from multiprocessing import resource_tracker, shared_memory", made, own]
            root = project(MATRIX, {"tests/test_demo.py": body(lines)})
            assert again(root)["notes"] == notes
            assert again(root)["cached"] is not bool(notes)
    finally:
        other.close()
        other.unlink()
