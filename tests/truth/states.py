"""The small projects of the oracle: what may change in them, and how a state is written to a folder."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import rig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from answering import Answering

BACKENDS = {
    "flit": ("flit_core>=3.4", "flit_core.buildapi", ""),
    "setuptools": ("setuptools>=61", "setuptools.build_meta", '[tool.setuptools]\npackages = ["demo"]\n'),
}
TESTS = {
    "test_value": "import demo\n    assert demo.VALUE == 1",
    "test_data": 'assert (HERE / "data.txt").read_text() == "good"',
    "test_tracked": 'assert (HERE.parent / "env" / "settings.txt").read_text() == "good"',
    "test_link": 'assert (HERE / "link" / "data.txt").read_text() == "good"',
    "test_mode": 'assert os.access(str(HERE / "tool.sh"), os.X_OK)',
    "test_variable": 'assert os.environ.get("ORACLE_FLAG") == "good"',
    "test_package_data": "import demo\n    "
    'assert open(os.path.join(os.path.dirname(demo.__file__), "data.txt")).read() == "good"',
    "test_dependency": 'import dep\n    assert dep.STATE == "good"',
}
# What one more test asks besides the project; "{port}" is that of a server.
ASKED = {
    "nothing": "pass",
    "server": 'assert socket.create_connection(("127.0.0.1", {port})).recv(9) == b"good"',
    "outside": 'assert (HERE.parent.parent / "outside.txt").read_text() == "good"',
    "child": "subprocess.check_call([sys.executable, '-c', \"assert open('../outside.txt').read() == 'good'\"])",
}


@dataclass(frozen=True)
class World:
    """A project in a state. Every state that begins with "good" lets its test pass."""

    layout: str = "src"  # or "flat"
    backend: str = "flit"
    value: str = "good"  # or "bad", or "gone": the module is deleted
    data: str = "good"
    tracked: str = "good"  # a file below a folder env/ with a pyvenv.cfg
    link: str = "good"  # where a link to a folder leads
    mode: str = "good"  # of a script
    variable: str = "good"
    package_data: str = "good"
    dependency: str = "1.0"  # the pin; 2.0 is bad
    index: str = "good"  # "bad": another index, on which every version of the dependency is bad
    installer: str = "uv"  # or "pip"
    configuration: str = "good"  # "none": pytest finds no test; "less": it deselects what is bad
    asks: str = "nothing"
    answer: str = "good"  # of a server and of a file outside of the project
    keeps_times: bool = False  # whether changed files keep their times


def states(name: str) -> Sequence[object]:
    """Return the states of a field."""
    return {
        "layout": ("src", "flat"),
        "backend": tuple(BACKENDS),
        "value": ("good", "bad", "gone"),
        "dependency": ("1.0", "2.0"),
        "installer": ("uv", "pip"),
        "configuration": ("good", "none", "less"),
        "asks": tuple(ASKED),
        "keeps_times": (False, True),
    }.get(name, ("good", "bad"))


def write(world: World, root: Path, server: Answering) -> None:
    """Bring a project, and what is outside of it, into a state. Only files whose content differs are written."""
    server.text = world.answer
    tests = {**TESTS, "test_asked": ASKED[world.asks].replace("{port}", str(server.port))}
    package = root / ("src/demo" if world.layout == "src" else "demo")
    requires, backend, more = BACKENDS[world.backend]
    if world.backend == "setuptools":
        more += '[tool.setuptools.package-data]\ndemo = ["*.txt"]\n'
        more += '[tool.setuptools.package-dir]\ndemo = "src/demo"\n' if world.layout == "src" else ""
    options = {"good": "", "none": "python_files = nothing_*.py\n", "less": "addopts = -k test_dependency\n"}
    wanted = {
        "pyproject.toml": f'[build-system]\nrequires = ["{requires}"]\nbuild-backend = "{backend}"\n'
        f'[project]\nname = "demo"\nversion = "1.0"\ndescription = "x"\ndependencies = ["dep"]\n{more}',
        "pytest.ini": f"[pytest]\ntestpaths = tests\n{options[world.configuration]}",
        "tests/test_demo.py": "import os, pathlib, socket, subprocess, sys\nHERE = pathlib.Path(__file__).parent\n\n"
        + "\n\n".join(f"def {name}():\n    {body}\n" for name, body in tests.items()),
        "../outside.txt": world.answer,
        "tests/data.txt": world.data,
        "tests/tool.sh": "#!/bin/sh\n",
        "shared/good/data.txt": "good",
        "shared/bad/data.txt": "bad",
        "env/pyvenv.cfg": "home = nowhere\n",
        "env/settings.txt": world.tracked,
        f"{package.relative_to(root)}/__init__.py": "from demo.core import VALUE\n",
        f"{package.relative_to(root)}/core.py": f"VALUE = {int(world.value == 'good')}\n",
        f"{package.relative_to(root)}/data.txt": world.package_data,
        "matrix.toml": f'[axes]\npython = ["{rig.HERE}"]\ndep = ["{world.dependency}"]\n'
        '[test]\nimports = "noted"\npass-env = ["ORACLE_FLAG"]\n',
    }
    if world.value == "gone":
        del wanted[f"{package.relative_to(root)}/core.py"]
    shutil.rmtree(root / ("demo" if world.layout == "src" else "src"), ignore_errors=True)  # of the other layout
    if world.value == "gone":
        (package / "core.py").unlink(missing_ok=True)
    for name, text in wanted.items():
        file = root / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            times = (file.stat().st_atime_ns, file.stat().st_mtime_ns) if file.exists() else None
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            if world.keeps_times and times:
                os.utime(file, ns=times)
    (root / "tests/tool.sh").chmod(0o755 if world.mode == "good" else 0o644)
    link = root / "tests" / "link"
    if not link.is_symlink() or link.readlink().name != world.link:
        link.unlink(missing_ok=True)
        link.symlink_to(Path("../shared") / world.link)
