"""The cause of a command in which no test failed, and what to type, from recorded outputs of the tools."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import seen
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.model import CaseOutcome, Outcome
from venvgrid.outcomes.causes import deselection, output, plugins, remedies
from venvgrid.outcomes.judgement import CommandExit
from venvgrid.outcomes.records import Finished, Reported

if TYPE_CHECKING:
    from venvgrid.outcomes.causes.cause import Cause

RECORDS = Path(__file__).with_name("said")
VERSIONS = ("4.6", "6.2", "7.4", "8.3", "9.0")
ENDED = re.compile(r"^##### (\S+) \[(-?\d+)\]\n(.*?)(?=^##### |\Z)", re.MULTILINE | re.DOTALL)
SAID = {
    version: {
        match[1]: (int(match[2]), match[3])
        for match in ENDED.finditer((RECORDS / f"pytest-{version}.txt").read_text(encoding="utf-8"))
    }
    for version in VERSIONS
}

LACKS = "No module named 'nosuchmodule'"
MAYBE = "if a distribution provides nosuchmodule, add it to install.requires"
INSIDE = 'Tests inside the package run with command = ["pytest", "--pyargs", "demo"]'
NOT_FOUND = "install nosuchtool on this machine, or add the distribution that provides it to install.requires"
RUNNER = "the environment of the cell is active without uv: begin the command with what uv would run"
GATE = "one cell seldom covers all; without the gate: venvgrid run -- --cov-fail-under=0"
CAUSES = {  # recording: beginning of the cause in every version, and what to type
    "bad-ini": ("pytest: /home/me/project/pytest.ini:1: unexpected value continuation", ""),
    "bash": ("uv: not found", RUNNER),
    "collection": (f"ModuleNotFoundError: {LACKS} (while collecting test_b.py)", MAYBE),
    "configure-raises": ("RuntimeError: no display (an internal error of pytest)", ""),
    "conftest": (f"ModuleNotFoundError: {LACKS} (while importing tests/conftest.py)", MAYBE),
    "conftest-name": ("ImportError: cannot import name 'nosuchname' from 'os'", ""),
    "conftest-plugins": (
        "ImportError: pytest could not import the plugin pytest_httpserver: No module named 'pytest_httpserver'",
        'pytest-httpserver provides pytest_httpserver: add "pytest-httpserver" to install.requires',
    ),
    "conftest-syntax": ("SyntaxError: invalid syntax (conftest.py, line 1) (while importing project/conftest.py)", ""),
    "coverage-report": ("the coverage is 86 %, and at least 90 % is required", ""),
    "env": ("nosuchtool: not found", NOT_FOUND),
    "exit": ("Exit: the server is down", ""),
    "gate": ("the coverage is 75.00 %, and at least 90 % is required", GATE),
    "make": ("nosuchtool: not found", NOT_FOUND),
    "make-target": ("make: No rule to make target 'test'", ""),
    "mismatch": (
        "import file mismatch: a/test_x.py and b/test_x.py are both the module test_x",
        'give the files different names, add __init__.py, or write command = ["pytest", "--import-mode=importlib"]',
    ),
    "missing-folder": (
        "pytest found no file or directory tests/unit",
        f"is it relative to [project] path? {INSIDE}",
    ),
    "missing-ini": ("FileNotFoundError: [Errno 2] No such file or directory: '", ""),
    "missing-package": (
        "pytest --pyargs found no package nosuchpackage.tests",
        "does the wheel ship a module nosuchpackage.tests? A folder of tests needs __init__.py",
    ),
    "missing-test": (
        "pytest found no test test_a.py::test_z",
        "the tests of this file: venvgrid exec CELL pytest --collect-only -q test_a.py (the cells: venvgrid list)",
    ),
    "named-plugin": (
        "ImportError: pytest could not import the plugin pytest_asyncio: No module named 'pytest_asyncio'",
        'pytest-asyncio provides pytest_asyncio: add "pytest-asyncio" to install.requires',
    ),
    "no-module": (
        "ModuleNotFoundError: No module named nosuchrunner",
        "if a distribution provides nosuchrunner, add it to install.requires",
    ),
    "no-pytest": ("ModuleNotFoundError: No module named pytest", 'add "pytest" to install.requires'),
    "no-script": ("there is no file runtests.py", "the path in test.command is relative to [project] path"),
    "option-twice": ("ArgumentError: argument --verbose: conflicting option string: --verbose", ""),
    "plugin-of-an-option": (
        "pytest does not know --cov=demo, --cov-report=xml",
        'pytest-cov provides --cov: add "pytest-cov" to install.requires',
    ),
    "script-raises": (
        "ModuleNotFoundError: No module named 'django'",
        "if a distribution provides django, add it to install.requires",
    ),
    "shell": ("uv: not found", RUNNER),
    "strict-markers": (
        "'slow' not found in `markers` configuration option (while collecting test_a.py)",
        "add slow to the setting markers of pytest, or leave out --strict-markers",
    ),
    "unittest-empty": (
        "unittest found no tests",
        'name the folder of the tests: command = ["python", "-m", "unittest", "discover", "-s", "tests"]',
    ),
    "unittest-failure": ("unittest: failures 1; FAIL: test_a (test_a.T", ""),
    "unittest-folder": (
        "ImportError: Start directory is not importable: 'tests'",
        "is it relative to [project] path?",
    ),
    "unittest-import": ("unittest: errors 1; ERROR: tests.test_a (unittest.loader._FailedTest", MAYBE),
    "unittest-module": ("unittest: errors 1; ERROR: tests (unittest.loader._FailedTest", ""),
    "unittest-option": ("python -m unittest: unrecognized arguments: --nope", ""),
    "unknown-hook": ("PluginValidationError: unknown hook 'pytest_nosuchhook' in plugin", ""),
    "unknown-option": (
        "pytest does not know --no-such-option",
        "check test.command, and addopts in the settings of pytest",
    ),
    "usage-error": ("pytest: set DATABASE_URL first", ""),
    "xdist": ("pytest does not know -n", 'pytest-xdist provides -n: add "pytest-xdist" to install.requires'),
    "xdist-auto": (
        "pytest does not know -n, --dist=loadfile",
        'pytest-xdist provides -n: add "pytest-xdist" to install.requires',
    ),
}
PLUGINS = ("the settings of pytest require plugins that are not installed: pytest-asyncio>=0.20, pytest-mock",)
TESTPATHS = (
    "pytest found no files in testpaths, and no tests elsewhere",
    "correct testpaths in the settings of pytest",
)
SETTING = (
    "pytest does not know the setting asyncio_mode",
    'pytest-asyncio provides the setting asyncio_mode: add "pytest-asyncio" to install.requires',
)
CHANGED = [  # recordings that differ between the versions
    ("4.6", "testpaths", "pytest found no file or directory unit", "is it relative to [project] path?"),
    ("7.4", "testpaths", *TESTPATHS),
    ("9.0", "testpaths", *TESTPATHS),
    ("4.6", "strict-config", "pytest does not know --strict-config", "--strict-config needs pytest 6.0 or newer"),
    ("7.4", "strict-config", *SETTING),
    ("8.3", "strict-config", *SETTING),
    ("6.2", "required-plugins", *PLUGINS, 'add "pytest-asyncio>=0.20", "pytest-mock" to install.requires'),
    ("9.0", "required-plugins", *PLUGINS, 'add "pytest-asyncio>=0.20", "pytest-mock" to install.requires'),
    ("4.6", "minversion", "pytest: /home/me/project/pytest.ini:2: requires pytest-99, actual pytest-4.6.11", ""),
    (
        "8.3",
        "warnings-filter",
        "pytest cannot read the filter of warnings error::numpy.VisibleDeprecationWarning: ModuleNotFoundError: No m",
        'add "numpy" to install.requires',
    ),
    ("4.6", "marker-expression", "SyntaxError: unexpected EOF while parsing (<string>, line 1)", ""),
    ("9.0", "marker-expression", "pytest: Wrong expression passed to '-m': slow and: at column 9", ""),
    ("6.2", "bad-toml", "TomlDecodeError: Key group not on a line by itself.", ""),
    ("9.0", "bad-toml", "pytest: /home/me/project/pyproject.toml: Expected ']' at the end of a table", ""),
]


def cause(version: str, name: str) -> Cause:
    status, said = SAID[version][name]
    found = output.find(said, ran=re.search(r"\d passed", said) is not None, failed=status != 0, package="demo")
    assert found is not None
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", CAUSES)
def test_the_cause_is_the_tools_own_error(name: str, version: str) -> None:
    """Whatever the version of pytest: its words, the distribution that provides what is missing, and what to type."""
    found = cause(version, name)
    begin, hint = CAUSES[name]
    assert (begin, hint) == (found.text[: len(begin)], found.hint)


@pytest.mark.parametrize(("version", "name", "begin", "hint"), CHANGED)
def test_causes_that_versions_of_pytest_tell_differently(version: str, name: str, begin: str, hint: str) -> None:
    """The same mistake, told as this version knows it."""
    found = cause(version, name)
    assert (begin, hint) == (found.text[: len(begin)], found.hint[: len(hint)])


@pytest.mark.parametrize(("version", "name"), [("4.6", "required-plugins"), ("9.0", "warnings-filter")])
def test_a_command_that_succeeded_has_no_cause(version: str, name: str) -> None:
    """Warnings of a green run are no reason."""
    status, said = SAID[version][name]
    assert (status, output.find(said, ran=True, failed=False)) == (0, None)


def test_the_excerpt_is_the_traceback() -> None:
    """Of a conftest that cannot be imported: from the first place to the exception."""
    assert cause("9.0", "conftest").excerpt.splitlines()[1:] == [
        "tests/conftest.py:1: in <module>",
        "    import helper",
        "helper.py:1: in <module>",
        "    import nosuchmodule",
        "E   ModuleNotFoundError: No module named 'nosuchmodule'",
    ]


def test_causes_that_differ_in_a_number_are_one_failure() -> None:
    """The coverage of two cells differs a little; the gate is the same."""
    said = SAID["9.0"]["gate"][1]
    keys = {output.find(text, ran=True).key for text in (said, said.replace("75", "74"))}  # type: ignore[union-attr]
    assert keys == {"the coverage is too small"}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_cell_without_a_failed_test_has_the_cause_as_its_reason(version: str) -> None:
    """With the status, or with the tests that passed; the failure has what to type, and the lines of the output."""
    ended = CommandExit(exit_code=4, output=SAID[version]["conftest"][1])
    found = seen.judged([seen.SESSION], ended)
    assert (Outcome.FAILED, f"{CAUSES['conftest'][0]} (status 4)") == (found.outcome, found.reason)
    (failure,) = found.failures
    assert (failure.kind, failure.hint) == ("ModuleNotFoundError", MAYBE)
    assert "helper.py:1" in failure.longrepr
    passed = seen.judged(
        seen.session(*seen.reports("passed", "passed"), status=0),
        CommandExit(exit_code=1, output=SAID[version]["gate"][1]),
    )
    assert passed.reason == "the coverage is 75.00 %, and at least 90 % is required (all 2 tests passed)"


def test_an_unknown_error_stands_behind_what_is_known() -> None:
    """The status stays: what the tool printed last may be of no account."""
    passed = seen.session(*seen.reports("passed"), status=0)
    found = seen.judged(passed, CommandExit(exit_code=7, output="x\nERROR:root:odd\nmore\n"))
    assert found.reason == "the only test passed, but the command exited with status 7: ERROR:root:odd"
    assert seen.judged(passed, CommandExit(exit_code=7, output="x\n")).reason.endswith("exited with status 7")
    began = seen.judged([], CommandExit(exit_code=3, output="starting\nthe server is down\n"))
    assert began.reason == "the command exited with status 3 before pytest began: the server is down"


def test_a_failed_test_is_its_own_reason() -> None:
    """What the tool printed besides is not told."""
    found = seen.judged(
        seen.session(*seen.reports("failed"), status=1), CommandExit(exit_code=1, output=SAID["9.0"]["gate"][1])
    )
    assert found.reason == "1 failed of 1 test: test_0: ValueError: bad"


def test_files_that_were_not_collected_are_no_tests() -> None:
    """They are counted apart."""
    problems = [
        Reported(source="1", id=f"test_{n}.py", verdict=CaseOutcome.ERROR, kind="E", message="m", collecting=True)
        for n in range(51)
    ]
    records = [*seen.session(*problems, collected=0, status=None)[:-1], Finished(source="1", exitstatus=2)]
    found = seen.judged(records, CommandExit(exit_code=2))
    assert (found.uncollected, found.reason) == (51, "51 test files could not be collected: test_0.py: E: m")


def test_a_command_that_is_not_there() -> None:
    """The reason is the system's; what to type depends on the command."""
    found = seen.judged(
        [], CommandExit(exit_code=None, error="could not start uv: there is no such command on its PATH")
    )
    assert (found.reason, found.failures[0].hint) == (
        "could not start uv: there is no such command on its PATH",
        RUNNER,
    )


@pytest.mark.parametrize(
    ("message", "longrepr", "hint"),
    [
        ("fixture 'fs' not found", "", 'pyfakefs provides the fixture fs: add "pyfakefs" to install.requires'),
        ("fixture 'ours' not found", "", ""),
        ("No module named 'yaml'", "", 'pyyaml provides yaml: add "pyyaml" to install.requires'),
        (
            "No module named 'demo.sub'",
            "",
            "demo is there without demo.sub: another version may have it, or the wheel of the project lacks it",
        ),
        ("No module named 'distutils'", "", 'setuptools provides distutils: add "setuptools" to install.requires'),
        ("No module named 'imp'", "", "imp was removed from the standard library of Python"),
        ("No module named '_sqlite3'", "", ""),
        ("returned non-zero exit status 1", "x: No module named pip\n", 'add "pip" to install.requires'),
        ("[Errno 2] No such file or directory: 'uv'", 'File "/l/subprocess.py", line 1026, in __init__', RUNNER),
        ("[Errno 2] No such file or directory: 'pip'", "/l/subprocess.py:1: in f", 'add "pip" to install.requires'),
        ("[Errno 2] No such file or directory: 'data'", 'File "/p/a.py", line 1026, in f', ""),
        ("async def function is not natively supported.", "", 'add "pytest-asyncio" (or "anyio") to install.requires'),
        ("assert 1 == 2", "", ""),
    ],
)  # fmt: skip
def test_the_way_out_of_failures_of_tests(message: str, longrepr: str, hint: str) -> None:
    """Where it is known what is missing."""
    assert hint == remedies.of_failure(message, longrepr)


@pytest.mark.parametrize(
    ("option", "expected"),
    [("--cov", "pytest-cov"), ("--cov-report=xml", "pytest-cov"), ("-n4", "pytest-xdist"), ("--covx", ""), ("-k", "")],
)
def test_options_of_plugins(option: str, expected: str) -> None:
    """With values, and options that begin with the plugin's name; not those that only look alike."""
    assert expected == plugins.of_option(option)


@given(st.text(max_size=500), st.booleans(), st.booleans())
def test_any_output_has_a_short_cause_or_none(said: str, ran: bool, failed: bool) -> None:  # noqa: FBT001
    """Law: one line of limited length, never an error."""
    found = output.find(said, ran=ran, failed=failed)
    assert found is None or ("\n" not in found.text and len(found.text) <= 700)


@pytest.mark.parametrize(
    "said", ["run.sh: 1: uv: not found\n", "ci/run.sh: line 12: uv: command not found\n", "./t: 3: uv: not found\n"]
)
def test_a_program_that_a_script_does_not_find(said: str) -> None:
    """A shell names the script in place of itself."""
    found = output.find(said, ran=False)
    assert found is not None
    assert (found.text, found.hint) == ("uv: not found", RUNNER)


def test_a_program_that_a_program_does_not_find() -> None:
    """The exception names it alone: that it was to be started says the traceback."""
    said = (
        'Traceback (most recent call last):\n  File "/p/run.py", line 2, in <module>\n    subprocess.run(["uv"])\n'
        '  File "/l/python3.11/subprocess.py", line 1950, in _execute_child\n    raise child\n'
        "FileNotFoundError: [Errno 2] No such file or directory: 'uv'\n"
    )
    found = output.find(said, ran=False)
    assert found is not None
    assert found.hint == RUNNER


def test_a_failure_of_unittest_is_one_in_all_pythons() -> None:
    """Newer Pythons name the class of a test in full."""
    keys = {cause(version, "unittest-failure").key for version in VERSIONS}
    assert keys == {"FAIL: test_a: AssertionError: 1 != 2"}


def test_no_tests_at_all_may_be_inside_the_package() -> None:
    """With the way to run those if the wheel has any, else the names that pytest collects."""
    said = "collected 0 items\n\n============================ no tests ran in 0.01s ============================\n"
    found = seen.judged(seen.session(status=5), CommandExit(exit_code=5, output=said))
    assert (found.outcome, found.reason) == (Outcome.NO_TESTS, "pytest collected no tests")
    assert found.failures[0].hint == INSIDE.replace("demo", "package")
    without = output.find(said, ran=False, failed=False)
    assert without is not None
    assert without.hint == "pytest collects test_*.py and *_test.py; python_files in its settings names others"
    other = output.find(said.replace("no tests ran", "3 deselected"), ran=False, failed=False)
    assert other is not None
    assert "inside" not in other.hint


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("pytest", "-q", "-k", "nothing"), "-k nothing does not select any of 3 tests"),
        (("pytest", "-k", "a and b", "tests"), "-k 'a and b' does not select any of 3 tests"),
        (("{python}", "-m", "pytest", "-mslow"), "-mslow does not select any of 3 tests"),
        (("python3.12", "-m", "pytest", "-m", "slow", "-k=x"), "-m slow -k=x do not select any of 3 tests"),
        (("pytest", "--deselect=tests"), "--deselect=tests does not select any of 3 tests"),
        (("pytest", "--deselect", "-k"), "--deselect -k does not select any of 3 tests"),
        (("python", "-mpytest", "-k"), "the settings of pytest (addopts) do not select any of 3 tests"),
        ((), "the settings of pytest (addopts) do not select any of 3 tests"),
    ],
)
def test_options_that_select_no_test_are_named(command: tuple[str, ...], message: str) -> None:
    """Tests were collected, and the user's own option left none: it is told, with the way to see their names."""
    chosen = deselection.options(command)
    for said in ("3 deselected in 0.01s\n", "=== 3 deselected, 1 warning in 0.01 seconds ===\n"):
        ended = CommandExit(exit_code=5, output=f"collected 3 items / 3 deselected\n\n{said}")
        found = seen.judged(seen.session(status=5), ended, replace(seen.EXPECTED, chosen=chosen))
        assert (found.outcome, found.reason) == (Outcome.NO_TESTS, message)
        assert found.failures[0].hint == deselection.NAMES
    assert output.find("1 failed, 3 deselected in 0.01s\n", ran=False, failed=False) is None
    only = deselection.find("1 deselected in 1s", "-k x")
    assert only is not None
    assert only.message == "-k x does not select the only test"


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        ('add "pip" to install.requires', ""),
        ('pytest-mock provides the fixture mocker: add "Pytest_Mock" to install.requires', ""),
        ('add "wheel" to install.requires', 'add "wheel" to install.requires'),
        ('add "pip" (or "uv") to install.requires', 'add "pip" (or "uv") to install.requires'),
        ("", ""),
    ],
)
def test_what_is_installed_is_not_to_be_added(hint: str, expected: str) -> None:
    """The advice to add a distribution is dropped where the cell has it: it is not the way out."""
    assert remedies.unless_installed(hint, {"pip", "pytest-mock"}) == expected


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("pytest -q", 'write each word as an item: ["pytest", "-q"]'),
        ("cd", 'there is no shell: write working-directory = "FOLDER" into [test]'),
        ("export", "there is no shell: write variables into test.env; the environment of the cell is active"),
    ],
)
def test_a_command_for_a_shell(program: str, expected: str) -> None:
    """A line, or a word that only a shell knows, in place of a program: the hint says how the configuration does it."""
    cause = output.of_start(f"could not start {program}: there is no such command on its PATH")
    assert cause.hint == expected


def test_a_path_for_a_shell() -> None:
    """A variable in a path is not replaced, and the hint says so."""
    assert "there is no shell, so $HOME/tests stays" in remedies.of_path("demo", "$HOME/tests")
    assert "there is no shell" not in remedies.of_path("demo", "tests")
