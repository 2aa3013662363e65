"""Places and errors of tracebacks, and the distributions to blame."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.outcomes import signatures
from venvgrid.outcomes.causes import blame, tracebacks
from venvgrid.outcomes.causes.tracebacks import Frame

STORE = "/home/me/flask/.venvgrid/store/611e807a1fba6439"
SITE = f"{STORE}/lib/python3.12/site-packages"
LONG = """\
self = <test_numpy.Test object at 0x7f>

    def test_trapz(self):
        with warnings.catch_warnings():
>           np.trapz([1.0, 2.0], dx=1)

pint/testsuite/test_numpy.py:445:
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _

attr = 'trapz'

    def __getattr__(attr):
        if attr == "linalg":
            return linalg
>       raise AttributeError(attr)
E       AttributeError: module 'numpy' has no attribute 'trapz'

.venvgrid/store/611e807a1fba6439/lib/python3.12/site-packages/numpy/__init__.py:410: AttributeError
"""
COLLECTED = f"""\
ImportError while importing test module '/home/me/flask/tests/test_cli.py'.
Hint: make sure your test modules/packages have valid Python names.
Traceback:
/usr/lib/python3.12/importlib/__init__.py:90: in import_module
    return _bootstrap._gcd_import(name[level:], package, level)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
{SITE}/_venvgrid_probe.py:553: in import_path
    return original(path, *arguments, **options)
tests/test_cli.py:14: in <module>
    from _pytest.monkeypatch import notset
E   ImportError: cannot import name 'notset' from '_pytest.monkeypatch' ({SITE}/_pytest/monkeypatch.py)
"""
OWNERS = blame.Owners.of(
    {
        "pytest": ("_pytest/__init__.py", "_pytest/monkeypatch.py", "_pytest/python.py", "pytest/__init__.py"),
        "pluggy": ("pluggy/__init__.py", "pluggy/_callers.py"),
        "numpy": ("numpy/__init__.py", "numpy/core/_multiarray.cpython-312-x86_64-linux-gnu.so"),
        "protobuf": ("google/protobuf/__init__.py", "google/protobuf/message.py"),
        "googleapis-common-protos": ("google/api/http_pb2.py",),
        "six": ("six.py",),
        "python-dateutil": ("dateutil/__init__.py", "dateutil/tz/tz.py"),
    }
)


def test_the_places_of_a_long_traceback() -> None:
    """The code of a place stands above it, marked; the store is no part of what is shown."""
    found = tracebacks.read(LONG)
    assert [(frame.shown, frame.line, frame.code) for frame in found.frames] == [
        ("pint/testsuite/test_numpy.py", 445, "np.trapz([1.0, 2.0], dx=1)"),
        ("numpy/__init__.py", 410, "raise AttributeError(attr)"),
    ]
    assert [frame.is_own for frame in found.frames] == [True, False]
    assert found.error == ("AttributeError: module 'numpy' has no attribute 'trapz'",)


def test_the_places_of_a_file_that_was_not_collected() -> None:
    """The code stands below; what imports for pytest and venvgrid's own frames are left out."""
    (frame,) = tracebacks.read(COLLECTED).frames
    assert (frame.file, frame.line, frame.code) == (
        "tests/test_cli.py",
        14,
        "from _pytest.monkeypatch import notset",
    )


def test_a_traceback_of_python() -> None:
    """As unittest and scripts print it; marks below the code are no code."""
    text = 'Traceback:\n  File "/p/a.py", line 3, in f\n    g(1)\n    ^^^^\n  File "/p/b.py", line 5\n'
    assert tracebacks.read(text).frames == (
        Frame(file="/p/a.py", line=3, code="g(1)"),
        Frame(file="/p/b.py", line=5),
    )


def test_the_tail_has_a_place_of_the_project() -> None:
    """However deep the library is in which it ended."""
    deep = "".join(f"{SITE}/numpy/a{number}.py:{number}: in f\n" for number in range(1, 9))
    tail = tracebacks.read(f"tests/test_a.py:7: in test_a\n{deep}").tail
    assert [frame.shown for frame in tail] == ["tests/test_a.py", "numpy/a7.py", "numpy/a8.py"]


def test_an_error_of_the_parser_is_in_the_file_that_it_cannot_read() -> None:
    """The parser and what called it are no part of the tail; the file and its line stand there once."""
    found = tracebacks.read(
        f"{SITE}/_pytest/assertion/rewrite.py:339: in _rewrite_test\n    tree = ast.parse(source)\n"
        "/usr/lib/python3.12/ast.py:50: in parse\n    return compile(source)\n"
        'E     File "/home/me/flask/tests/test_a.py", line 1\n'
        "E       match =\nE               ^\nE   SyntaxError: invalid syntax\n"
    )
    assert [(frame.file, frame.line) for frame in found.tail] == [("/home/me/flask/tests/test_a.py", 1)]
    assert found.error == ("    match =", "            ^", "SyntaxError: invalid syntax")


@pytest.mark.parametrize(
    ("message", "longrepr", "expected"),
    [
        (f"cannot import name 'x' from '_pytest.monkeypatch' ({SITE}/_pytest/monkeypatch.py)", COLLECTED, "pytest"),
        ("module 'numpy' has no attribute 'trapz'", LONG, "numpy"),
        ("`np.float_` was removed in the NumPy 2.0 release.", "", "numpy"),
        ("No module named 'google.protobuf.internal'", "", "protobuf"),
        ("cannot import name 'x' from 'dateutil.tz'", "", "python-dateutil"),
        ("cannot import name 'Mapping' from 'collections' (/usr/lib/python3.12/collections/__init__.py)", "", "python"),
        ("No module named 'imp'", "", "python"),
        ("bad", LONG, "numpy"),
        ("Plugin 'x' for hook 'pytest_collect_file'", f"{SITE}/pluggy/_manager.py:4: in f\n", "pytest"),
        ("bad", f"tests/a.py:1: in f\n{SITE}/six.py:2: in g\n{SITE}/pluggy/x.py:3: in h\ntests/b.py:1: X\n", "six"),
        ("mutable default", "tests/a.py:1: in f\n/usr/lib/python3.12/dataclasses.py:9: ValueError\n", "python"),
    ],
)  # fmt: skip
def test_the_first_to_blame(message: str, longrepr: str, expected: str) -> None:
    """What the exception names; then what raised; then what the traceback passes, which is never pytest alone."""
    assert blame.blamed(message, longrepr, OWNERS)[:1] == (expected,)


def test_nothing_to_blame() -> None:
    """A failed assertion of the project's own; frames of pytest that only carry it."""
    assert (
        blame.blamed("assert 1 == 2", f"{SITE}/_pytest/python.py:1: in f\ntests/a.py:1: AssertionError\n", OWNERS) == ()
    )


stores = st.from_regex(r"/[a-z]{1,8}(/[a-z0-9_.]{1,8}){0,3}/\.venvgrid/store/[0-9a-f]{16}", fullmatch=True)


@given(stores, st.sampled_from(["3.8", "3.12", "3.13t"]))
def test_the_place_of_the_store_changes_nothing(store: str, python: str) -> None:
    """Law: signature, id, blame and shown places are equal for every store and Python."""

    def known(root: str, version: str) -> tuple[object, ...]:
        site = f"{root}/lib/python{version}/site-packages"
        longrepr, message = (text.replace(SITE, site) for text in (COLLECTED, f"cannot import {SITE}/six.py"))
        text = longrepr.replace("/usr/lib/python3.12/", f"/usr/lib/python{version}/")
        return (
            signatures.signature("ImportError", message, "", text),
            signatures.signature("ValueError", message, f"{site}/six.py:3", text),
            signatures.stable_id(f"{site}/pkg/tests/test_a.py::test[{site}/x]"),
            signatures.stable_id(f"{root}/bin/python".removeprefix("/")),
            signatures.without_environment(message),
            blame.blamed(message, text, OWNERS),
            [frame.shown for frame in tracebacks.read(text).frames],
        )

    assert known(store, python) == known(STORE, "3.12")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (".venvgrid/store/0123456789abcdef/lib/python3.12/site-packages/pkg/a.py::test_b", "/pkg/a.py::test_b"),
        (r"..\env\Lib\site-packages\pkg\test_a.py::T::test_b", r"\pkg\test_a.py::T::test_b"),
        (".venvgrid.store.0123456789abcdef.lib.python3.12.site-packages.pkg.tests.test_a", ".pkg.tests.test_a"),
    ],
)  # fmt: skip
def test_ids_and_classnames_of_installed_tests(name: str, expected: str) -> None:
    """They begin with site-packages: equal in all cells, and never that of a test of the checkout."""
    assert signatures.stable_id(name) == f"site-packages{expected}"


@given(st.text(alphabet="abc/.:[]-_ é", max_size=60))
def test_ids_of_other_tests_stay(name: str) -> None:
    """Law: what names no environment is not changed."""
    assert signatures.stable_id(name) == name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("module 'numpy' has no attribute 'trapz'", "module 'numpy' has no attribute 'trapz'. Did you mean: 'trace'?"),
        ("f() missing 1 required positional argument: 'x'", "A.f() missing 1 required positional argument: 'x'"),
    ],
)
def test_words_of_newer_pythons_make_no_new_failure(one: str, other: str) -> None:
    """The same failure on an old and a new Python is one."""
    assert signatures.signature("E", one, "a.py:1", "") == signatures.signature("E", other, "a.py:1", "")


def test_a_failing_import_is_one_failure_wherever_it_is_written() -> None:
    """Two files with the same import at other lines, and Python 2.7; another name is another failure."""
    of = signatures.signature
    assert of("ImportError", "No module named x", "", "") == of("ModuleNotFoundError", "No module named 'x'", "", "")
    assert of("ImportError", "cannot import name 'x' from 'y'", "tests/a.py:1", "") == of(
        "ImportError", "cannot import name 'x' from 'y'", "tests/b.py:9", ""
    )
    assert of("ImportError", "cannot import name 'x' from 'y'", "", "") != of(
        "ImportError", "cannot import name 'z' from 'y'", "", ""
    )
    assert of("ValueError", "bad", "tests/a.py:1", "") != of("ValueError", "bad", "tests/b.py:9", "")


def test_the_error_of_a_traceback_of_python() -> None:
    """Its last exception with all lines of its message."""
    text = 'Traceback:\n  File "a.py", line 1, in f\n    g()\npluggy.PluginValidationError: P\nmore\n'
    assert tracebacks.read(text).error == ("pluggy.PluginValidationError: P", "more")
