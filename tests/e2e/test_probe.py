"""The probe sees what happens in pytest of every age, and the tests do not see the probe."""
# ruff: noqa: SIM300 - expected == actual

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from probe_lab import OK, ages, posix, with_xdist

from venvgrid.analysis.affected.tests import affected

if TYPE_CHECKING:
    from probe_lab import Cases


pytestmark = pytest.mark.e2e
pytest_plugins = ("probe_lab",)

SPREAD = """
    import os, sys, unittest
    import pytest
    def test_pass(): pass
    def test_fail(): assert 1 == 2
    def test_raise(): raise ValueError("bad at %r" % object())
    def test_skip(): pytest.skip("no display")
    @pytest.mark.xfail
    def test_xfail(): assert 0
    @pytest.mark.xfail
    def test_xpass(): pass
    @pytest.mark.xfail(strict=True, reason="old bug")
    def test_strict(): pass
    @pytest.fixture
    def broken(): raise RuntimeError("setup")
    def test_error(broken): pass
    @pytest.fixture
    def tear():
        yield
        raise RuntimeError("teardown")
    def test_teardown(tear): pass
    def test_nofix(nofix): pass
    def test_raises():
        with pytest.raises(ValueError):
            int("1")
    class TestUnit(unittest.TestCase):
        def test_pass(self): pass
        def test_fail(self): self.assertEqual(1, 3)
        @unittest.skip("later")
        def test_skip(self): pass
        @unittest.expectedFailure
        def test_xfail(self): self.fail()
    def test_text(): raise ValueError(u"\\u20ac")
    def test_bytes(): raise ValueError(b"\\xff".decode("latin-1").encode("utf-8").decode("utf-8"))
"""
VERDICTS = {
    "test_pass": "passed",
    "test_fail": "failed",
    "test_raise": "failed",
    "test_skip": "skipped",
    "test_xfail": "xfailed",
    "test_xpass": "xpassed",
    "test_strict": "failed",
    "test_error": "error",
    "test_teardown": "error",
    "test_nofix": "error",
    "test_raises": "failed",
    "TestUnit::test_pass": "passed",
    "TestUnit::test_fail": "failed",
    "TestUnit::test_skip": "skipped",
    "TestUnit::test_xfail": "xfailed",
    "test_text": "failed",
    "test_bytes": "failed",
}
SIGNATURES = {
    "test_fail": "AssertionError: assert 1 == 2 @ test_a.py > test_fail",
    "test_raise": "ValueError: bad at <object object at <address>> @ test_a.py > test_raise",
    "test_strict": "XPASS(strict): old bug",
    "test_error": "RuntimeError: setup @ test_a.py > broken",
    "test_teardown": "RuntimeError: teardown @ test_a.py > tear",
    "test_nofix": "Error: fixture 'nofix' not found @ test_a.py",
    "test_raises": "Failed: DID NOT RAISE ValueError @ test_a.py > test_raises",
    "TestUnit::test_fail": "AssertionError: 1 != 3 @ test_a.py > test_fail",
    "test_text": "ValueError: € @ test_a.py > test_text",
    "test_bytes": "ValueError: ÿ @ test_a.py > test_bytes",
}


@ages
def test_what_test_modules_reach(case: Cases, age: str) -> None:
    """Every age records which files a test module uses: classes of others, modules, and what functions import."""
    here = case(age)
    files = {
        "first.py": "class First(object): pass\n",
        "second.py": "from first import First\nclass Second(First): pass\n",
        "third.py": "def third(): return 3\n",
        "test_a.py": "import second\ndef test_a(): assert second.Second()\n",
        "test_b.py": "from third import third\ndef test_b(): assert third() == 3\n",
    }
    assert here.run(files).status == 0
    found = here.reached()
    assert found.tests == {"test_a.py": "test_a.py", "test_b.py": "test_b.py"}
    assert affected(found, ["first.py"]).distances == {"test_a.py": 2}
    assert affected(found, ["second.py"]).distances == {"test_a.py": 1}
    assert affected(found, ["third.py"]).distances == {"test_b.py": 1}
    assert found.seconds.keys() == found.tests.keys()
    assert all(0 < took < 60 for took in found.seconds.values())


@ages
def test_tests_and_modules_go_first(case: Cases, age: str) -> None:
    """What goes first has its own order, modules with all their tests; all others follow in theirs."""
    two = "def test_one(): pass\ndef test_two(): pass\n"
    seen = case(age, first=("test_c.py::test_two", "test_b.py", "test_gone.py")).run(
        {"test_a.py": two, "test_b.py": two, "test_c.py": two}
    )
    (session,) = seen.observed.main
    order = [test.removeprefix("test_").replace(".py::test_", ".") for test in session.verdicts]
    assert order == ["c.two", "b.one", "b.two", "a.one", "a.two", "c.one"]


def test_what_several_sessions_of_one_process_reach(case: Cases) -> None:
    """A process that runs pytest twice leaves one map of both."""
    here = case()
    twice = "import pytest\npytest.main(['test_a.py'])\npytest.main(['test_b.py'])\n"
    files = {"used.py": "class Used: pass\n", "test_a.py": OK, "test_b.py": "from used import Used\n" + OK}
    here.run({**files, "twice.py": twice}, argv=(here.lab.python, "twice.py"))
    found = here.reached()
    assert sorted(found.tests) == ["test_a.py", "test_b.py"]
    assert affected(found, ["used.py"]).distances == {"test_b.py": 1}


@with_xdist
def test_what_workers_reach(case: Cases, age: str) -> None:
    """The workers of pytest-xdist record it; their controller collects no tests."""
    here = case(age)
    assert (
        here.run({"used.py": "class Used(object): pass\n", "test_a.py": "from used import Used\n" + OK}, "-n1").status
        == 0
    )
    assert affected(here.reached(), ["used.py"]).distances == {"test_a.py": 1}


@ages
def test_every_verdict_and_failure_is_seen(case: Cases, age: str) -> None:
    """From pytest 4.6 on Python 2.7 to pytest 9: the same verdicts, and the same signatures."""
    seen = case(age).run(SPREAD)
    assert VERDICTS == seen.verdicts, seen.output
    assert SIGNATURES == seen.signatures, seen.output
    assert (
        "failed",
        "7 failed and 3 errors of 17 tests: test_a.py::test_fail: AssertionError: assert 1 == 2",
    ) == seen.brief


HIDDEN = """
    import os, sys
    def test_variables():
        assert "VENVGRID_PROBE" not in os.environ
        assert os.environ["PYTEST_ADDOPTS"] == "-p no:doctest"
        assert "path" not in [os.path.basename(p) for p in os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        assert "path" not in [os.path.basename(p) for p in sys.path]
    def test_options(request):
        assert not request.config.pluginmanager.hasplugin("doctest")
"""
USER = {"PYTEST_ADDOPTS": "-p no:doctest"}


@ages
def test_tests_do_not_see_the_probe(case: Cases, age: str) -> None:
    """Its variables and paths are gone before they run; what the user had set is there, and in force."""
    in_conftest = HIDDEN.replace("def test_", "def check_") + "    check_variables()\n"
    seen = case(age).run({"test_a.py": HIDDEN, "conftest.py": in_conftest}, user=USER)
    assert ("passed", "") == seen.brief, seen.output


MANY = """
    import pytest
    @pytest.mark.parametrize("n", range(10))
    def test_n(n): pass
"""


@with_xdist
def test_xdist_counts_once_and_every_worker_attests(case: Cases, age: str) -> None:
    """The controller streams the results, the workers what they are; neither shows itself to the tests."""
    seen = case(age).run({"test_a.py": MANY, "test_b.py": HIDDEN}, "-n2", user=USER)
    assert ("passed", "") == seen.brief, seen.output
    assert (12, 12) == (seen.judgement.tests["passed"], seen.judgement.attested.collected)
    processes = {item.session.worker: bool(item.attested and item.finished) for item in seen.observed.sessions.values()}
    assert {"": True, "gw0": True, "gw1": True} == processes


SAME = ("--keep-duplicates", "test_a.py", "test_a.py")


@ages
def test_tests_of_one_id_count_each(case: Cases, age: str) -> None:
    """Plugins make items of files, and two may have one id: each is a test, with a result and a failure of its own."""
    code = """
        RUNS = []
        def test_it():
            RUNS.append("run")
            assert len(RUNS) == 1
        def test_ok(): pass
    """
    seen = case(age).run(code, *SAME)
    found = seen.judgement
    assert (3, 1, 4) == (found.tests["passed"], found.tests["failed"], found.attested.collected), seen.output
    assert ["test_a.py::test_it"] == [item.test for item in found.failures]
    assert found.reason.startswith("1 failed of 4 tests")


@with_xdist
def test_tests_of_one_id_count_each_in_workers(case: Cases, age: str) -> None:
    """Both run at the same time: each waits for the other."""
    code = """
        import os, time
        def test_it():
            os.close(os.open("began-%d" % os.getpid(), os.O_CREAT))
            end = time.time() + 60
            while len([name for name in os.listdir(".") if name.startswith("began-")]) < 2:
                assert time.time() < end
                time.sleep(0.01)
    """
    seen = case(age).run(code, "-n2", *SAME)
    assert ("passed", "") == seen.brief, seen.output
    assert (2, 2) == (seen.judgement.tests["passed"], seen.judgement.attested.collected)


@with_xdist
def test_xdist_changes_no_verdict_and_no_signature(case: Cases, age: str) -> None:
    """A failure that came through a worker is the same failure."""
    seen = case(age).run(SPREAD, "-n2")
    assert VERDICTS == seen.verdicts, seen.output
    assert SIGNATURES == seen.signatures, seen.output


@posix
@with_xdist
def test_a_crashed_worker_names_its_test(case: Cases, age: str) -> None:
    """pytest-xdist goes on, the cell is crashed."""
    seen = case(age).run({"test_a.py": MANY, "test_b.py": "import os\ndef test_die(): os.abort()\n"}, "-n2")
    assert ("crashed", "a worker process crashed in test_b.py::test_die") == seen.brief, seen.output
    assert (10, 1) == (seen.judgement.tests["passed"], seen.judgement.tests["failed"])


@with_xdist
def test_a_file_that_no_worker_can_collect_is_one_error(case: Cases, age: str) -> None:
    """Both workers say so; it counts once."""
    seen = case(age).run({"test_a.py": "import nope\n", "test_b.py": "def test_b(): pass\n"}, "-n2")
    assert ("failed", 1) == (seen.brief[0], seen.judgement.tests["error"]), seen.output


@pytest.mark.parametrize("options", [("--dist=each", "--tx", "2*popen"), ("-n2", "--dist=loadgroup")], ids=" ".join)
def test_other_ways_to_distribute(case: Cases, options: tuple[str, ...]) -> None:
    """Every test in every worker, or in groups: each test counts once."""
    seen = case().run(MANY, *options)
    assert ("passed", 10) == (seen.brief[0], seen.judgement.tests["passed"]), seen.output


# the process ends, or pytest does


@posix
@ages
def test_a_crash_names_the_test(case: Cases, age: str) -> None:
    """The test that was running when the process was ended by a signal."""
    seen = case(age).run(MANY + "    def test_die():\n        import os\n        os.abort()\n")
    assert ("crashed", "SIGABRT in test_a.py::test_die") == seen.brief, seen.output
    assert 10 == seen.judgement.tests["passed"]


@posix
@pytest.mark.parametrize("shell", [False, True], ids=["direct", "through a shell"])
def test_a_segmentation_fault_names_the_test(case: Cases, *, shell: bool) -> None:
    """Directly, and where a shell turns the signal into a status."""
    wrapped = ("sh", "-c", '"$0" -m pytest -p no:faulthandler; exit $?') if shell else ()
    arguments = () if shell else ("-m", "pytest", "-p", "no:faulthandler")
    code = "import ctypes\ndef test_die(): ctypes.string_at(0)\n"
    made = case()
    seen = made.run(code, argv=(*wrapped, made.lab.python, *arguments))
    assert ("crashed", "SIGSEGV in test_a.py::test_die") == seen.brief, seen.output


@ages
def test_an_exit_with_status_zero_in_a_test_is_red(case: Cases, age: str) -> None:
    """os._exit(0)."""
    seen = case(age).run("import os\ndef test_ok(): pass\ndef test_leaves(): os._exit(0)\ndef test_b(): pass\n")
    reason = "stopped in test_a.py::test_leaves: the process ended with status 0 before the session finished"
    assert ("failed", reason) == seen.brief, seen.output


USAGE = "pytest ended with status 4 (usage error) before it collected tests"


@pytest.mark.parametrize(
    ("files", "arguments", "expected"),
    [
        (
            {"conftest.py": "import os\nos._exit(0)\n"},
            (),
            ("failed", "stopped: the process ended with status 0 before the session finished"),
        ),
        ({"conftest.py": "import nope\n"}, (), ("failed", USAGE)),
        ({}, ("--no-such-option",), ("failed", USAGE)),
        ({}, ("--help",), ("no-tests", "pytest ran no tests: it was asked for something else")),
        ({}, ("--collect-only",), ("no-tests", "pytest collected 1 test and ran none")),
        ({}, ("--setup-only",), ("no-tests", "pytest collected 1 test and ran none")),
        ({}, ("-k", "nothing"), ("no-tests", "pytest collected no tests")),
        (
            {"test_a.py": "import pytest\npytest.importorskip('nope')\n"},
            (),
            ("no-tests", "the only test was skipped (could not import 'nope': No module named 'nope')"),
        ),
        (
            {"test_b.py": "x = = 1\n"},
            (),
            ("failed", "1 test file could not be collected: test_b.py: SyntaxError: invalid syntax"),
        ),
        (
            {"test_b.py": "import nope\n"},
            ("--continue-on-collection-errors",),
            ("failed", "1 test file could not be collected: test_b.py: ModuleNotFoundError: No module named 'nope'"),
        ),
        (
            {"test_a.py": "def test_a(): assert 0\ndef test_b(): pass\n"},
            ("-x",),
            ("failed", "1 failed of 1 test: test_a.py::test_a: AssertionError: assert 0"),
        ),
        (
            {"test_b.py": "import pytest\ndef test_b(): pytest.exit('enough', returncode=0)\n"},
            (),
            ("failed", "pytest was stopped in test_b.py::test_b: Exit: enough"),
        ),
        (
            {"test_b.py": "def test_b(): raise KeyboardInterrupt\n"},
            (),
            ("failed", "pytest was stopped in test_b.py::test_b: KeyboardInterrupt"),
        ),
        (
            {"conftest.py": "def pytest_runtest_logreport(report): raise RuntimeError('plugin')\n"},
            (),
            ("failed", "pytest had an internal error in test_a.py::test_ok: RuntimeError: plugin"),
        ),
        (
            {"conftest.py": "def pytest_sessionfinish(session): session.exitstatus = 7\n"},
            (),
            ("failed", "the only test passed, but the command exited with status 7"),
        ),
        ({}, ("-p", "no:terminal"), ("passed", "")),
        ({}, ("--assert=plain", "-W", "error"), ("passed", "")),
    ],
    ids=[
        *("os._exit in conftest", "broken conftest", "usage error", "help", "collect-only", "setup-only", "-k nothing"),
        *("module skips itself", "syntax error", "continue", "-x", "pytest.exit", "KeyboardInterrupt"),
        *("internal error", "plugin's exit status", "no terminal", "plain and strict"),
    ],
)  # fmt: skip
def test_ends_of_a_session(
    case: Cases, files: dict[str, str], arguments: tuple[str, ...], expected: tuple[str, str]
) -> None:
    """Whatever ends pytest, the outcome is true and the reason says what happened."""
    seen = case().run({"test_a.py": OK, **files}, *arguments)
    assert expected == seen.brief, seen.output


@posix
def test_a_status_that_a_shell_swallows_is_seen(case: Cases) -> None:
    """`pytest || true`."""
    made = case()
    seen = made.run("def test_a(): assert 0\n", argv=("sh", "-c", '"$0" -m pytest || true', made.lab.python))
    reason = "1 failed of 1 test, though the command exited with status 0: test_a.py::test_a: AssertionError: assert 0"
    assert ("failed", reason) == seen.brief, seen.output


def test_a_second_session_of_one_process_is_seen(case: Cases) -> None:
    """A script that calls pytest.main twice and forgets the second result."""
    made = case()
    script = """
        import sys, pytest
        first = pytest.main(["-W", "error", "test_a.py"])
        second = pytest.main(["-W", "error", "test_b.py"])
        sys.exit(first)
    """
    files = {"test_a.py": OK, "test_b.py": "def test_b(): assert 0\n", "run.py": script}
    seen = made.run(files, argv=(made.lab.python, "run.py"))
    reason = "1 failed of 2 tests, though the command exited with status 0: test_b.py::test_b: AssertionError: assert 0"
    assert ("failed", reason) == seen.brief, seen.output


@pytest.mark.parametrize("options", [(), ("-n2",)], ids=["plain", "xdist"])
def test_pytest_of_another_interpreter_is_a_mismatch(case: Cases, options: tuple[str, ...]) -> None:
    """The command has a pytest of its own in mind: the one that runs these tests."""
    seen = case().run(OK, argv=(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options))
    assert ("mismatch", True) == (seen.brief[0], f"{sys.executable}, not on the Python of the" in seen.brief[1]), (
        seen.output
    )
