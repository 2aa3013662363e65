"""The two sides of the witness: its specification, its records, and its old syntax."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from venvgrid.outcomes import provenance, witness
from venvgrid.outcomes.outside.network import doubt
from venvgrid.processes import guests

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = guests.WITNESS_FILE.read_text(encoding="utf-8")


def seen(folder: Path, code: str, *specification: tuple[str, str], before: str = "") -> witness.Witnessed:
    """Run code with the witness switched on; `before` runs before the witness."""
    variables = witness.switch_on(folder / "run", specification)
    start = f"import sys; sys.path.insert(0, {str(guests.WITNESS_FILE.parent)!r}); sys.dont_write_bytecode = True\n"
    start += f"{before}\nimport _venvgrid_witness\n"
    subprocess.run([sys.executable, "-c", start + code], env={**os.environ, **variables}, cwd=folder, check=True)
    return witness.read(folder / "run")


def test_imports_are_recorded_as_they_happen(tmp_path: Path) -> None:
    """A watched module and all below it, with a process that never ends normally; a query is no import."""
    (tmp_path / "pack").mkdir()
    for name in ("__init__.py", "a.py", "b.py"):
        (tmp_path / "pack" / name).touch()
    code = "import os, importlib.util as u; import pack.a; u.find_spec('pack.b'); os._exit(0)"
    found = seen(tmp_path, code, ("root", "pack"))
    names = [(name, os.path.basename(file)) for name, file in found.imports]  # noqa: PTH119
    assert names == [("pack", "__init__.py"), ("pack.a", "a.py")]
    assert len(found.processes) == 1
    assert len(found.changes) == 2


def test_the_projects_modules_come_from_the_environment(tmp_path: Path) -> None:
    """Its folder goes before the working directory; a test that it lacks comes from the checkout, no more."""
    for name in ("site/pack/__init__.py", "pack/__init__.py", "pack/tests/__init__.py", "pack/more.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    code = (
        "import pack.tests\ntry:\n    import pack.more\nexcept ImportError:\n    pass\nelse:\n    raise SystemExit(1)\n"
    )
    place = str(tmp_path / "site")
    fields = (("site", place), ("root", "pack"), ("first", "pack"), ("source", str(tmp_path)), ("inside", place))
    found = seen(tmp_path, f"{code}assert 'site' in pack.__file__, pack\n", *fields)
    assert [name for name, _ in found.checkout] == ["pack.tests"]


def test_nobody_but_python_sees_the_finder(tmp_path: Path) -> None:
    """Places, numbers and copies of sys.meta_path are those of the tests; yet the environment is asked first."""
    for name in ("site/pack/__init__.py", "site/pack/a.py", "pack/__init__.py", "pack/a.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    code = """
import importlib, importlib.metadata, sys
class Finder:
    asked = []
    def find_spec(self, name, path=None, target=None):
        self.asked.append(name)
before, mine = list(sys.meta_path), Finder()
sys.meta_path.insert(0, mine)
import colorsys
assert sys.meta_path[0] is mine and "colorsys" in mine.asked
assert [finder for finder in sys.meta_path] == [mine, *before] == sys.meta_path
assert [number for number, finder in enumerate(sys.meta_path) if finder is mine] == [0]
import pack
assert sys.meta_path.pop(0) is mine and sys.meta_path == before
sys.meta_path[:] = [mine, *before]
importlib.import_module("pack.a")
sys.meta_path = [mine, *sys.meta_path]
importlib.metadata.distributions()
assert "site" in pack.__file__ and "site" in pack.a.__file__
"""
    place = str(tmp_path / "site")
    found = seen(tmp_path, code, ("site", place), ("root", "pack"), ("first", "pack"), ("source", str(tmp_path)))
    assert [name for name, _ in found.imports] == ["pack", "pack.a"]


def test_a_process_has_one_audit_hook(tmp_path: Path) -> None:
    """Some libraries raise 100,000 events of `id`, and each hook is called for each: a second one costs twice."""
    before = "hooks = []; sys.addaudithook(lambda event, _: hooks.append(event))"
    code = "assert hooks.count('sys.addaudithook') == 1; import pack; exec(open('run.py').read())"
    (tmp_path / "pack.py").touch()
    (tmp_path / "run.py").touch()
    found = seen(tmp_path, code, ("root", "pack"), ("unnoted", "/proc/"), before=before)
    assert ([name for name, _ in found.imports], found.hooked) == (["pack"], 1)
    assert found.opened[str(tmp_path / "run.py")] == "r"


def test_lines_that_are_none_of_the_witness_are_left_out(tmp_path: Path) -> None:
    """Torn, foreign, and bytes that are no text."""
    witness.switch_on(tmp_path / "run", ())
    line = b"import\0a\0/a\xff.py\0" + b"12\n"
    (tmp_path / "run" / witness.STREAM_NAME / "1").write_bytes(line + b"import\0torn\nnoise\n" + b"session\0\0\0\n")
    found = witness.read(tmp_path / "run")
    assert (found.imports, found.unregistered) == ((("a", "/a\\xff.py"),), 1)
    assert witness.read(tmp_path / "nowhere") == witness.Witnessed()


LATER = {"_posixshmem", "_posixsubprocess", "_sqlite3", "_socket", "_ssl"}  # built in, or just before who needs them
GUESTS = (
    guests.WITNESS_FILE,
    guests.OLD_WITNESS_FILE,
    guests.ANCESTOR_FILE,
    guests.OPENED_FILE,
    guests.OLD_OPENED_FILE,
    guests.NETWORK_FILE,
    guests.STARTED_FILE,
    guests.COMPILED_FILE,
    guests.DISTRIBUTIONS_FILE,
)


@pytest.mark.parametrize("guest", GUESTS, ids=lambda guest: guest.stem)
def test_the_witness_is_old_python(guest: Path) -> None:
    """No syntax that Python 2.7 lacks, and no module that a starting interpreter has not loaded."""
    source = guest.read_text(encoding="utf-8")
    newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.AsyncFunctionDef, ast.YieldFrom, ast.Nonlocal)
    tree = ast.parse(source, feature_version=(3, 7))
    assert not [node for node in ast.walk(tree) if isinstance(node, newer)]
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert imported <= {"os", "sys", "io", "atexit", "imp", "_venvgrid_opened", "_venvgrid_network"} | LATER | {
        "_venvgrid_distributions"
    }
    assert guest not in {guests.WITNESS_FILE, guests.OLD_OPENED_FILE} or 'type(u"")' in source


@pytest.mark.parametrize(
    "name", ["tests", "tests.a", "a.test_b", "conftest", "a.b_test", "core", "testing", "a.latest", "tests_unit.a"]
)
def test_both_sides_know_the_same_tests(name: str) -> None:
    """A test inside the package is one for the guest and for the host."""
    space: dict[str, object] = {}
    tree = ast.parse(SOURCE)
    wanted: list[ast.stmt] = [
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "is_test"
    ]
    exec(
        compile(ast.Module(body=wanted, type_ignores=[]), "guest", "exec"),
        {"TESTS": provenance.TESTS},
        space,
    )
    assert provenance.is_test(name) == space["is_test"](name)  # type: ignore[operator]


def test_what_is_read_is_recorded_with_how(tmp_path: Path) -> None:
    """Opened, written, asked for, listed, relative to a descriptor, given to a program: what matters most."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to("there")
    (tmp_path / "other" / "tool").symlink_to("/bin/true")
    for name in ("read", "there", "folder/below"):
        (tmp_path / name).touch()
    code = (
        "import os, subprocess; from pathlib import Path; open('read'); open('written', 'w'); open('written')\n"
        "os.path.exists('there'); Path('absent').exists(); os.path.exists('read'); os.listdir('folder')\n"
        "os.open('below', os.O_RDONLY, dir_fd=os.open('folder', os.O_RDONLY)); os.system('true\\n')\n"
        "subprocess.check_call(['./other/tool', 'a b'], cwd='.')\n"
        "subprocess.check_call(['tool'], cwd='folder', env={'PATH': os.path.abspath('other')})\n"
        "fd = os.open('other', os.O_RDONLY | os.O_DIRECTORY); os.listdir(fd); os.readlink('link')\n"
        "os.access('none', os.R_OK, dir_fd=fd)\n"
    )
    found = seen(tmp_path, code, ("unnoted", "/proc/"), ("unnoted", str(guests.FOLDER)))
    here = {os.path.relpath(path, tmp_path): how for path, how in found.opened.items() if str(tmp_path) in path}
    expected = {"read": "r", "written": "w", "there": "s", "absent": "n", "folder": "r", "folder/below": "r"}
    expected |= {"other": "l", "link": "t", "other/none": "n"}
    assert {name: here.get(name) for name in expected} == expected
    tool = ("folder", (str(tmp_path / "other" / "tool"),))
    ran = [(os.path.relpath(item.cwd, tmp_path), item.argv) for item in found.ran]
    assert ran == [(".", ("/bin/sh", "-c", "true\n")), (".", ("./other/tool", "a b")), tool]
    assert (found.silent, found.hooked) == (0, 1)


def test_no_other_name_hides_what_is_read(tmp_path: Path) -> None:
    """Links and names that tests make, a way through a folder that does not count, links of /proc."""
    names = "quiet/x linked beside/linked named renamed way cwd root again sized listed/x"
    for name in names.split():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "quiet/link").symlink_to("x")
    code = (
        "import os; from pathlib import Path; here = os.getcwd()\n"
        "os.symlink(os.path.abspath('linked'), 'quiet/a'); os.symlink('../beside', 'quiet/b')\n"
        "os.link('named', 'quiet/c'); os.rename('renamed', 'quiet/d')\n"
        "open(here + '/quiet/../way'); open(here + '/quiet/link'); open('/proc/self/cwd/cwd')\n"
        "os.stat('/proc/%d/root%s/root' % (os.getpid(), here)); os.path.getsize('sized'); os.path.isfile('sized')\n"
        "f = os.open('again', os.O_RDONLY); open('/proc/self/fd/%d' % f); os.readlink('/proc/self/cwd')\n"
        "open('/proc/self/stat'); list(os.scandir('listed')); list(Path('beside').iterdir())\n"
    )
    found = seen(
        tmp_path, code, ("unnoted", "/proc/"), ("unnoted", str(guests.FOLDER)), ("unnoted", f"{tmp_path}/quiet/")
    )
    here = {os.path.relpath(path, tmp_path): how for path, how in found.opened.items() if str(tmp_path) in path}
    expected = {"linked": "k", "beside": "k", "named": "k", "renamed": "v", "way": "r", "cwd": "r", "root": "t"}
    assert {name: here.get(name) for name in expected} == expected
    assert {name: here[name] for name in ("again", "sized", "listed")} == {"again": "r", "sized": "t", "listed": "o"}
    assert not [name for name in here if name.startswith("quiet/")]


def test_what_a_database_attaches_is_recorded(tmp_path: Path) -> None:
    """By a name in the statement, or by one that is not told (Linux); and nothing else of it."""
    for name, attached, more in (("a", "'other.db'", ""), ("b", "?", ", ['other.db']"), ("c", "':memory:'", "")):
        (tmp_path / name).mkdir()
        run = f'own.execute("attach {attached} as x"{more}); own.execute("select * from x.sqlite_master")'
        code = f'import sqlite3; own = sqlite3.connect("own.db"); {run}; own.close()'
        found = seen(tmp_path / name, code, ("unnoted", "/proc/"), ("unnoted", str(guests.FOLDER)))
        expected = {"a": ("other.db", "a"), "b": ("other.db", "a") if sys.platform.startswith("linux") else None}
        told = {(os.path.basename(path), how) for path, how in found.opened.items()}  # noqa: PTH119
        assert told & {("own.db", "a"), ("other.db", "a")} == {("own.db", "a"), *filter(None, [expected.get(name)])}


def test_what_compiled_code_does_is_recorded_where_it_can_be_known(tmp_path: Path) -> None:
    """A function of the system by ctypes, a certificate, what is open, connected or mapped at the end."""
    code = """
import ctypes, mmap, os, socket, ssl, sys
import _venvgrid_opened
library = ctypes.CDLL(None)
library.open(b"opened", os.O_RDONLY)
number = library.open(b"mapped", os.O_RDONLY)
area = mmap.mmap(number, 0, access=mmap.ACCESS_READ)
os.close(number)
try:
    ssl.create_default_context(cafile="certificate")
except ssl.SSLError:
    pass
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(1)
client = socket.create_connection(server.getsockname())
"""
    for name in ("opened", "mapped", "certificate"):
        (tmp_path / name).write_text("x" * 5000, encoding="utf-8")
    found = seen(tmp_path, code, ("unnoted", "/proc/"), ("unnoted", str(guests.FOLDER)))
    here = {os.path.relpath(path, tmp_path): how for path, how in found.opened.items() if str(tmp_path) in path}
    assert found.opened["called open by ctypes"] == "d"
    assert here["certificate"] == "r"
    if sys.platform.startswith("linux"):
        assert (here["opened"], here["mapped"]) == ("r", "r")
        ((_, joined),) = [item for item in found.reached if item[0] == "joined"]
        assert doubt(found.bound, [("joined", joined)]) == ""
        assert doubt((), [("joined", joined)]).startswith("connected to 127.0.0.1:")


def test_an_ordinary_process_loads_no_more(tmp_path: Path) -> None:
    """Nothing looks for what compiled code opens, unless some was loaded that may open anything."""
    code = "import json, struct, zlib, socket, sys; assert not sys._venvgrid_opened.compiled\n"
    assert seen(tmp_path, f"{code}import ctypes; assert sys._venvgrid_opened.compiled", ("unnoted", "/proc/")).hooked


def test_wrapped_functions_are_as_they_were(tmp_path: Path) -> None:
    """They are no methods in a class, can be pickled, take descriptors, and fail as before."""
    code = """
import inspect, os, pickle, shutil
class Holder:
    stat = os.stat
assert Holder().stat(".").st_mode == os.stat(b".").st_mode
assert pickle.loads(pickle.dumps(os.stat)) is os.stat
assert {os.stat, os.open} <= os.supports_dir_fd and os.stat in os.supports_fd and os.stat in os.supports_follow_symlinks
assert inspect.isbuiltin(os.stat) and os.stat.__name__ == "stat" and "dir_fd" in str(inspect.signature(os.stat))
assert os.access("/", os.R_OK) is True and os.access("/nowhere", os.R_OK) is False
os.mkdir("folder"); shutil.rmtree("folder")
for call in (lambda: os.stat("nowhere"), lambda: os.open("nowhere", os.O_RDONLY)):
    try:
        call()
    except FileNotFoundError as error:
        assert error.filename == "nowhere"
    else:
        raise AssertionError
try:
    os.stat()
except TypeError:
    pass
"""
    assert seen(tmp_path, code, ("unnoted", "/proc/")).processes


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere no process tells the variables of another")
def test_a_child_without_variables_is_witnessed(tmp_path: Path) -> None:
    """It finds the specification in the processes above it, if it is of its own environment."""
    for guest in (guests.WITNESS_FILE, guests.ANCESTOR_FILE, guests.OPENED_FILE, guests.STARTED_FILE):
        shutil.copy(guest, tmp_path)
    line = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import _venvgrid_witness"
    shell = ["/bin/sh", "-c", f'{sys.executable} -c "$0"', line]
    parent = f"import subprocess; subprocess.check_call({shell!r}, env={{}})"
    for site, number in ((tmp_path, 1), (tmp_path / "other", 0)):
        folder = tmp_path / f"run{number}"
        variables = witness.switch_on(folder, (("site", str(site)), ("unnoted", "/proc/")))
        subprocess.run([sys.executable, "-c", parent], env={**os.environ, **variables}, check=True)
        assert len(witness.read(folder).processes) == number


def test_what_a_run_leaves_behind_is_recorded(tmp_path: Path) -> None:
    """What it makes, and what it deletes that was there before; what was appended to counts once it is read."""
    for name in ("old", "grown", "measured", "unread", "folder/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1e9, 1e9))
    code = """
import os, shutil
os.mkdir("made"); open("new", "x").close(); os.symlink("nowhere", "link"); os.remove("old"); shutil.rmtree("folder")
for name in ("grown", "measured", "unread"):
    open(name, "a").close()
open("grown").close(); os.path.getsize("measured")
open("own", "w").close(); os.remove("own"); os.mkdir("mine"); os.rmdir("mine")
"""
    found = seen(tmp_path, code, ("unnoted", "/proc/"), ("unnoted", str(guests.FOLDER)))
    here = {os.path.relpath(path, tmp_path): how for path, how in found.opened.items() if str(tmp_path) in path}
    expected = {"made": "n", "new": "n", "link": "n", "old": "v", "folder/x": "v", "grown": "r", "measured": "t"}
    expected |= {"unread": "w", "own": "w", "mine": "n"}
    assert {name: here.get(name) for name in expected} == expected


@pytest.mark.parametrize("is_hidden", [True, False])
def test_a_build_by_pip_does_not_see_the_environment(tmp_path: Path, is_hidden: bool) -> None:  # noqa: FBT001
    """Pip hides the environment from a process that builds a distribution: it gets and tells nothing of the project."""
    folder = tmp_path / ("pip-build-env-x" if is_hidden else "plain")
    folder.mkdir()
    (folder / "sitecustomize.py").touch()
    for place in ("site", "other"):
        (tmp_path / place / "pack").mkdir(parents=True)
        (tmp_path / place / "pack/__init__.py").touch()
    site, guest = str(tmp_path / "site"), str(guests.WITNESS_FILE.parent)
    variables = witness.switch_on(tmp_path / "run", (("root", "pack"), ("first", "pack"), ("site", site)))
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path / 'other')!r}, {guest!r}]; sys.dont_write_bytecode = True\n"
        f"import _venvgrid_witness; assert _venvgrid_witness.active\nimport pack\n"
        f"assert {'other' if is_hidden else 'site'!r} in pack.__file__.split('/')[-3], pack.__file__\n"
    )
    environment = {**os.environ, **variables, "PYTHONPATH": str(folder)}
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, check=True)
    assert len(witness.read(tmp_path / "run").imports) == (0 if is_hidden else 1)
