"""Real projects, each with a few lines of configuration: venvgrid must say what plain environments say.

    python benchmarks/real_projects.py                  all of them
    python benchmarks/real_projects.py six pint         some, by name

Each released source is unpacked twice. venvgrid runs the grid in one copy. In the other one, every cell is answered by
hand: a virtual environment, pip with the same pins, and the same pytest command. Outcome, numbers of tests and failing
tests of each cell are compared, and each difference is printed. Interpreters that are missing here are left out.
"""

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
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests
from mousebender import simple
from projects import PROJECTS, Project

from venvgrid.resolving import index_settings

LINE = re.compile(r"^(FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)
SUMMARY = "short test summary info"
COUNT = re.compile(r"(\d+) (passed|failed|skipped|xfailed|xpassed|errors?)\b")
OLD = 8  # Python 3.7 and older get their environments from an older virtualenv
NOT_PASSED = ("PYTHON", "VENVGRID_", "PYTEST_", "VIRTUAL_ENV")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one side says of a cell."""

    green: bool
    counts: dict[str, int]
    failing: frozenset[str]


def environment() -> dict[str, str]:
    """Return the variables of this process without those that change what Python does."""
    return {name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED)}


def download(name: str, version: str, archive: Path) -> None:
    """Download a source distribution from the index that pip uses; nothing is built."""
    place = f"{index_settings.addresses(os.environ, Path.home())[-1].rstrip('/')}/{name}/"
    page = requests.get(place, headers={"Accept": simple.ACCEPT_SUPPORTED}, timeout=60)
    details = simple.parse_project_details(page.text, page.headers["content-type"], name)
    (file,) = [item for item in details["files"] if item["filename"].endswith(f"-{version}.tar.gz")]
    archive.write_bytes(requests.get(urljoin(place, file["url"]), timeout=120).content)


def unpack(project: Project, folder: Path) -> Path:
    """Make the checkout of a project: its source distributions, its own files, and git's history."""
    root = folder / project.name
    for place, sdist in {project.path: project.sdist, **project.siblings}.items():
        with tempfile.TemporaryDirectory() as unpacked:
            download(*sdist.split("=="), Path(unpacked, "sdist.tar.gz"))
            with tarfile.open(Path(unpacked, "sdist.tar.gz")) as opened:
                opened.extractall(unpacked, filter="data")
            (source,) = (path for path in Path(unpacked).iterdir() if path.is_dir())
            shutil.copytree(source, root / place, symlinks=True)
    for name, text in project.files.items():
        (root / name).write_text(text, encoding="utf-8")
    if project.tag:
        git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@example.org"]
        commit = ["commit", "-q", "-m", "a change", "--allow-empty"]
        for command in (["init", "-q"], ["add", "."], commit, ["tag", project.tag], commit):
            subprocess.run([*git, *command], check=True)
    return root


def by_venvgrid(project: Project, root: Path) -> dict[str, Any]:
    """Run the grid; return the cells of results.json by name."""
    (root / "matrix.toml").write_text(project.matrix, encoding="utf-8")
    argv = [sys.executable, "-m", "venvgrid", "run", "-q"]
    subprocess.run(argv, cwd=root, env=environment(), check=False)
    last = max((root / ".venvgrid" / "runs").iterdir())
    return {item["id"]: item for item in json.loads((last / "results.json").read_text(encoding="utf-8"))["cells"]}


def requirement(name: str, value: str) -> str:
    """Return the requirement of an axis value: "1.26" is any 1.26.x."""
    return f"{name}{value}" if value[0] in "<>=!~" else f"{name}=={value}.*"


def by_hand(project: Project, root: Path, cell: dict[str, Any], place: Path) -> Answer:
    """Answer for one cell without venvgrid."""
    executable, axes = cell["python"]["executable"], cell["axes"]
    venv = [executable, "-m", "venv", str(place)]
    if tuple(map(int, cell["python"]["version"].split(".")[:2])) < (3, OLD):
        venv = ["uvx", "-q", "virtualenv@20.21.1", "-q", "-p", executable, str(place)]
    subprocess.run(venv, env=environment(), check=True)
    python = str(place / ("Scripts" if os.name == "nt" else "bin") / "python")
    copy = place / "copy"
    shutil.copytree(root, copy, symlinks=True)
    copy = copy / project.path
    pins = [requirement(*axis) for axis in axes.items() if axis[0] not in {"python", "as-of"} and axis[1] != "absent"]
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    if axes.get("as-of", "today") != "today":
        pip = ["uv", "pip", "install", "-q", "--python", python, "--exclude-newer", axes["as-of"]]
    install = [*pip, *project.pip, *pins]
    ended = subprocess.run(install, cwd=copy, env=environment(), capture_output=True, text=True, check=False)
    if ended.returncode:
        return Answer(green=False, counts={}, failing=frozenset({f"pip: {ended.stderr.strip()[-300:]}"}))
    for name in project.moved_away:
        shutil.rmtree(copy / name)
    argv = [python, *project.command, *project.arguments]
    env = environment() | project.env
    ended = subprocess.run(argv, cwd=copy, env=env, capture_output=True, text=True, check=False)
    last = ended.stdout.strip().rpartition("\n")[2]
    counts = {kind.removesuffix("s") if kind == "errors" else kind: int(number) for number, kind in COUNT.findall(last)}
    failing = frozenset(name for _, name in LINE.findall(ended.stdout.rpartition(SUMMARY)[2]))
    return Answer(green=ended.returncode == 0, counts=counts, failing=failing)


def answer_of(cell: dict[str, Any]) -> Answer:
    """Return what venvgrid says of a cell."""
    counts = {name: number for name, number in (cell["tests"] or {}).items() if number}
    failing = frozenset(failure["test"] for failure in cell["failures"] if failure["test"])
    return Answer(green=cell["outcome"] == "passed", counts=counts, failing=failing)


def compare(project: Project, home: Path, workers: int) -> list[str]:
    """Return the differences of a project, a line each; print what was compared."""
    root = unpack(project, home / project.name)
    pristine = home / f"{project.name}-by-hand" / project.name
    shutil.copytree(root, pristine, symlinks=True)
    cells = by_venvgrid(project, root)
    asked = {name: cell for name, cell in cells.items() if cell["outcome"] not in {"impossible", "missing"}}

    def ask(name: str) -> Answer:
        return by_hand(project, pristine, asked[name], pristine.parent / name)

    with ThreadPoolExecutor(workers) as pool:
        hand = dict(zip(asked, pool.map(ask, asked), strict=True))
    found = []
    for name, cell in asked.items():
        ours, theirs = answer_of(cell), hand[name]
        if ours != theirs:
            found.append(f"{project.name} {name}: venvgrid {cell['outcome']} {ours}; by hand {theirs}")
    outcomes = Counter(cell["outcome"] for cell in cells.values())
    told = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
    print(f"{project.name:16} {len(cells):3} cells: {told}; {len(found)} differ", flush=True)
    return found


def main() -> None:
    """Compare the projects that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("projects", nargs="*", metavar="PROJECT", choices=[[], *(item.name for item in PROJECTS)])
    parser.add_argument("--home", type=Path, help="folder for the copies; default: a temporary one")
    parser.add_argument("-j", "--workers", type=int, default=2)
    arguments = parser.parse_args()
    chosen = [item for item in PROJECTS if not arguments.projects or item.name in arguments.projects]
    with tempfile.TemporaryDirectory(prefix="venvgrid-real-") as folder:
        home = arguments.home or Path(folder)
        found = [line for project in chosen for line in compare(project, home, arguments.workers)]
    print(*found, f"{len(found)} differences in {len(chosen)} projects", sep="\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
