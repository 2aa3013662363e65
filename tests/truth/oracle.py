"""A differential oracle: the verdict of venvgrid must equal that of a plain venv, pip and pytest on a fresh copy.

`python tests/truth/oracle.py --sequences 2000 --jobs 2` takes random small projects through random changes. After every
change venvgrid runs (with what it cached, locked, fresh, or after a run during which the change was made), and the same
question is answered by `python -m venv`, pip and pytest. It prints every difference and their number. The suite runs
the short form.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))

import rig
import wheels
from answering import Answering
from states import ASKED, BACKENDS, World, states, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Drawn = tuple[World, list[tuple[tuple[str, object], str]]]  # a world, and steps: a change and its way

AT_ONCE = 20  # sequences of one task of the long form
NAMES = [*(item.name for item in fields(World)), "answer"]  # that matters in some worlds only: it comes twice
changes = st.sampled_from(NAMES).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(states(name))))
ways = st.sampled_from(["cached", "cached", "cached", "during", "fresh", "locked"])
worlds = st.builds(World, layout=st.sampled_from(["src", "flat"]), asks=st.sampled_from(["nothing", *ASKED]))
sequences = st.tuples(worlds, st.lists(st.tuples(changes, ways), min_size=2, max_size=3, unique_by=str))


class Plain:
    """Answers by hand: a virtual environment a pin, pip, and pytest in a fresh copy of the project.

    Processes may share a folder. Each environment is made once and used by one at a time; no question is asked twice.
    """

    def __init__(self, folder: Path) -> None:
        """Make the distributions that projects depend on, unless the folder has them."""
        self.folder, self.server = folder, Answering("good")
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "links.lock"):
            for index in ("good", "bad"):
                self.links(index).mkdir(exist_ok=True)
                for version, state in (("1.0", index), ("2.0", "bad")):
                    place = self.links(index) / f"dep-{version}-py3-none-any.whl"
                    if not place.exists():
                        place.write_bytes(wheels.wheel("dep", version, {"dep.py": f'STATE = "{state}"\n'.encode()}))

    def links(self, index: str) -> Path:
        """Return the folder of the wheels that an index has."""
        return self.folder / f"links-{index}"

    def is_green(self, world: World) -> bool:
        """Return whether a venv, pip and pytest call a project green."""
        asked = replace(world, keeps_times=False, installer="pip")
        venv = self.folder / f"venv-{asked.dependency}-{asked.index}"
        answer = self.folder / f"{hashlib.sha256(repr(asked).encode()).hexdigest()}.answer"
        with FileLock(venv.with_suffix(".lock")):
            if not answer.exists():
                answer.write_text("green" if self._is_green(asked, self._python(venv, asked)) else "red", "utf-8")
            return answer.read_text("utf-8") == "green"

    def _python(self, place: Path, world: World) -> Path:
        whole = place / "whole"
        if not whole.exists():
            subprocess.run([sys.executable, "-m", "venv", place], check=True, capture_output=True)
            pip = [str(place / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            needs = ["pytest", "wheel", *(requires for requires, _, _ in BACKENDS.values())]
            links = ["--find-links", str(self.links(world.index)), f"dep=={world.dependency}"]
            subprocess.run([*pip, *needs, *links], check=True, capture_output=True)
            whole.touch()
        return place / "bin" / "python"

    def _is_green(self, world: World, python: Path) -> bool:
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            root = Path(folder, "copy")
            write(world, root, self.server)
            pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            install = [*pip, "--no-deps", "--no-build-isolation", "--force-reinstall", str(root)]
            if subprocess.run(install, check=False, capture_output=True).returncode:
                return False
            shutil.rmtree(root / "build", ignore_errors=True)
            env = {**rig.environment(Path(folder)), "ORACLE_FLAG": world.variable}
            argv = [str(python), str(python.with_name("pytest")), "-q", "-p", "no:cacheprovider"]
            return subprocess.run(argv, cwd=root, env=env, check=False, capture_output=True).returncode == 0


def differences(plain: Plain, world: World, steps: Sequence[tuple[tuple[str, object], str]], cache: Path) -> list[str]:
    """Take a project through changes; return each step after which the two verdicts differ."""
    found, told = [], [f"{world.layout}, asks {world.asks}"]
    with tempfile.TemporaryDirectory(prefix="venvgrid-oracle-") as folder:
        root = Path(folder, "demo")
        write(world, root, plain.server)
        for (name, state), way in [(("layout", world.layout), "cached"), *steps]:
            earlier, world = world, replace(world, **{name: state})  # type: ignore[arg-type]  # of the field's type
            told.append(f"{name}={state} ({way})")
            if way == "during":
                change_during_a_run(root, cache, plain, earlier, world)
            write(world, root, plain.server)
            env = variables(plain, world)
            options = {"fresh": ["--fresh"], "locked": ["--locked"]}.get(way, [])
            if way == "locked":
                rig.venvgrid(root, cache, "lock", "-q", **env)
            ended = rig.venvgrid(root, cache, "run", "-q", *options, **env)
            if (ended.status == 0) != plain.is_green(world):
                lines = (ended.out + ended.err).strip().splitlines()
                found.append(f"{', '.join(told)}: venvgrid ended with {ended.status}: {lines[-1] if lines else ''}")
    return found


def variables(plain: Plain, world: World) -> dict[str, str]:
    """Return what a user has set in a world."""
    links = str(plain.links(world.index))
    installer = {"VENVGRID_INSTALLER": world.installer}
    return {"ORACLE_FLAG": world.variable, "UV_FIND_LINKS": links, "PIP_FIND_LINKS": links, **installer}


def change_during_a_run(root: Path, cache: Path, plain: Plain, earlier: World, later: World) -> None:
    """Begin a run, change the project as soon as the run has said something, and let it end as it may."""
    before = set(root.glob(".venvgrid/runs/*"))
    env = rig.environment(cache, **variables(plain, earlier))
    argv = rig.argv("run", "-q", "--no-cache")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(argv, cwd=root, env=env, **quiet) as running:  # type: ignore[call-overload]

        def has_begun() -> bool:
            runs = set(root.glob(".venvgrid/runs/*")) - before
            return running.poll() is not None or any((run / "events.jsonl").exists() for run in runs)

        rig.wait_for(has_begun)
        write(later, root, plain.server)
        running.wait(rig.LIMIT)


def drawn(count: int, number: int) -> list[Drawn]:
    """Return `count` different random sequences; the first is always the simplest one."""
    found: list[Drawn] = []

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(sequences)
    def draw(sequence: Drawn) -> None:
        found.append(sequence)

    draw()
    return found


def search(plain: Plain, cache: Path, tried: Iterable[Drawn], report: Callable[[str], None]) -> None:
    """Try sequences; report each difference."""
    for world, steps in tried:
        for line in differences(plain, world, steps, cache):
            report(line)


def _search_part(folder: Path, count: int, number: int) -> list[str]:
    found: list[str] = []
    search(Plain(folder / "plain"), folder / "cache", drawn(count, number), found.append)
    return found


def main() -> None:
    """Run the long form and print its figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes that try sequences, with one cache")
    arguments = parser.parse_args()
    count, lines = arguments.sequences, []
    sizes = [min(AT_ONCE, count - start) for start in range(0, count, AT_ONCE)]
    seeds = range(arguments.seed, arguments.seed + len(sizes))
    with tempfile.TemporaryDirectory(prefix="venvgrid-oracle-") as folder, ProcessPoolExecutor(arguments.jobs) as pool:
        parts = pool.map(functools.partial(_search_part, Path(folder)), sizes, seeds)
        for done, found in enumerate(parts, 1):
            lines += found
            print(*found, f"after {sum(sizes[:done])} sequences: {len(lines)}", sep="\n", flush=True)  # noqa: T201
    rig.figure(lines, f"differences in {count} sequences")


if __name__ == "__main__":
    main()
