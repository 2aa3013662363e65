"""Neither import finders of the tests nor cleaned environments of children hide anything from the witness."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

import pytest
from rig import HERE
from worlds import FLAT, MATRIX, run

if TYPE_CHECKING:
    from conftest import Command, Write

pytestmark = pytest.mark.e2e
SIX = f'[axes]\npython = ["{HERE}"]\nsix = ["1.16"]\n'
IN_FRONT = """
    import importlib.util, sys
    import demo

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "six":
                return importlib.util.spec_from_file_location("six", "tests/vendor/six.py")

    def test_it():
        sys.meta_path.insert(0, Finder)
        import six
        assert six.VENDORED
        del sys.modules["six"]
        sys.meta_path.remove(Finder)
"""


def test_a_finder_in_front_hides_no_replaced_package(venvgrid: Command, project: Write) -> None:
    """It answers before the witness is asked, and all traces are gone when the test ends: still a mismatch."""
    files = {"tests/vendor/six.py": "VENDORED = True\n", "tests/test_demo.py": IN_FRONT}
    outcome, reason, _ = run(venvgrid, project(SIX, files))
    assert (outcome, reason.startswith("six was imported from ")) == ("mismatch", True), reason
    assert "vendor" in reason


VENDORED = """
    import importlib, importlib.util, sys
    import demo

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "six":
                return importlib.util.spec_from_file_location("six", demo.__file__.replace("__init__", "vendored"))

    def test_it():
        sys.meta_path.insert(0, Finder)
        assert importlib.import_module("six").VENDORED
        del sys.modules["six"]
        sys.meta_path.remove(Finder)
"""


def test_a_finder_in_front_of_an_import_by_name_hides_no_vendored_copy(venvgrid: Command, project: Write) -> None:
    """`importlib.import_module` tells no audit hook, and the file is one of the environment: its execution is seen."""
    files = {"src/demo/vendored.py": "VENDORED = True\n", "tests/test_demo.py": VENDORED}
    outcome, reason, _ = run(venvgrid, project(SIX, files))
    assert (outcome, reason.startswith("six was imported from ")) == ("mismatch", True), reason


UNCONCERNED = {
    "of old style": """
        import sys

        class Finder:
            def find_module(self, name, path=None):
                return None

        sys.meta_path.insert(0, Finder())
        import demo.core

        def test_it():
            assert "site-packages" in demo.core.__file__
    """,
    "that instruments the project": """
        import importlib.machinery, sys

        class Loader(importlib.machinery.SourceFileLoader):
            def exec_module(self, module):
                super().exec_module(module)
                module.is_checked = True

        class Finder:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] == "demo":
                    spec = importlib.machinery.PathFinder.find_spec(name, path, target)
                    spec.loader = Loader(name, spec.origin)
                    return spec

        sys.meta_path.insert(0, Finder())
        import demo.core

        def test_it():
            assert "site-packages" in demo.core.__file__ and demo.is_checked and demo.core.is_checked
    """,
    "with a list of its own": """
        import importlib.abc, importlib.util, sys
        import demo

        class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
            def find_spec(self, name, path=None, target=None):
                if name == "demo.virtual":
                    return importlib.util.spec_from_loader(name, self)

            def exec_module(self, module):
                module.x = 1

        def test_it(monkeypatch):
            monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
            import demo.core, demo.virtual
            assert demo.virtual.x == 1 and "site-packages" in demo.core.__file__
    """,
}


def test_the_installed_project_stays_first_behind_other_finders(venvgrid: Command, project: Write) -> None:
    """A flat layout with a finder that only has find_module, that wraps loaders, or in another list."""
    root = project(MATRIX + '[test]\ncommand = ["python", "-m", "pytest"]\n', FLAT)
    for name, code in UNCONCERNED.items():
        (root / "tests/test_demo.py").write_text(textwrap.dedent(code), encoding="utf-8")
        outcome, reason, _ = run(venvgrid, root)
        assert outcome == "passed", (name, reason)


@pytest.mark.skipif(sys.platform != "linux", reason="the environment of an ancestor is read from /proc")
def test_children_with_a_cleaned_environment_are_witnessed(venvgrid: Command, project: Write) -> None:
    """Of a flat layout they run what is installed, and code of the checkout is seen; they find nothing set."""
    installed = """
        import os, subprocess, sys
        import demo

        def test_it():
            code = "import os, demo; print(demo.__file__); assert not [n for n in os.environ if 'VENVGRID' in n]"
            out = subprocess.check_output([sys.executable, "-c", code], env={}, text=True)
            assert "site-packages" in out
    """
    checkout = """
        import subprocess, sys
        import demo

        def test_it():
            subprocess.check_call([sys.executable, "demo/core.py"], env={})
    """
    root = project(MATRIX, {**FLAT, "tests/test_demo.py": installed})
    outcome, reason, _ = run(venvgrid, root)
    assert outcome == "passed", reason
    (root / "tests/test_demo.py").write_text(textwrap.dedent(checkout), encoding="utf-8")
    outcome, reason, _ = run(venvgrid, root)
    assert (outcome, "demo/core.py" in reason) == ("mismatch", True), reason
