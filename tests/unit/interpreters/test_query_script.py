"""What an interpreter says of itself, on builds and implementations that few machines have."""

from __future__ import annotations

import ast
import importlib.util
import json
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from venvgrid.interpreters.query import BEGIN, END
from venvgrid.processes.guests import QUERY


def query(**attributes: Any) -> ModuleType:
    """Load the script with a module sys that says something else."""
    spec = importlib.util.spec_from_file_location("query", QUERY)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    known = {
        name: getattr(sys, name) for name in ("version_info", "implementation", "executable", "prefix", "platform")
    }
    vars(module)["sys"] = SimpleNamespace(**{**known, "getfilesystemencoding": lambda: "utf-8", **attributes})
    return module


def described(**attributes: Any) -> dict[str, Any]:
    """Give the answer as it arrives: through JSON."""
    answer: dict[str, Any] = json.loads(json.dumps(query(**attributes).describe()))
    return answer


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ((3, 14, 0, "candidate", 1), "3.14.0rc1"),
        ((3, 15, 0, "alpha", 2), "3.15.0a2"),
        ((3, 13, 0, "beta", 4), "3.13.0b4"),
        ((3, 12, 1, "final", 0), "3.12.1"),
    ],
)
def test_pre_releases_are_named_as_pep_440_does(info: tuple[object, ...], expected: str) -> None:
    """The version, its marker and the short one agree."""
    answer = described(version_info=info)
    assert expected == answer["version"] == answer["markers"]["python_full_version"]
    assert f"{info[0]}.{info[1]}" == answer["markers"]["python_version"]


def test_python_2_has_no_implementation() -> None:
    """Markers are what packaging says there, and the name is known all the same; paths may be bytes."""
    answer = described(implementation=None, executable=b"/usr/bin/python\xff", version_info=(2, 7, 18, "final", 0))
    assert (answer["markers"]["implementation_name"], answer["markers"]["implementation_version"]) == ("", "0")
    assert (sys.implementation.name, "") == (answer["implementation"], answer["cache_tag"])
    assert answer["executable"].startswith("/usr/bin/python")


def test_graalpy_had_another_name() -> None:
    """Before 23 it called itself graalpython; a version of an odd shape does no harm."""
    odd = SimpleNamespace(name="graalpython", version="23", cache_tag="graalpy-38")
    answer = described(implementation=odd)
    assert (answer["implementation"], answer["cache_tag"]) == ("graalpy", "graalpy-38")
    assert (answer["markers"]["implementation_name"], answer["markers"]["implementation_version"]) == (
        "graalpython",
        "0",
    )


@pytest.mark.parametrize(("flags", "expected"), [("t", True), ("td", True), ("d", False), ("m", False), ("", False)])
def test_the_free_threaded_build_is_known_by_its_flag(flags: str, *, expected: bool) -> None:
    """Where the build variables are silent, sys.abiflags tells."""
    module = query(abiflags=flags)
    vars(module)["sysconfig"] = SimpleNamespace(get_config_var=lambda _: None, get_platform=lambda: "x")
    assert expected == module.describe()["free_threaded"]


def test_the_debug_build_is_known_by_what_it_counts() -> None:
    """Windows builds do not say Py_DEBUG."""
    assert described(gettotalrefcount=lambda: 0)["debug"]


def test_an_installation_without_build_data_is_described() -> None:
    """A minimal package may lack the module that sysconfig reads."""

    def broken(_: str) -> None:
        raise ImportError("_sysconfigdata")

    module = query()
    vars(module)["sysconfig"] = SimpleNamespace(get_config_var=broken, get_platform=lambda: "linux-x86_64")
    answer = module.describe()
    assert (answer["free_threaded"], answer["debug"]) == (False, False)


def test_question_and_answer_agree_on_the_markers() -> None:
    """The script runs elsewhere and cannot import them."""
    module = query()
    assert (BEGIN, END) == (module.BEGIN, module.END)


def test_the_script_needs_no_new_syntax() -> None:
    """Python 2.7 and 3.6 read it: no f-strings, annotations, walrus, or keyword-only parameters."""
    newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.AsyncFunctionDef, ast.Nonlocal, ast.Starred)
    tree = ast.parse(QUERY.read_text(encoding="ascii"))
    for node in ast.walk(tree):
        assert not isinstance(node, newer)
        if isinstance(node, ast.arguments):
            assert not (node.kwonlyargs)
            assert not (node.posonlyargs)
