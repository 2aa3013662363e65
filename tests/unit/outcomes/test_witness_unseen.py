"""A program prints the same with the witness and without it: nothing else may make a test red."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from venvgrid.outcomes import witness
from venvgrid.processes import guests

if TYPE_CHECKING:
    from pathlib import Path

# What a program does after `import os, sys`, each on one line.
PROGRAMS = {
    "asks an object once for its path": """
        class Counting:
            asked = 0

            def __fspath__(self):
                self.asked += 1
                return "there"

        for function in (os.stat, os.lstat, os.readlink, os.path.exists, lambda path: os.access(path, os.R_OK)):
            try:
                function(path := Counting())
            except OSError:
                pass
            print(path.asked)
        os.stat(path=(path := Counting()))
        print(path.asked)
    """,
    "an object whose path is no text": """
        class Wrong:
            def __init__(self, path):
                self.path = path

            def __fspath__(self):
                return self.path()

        for path in (lambda: 1, lambda: 1 / 0):
            try:
                os.stat(Wrong(path))
            except Exception:
                show()
    """,
    "a traceback": """
        import pathlib, sqlite3, ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for wrong in (
            lambda: os.stat("nothing"),
            lambda: os.stat(1.5),
            lambda: os.open("nothing", os.O_RDONLY),
            lambda: os.readlink("nothing"),
            lambda: pathlib.Path("nothing").stat(),
            lambda: sqlite3.connect("nothing/nothing"),
            lambda: context.load_verify_locations("nothing"),
        ):
            try:
                wrong()
            except Exception:
                show()
        try:
            {}["key"]
        except KeyError:
            os.stat("nothing")
    """,
    "modules that an import has loaded": """
        before = set(sys.modules)
        import ctypes, sqlite3, ssl
        print(sorted(set(sys.modules) - before - {"atexit"}))
    """,
    "what is asked of a function": """
        import inspect, pickle, ssl, types

        for function in (os.stat, os.lstat, os.open, os.access, os.readlink, ssl.SSLContext.load_verify_locations):
            print(inspect.signature(function), inspect.isbuiltin(function), function.__name__)
        print(ssl.SSLContext.__mro__[1].__module__, pickle.loads(pickle.dumps(os.stat)) is os.stat)
    """,
    "text and bytes are not compared": """
        for path in (os.path.abspath("there"), os.path.abspath("nothing")):
            for same in (path, os.fsencode(path)):
                print(os.path.exists(same), os.access(same, os.R_OK), os.path.exists(os.path.dirname(same)))
        for same in (__file__, os.fsencode(__file__)):
            open(same).close()
            os.listdir(os.path.dirname(same))
    """,
}
SHOW = 'def show():\n    import traceback\n    print(traceback.format_exc().replace("  ~~^~~", ""))\n\n\n'


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_prints_the_same_with_the_witness(tmp_path: Path, name: str) -> None:
    """Counted questions, tracebacks, modules, signatures and warnings are those of plain Python."""
    (tmp_path / "there").touch()
    (tmp_path / "program.py").write_text(f"import os, sys\n{SHOW}{textwrap.dedent(PROGRAMS[name])}", encoding="utf-8")
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys; sys.path.append({str(guests.WITNESS_FILE.parent)!r}); import _venvgrid_witness\n",
        encoding="utf-8",
    )
    variables = witness.switch_on(tmp_path / "run", [("unnoted", "/nothing/"), ("site", str(tmp_path))])
    base = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}

    def output(**more: str) -> tuple[str, str, int]:
        argv = [sys.executable, "-b", "-B", "program.py"]
        done = subprocess.run(argv, cwd=tmp_path, env={**base, **more}, capture_output=True, text=True, check=False)
        return done.stdout, done.stderr, done.returncode

    assert output(PYTHONPATH=str(tmp_path), **variables) == output()
    assert len(witness.read(tmp_path / "run").opened) > 1
