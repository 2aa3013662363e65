"""The projects that `bench.py` times, with the same cells for venvgrid and for tox."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

PYPROJECT = """\
[build-system]
requires = ["flit_core>=3.4"]
build-backend = "flit_core.buildapi"
[project]
name = "bench"
version = "1.0"
description = "for a benchmark"
dependencies = [{dependencies}]
"""
DRAW = """\
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import stats


def draw(path):
    frame = pd.DataFrame({"x": np.arange(100), "y": stats.norm.rvs(size=100, random_state=1)})
    figure, axes = plt.subplots()
    axes.plot(frame.x, frame.y)
    figure.savefig(path)
"""


@dataclass(frozen=True, kw_only=True)
class Work:
    """A project and its cells. `sdist` names a released project to be tested with its own tests, "" for our own.

    `factors` maps an axis to the factors of tox and their requirements; `impossible` are the environments that tox has
    to be told to leave out: venvgrid finds them.
    """

    pythons: tuple[str, ...]
    factors: dict[str, dict[str, str]]
    impossible: tuple[str, ...] = ()
    sdist: str = ""
    files: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ("pytest", "-q")
    requires: tuple[str, ...] = ("pytest",)
    installs: bool = True
    reports: str = "pytest"

    @property
    def matrix(self) -> str:
        """Give matrix.toml."""
        axes = [f"python = {json.dumps(list(self.pythons))}"]
        for axis, factors in self.factors.items():
            axes.append(
                f"{axis} = {json.dumps([line.partition('==')[2].removesuffix('.*') for line in factors.values()])}"
            )
        lines = ["[project]", f'install = "{"wheel" if self.installs else "none"}"', "[axes]", *axes]
        lines += ["[install]", f"requires = {json.dumps(list(self.requires))}"]
        lines += ["[test]", f"command = {json.dumps(list(self.command))}", f'reports = "{self.reports}"', ""]
        return "\n".join(lines)

    @property
    def tox(self) -> str:
        """Give tox.toml."""
        lists = json.dumps([list(self.pythons), *(list(factors) for factors in self.factors.values())])
        lines = [f"env_list = [{{ product = {lists}, exclude = {json.dumps(list(self.impossible))} }}]"]
        lines += ["[env_run_base]", f"skip_install = {json.dumps(not self.installs)}", "deps = ["]
        lines += [f"    {json.dumps(requirement)}," for requirement in self.requires]
        lines += [
            f'    {{ replace = "if", condition = "factor.{factor}", then = ["{requirement}"], extend = true }},'
            for factors in self.factors.values()
            for factor, requirement in factors.items()
        ]
        lines += ["]", f"commands = {json.dumps([list(self.command)])}", ""]
        return "\n".join(lines)


SCIENTIFIC = Work(
    pythons=("3.10", "3.11", "3.12", "3.13"),
    factors={
        "pandas": {"pd22": "pandas==2.2.*", "pd23": "pandas==2.3.*"},
        "numpy": {"np126": "numpy==1.26.*", "np22": "numpy==2.2.*"},
    },
    impossible=("3.13-pd22-np126", "3.13-pd23-np126"),
    files={
        "pyproject.toml": PYPROJECT.format(dependencies='"numpy", "pandas", "scipy", "matplotlib"'),
        "src/bench.py": DRAW,
        "test_bench.py": "import bench\n\n\ndef test_draw(tmp_path):\n    bench.draw(tmp_path / 'a.png')\n",
        "pytest.ini": "[pytest]\n",
    },
)
ITSDANGEROUS = Work(
    sdist="itsdangerous==2.2.0",
    pythons=("3.8", "3.9", "3.10", "3.11", "3.12", "3.13"),
    factors={"freezegun": {"fg12": "freezegun==1.2.*", "fg15": "freezegun==1.5.*"}},
)
GREEN = Work(  # 12 cells, none of them red: nothing of it runs again
    sdist=ITSDANGEROUS.sdist,
    pythons=("3.9", "3.10", "3.11", "3.12"),
    factors={"freezegun": {"fg12": "freezegun==1.2.*", "fg14": "freezegun==1.4.*", "fg15": "freezegun==1.5.*"}},
)
TRIVIAL = Work(
    pythons=("3.9", "3.10", "3.11", "3.12", "3.13"),
    factors={"idna": {f"id{minor}": f"idna==3.{minor}.*" for minor in range(1, 11)}},
    command=("python", "-c", "pass"),
    requires=(),
    installs=False,
    reports="exit-status",
    files={"README": "nothing to install\n"},
)
MANY = """\
[project]
install = "none"
[axes]
env.A = {numbers}
env.B = {numbers}
[install]
requires = []
[test]
command = ["python", "-c", "pass"]
reports = "exit-status"
"""


def many_cells(cells: int) -> str:
    """Give a matrix.toml with about so many cells, all of which share one environment."""
    side = round(cells**0.5)
    first, second = [str(number) for number in range(side)], [str(number) for number in range(-(-cells // side))]
    return MANY.replace("env.A = {numbers}", f"env.A = {json.dumps(first)}").replace(
        "env.B = {numbers}", f"env.B = {json.dumps(second)}"
    )
