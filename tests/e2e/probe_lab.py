"""Environments with pytest of every age, and running the probe in them: what the tests of the probe are made of.

A plugin of the test modules that name it in `pytest_plugins`. They import it too, before pytest could rewrite its
asserts, of which it has none: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from rig import LIMIT

from venvgrid.analysis.affected import reach
from venvgrid.outcomes import attestation, probe
from venvgrid.outcomes import judgement as verdict
from venvgrid.outcomes.observation import Observation
from venvgrid.processes import guests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venvgrid.analysis.affected.reach import Reach

OTHERS = ("freezegun", "pyfakefs", "coverage", "attrs==22.1.0")
# An old pytest on an old Python up to the newest, each with the plugins that have their own ways of running tests.
LABS = {
    "2.7": ("pytest==4.6.11", "pytest-xdist<2"),
    "3.6": ("pytest==6.*", "pytest-xdist"),
    "3.7": ("pytest==7.*",),
    "3.9": ("pytest==8.*", "pytest-xdist", "pytest-rerunfailures", "pytest-forked", "pytest-subtests"),
    "3.13": (
        "pytest==9.*",
        "pytest-xdist",
        "pytest-rerunfailures",
        "freezegun",
        "pyfakefs",
        "coverage",
        "attrs==22.1.0",
    ),
}
OLD, MIDDLE, NEW = "2.7", "3.9", "3.13"
ages = pytest.mark.parametrize("age", LABS)
with_xdist = pytest.mark.parametrize("age", ["2.7", "3.6", "3.9", "3.13"])
posix = pytest.mark.skipif(os.name != "posix", reason="signals and forks are of POSIX")
OK = "def test_ok(): pass\n"

# A distribution "demo-dist" 1.0 with the package "demo", as an installer leaves it.
DEMO_DIST = {
    "demo/__init__.py": "",
    "demo_dist-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: demo-dist\nVersion: 1.0\n",
    "demo_dist-1.0.dist-info/RECORD": "demo/__init__.py,,\ndemo_dist-1.0.dist-info/METADATA,,\n",
}
BASE = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ}


@dataclass(frozen=True, kw_only=True)
class Lab:
    """An environment that holds pytest and the probe. `variables` are what it takes to use it."""

    python: str
    version: str
    prefix: str
    site: Path
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Observation, judgement, status and output of one command."""

    observed: Observation
    judgement: verdict.Judgement
    status: int
    output: str

    @property
    def verdicts(self) -> dict[str, str]:
        """Test → verdict, over all sessions, without the file's name."""
        return {
            test.partition("::")[2]: str(value) for seen in self.observed.main for test, value in seen.verdicts.items()
        }

    @property
    def signatures(self) -> dict[str, str]:
        """Test → signature of its failure, without the file's name."""
        return {item.test.partition("::")[2]: item.signature for item in self.judgement.failures}

    @property
    def brief(self) -> tuple[str, str]:
        """Outcome and reason."""
        return str(self.judgement.outcome), self.judgement.reason


def build(executable: str, folder: Path, requirements: tuple[str, ...]) -> None:
    """Build an environment of an interpreter with these requirements, the project "demo" and the probe."""
    code = "import sys; print('%d.%d.%d' % sys.version_info[:3])"
    version = subprocess.run([executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    if version.startswith("2."):  # no venv of today; a folder on the path will do
        site = folder / "site"
        command = [executable, "-m", "pip", "install", "--disable-pip-version-check", "-q", "--target", str(site)]
        subprocess.run([*command, *requirements], check=True, capture_output=True, timeout=LIMIT)
        lab = Lab(
            python=executable,
            version=version,
            prefix=os.path.realpath(Path(executable).parent.parent),
            site=site,
            variables={"PYTHONPATH": str(site)},
        )
    else:
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", "--python", executable, str(folder)], check=True, timeout=LIMIT)
        scripts = "Scripts" if os.name == "nt" else "bin"
        python = str(folder / scripts / ("python.exe" if os.name == "nt" else "python"))
        subprocess.run([*uv, "pip", "install", "-q", "--python", python, *requirements], check=True, timeout=LIMIT)
        where = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
        site = Path(subprocess.run([python, "-c", where], capture_output=True, text=True, check=True).stdout.strip())
        lab = Lab(python=python, version=version, prefix=os.path.realpath(folder), site=site)
    shutil.copytree(guests.PROBE_FOLDER, lab.site / guests.PROBE_FOLDER.name)
    write(lab.site, DEMO_DIST)
    (folder / "lab.json").write_text(json.dumps({**asdict(lab), "site": str(lab.site)}), encoding="utf-8")


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files, their text dedented."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A folder of tests and how to run them in a lab."""

    lab: Lab
    folder: Path
    packages: Mapping[str, str] = field(default_factory=dict)
    project: str = ""
    project_origin: str = ""
    first: tuple[str, ...] = ()  # tests and modules that go first

    @property
    def tests(self) -> Path:
        """The folder of the tests, and their working directory."""
        return self.folder / "tests"

    def variables(self, user: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of the command, with the probe switched on; once for each case.

        As a cell it has a temporary folder of its own: pytest removes what older runs left beside its own folder, and
        that of a whole suite takes minutes.
        """
        (self.folder / "tmp").mkdir(exist_ok=True)
        own = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.folder / "tmp"))
        env = {**BASE, **own, **self.lab.variables, **(user or {})}
        return env | probe.switch_on(
            self.folder / "run",
            prefix=self.lab.prefix,
            distributions=tuple(self.packages),
            project=(self.project, ()) if self.project else None,
            user_env=env,
            first=self.first,
            reach={"own": (), "checkout": (f"{os.path.realpath(self.tests)}{os.sep}",), "others": ()},
        )

    def reached(self) -> Reach:
        """The map of the files that the test modules reached."""
        (self.folder / "cell").mkdir()
        folder = self.folder / "run" / probe.REACHED
        reach.keep(self.folder / "cell", folder, reach.Places(checkout=(os.path.realpath(self.tests),)))
        return reach.load(self.folder / "cell")

    def run(
        self,
        files: Mapping[str, str] | str,
        *arguments: str,
        argv: tuple[str, ...] | None = None,
        user: Mapping[str, str] | None = None,
    ) -> Seen:
        """Run pytest, or `argv`, over these files (a text is that of test_a.py) and judge it."""
        write(self.tests, {"test_a.py": files} if isinstance(files, str) else files)
        done = subprocess.run(
            argv or (self.lab.python, "-m", "pytest", *arguments),
            cwd=self.tests,
            env=self.variables(user),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT,
            check=False,
        )
        return self.judge(done.returncode, done.stdout.decode("utf-8", "replace"))

    def judge(self, status: int, output: str) -> Seen:
        """Read the stream and judge it."""
        observed = Observation()
        for record in probe.Stream(self.folder / "run" / probe.STREAM_NAME).read_new():
            observed.add(record)
        expected = attestation.Expectation(
            prefix=self.lab.prefix,
            python_version=self.lab.version,
            packages=self.packages,
            project=self.project,
            project_origin=self.project_origin,
        )
        judgement = verdict.judge(observed, verdict.CommandExit(exit_code=status), expected)
        return Seen(observed=observed, judgement=judgement, status=status, output=output)


class Cases(Protocol):
    """The fixture `case`."""

    def __call__(self, age: str = NEW, **options: object) -> Case: ...


@pytest.fixture(scope="session")
def lab(pythons: dict[str, str], once: Callable[[str, Callable[[Path], None]], Path]) -> Callable[[str], Lab]:
    """Return a function that builds the environment of an age once a session; it skips where the Python is missing."""

    def get(age: str) -> Lab:
        if age not in pythons:
            pytest.skip(f"needs CPython {age}, which this machine does not have")
        folder = once(f"lab-{age}", lambda folder: build(pythons[age], folder, LABS[age]))
        values = json.loads((folder / "lab.json").read_text(encoding="utf-8"))
        return Lab(**{**values, "site": Path(values["site"])})

    return get


@pytest.fixture
def case(lab: Callable[[str], Lab], tmp_path: Path) -> Cases:
    """Return a function that makes a folder for tests that run in the environment of an age."""
    return lambda age=NEW, **options: Case(lab=lab(age), folder=tmp_path, **options)
