"""The first hour of real projects: `venvgrid init` and `venvgrid run` on fresh source distributions.

    python benchmarks/first_hour.py run                      # init && run, and the same cells by hand
    python benchmarks/first_hour.py run six h11 --pythons 2
    python benchmarks/first_hour.py migrate                  # init --from, each result printed beside its source's name
    python benchmarks/first_hour.py migrate flask==2.3.3 --show

"By hand" is a new environment of the cell's Python, `pip install` of the same requirements, and the test command in the
project's folder. A grid is true if each of its cells says what that says: passed or not, and how many tests.

Another list of projects: add to the tables below, or name them on the command line.
"""

# ruff: noqa: D103  (a script: it prints, and it starts what it measures)
from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import requests
from mousebender import simple

from venvgrid.resolving import index_settings

if TYPE_CHECKING:
    from collections.abc import Iterable

# `venvgrid init && venvgrid run`, untouched.
RUN = (
    "six==1.17.0", "h11==0.16.0", "outcome==1.3.0.post0", "cachetools==5.5.0", "pluggy==1.5.0", "itsdangerous==2.2.0",
    "blinker==1.9.0", "idna==3.10", "tomlkit==0.13.2", "packaging==24.2", "humanize==4.11.0", "platformdirs==4.3.6",
)  # fmt: skip
# `venvgrid init --from`: the file, and what comes of it: "whole", "part" (environments are named that are not in it),
# or "refused" (its main environments are named, and nothing is written).
MIGRATE = {
    "flask==2.3.3": ("tox.ini", "part"),
    "werkzeug==3.1.9": ("pyproject.toml", "part"),
    "click==8.5.1": ("pyproject.toml", "whole"),
    "jinja2==3.1.6": ("tox.ini", "whole"),
    "attrs==25.3.0": ("tox.ini", "whole"),
    "structlog==26.1.0": ("tox.ini", "whole"),
    "pluggy==1.7.0": ("tox.ini", "part"),
    "pytest-cov==7.1.0": ("tox.ini", "whole"),
    "pytest-mock==3.17.0": ("tox.ini", "whole"),
    "pytest-xdist==3.8.0": ("tox.ini", "part"),
    "tox==4.67.15": ("tox.toml", "whole"),
    "virtualenv==21.15.8": ("tox.toml", "whole"),
    "filelock==4.2.11": ("tox.toml", "part"),
    "platformdirs==4.14.7": ("tox.toml", "whole"),
    "cachetools==8.0.1": ("tox.ini", "whole"),
    "jsonschema==4.26.0": ("noxfile.py", "whole"),
    "coverage==7.17.3": ("tox.ini", "whole"),
    "zarr==3.4.2": ("hatch", "whole"),
    "django-filter==26.2": ("tox.ini", "part"),
    "responses==0.26.3": ("tox.ini", "whole"),
    "hatch-vcs==0.5.0": ("hatch", "whole"),
    "hatch==1.18.2": ("hatch", "refused"),
    "wsproto==1.3.2": ("pyproject.toml", "whole"),
    "build==1.6.1": ("tox.toml", "part"),
    "anyio==4.16.0": ("pyproject.toml", "whole"),
    "nox==2026.10.20": ("noxfile.py", "refused"),
    "svcs==26.2.0": ("tox.ini", "whole"),
    "pytest-doctestplus==1.3.0": ("tox.ini", "whole"),
    "environs==15.2.0": ("tox.ini", "part"),
    "marshmallow==4.4.0": ("tox.ini", "whole"),
    "pyjwt==2.15.1": ("tox.ini", "whole"),
    "humanize==4.17.0": ("tox.ini", "whole"),
    "freezegun==1.5.5": ("tox.ini", "whole"),
    "babel==2.18.0": ("tox.ini", "whole"),
    "wrapt==2.5.2": ("tox.ini", "part"),
    "waitress==3.0.2": ("tox.ini", "whole"),
    "webob==1.8.11": ("tox.ini", "whole"),
    "zope-interface==8.7": ("tox.ini", "whole"),
    "xmlschema==4.3.2": ("tox.ini", "whole"),
    "cheroot==11.1.2": ("tox.ini", "whole"),
    "bleach==6.4.0": ("tox.ini", "whole"),
    "django-debug-toolbar==8.0.0": ("tox.ini", "part"),
    "stevedore==5.10.0": ("tox.ini", "refused"),
    "plumbum==2.0.2": ("noxfile.py", "whole"),
    "referencing==0.37.0": ("noxfile.py", "whole"),
    "scikit-build-core==1.1.2": ("noxfile.py", "refused"),
    "soupsieve==4.1.2": ("hatch", "whole"),
    "traitlets==5.16.1": ("hatch", "whole"),
    "sqlparse==0.6.1": (".github/workflows/python-app.yml", "whole"),
}
COUNTS = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed)\b")


@dataclass(frozen=True)
class Cell:
    """What a cell says of its tests."""

    outcome: str
    passed: int
    failed: int
    said: str

    def shown(self) -> str:
        """Return the outcome and the numbers of tests."""
        return f"{self.outcome} ({self.passed} passed, {self.failed} failed)"

    def agrees(self, other: Cell) -> bool:
        """Whether both say the same of the tests."""
        return (self.outcome == "passed") == (other.outcome == "passed") and (self.passed, self.failed) == (
            other.passed,
            other.failed,
        )


def fetch(requirement: str, home: Path) -> Path:
    """Return a fresh folder with the source distribution of NAME==VERSION; archives are kept in `home`."""
    name, _, version = requirement.partition("==")
    archive = home / "archives" / f"{name}-{version}.tar.gz"
    if not archive.exists():
        place = f"{index_settings.addresses(os.environ, Path.home())[-1].rstrip('/')}/{name}/"
        page = requests.get(place, headers={"Accept": simple.ACCEPT_SUPPORTED}, timeout=60)
        details = simple.parse_project_details(page.text, page.headers["content-type"], name)
        files = [item for item in details["files"] if item["filename"].endswith(f"-{version}.tar.gz")]
        archive.parent.mkdir(parents=True, exist_ok=True)
        archive.write_bytes(requests.get(urljoin(place, files[0]["url"]), timeout=120).content)
    target = home / "sources" / name
    shutil.rmtree(target, ignore_errors=True)
    with tarfile.open(archive) as opened:
        opened.extractall(target, filter="data")
    return next(path for path in target.iterdir() if path.is_dir())


def environ() -> dict[str, str]:
    """Return variables without those that change what Python and pytest do."""
    gone = ("PYTHON", "PYTEST", "VIRTUAL_ENV", "COVERAGE")
    return {name: value for name, value in os.environ.items() if not name.startswith(gone)}


def venvgrid(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "venvgrid", *arguments]
    return subprocess.run(command, cwd=root, env=environ(), capture_output=True, text=True, check=False)


def results(root: Path) -> dict[str, Any]:
    """Return the cells of the last run, by id."""
    last = max((root / ".venvgrid" / "runs").iterdir())
    data = json.loads((last / "results.json").read_text(encoding="utf-8"))
    return {item["id"]: item for item in data["cells"]}


def first_run(requirement: str, home: Path, pythons: int) -> bool:
    """Run one project untouched; return whether its grid is true."""
    root = fetch(requirement, home)
    made = venvgrid(root, "init")
    if made.returncode:
        print(f"{requirement}: init said {made.stderr.strip()[-300:]}")
        return False
    config = tomllib.loads((root / "matrix.toml").read_text(encoding="utf-8"))
    plan = json.loads(venvgrid(root, "plan", "--json", "-q").stdout)
    runnable = [item["id"] for item in plan["cells"] if item["status"] == "runnable"]
    chosen = [*runnable[:1], *runnable[-1:]] if pythons == 2 else runnable[-pythons:] if pythons else runnable  # noqa: PLR2004
    ended = venvgrid(root, "run", "-q", "-k", " or ".join(dict.fromkeys(chosen)))
    found = {name: item for name, item in results(root).items() if name in chosen}
    true, has_tests = bool(found), False
    for name, item in found.items():
        ours = of_venvgrid(item)
        theirs = by_hand(root, config, item, home)
        agrees = ours.agrees(theirs)
        true = true and agrees
        has_tests = has_tests or theirs.passed + theirs.failed > 0
        said = "" if agrees else f"\n      {ours.said}\n      {theirs.said}"
        print(f"  {'=' if agrees else '≠'} {name}: {ours.shown()}, by hand {theirs.shown()}{said}")
    true = true and has_tests
    verdict = "true" if true else "not true"
    print(f"{requirement}: {verdict} ({len(runnable)} cells can run, status {ended.returncode})", flush=True)
    return true


def of_venvgrid(item: dict[str, Any]) -> Cell:
    tests = item.get("tests", {})
    failed = tests.get("failed", 0) + tests.get("error", 0)
    return Cell(item["outcome"], tests.get("passed", 0), failed, item["reason"][:200])


def by_hand(root: Path, config: dict[str, Any], item: dict[str, Any], home: Path) -> Cell:
    """Install and test a cell of the main grid with venv, pip and the command alone."""
    install, test = config.get("install", {}), config.get("test", {})
    place = Path(tempfile.mkdtemp(dir=home))
    options: dict[str, Any] = {"cwd": root, "capture_output": True, "text": True}
    try:
        make_environment(item["python"]["executable"], item["python"]["version"], place, home)
        pip = [str(place / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        listed = (*install.get("requires", ["pytest"]), *install.get("constraints", []))
        asked = [word for line in listed for word in (line.split(None, 1) if line.startswith("-") else [line])]
        project = of_project(root, config, item, listed)
        ended = subprocess.run([*pip, *project, *asked], check=False, env=environ(), **options)
        if ended.returncode:
            return Cell("not installed", 0, 0, ended.stderr.strip()[-200:])
        env = environ() | {"PATH": f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"} | test.get("env", {})
        env["PYTEST_ADDOPTS"] = "-p no:cacheprovider"
        for before in test.get("before", []):
            subprocess.run(before, check=False, env=env, **options)
        command = [word.replace("{python}", "python") for word in test.get("command", ["pytest"])]
        command[0] = shutil.which(command[0], path=env["PATH"]) or command[0]
        ended = subprocess.run(command, check=False, env=env, **options)
        last = (ended.stdout.strip().splitlines() or [""])[-1]
        counted = {word.rstrip("s"): int(number) for number, word in COUNTS.findall(last)}
        outcome = "passed" if ended.returncode == 0 else "failed"
        failed = counted.get("failed", 0) + counted.get("error", 0)
        return Cell(outcome, counted.get("passed", 0), failed, ended.stdout[-300:])
    finally:
        shutil.rmtree(place, ignore_errors=True)


def of_project(root: Path, config: dict[str, Any], item: dict[str, Any], listed: Iterable[str]) -> list[str]:
    """Return the project with its extras, and the requirements of its groups, as arguments of pip.

    pip refuses a project that a file lists as well, unless it is written in the same way.
    """
    project = config.get("project", {})
    names = [*project.get("extras", []), *filter(None, item["axes"].get("extras", "").split(","))]
    files = [(root / line.split(None, 1)[1]).read_text(encoding="utf-8") for line in listed if line.startswith("-r ")]
    is_listed = any(re.search(r"^-e \.\s*$", text, re.MULTILINE) for text in files)
    extras = f"[{','.join(names)}]" if names else ""
    editable = ["-e"] if is_listed or project.get("install") == "editable" else []
    place = f".{extras}" if is_listed else f"{root}{extras}"
    asked = [] if project.get("install") == "none" else [*editable, place]
    return [*asked, *groups(root, project.get("groups", []))]


def make_environment(python: str, version: str, place: Path, home: Path) -> None:
    """Make an environment with pip; Python 2.7 has no venv."""
    if not version.startswith("2."):
        subprocess.run([python, "-m", "venv", str(place)], check=True, env=environ(), capture_output=True)
        if version.startswith("3.6"):  # its own pip knows no pyproject.toml
            newer = [str(place / "bin" / "python"), "-m", "pip", "install", "-q", "pip==21.3.1"]
            subprocess.run(newer, check=True, env=environ(), capture_output=True)
        return
    tools = home / "virtualenv"
    if not tools.exists():
        pip = [sys.executable, "-m", "uv", "pip", "install", "-q", "--target", str(tools), "virtualenv==20.21.1"]
        subprocess.run(pip, check=True, env=environ())
    made = [sys.executable, "-m", "virtualenv", "-q", "-p", python, str(place)]
    subprocess.run(made, check=True, env=environ() | {"PYTHONPATH": str(tools)}, capture_output=True)


def groups(root: Path, names: list[str]) -> list[str]:
    """Return the requirements of dependency groups."""
    from packaging.dependency_groups import resolve_dependency_groups  # noqa: PLC0415

    if not names:
        return []
    table = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8")).get("dependency-groups", {})
    return list(resolve_dependency_groups(table, *names))


def migrate(requirement: str, home: Path, *, show: bool) -> bool:
    """Carry over one project; return whether what came of it is what the table says."""
    file, expected = MIGRATE.get(requirement, ("tox", ""))
    root = fetch(requirement, home)
    made = venvgrid(root, "init", "--from", file, "-o", "-")
    found = "refused" if made.returncode else "part" if "not written:" in made.stderr else "whole"
    print(f"{'=' if found == expected else '≠'} {requirement} {file}: {found}", flush=True)
    if show or found != expected:
        print(made.stdout + made.stderr)
    return found == expected


def main() -> int:
    """Run what the command line names; 0 if all of it is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "migrate"))
    parser.add_argument("projects", nargs="*", help="NAME==VERSION, or the NAME of one in the table")
    parser.add_argument("--home", type=Path, default=Path(tempfile.gettempdir()) / "venvgrid-first-hour")
    parser.add_argument("--pythons", type=int, default=2, help="cells of a project: 2 (first and last), 0 for all")
    parser.add_argument("--show", action="store_true", help="print the configurations")
    arguments = parser.parse_intermixed_args()
    table = list(RUN if arguments.what == "run" else MIGRATE)
    chosen = [next((item for item in table if item.partition("==")[0] == name), name) for name in arguments.projects]
    right = []
    for requirement in chosen or table:
        if arguments.what == "run":
            right.append(first_run(requirement, arguments.home, arguments.pythons))
        else:
            right.append(migrate(requirement, arguments.home, show=arguments.show))
    print(f"{sum(right)} of {len(right)}")
    return 0 if all(right) else 1


if __name__ == "__main__":
    raise SystemExit(main())
