"""Real breaks: `venvgrid why` has to name the releases that broke real projects, and the script counts what it took.

    python benchmarks/breaks.py [NAME…]

Each case is a small project that requires one old release, tests one call of it, and was green at a date. The releases
that broke it since are known from their changelogs. The package index is asked.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

PROJECT = """\
[build-system]
requires = ["flit_core>=3.4"]
build-backend = "flit_core.buildapi"

[project]
name = "broken-by-time"
version = "1.0"
description = "A project that requires an old release."
dependencies = [{dependencies}]
"""
MATRIX = """\
[axes]
python = ["{python}"]

[install]
requires = [{tests}]
"""


@dataclass(frozen=True)
class Case:
    """A break: what is required and tested, when it was green, and the releases that broke it since.

    `named`: the message of the failure names the culprit.
    """

    requires: str
    test: str
    good: str
    broken_by: tuple[str, ...]
    python: str = "3.11"
    tests: tuple[str, ...] = ("pytest",)
    named: bool = True
    more: tuple[str, ...] = ()  # further requirements of the project


CASES = {
    "flask": Case(
        "flask==2.2.2",
        "import flask\n    assert flask.Flask('x').test_client().get('/').status_code == 404",
        "2023-02-01",
        ("werkzeug 3.0.0",),
    ),
    "pandas": Case(
        "pandas==1.5.3",
        "import pandas\n    assert pandas.Series([1, 2]).sum() == 3",
        "2023-03-01",
        ("numpy 2.0.0",),
    ),
    "matplotlib": Case(
        "matplotlib==3.5.1",
        "import matplotlib.figure\n    assert matplotlib.figure.Figure().add_subplot().plot([1, 2])",
        "2022-03-01",
        ("numpy 2.0.0",),
        python="3.9",
    ),
    "requests-toolbelt": Case(
        "requests-toolbelt==0.10.1",
        "import requests_toolbelt\n    assert requests_toolbelt.MultipartEncoder({'a': 'b'}).len",
        "2023-01-01",
        ("urllib3 2.0.2",),  # 2.0.0 and 2.0.1 are yanked
    ),
    "jinja2": Case(
        "jinja2==2.11.3",
        "import jinja2\n    assert jinja2.Template('{{ a }}').render(a=1) == '1'",
        "2021-06-01",
        ("markupsafe 2.1.0",),
        python="3.9",
    ),
    "pytest-lazy-fixture": Case(
        "pytest-lazy-fixture==0.6.3",
        "assert one == 1\n\n\n@pytest.fixture\ndef one():\n    return 1\n\n\n"
        "@pytest.mark.parametrize('value', [pytest.lazy_fixture('one')])\ndef test_lazy(value):\n    assert value == 1",
        "2022-06-01",
        ("pytest 8.0.0",),
        named=False,
    ),
    "flask 1": Case(
        "flask==1.1.2",
        "import flask\n    assert flask.Flask('x').test_client().get('/').status_code == 404",
        "2021-04-01",
        ("jinja2 3.1.0", "itsdangerous 2.1.0", "werkzeug 2.1.0"),
        python="3.9",
    ),
    "sphinx": Case(
        "sphinx==4.5.0",
        "import io, sphinx.application, pathlib\n    tmp = pathlib.Path(str(tmp_path))\n"
        "    (tmp / 'conf.py').write_text('')\n    (tmp / 'index.rst').write_text('Title\\n=====\\n')\n"
        "    app = sphinx.application.Sphinx(str(tmp), str(tmp), str(tmp / 'o'), str(tmp / 'd'), 'html',\n"
        "                                    status=io.StringIO(), warning=io.StringIO())\n    app.build()",
        "2022-06-01",
        (
            "sphinxcontrib-applehelp 1.0.8",
            "sphinxcontrib-devhelp 1.0.6",
            "sphinxcontrib-htmlhelp 2.0.5",
            "sphinxcontrib-serializinghtml 1.1.10",
            "sphinxcontrib-qthelp 1.0.7",
        ),
        python="3.9",
    ),
    "black": Case(
        "black==22.1.0",
        "import black\n    black.patch_click()",
        "2022-03-01",
        ("click 8.1.0",),
        python="3.9",
    ),
    "googleapis": Case(
        "googleapis-common-protos==1.52.0",
        "from google.rpc import status_pb2\n    assert status_pb2.Status(code=1).code == 1",
        "2022-03-01",
        ("protobuf 4.21.1",),  # 4.21.0 is yanked
        python="3.9",
    ),
    "starlette": Case(
        "starlette==0.27.0",
        "from starlette.applications import Starlette\n    from starlette.testclient import TestClient\n"
        "    assert TestClient(Starlette()).get('/').status_code == 404",
        "2023-06-01",
        ("httpx 0.28.0",),
        more=("httpx",),
    ),
    "openapi-schema-pydantic": Case(
        "openapi-schema-pydantic==1.2.4",
        "from openapi_schema_pydantic import Info\n    assert Info(title='a', version='1').title == 'a'",
        "2023-06-01",
        ("pydantic 2.0",),
    ),
}


def project(case: Case, folder: Path) -> None:
    """Write the project of a case."""
    quoted = ", ".join(f'"{line}"' for line in (case.requires, *case.more))
    (folder / "pyproject.toml").write_text(PROJECT.format(dependencies=quoted), encoding="utf-8")
    (folder / "broken_by_time.py").write_text('"""A project that requires an old release."""\n', encoding="utf-8")
    tests = ", ".join(f'"{line}"' for line in case.tests)
    (folder / "matrix.toml").write_text(MATRIX.format(python=case.python, tests=tests), encoding="utf-8")
    given = "one" if "one == 1" in case.test else "tmp_path"
    (folder / "test_it.py").write_text(
        f"import broken_by_time\nimport pytest\n\n\ndef test_it({given}):\n    {case.test}\n", encoding="utf-8"
    )


def ask(case: Case) -> dict:
    """Return what `venvgrid why` finds."""
    with tempfile.TemporaryDirectory() as place:
        project(case, Path(place))
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        command = [sys.executable, "-m", "venvgrid", "why", f"py{case.python}", "--good", case.good, "--json", "-q"]
        done = subprocess.run(command, cwd=place, env=environ, capture_output=True, text=True, check=False)
        return json.loads(done.stdout) if done.stdout else {"problem": done.stderr, "culprits": [], "probes": {}}


def main() -> int:
    """Print a line for each case; return 1 if an answer is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    names = parser.parse_args().names or list(CASES)
    wrong = 0
    print("| case | answer | right | resolves | builds | tests | seconds |\n|---|---|---|--:|--:|--:|--:|")
    for name in names:
        found, wanted = ask(CASES[name]), CASES[name].broken_by
        answer = [f"{item['name']} {item['bad']}" for item in found["culprits"]]
        right = "yes" if sorted(answer) == sorted(wanted) else "no"
        wrong += right == "no"
        probes = found["probes"]
        told = ", ".join(answer) + (f" ({found['problem']})" if found["problem"] else "")
        numbers = " | ".join(str(probes.get(key, "")) for key in ("resolves", "builds", "tests", "seconds"))
        print(f"| {name} | {told} | {right} | {numbers} |", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
