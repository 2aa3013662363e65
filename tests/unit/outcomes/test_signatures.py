"""The same failure has the same signature in every cell, and different failures have different ones."""
# ruff: noqa: SIM300 - expected == actual

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.outcomes.signatures import (
    MESSAGE_LIMIT,
    SIGNATURE_LIMIT,
    kind_and_message,
    last_frame,
    normalise,
    signature,
)

texts = st.text(max_size=300)
# Text that looks like what is replaced, so that replacements meet each other.
fragments = st.sampled_from(
    [
        *(
            "/",
            "\\",
            "//",
            "C:\\",
            "lib/python3.9/",
            "site-packages/",
            "tmp",
            "pytest-of-me",
            ".so",
            "0x",
            "deadbeef12",
        ),
        *("u'", "'", '"', ":", " ", "12", "3.5", "s", "ms", "pid ", "port", "=", "-", "2024-01-02T", "10:11:12", "<n>"),
        *(
            "e3",
            "KiB",
            "localhost:",
            "8080",
            "\x1b[31m",
            "…",
            "file",
            ".py",
            "127.0.0.1",
            "cpython-39-x86_64",
            "\n",
            "a",
        ),
    ],
)
volatile = st.lists(fragments, max_size=30).map("".join)


@pytest.mark.parametrize(
    ("crash", "expected"),
    [
        ("ValueError: bad input", ("ValueError", "bad input")),
        ("ValueError", ("ValueError", "")),
        ("json.decoder.JSONDecodeError: Expecting value: line 1", ("JSONDecodeError", "Expecting value: line 1")),
        ("struct.error: unpack requires a string", ("error", "unpack requires a string")),
        ("error: unpack requires a string", ("error", "unpack requires a string")),
        ("assert 1 == 2\n +  where 1 = f()", ("AssertionError", "assert 1 == 2")),
        ("AssertionError: because\nassert 1 == 2", ("AssertionError", "because")),
        ("AssertionError: \nassert 1 == 2", ("AssertionError", "")),
        ("[XPASS(strict)] bug 12", ("XPASS(strict)", "bug 12")),
        ("Failed: DID NOT RAISE <class 'ValueError'>", ("Failed", "DID NOT RAISE <class 'ValueError'>")),
        ('  File "/x/test_a.py", line 3\n    x = = 3\nSyntaxError: invalid syntax', ("SyntaxError", "invalid syntax")),
        ("worker 'gw0' crashed while running 'a'", ("Failed", "worker 'gw0' crashed while running 'a'")),
        ("\x1b[31mValueError: red\x1b[0m", ("ValueError", "red")),
        ("", ("Failed", "")),
    ],
)
def test_kind_and_message_of_an_exception(crash: str, expected: tuple[str, str]) -> None:
    """What Python prints of an exception falls into its class and one line."""
    assert expected == kind_and_message(crash)


NOT_IMPORTED = """\
ImportError while importing test module '/x/test_a.py'.
Hint: make sure your test modules are named.
Traceback:
test_a.py:1: in <module>
    import nope
E   ModuleNotFoundError: No module named 'nope'"""
NO_FIXTURE = """\
file /x/test_a.py, line 1
  def test(nofix):
E       fixture 'nofix' not found
>       available fixtures: cache"""


@pytest.mark.parametrize(
    ("longrepr", "expected"),
    [
        (NOT_IMPORTED, ("ModuleNotFoundError", "No module named 'nope'")),
        (NO_FIXTURE, ("Error", "fixture 'nofix' not found")),
        ("Unexpected success", ("Error", "Unexpected success")),
        ("003 >>> 1 + 1\nExpected:\n    3\nGot:\n    2\n\n/x/a.py:3: DocTestFailure", ("DocTestFailure", "")),
        ("[gw0] linux -- Python 3.9.18 /env/bin/python\n[XPASS(strict)] bug", ("XPASS(strict)", "bug")),
        ("[gw0] linux2 -- Python 2.7.18 /env/bin/python\nworker 'gw0' crashed", ("Error", "worker 'gw0' crashed")),
        ("what is wrong\nand more of it", ("Error", "what is wrong")),
        ("Traceback (most recent call last):\n  f()\nValueError: bad", ("ValueError", "bad")),
    ],
)
def test_kind_and_message_from_the_long_text(longrepr: str, expected: tuple[str, str]) -> None:
    """Where pytest has no exception to show, its text of the failure is read."""
    assert expected == kind_and_message("", longrepr, "Error")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<Foo object at 0x7f0a12345678>", "<Foo object at 0x55d098765432>"),
        ("No such file: '/tmp/pytest-of-a/pytest-3/x/data.csv'", "No such file: '/var/folders/zz/T/y/data.csv'"),
        (r"No such file: 'C:\Users\me\AppData\Local\Temp\tmpab12cd_4\data.csv'", "No such file: '/tmp/z/data.csv'"),
        (
            "cannot import name 'x' from 'numpy' (/a/.venvgrid/store/1/lib/python3.9/site-packages/numpy/__init__.py)",
            "cannot import name 'x' from 'numpy' (/b/lib64/python3.13t/site-packages/numpy/__init__.py)",
        ),
        ("in /usr/lib/python3.9/json/decoder.py", "in /opt/py/lib/python3.12/json/decoder.py"),
        ("_core.cpython-39-x86_64-linux-gnu.so: bad", "_core.cpython-312-x86_64-linux-gnu.so: bad"),
        ("took 0.12s", "took 3.5s"),
        ("took 12 ms, limit 3 seconds", "took 9 ms, limit 4 seconds"),
        ("at 2024-05-06T07:08:09.123Z", "at 2025-01-02 10:11:12"),
        ("id 12345678-1234-1234-1234-1234567890ab", "id abcdef01-1234-1234-1234-1234567890ab"),
        ("pid 4711 is gone", "pid 12 is gone"),
        ("localhost:43211 refused", "localhost:50000 refused"),
        ("('127.0.0.1:8080')", "('127.0.0.1:8081')"),
        ("needs 1.5 MiB", "needs 3 MiB"),
        ("id=140234234234234", "id=94234234234888"),
        ("assert u'a' == u'b'", "assert 'a' == 'b'"),
        ("DID NOT RAISE <class 'demo.exc.BadSignature'>", "DID NOT RAISE BadSignature"),
        ("<type 'exceptions.ValueError'>", "<class 'ValueError'>"),
        ("a  b\n c", "a b c"),
    ],
)
def test_volatile_parts_do_not_count(one: str, other: str) -> None:
    """Addresses, folders, versions of Python in paths, times and the like make no difference."""
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("assert 1 == 2", "assert 1 == 3"),
        ("can't decode byte 0xff", "can't decode byte 0xfe"),
        ("No such file: '/tmp/x/a.csv'", "No such file: '/tmp/x/b.csv'"),
        ("http://host/a/b", "http://host/a/c"),
        ("and/or", "and/not"),
        (r"b'\xff'", r"b'\xfe'"),
        ("2024-01-02", "2024-01-03"),
    ],
)
def test_what_differs_in_meaning_stays_different(one: str, other: str) -> None:
    """Normalising does not throw different messages together."""
    assert normalise(one) != normalise(other)


@given(st.one_of(texts, volatile))
def test_normalising_twice_changes_nothing(text: str) -> None:
    """`normalise` is idempotent: what it puts in is never replaced again."""
    once = normalise(text)
    assert once == normalise(once)


@given(kind=texts, message=volatile, where=texts, longrepr=st.one_of(texts, volatile))
def test_any_text_has_a_short_signature_in_one_line(kind: str, message: str, where: str, longrepr: str) -> None:
    """Whatever a test raises, its signature is one line of bounded length."""
    text = signature(kind, message, where, longrepr)
    assert (True, True) == (len(text) <= SIGNATURE_LIMIT, len(text.splitlines()) <= 1)


@given(texts, texts)
def test_any_text_has_a_kind_and_a_message_in_one_line(crash: str, longrepr: str) -> None:
    """The kind is never empty, the message is one bounded line."""
    kind, message = kind_and_message(crash, longrepr)
    assert (True, True, True) == (bool(kind), len(message) <= MESSAGE_LIMIT, len(message.splitlines()) <= 1)


@given(st.integers(0x10000, 2**64), st.integers(0x10000, 2**64), st.sampled_from(["2.7", "3.6", "3.13", "3.14t"]))
def test_signature_is_equal_in_every_cell(one: int, other: int, python: str) -> None:
    """The same exception in two environments, at two addresses, is the same failure."""

    def of(address: int, prefix: str, version: str) -> str:
        message = f"<A object at {address:#x}> has no attribute 'b' ({prefix}/lib/python{version}/site-packages/a/b.py)"
        return signature(
            "AttributeError", message, f"{prefix}/lib/python{version}/site-packages/a/b.py:{one % 100}", ""
        )

    assert of(one, "/home/a/.venvgrid/store/12", "3.9") == of(other, "/srv/b/x", python)


def failing(line: int, statement: str, function: str = "test_a") -> str:
    """Return pytest's text of a failure in a function, which is raised by one of its lines."""
    return f"def {function}():\n        first()\n>       {statement}\n\ntests/test_a.py:{line}: ValueError"


def test_the_function_is_the_place() -> None:
    """An edit above moves its lines; Pythons differ about that of `with`. Another function is another failure."""

    def of(line: int, statement: str, function: str = "test_a") -> str:
        return signature("ValueError", "bad", f"tests/test_a.py:{line}", failing(line, statement, function))

    assert of(3, "run()") == "ValueError: bad @ tests/test_a.py > test_a"
    assert of(3, "run()") == of(94, "with pytest.raises(ValueError):")
    assert of(3, "run()") != of(3, "run()", "test_b")
    short = "tests/test_a.py:3: in test_a\n    run()\nE   ValueError: bad"
    assert of(3, "run()") == signature("ValueError", "bad", "tests/test_a.py:3", short)
    assert signature("ValueError", "bad", "tests\\test_a.py:3", "") == "ValueError: bad @ tests/test_a.py"


def test_without_a_message_the_line_tells_failures_apart() -> None:
    """Two assertions of one function that say nothing are two failures."""
    assert signature("AssertionError", "", "tests/test_a.py:3", failing(3, "assert x")) == (
        "AssertionError @ tests/test_a.py:3"
    )


def test_what_a_library_raises_is_placed_by_the_project() -> None:
    """The function of the project that led into the library is the place: the library's versions move theirs."""
    longrepr = (
        "    def test_a():\n>       np.f()\n\ntests/test_a.py:7: \n_ _ _\n\n    def f():\n>       raise TypeError\n\n"
        "/env/lib/python3.9/site-packages/numpy/core.py:812: TypeError"
    )
    where = "/env/lib/python3.9/site-packages/numpy/core.py:812"
    assert "TypeError: bad @ tests/test_a.py > test_a" == signature("TypeError", "bad", where, longrepr)


def test_a_failure_in_a_library_alone_is_placed_without_its_line() -> None:
    """Where no line of the project is known, the library's file is the place."""
    where = "/env/lib/python3.9/site-packages/numpy/core.py:812"
    assert "TypeError: bad @ numpy/core.py" == signature("TypeError", "bad", where, "")


IMPORT = ".venvgrid/store/0123/lib/python3.8/site-packages"


@pytest.mark.parametrize(
    ("kind", "end", "place"),
    [
        ("NameError", "demo/core.py:7: in <module>\n    x\nE   NameError: bad", "demo/core.py"),
        ("TypeError", "demo/core.py:7: in <module>\n    f()\n{}/lib.py:3: in f\n    g()\nE   TypeError: bad", "lib.py"),
        (
            "SyntaxError",
            'demo/__init__.py:1: in <module>\n    import core\nE     File "/p/{}/demo/core.py", line 84\nE       def (',
            "demo/core.py",
        ),
    ],
)
def test_a_module_that_cannot_be_imported_is_one_failure(kind: str, end: str, place: str) -> None:
    """Whatever test file imports it first, and whatever lines lie between."""
    for test in ("tests/test_a.py", "tests/test_b.py"):
        longrepr = f"{test}:3: in <module>\n    import demo\n{IMPORT}/{end.replace('{}', IMPORT)}"
        assert f"{kind}: bad @ {place}" == signature(kind, "bad", test, longrepr)


def test_a_broken_helper_of_the_tests_is_one_failure() -> None:
    """Its file counts, and not who imports it."""
    for test in ("tests/test_a.py", "tests/test_b.py"):
        longrepr = (
            f"{test}:3: in <module>\n    import helper\ntests/helper.py:9: in <module>\n    x\nE   NameError: bad"
        )
        assert "NameError: bad @ tests/helper.py" == signature("NameError", "bad", test, longrepr)


def test_an_import_that_was_caught_is_no_place() -> None:
    """Of a chain of exceptions, the last one is the failure."""
    longrepr = (
        f"tests/test_a.py:3: in test_a\n    import demo\n{IMPORT}/demo.py:1: in <module>\n    x\nE   NameError: x\n\n"
        "During handling of the above exception, another exception occurred:\n\n"
        "tests/test_a.py:5: in test_a\nE   ValueError: bad"
    )
    assert "ValueError: bad @ tests/test_a.py > test_a" == signature("ValueError", "bad", "tests/test_a.py:5", longrepr)


def test_long_messages_that_differ_late_have_different_signatures() -> None:
    """A signature that is cut ends with a digest of all of it."""
    one, other = (signature("E" * 300, "x " * 200 + end, "", "") for end in ("a", "b"))
    assert (True, True) == (one != other, len(one) == len(other) == SIGNATURE_LIMIT)


@pytest.mark.parametrize(
    ("longrepr", "expected"),
    [
        ("x\ntests/test_a.py:3: in f\ny\ntests/b.py:9: ValueError", "tests/b.py:9"),
        (r"C:\proj\test_a.py:3: ValueError", r"C:\proj\test_a.py:3"),
        ("file /x/test_a.py, line 12\n  def test(nofix)", "/x/test_a.py:12"),
        ("nothing here", ""),
        ("> raise X, line 3", ""),
    ],
)
def test_last_frame(longrepr: str, expected: str) -> None:
    """The last place that a traceback of pytest names."""
    assert expected == last_frame(longrepr)
