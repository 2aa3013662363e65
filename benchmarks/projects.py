"""The projects of `real_projects.py`: released sources, and the lines that their maintainers would write."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project, its configuration, and the same by hand.

    `sdist` is the released source, "" if `files` are the whole project. `pip` are the arguments of `pip install`,
    without the pins of a cell. `arguments` are those of pytest. `moved_away` are folders of sources that the checkout
    must not offer to the tests after the installation.
    """

    name: str
    sdist: str = ""
    matrix: str
    pip: tuple[str, ...] = (".", "pytest")
    arguments: tuple[str, ...] = ("-q",)
    moved_away: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)


PROJECTS = (
    Project(
        name="six",
        sdist="six==1.16.0",
        matrix='[axes]\npython = ["2.7", "3.6..3.13"]\n',
    ),
    Project(
        name="cachetools",
        sdist="cachetools==5.5.0",
        matrix='[axes]\npython = "3.7..3.13"\n',
    ),
    Project(
        name="marshmallow",
        sdist="marshmallow==3.23.0",
        matrix='[project]\nextras = ["tests"]\n[axes]\npython = "3.9..3.13"\n',
        pip=(".[tests]",),
    ),
    Project(
        name="humanize",
        sdist="humanize==4.11.0",
        matrix='[project]\nextras = ["tests"]\n[axes]\npython = "3.9..3.13"\n',
        pip=(".[tests]",),
    ),
    Project(
        name="click",
        sdist="click==8.1.7",
        matrix='[axes]\npython = "3.7..3.13"\npytest = ["7", "8"]\n',
        pip=(".",),
    ),
    Project(
        name="flask",
        sdist="flask==2.3.3",
        matrix='[axes]\npython = ["3.9", "3.12"]\nwerkzeug = ["2.3", "3.0"]\nas-of = ["2023-11-01", "today"]\n',
    ),
    Project(
        name="attrs",
        sdist="attrs==24.2.0",
        matrix='[project]\nextras = ["tests"]\n[axes]\npython = "3.8..3.13"\n',
        pip=(".[tests]",),
    ),
    Project(
        name="pluggy",
        sdist="pluggy==1.5.0",
        matrix='[axes]\npython = "3.8..3.13"\n',
    ),
    Project(
        name="pint",
        sdist="pint==0.24.4",
        matrix='[axes]\npython = ["3.10", "3.12"]\nnumpy = ["absent", "1.26", "2.1"]\n[install]\n'
        'requires = ["pytest", "pytest-subtests", "pytest-benchmark"]\n[test]\n'
        'command = ["pytest", "-q", "--pyargs", "pint"]\n',
        pip=(".", "pytest", "pytest-subtests", "pytest-benchmark"),
        arguments=("-q", "--pyargs", "pint"),
        moved_away=("pint",),
    ),
)
