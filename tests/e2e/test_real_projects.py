"""Real projects from the package index, with the few lines of configuration that their maintainers would write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import DEMO, Command, Write, cell, declaring
from rig import outcomes, results

pytestmark = pytest.mark.e2e

Needs = Callable[..., None]
Source = Callable[[str, str], Path]


def test_itsdangerous_has_one_cell_that_is_really_broken(venvgrid: Command, source: Source, needs: Needs) -> None:
    """Three lines, twelve cells: freezegun 1.2 reads a name of uuid that Python 3.13 does not have any more."""
    needs("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
    root = source("itsdangerous", "2.2.0")
    matrix = '[axes]\npython = "3.8..3.13"\nfreezegun = ["1.2", "1.5"]\n'
    (root / "matrix.toml").write_text(matrix, encoding="utf-8")
    ended = venvgrid("run", cwd=root)
    assert ended.status == 1, ended.err
    found = outcomes(root)
    assert len(found) == 12
    assert [name for name, outcome in found.items() if outcome != "passed"] == ["py3.13-freezegun1.2"]
    failures = cell(root, "py3.13-freezegun1.2")["failures"]
    assert {failure["message"] for failure in failures} == {"module 'uuid' has no attribute '_load_system_functions'"}
    counts = {item["tests"]["passed"] for item in results(root)["cells"] if item["outcome"] == "passed"}
    assert len(counts) == 1


def test_markupsafe_tests_its_c_extension_on_each_python(venvgrid: Command, source: Source, needs: Needs) -> None:
    """Each interpreter has its own build of the extension, and all of the tests pass with it."""
    needs("3.9", "3.12")
    root = source("markupsafe", "2.1.5")
    matrix = '[axes]\npython = ["3.9", "3.12"]\npytest = ["7", "8"]\n[test]\nsmoke = ["markupsafe._speedups"]\n'
    (root / "matrix.toml").write_text(matrix, encoding="utf-8")
    ended = venvgrid("run", cwd=root)
    assert ended.status == 0, ended.err
    assert {item["tests"]["passed"] for item in results(root)["cells"]} == {53}
    for python in ("3.9", "3.12"):
        (built,) = (root / f".venvgrid/envs/py{python}-pytest8").resolve().rglob("_speedups.*.so")
        assert f"cpython-{python.replace('.', '')}" in built.name


def test_structlog_is_tested_with_its_dependency_group(venvgrid: Command, source: Source, needs: Needs) -> None:
    """`groups = ["tests"]` brings what the tests need; rich is there, or absent, as the axis says."""
    needs("3.12")
    root = source("structlog", "25.5.0")
    matrix = '[project]\ngroups = ["tests"]\n[axes]\npython = ["3.12"]\nrich = ["absent", "14"]\n'
    (root / "matrix.toml").write_text(matrix, encoding="utf-8")
    ended = venvgrid("run", cwd=root)
    assert ended.status == 0, ended.err
    without, with_rich = results(root)["cells"]
    assert {"pytest-asyncio", "time-machine", "simplejson"} <= set(without["packages"])
    assert without["attested"]["packages"] == {"rich": ""}
    assert with_rich["attested"]["packages"]["rich"].startswith("14.")
    assert without["tests"]["passed"] > 500


REQUESTS_APP = {
    "app.py": """
        import requests


        def title(url):
            response = requests.get(url, timeout=30)
            response.raise_for_status()
            return response.json()["title"]
    """,
    "test_app.py": """
        import http.server
        import json
        import threading

        import app


        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps({"title": "a title"}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass


        def test_title():
            server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
            threading.Thread(target=server.handle_request, daemon=True).start()
            assert app.title("http://127.0.0.1:%d/" % server.server_port) == "a title"
            server.server_close()
    """,
}
NOTHING_OF_DEMO = dict.fromkeys(DEMO)


def test_requests_2_24_and_2_25_side_by_side(venvgrid: Command, project: Write, needs: Needs) -> None:
    """Two exact versions on two Pythons: each cell attests the one that it names."""
    needs("3.6", "3.9")
    matrix = '[project]\ninstall = "none"\n[axes]\npython = ["3.6", "3.9"]\nrequests = ["==2.24.0", "2.25.1"]\n'
    root = project(matrix, {**NOTHING_OF_DEMO, **REQUESTS_APP})
    ended = venvgrid("run", cwd=root)
    assert ended.status == 0, ended.err
    attested = [item["attested"]["packages"]["requests"] for item in results(root)["cells"]]
    assert attested == ["2.24.0", "2.25.1"] * 2


FLASK_APP = {
    "web.py": """
        from flask import Blueprint, Flask, jsonify

        api = Blueprint("api", __name__)


        @api.route("/hello/<name>")
        def hello(name):
            return jsonify(hello=name)


        def create_app():
            app = Flask(__name__)
            app.register_blueprint(api, url_prefix="/api")
            return app
    """,
    "test_web.py": """
        import web


        def test_hello():
            response = web.create_app().test_client().get("/api/hello/you")
            assert response.get_json() == {"hello": "you"}
    """,
}


def test_a_flask_application_over_flask_2_and_3(venvgrid: Command, project: Write, needs: Needs) -> None:
    """Flask 2.0 does not import with the Werkzeug of today, but does with that of its day; newest 2 and 3 work."""
    needs("3.9")
    axes = 'python = ["3.9"]\nflask = ["2.0", ">=2,<3", "3.0"]\nas-of = ["today", "release"]\n'
    matrix = f'[project]\ninstall = "none"\n[axes]\n{axes}'
    root = project(matrix, {**NOTHING_OF_DEMO, **FLASK_APP})
    ended = venvgrid("run", cwd=root)
    assert ended.status == 1
    red = [item for item in results(root)["cells"] if item["outcome"] != "passed"]
    assert [(item["axes"]["flask"], item["axes"]["as-of"]) for item in red] == [("2.0", "today")]
    assert "url_quote" in ended.out


def test_a_pin_that_the_project_forbids_is_impossible(venvgrid: Command, project: Write, needs: Needs) -> None:
    """`packaging<24` in the project and 24 on the axis: impossible, and 23 is attested."""
    needs("3.12")
    test = "import demo, packaging\n\n\ndef test_version():\n    assert packaging.__version__.startswith('23.')\n"
    root = project(
        '[axes]\npython = ["3.12"]\npackaging = ["23", "24"]\n',
        {"pyproject.toml": declaring("packaging<24"), "tests/test_demo.py": test},
    )
    for installer in ("uv", "pip"):
        ended = venvgrid("run", "--fresh", cwd=root, env={"VENVGRID_INSTALLER": installer})
        assert ended.status == 0, ended.err
        assert list(outcomes(root).values()) == ["passed", "impossible"]
        assert "packaging<24" in cell(root, "py3.12-packaging24")["reason"]


def test_matplotlib_3_5_on_python_3_9_needs_its_era(venvgrid: Command, project: Write, needs: Needs) -> None:
    """Resolved today it gets numpy 2 and does not import; resolved as of its release it passes."""
    needs("3.9")
    matrix = """
        [project]
        install = "none"
        [axes]
        python = ["3.9"]
        matplotlib = ["3.5"]
        as-of = ["today", "release"]
        [test]
        smoke = ["matplotlib.pyplot"]
    """
    test = "def test_it():\n    import matplotlib.pyplot\n"
    root = project(matrix, {**NOTHING_OF_DEMO, "test_it.py": test})
    ended = venvgrid("run", cwd=root)
    assert ended.status == 1
    today, release = results(root)["cells"]
    assert (today["outcome"], today["packages"]["numpy"].split(".")[0]) == ("broken-env", "2")
    assert (release["outcome"], release["packages"]["numpy"].split(".")[0]) == ("passed", "1")


def test_the_example_of_the_readme(venvgrid: Command, needs: Needs, tmp_path: Path) -> None:
    """Matplotlib 2.2 passes on 2.7, 3.6, 3.7, and 3.5 on 3.7 to 3.10; all else is impossible; nothing is excluded."""
    needs("2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
    here = Path(__file__).parents[2]
    text = (here / "matrix.example.toml").read_text(encoding="utf-8")
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "plotlib").symlink_to(here / "examples" / "plotlib", target_is_directory=True)
    (tmp_path / "matrix.example.toml").write_text(text, encoding="utf-8")
    ended = venvgrid("run", "-c", "matrix.example.toml", cwd=tmp_path)
    assert ended.status == 0, ended.err
    green = [name for name, outcome in outcomes(tmp_path).items() if outcome == "passed"]
    assert green == [
        "py2.7-matplotlib2.2",
        "py3.6-matplotlib2.2",
        "py3.7-matplotlib2.2",
        "py3.7-matplotlib3.5",
        "py3.8-matplotlib3.5",
        "py3.9-matplotlib3.5",
        "py3.10-matplotlib3.5",
    ]
    rest = [item for item in results(tmp_path)["cells"] if item["id"] not in green]
    assert {item["outcome"] for item in rest} == {"impossible"}
    too_old = {"py2.7-matplotlib3.5", "py3.6-matplotlib3.5"}
    for item in rest:
        why = "needs Python >=3.7" if item["id"] in too_old else "has no wheel for CPython"
        assert item["reason"].startswith(f"matplotlib {item['axes']['matplotlib']} {why}"), item
    assert results(tmp_path)["excluded"] == []
    assert {item["tests"]["passed"] for item in results(tmp_path)["cells"] if item["id"] in green} == {3}
