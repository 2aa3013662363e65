"""Whatever tests do to the process that they run in, the probe misses nothing and disturbs nothing."""
# ruff: noqa: SIM300 - expected == actual

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from probe_lab import MIDDLE, NEW, OK, OLD, ages, posix

if TYPE_CHECKING:
    from probe_lab import Cases


pytestmark = pytest.mark.e2e
pytest_plugins = ("probe_lab",)


@ages
def test_nested_runs_of_pytest_are_not_counted(case: Cases, age: str) -> None:
    """In the process, and in one of their own."""
    nested = """
        pytest_plugins = "pytester"
        def test_inside(testdir):
            testdir.makepyfile("def test_x(): assert 0")
            testdir.runpytest_inprocess().assert_outcomes(failed=1)
        def test_outside(testdir):
            testdir.makepyfile("def test_x(): assert 0")
            testdir.runpytest_subprocess().assert_outcomes(failed=1)
    """
    seen = case(age).run(nested)
    assert ({"test_inside": "passed", "test_outside": "passed"}, "passed") == (seen.verdicts, seen.brief[0]), (
        seen.output
    )


@posix
@ages
def test_a_forked_child_says_nothing(case: Cases, age: str) -> None:
    """One that ends at once, and one that returns into pytest and runs the rest of the session a second time."""
    forks = """
        import os
        def test_exits():
            child = os.fork()
            if not child:
                os._exit(0)
            os.waitpid(child, 0)
        def test_returns():
            child = os.fork()
            if child:
                os.waitpid(child, 0)
            else:
                assert 0
        def test_last(): pass
    """
    seen = case(age).run(forks)
    expected = {"test_exits": "passed", "test_returns": "passed", "test_last": "passed"}
    assert (expected, ("passed", "")) == (seen.verdicts, seen.brief), seen.output


@posix
def test_descriptors_that_a_test_closed_are_not_written_to(case: Cases) -> None:
    """A test closes all of them and opens files that get the same numbers: those stay empty, and nothing is lost."""
    closes = """
        import os
        files = []
        def test_close(tmpdir):
            os.closerange(3, 100)
            files.extend(open(str(tmpdir.join(str(n))), "w") for n in range(40))
        def test_after():
            assert [os.fstat(file.fileno()).st_size for file in files] == [0] * 40
    """
    seen = case().run(closes, "-s", "-p", "no:faulthandler")
    assert ({"test_close": "passed", "test_after": "passed"}, "passed") == (seen.verdicts, seen.brief[0]), seen.output


def test_functions_that_a_test_replaced_are_not_used(case: Cases) -> None:
    """While a test has replaced them, and where one forgets to put them back; nor does it matter where it goes."""
    replaces = """
        import json, os, tempfile, time
        import pytest
        def boom(*args, **kwargs):
            raise RuntimeError
        @pytest.mark.parametrize("module, name", [
            (os, "open"), (os, "write"), (os, "close"), (os.path, "join"), (json, "dumps"), (json, "JSONEncoder"),
            (time, "time"), (time, "perf_counter"),
        ])
        def test_for_a_while(monkeypatch, module, name):
            monkeypatch.setattr(module, name, boom)
        def test_for_ever():
            os.write = json.dumps = boom
            os.chdir(tempfile.mkdtemp())
        def test_after(): pass
    """
    seen = case().run(replaces, "-p", "no:cacheprovider")
    assert ("passed", 10) == (seen.brief[0], seen.judgement.tests["passed"]), seen.output


def test_frozen_time_does_not_reach_durations(case: Cases) -> None:
    """freezegun, undone and not."""
    frozen = """
        from freezegun import freeze_time
        @freeze_time("2001-01-01")
        def test_decorated(): pass
        def test_started(): freeze_time("2040-01-01").start()
        def test_after(): assert 0
    """
    seen = case().run(frozen)
    assert {"test_decorated": "passed", "test_started": "passed", "test_after": "failed"} == seen.verdicts, seen.output
    assert 0 <= seen.judgement.failures[0].duration < 86_400


def test_a_fake_file_system_does_not_swallow_results(case: Cases) -> None:
    """A plugin, pyfakefs, replaces os in every module."""
    seen = case().run("def test_a(fs):\n    fs.create_file('/x')\ndef test_b(fs):\n    assert 0\n")
    assert {"test_a": "passed", "test_b": "failed"} == seen.verdicts, seen.output


@pytest.mark.parametrize("options", [(), ("-n2",)], ids=["plain", "xdist"])
@pytest.mark.parametrize("age", [MIDDLE, NEW])
def test_reruns_count_by_their_end(case: Cases, age: str, options: tuple[str, ...]) -> None:
    """pytest-rerunfailures: a test that passes in the end passed."""
    reruns = """
        calls = []
        def test_passes_later():
            calls.append(1)
            assert len(calls) == 3
        def test_never(): assert 0
    """
    seen = case(age).run(reruns, "--reruns=3", *options)
    assert {"test_passes_later": "passed", "test_never": "failed"} == seen.verdicts, seen.output


@pytest.mark.parametrize("options", [(), ("-n2",)], ids=["plain", "xdist"])
@pytest.mark.parametrize("age", [MIDDLE, NEW])
def test_a_failed_subtest_fails_its_test(case: Cases, age: str, options: tuple[str, ...]) -> None:
    """pytest-subtests, pytest 9's own, and unittest's; one that is skipped does not matter."""
    subtests = """
        import unittest
        import pytest
        def test_fails(subtests):
            for i in range(3):
                with subtests.test(i=i):
                    assert i != 1
        def test_skips(subtests):
            for i in range(3):
                with subtests.test(i=i):
                    if i == 1:
                        pytest.skip("one of them")
        class TestUnit(unittest.TestCase):
            def test_fails(self):
                for i in range(3):
                    with self.subTest(i=i):
                        assert i != 1
    """
    seen = case(age).run(subtests, *options)
    assert {"test_fails": "failed", "test_skips": "passed", "TestUnit::test_fails": "failed"} == seen.verdicts, (
        seen.output
    )
    assert {"AssertionError: assert 1 != 1"} == {item.partition(" @")[0] for item in seen.signatures.values()}


@posix
def test_forked_tests_are_seen(case: Cases) -> None:
    """pytest-forked runs each in a child; one that crashes there is a crash."""
    seen = case(MIDDLE).run(
        "import os\ndef test_ok(): pass\ndef test_die(): os.abort()\ndef test_b(): pass\n", "--forked"
    )
    assert {"test_ok": "passed", "test_die": "failed", "test_b": "passed"} == seen.verdicts, seen.output
    assert ("crashed", "SIGABRT in test_a.py::test_die") == seen.brief


def test_coverage_does_not_measure_the_probe(case: Cases) -> None:
    """Not even where no source is configured: a report would count it, and later miss its file."""
    made = case()
    seen = made.run(OK, argv=(made.lab.python, "-m", "coverage", "run", "-m", "pytest"))
    assert ("passed", "") == seen.brief, seen.output
    command = (made.lab.python, "-m", "coverage", "report")
    report = subprocess.run(command, cwd=made.tests, capture_output=True, text=True, check=True).stdout
    assert ["test_a.py", "TOTAL"] == [line.split()[0] for line in report.splitlines() if line[:1] not in "-N"]


@pytest.mark.parametrize("age", [OLD, NEW])
def test_odd_and_long_names_are_told_apart(case: Cases, age: str) -> None:
    """Bytes, lone surrogates, line ends, escapes, and 10,000 characters: each test is one test."""
    odd = """
        # -*- coding: utf-8 -*-
        import pytest
        VALUES = [b"\\xff", u"\\udcff", u"\\udcfe", u"\\xe9", "a\\nb", "\\x1b[31m", u"\\u202e", "x" * 10000]
        @pytest.mark.parametrize("value", VALUES + ["]]>", "|`"])
        def test_value(value): pass
        @pytest.mark.parametrize("value", [1, 2], ids=["y" * 10000 + "1", "y" * 10000 + "2"])
        def test_id(value): assert value == 1
    """
    seen = case(age).run(odd)
    assert ("failed", 11, 1) == (seen.brief[0], seen.judgement.tests["passed"], seen.judgement.tests["failed"]), (
        seen.output
    )
    assert len(seen.brief[1]) < 400


def test_huge_failures_are_cut(case: Cases) -> None:
    """A message of megabytes leaves the stream small, and keeps its beginning and end."""
    seen = case().run("def test_a(): raise ValueError('begin' + 'x' * 3000000 + 'end')\n")
    (failure,) = seen.judgement.failures
    assert (True, True) == (failure.message.startswith("beginxxx"), len(failure.longrepr) < 25_000), seen.output
