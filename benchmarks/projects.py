"""The projects of `real_projects.py`: released sources, and the lines that their maintainers would write."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project, its configuration, and the same by hand.

    `sdist` is the released source; `siblings` are others of the same checkout, by folder. `path` is the folder of the
    project in the checkout. `tag` makes a git repository, with a commit after that tag. `pip` are the arguments of
    `pip install`, without the pins of a cell; `command` and `arguments` are what Python runs, `env` its variables.
    `moved_away` are folders of sources that the checkout must not offer to the tests after the installation.
    """

    name: str
    sdist: str
    matrix: str
    path: str = "."
    siblings: dict[str, str] = field(default_factory=dict)
    tag: str = ""
    pip: tuple[str, ...] = (".", "pytest")
    command: tuple[str, ...] = ("-m", "pytest", "-rfE", "-p", "no:cacheprovider")
    arguments: tuple[str, ...] = ("-q",)
    env: dict[str, str] = field(default_factory=dict)
    moved_away: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)


PYDANTIC = (
    "pytest<9", "pytest-mock", "pytest-benchmark", "dirty-equals", "cloudpickle", "faker", "pytz", "jsonschema",
    "packaging", "eval-type-backport", "pytest-examples", "tzdata",
)  # fmt: skip
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
        matrix='[project]\nextras = ["tests"]\n[axes]\npython = ["3.8", "3.13"]\n',
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
        matrix='[axes]\npython = ["3.10", "3.12"]\nnumpy = ["absent", "2.1"]\n[install]\n'
        'requires = ["pytest<9", "pytest-subtests", "pytest-benchmark"]\n[test]\n'
        'command = ["pytest", "-q", "--benchmark-disable", "--pyargs", "pint"]\n',
        pip=(".", "pytest<9", "pytest-subtests", "pytest-benchmark"),
        arguments=("-q", "--benchmark-disable", "--pyargs", "pint"),
        moved_away=("pint",),
    ),
    Project(
        name="jsonschema",
        sdist="jsonschema==4.23.0",
        matrix='[axes]\npython = ["3.8", "3.13"]\n[install]\nrequires = ["pytest", "pip"]\n'
        '[test]\ncommand = ["pytest", "--pyargs", "jsonschema"]\n'
        'env = { JSON_SCHEMA_TEST_SUITE = "json" }\n',
        arguments=("-q", "--pyargs", "jsonschema"),
        env={"JSON_SCHEMA_TEST_SUITE": "json"},
        moved_away=("jsonschema",),
    ),
    Project(
        name="dateutil",
        sdist="python-dateutil==2.8.2",
        matrix='[axes]\npython = "2.7..3.12"\n[install]\nrequires = ["-r requirements-dev.txt"]\n'
        '[test]\ncommand = ["pytest", "dateutil/test"]\n',
        pip=(".", "-r", "requirements-dev.txt"),
        arguments=("-q", "dateutil/test"),
    ),
    Project(
        name="trio",
        sdist="trio==0.27.0",
        matrix='[axes]\npython = ["3.9", "3.12"]\n[install]\nrequires = ["-r test-requirements.txt"]\n'
        '[test]\ncommand = ["pytest", "--pyargs", "trio"]\n',
        pip=(".", "-r", "test-requirements.txt"),
        arguments=("-q", "--pyargs", "trio"),
        moved_away=("src",),
    ),
    Project(  # a part of the tests: the whole takes half an hour a cell. Its conftest loads a plugin of the checkout
        name="sqlalchemy",
        sdist="sqlalchemy==2.0.36",
        matrix='project.install = "editable"\naxes.python = ["3.10"]\naxes.greenlet = ["absent", "1.1", "3.1"]\n'
        'install.requires = ["pytest<8.2"]\n'
        'test.command = ["pytest", "-p", "no:cacheprovider", "{project}/test/base", "{project}/test/ext/asyncio"]\n'
        'test.working-directory = "{tmp}"\n',  # where it makes its databases: cells run at the same time
        pip=("-e", ".", "pytest<8.2"),
        arguments=("-q", "test/base", "test/ext/asyncio"),
    ),
    Project(
        name="pydantic",
        sdist="pydantic==2.9.2",
        matrix='[axes]\npython = ["3.9", "3.12"]\npydantic-core = ["2.22", "2.23"]\n'
        f"[install]\nrequires = {list(PYDANTIC)}\n"
        '[test]\ncommand = ["pytest", "--ignore=tests/mypy", "--ignore=tests/test_docs.py"]\n',
        pip=(".", *PYDANTIC),
        arguments=("-q", "--ignore=tests/mypy", "--ignore=tests/test_docs.py"),
        moved_away=("pydantic",),
    ),
    Project(  # a checkout: the version is that of the tag, and one of its tests asks for it
        name="pluggy-checkout",
        sdist="pluggy==1.5.0",
        tag="1.5.0",
        matrix='[axes]\npython = ["3.8", "3.13"]\n',
        files={
            "testing/test_version.py": "import pluggy\n\n\ndef test_version():\n"
            '    assert pluggy.__version__.startswith("1.5.1.dev1+g")\n'
        },
    ),
    Project(  # a monorepo: one project needs the other, both are those of the checkout
        name="monorepo",
        sdist="wsproto==1.2.0",
        path="packages/wsproto",
        siblings={"packages/h11": "h11==0.14.0"},
        matrix='[project]\npath = "packages/wsproto"\n[axes]\npython = ["3.7", "3.12"]\n'
        '[install]\nrequires = ["pytest", "h11 @ file:packages/h11"]\n',
        pip=(".", "../h11", "pytest"),
        moved_away=("src",),
    ),
    Project(
        name="markdown",
        sdist="markdown==3.7",
        matrix='[project]\nextras = ["testing"]\n[axes]\npython = ["3.8", "3.13"]\n[test]\n'
        'command = ["{python}", "-m", "unittest", "discover", "tests"]\nreports = "exit-status"\n',
        pip=(".[testing]",),
        command=("-m", "unittest", "discover"),
        arguments=("tests",),
        moved_away=("markdown",),
    ),
    # Five of our own choice: a plugin of pytest, a module beside its tests, versions of a neighbour, an extension in C,
    # a tool that calls git, gpg and pip.
    Project(
        name="pytest-mock",
        sdist="pytest-mock==3.14.0",
        matrix='[axes]\npython = ["3.8", "3.12"]\npytest = ["7.4", "8.3"]\n[install]\nrequires = ["pytest-asyncio"]\n',
        pip=(".", "pytest-asyncio"),
        moved_away=("src",),
    ),
    Project(
        name="typing-ext",
        sdist="typing-extensions==4.12.2",
        matrix='[axes]\npython = "3.8..3.13"\n[test]\ncommand = ["pytest", "src/test_typing_extensions.py"]\n',
        arguments=("-q", "src/test_typing_extensions.py"),
    ),
    Project(
        name="jinja2",
        sdist="jinja2==3.1.4",
        matrix='[axes]\npython = ["3.8", "3.13"]\nmarkupsafe = ["2.0", "3.0"]\n[install]\n'
        'requires = ["pytest", "trio"]\n',
        pip=(".", "pytest", "trio"),
        moved_away=("src",),
    ),
    Project(
        name="markupsafe",
        sdist="markupsafe==3.0.2",
        matrix='[axes]\npython = ["3.9", "3.13"]\n',
        moved_away=("src",),
    ),
    Project(
        name="setuptools-scm",
        sdist="setuptools-scm==8.1.0",
        matrix='[project]\nextras = ["test"]\n[axes]\npython = ["3.8", "3.12"]\n[install]\n'
        'requires = ["pytest", "pip"]\n',
        pip=("--upgrade", ".[test]", "pytest", "setuptools"),
    ),
)
