"""The configuration: what each mistake says, and that nothing in a file makes a traceback."""

# ruff: noqa: SIM300, E501 - expected == actual; helpers are named by what they give; a case on a line
from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from venvgrid.config import axis_values, grids, loading
from venvgrid.config import sections as config_sections
from venvgrid.config.config_file import Source
from venvgrid.model import ConfigError

if TYPE_CHECKING:
    from venvgrid.model import Config

FILE = Path(__file__).resolve().parent / "matrix.toml"


def read(text: str, running: str = "3.11") -> Config:
    return loading.parse(text, file=FILE, running=running)


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return list(caught.value.mistakes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[test]\ntimout = 1", "test.timout: unknown key; did you mean 'timeout'? (allowed: before, command, working-directory, reports, smoke, imports, timeout, grace-period, retries, memory, coverage, pass-env, env)"),
        ("[tests]", "tests: unknown section; did you mean 'test'? (allowed: project, axes, plan, ci, exclude, include, install, test, grid)"),
        ("test = 1", "test: expected a table, [test], got the number 1"),
        ("exclude = {}", "exclude: expected one or more tables, got a table; write [[exclude]] before its keys"),
        ("[axes]\npython = [3.10]", "axes.python[0]: expected a string, got the number 3.1 (put it in quotes; 3.10 as a number is 3.1)"),
        ("[axes]\nnumpy = 2", "axes.numpy: expected a list of strings, got the number 2; put it in quotes, 3.10 as a number is 3.1"),
        ("[axes]\nnumpy = true", "axes.numpy: expected a list of strings, got true"),
        ("[axes]\nnumpy = []", "axes.numpy: an axis needs at least one value; write one, or remove the line"),
        ('[axes]\nnumpy = ["1", "1"]', "axes.numpy[1]: the value '1' is there twice"),
        ('[axes]\nnumpy = ["1", "==1.*"]', "axes.numpy[1]: the value '==1.*' is there twice, it means the same as '1'"),
        ('[axes]\nnumpy = ["latest-minors"]', "axes.numpy[0]: the policy 'latest-minors' stands for all values of an axis: write it alone, not in a list"),
        ('[axes]\npython = ["supported"]', "axes.python[0]: the policy 'supported' stands for all values of an axis: write it alone, not in a list"),
        ('[axes]\npython = ["3.8..3.10", "3.9"]', "axes.python[1]: the value '3.9' is there twice"),
        ('[axes]\npython = "3.10..3.8"', "axes.python: '3.10..3.8' runs backwards; write \"3.8..3.10\""),
        ('[axes]\npython = "3.5"', "axes.python: '3.5' is not supported: venvgrid knows Python 2.7, 3.6 and newer"),
        ('[axes]\npython = "3.12t"', "axes.python: '3.12t': only CPython 3.13 and newer can be free-threaded"),
        ('[axes]\nPyYAML = "1"\npyyaml = "2"', "axes.pyyaml: the same axis as 'PyYAML'; write its values into one list"),
        ('[axes]\nas_of = "today"', "axes.as_of: write 'as-of', not 'as_of'"),
        ("[axes]\nzope.interface = '1'", 'axes.zope: expected a list of strings, got a table; a name with a dot needs quotes: "zope.interface" = …'),
        ("[axes]\nenv = 'Agg'", "axes.env: needs a variable: env.NAME = [\"value\"], got 'Agg'"),
        ("[axes]\nenv.'A B' = 'x'", "axes.env.\"A B\": 'A B' is no valid variable name (letters, digits and '_', no digit first)"),
        ("[axes]\n'a b' = 'x'", "axes.\"a b\": 'a b' is no valid name (letters, digits, '.', '-' and '_' in between)"),
        ('[axes]\nas-of = "2023-02-31"', "axes.as-of: '2023-02-31' is no date of the calendar"),
        ("[axes]\nas-of = 2023-01-31T00:00:00", "axes.as-of: 2023-01-31T00:00:00 has no time zone: write 2023-01-31T00:00:00Z for UTC"),
        ('[axes]\nresolution = "lowest_direct"', "axes.resolution: 'lowest_direct' is not allowed; did you mean 'lowest-direct'? (allowed: 'highest', 'lowest' or 'lowest-direct')"),
        (
            '[project]\npath = "nowhere"',
            (f"project.path: 'nowhere' is no folder (looked for {FILE.parent / 'nowhere'}); "
             "write the folder of the project, relative to this file"),
        ),
        ('[axes]\npyhton = ["3.11"]', "axes.pyhton: is no axis; did you mean 'python'?"),
        ('[axes]\npyton = ["3.11"]', "axes.pyton: is no axis; did you mean 'python'?"),
        ('[axes]\nresolutions = ["lowest"]', "axes.resolutions: is no axis; did you mean 'resolution'?"),
        ('[axes]\nextra = ["a"]', "axes.extra: is no axis; did you mean 'extras'?"),
        ('[project]\nextras = "plot"', "project.extras: expected a list of strings: [\"plot\"], got 'plot'"),
        ('[install]\nrequires = ["--pre"]', "install.requires[0]: '--pre' is an option of pip: write pre-releases = true in [install]"),
        ('[install]\nrequires = ["--no-deps"]', "install.requires[0]: '--no-deps' is an option; only requirements such as \"pytest>=8\", \"-r FILE\" and \"-c FILE\" are allowed here"),
        ('[install]\nrequires = ["-r x.txt"]', f"install.requires[0]: there is no file 'x.txt' (looked for {FILE.parent / 'x.txt'})"),
        ('[install]\nrequires = ["./nowhere"]', "install.requires[0]: './nowhere': there is no such folder"),
        ('[test]\nbefore = ["make x"]', "test.before[0]: expected a command such as [\"python\", \"make.py\"], got 'make x'"),
        ('[test]\nbefore = [["make", "{axis:numpy}"]]', "test.before[0]: the placeholder '{axis:numpy}' names no axis (axes: python)"),
        ('[install]\nrequires = ["x @ hg+ssh://h/x"]', "install.requires[0]: 'x @ hg+ssh://h/x': a URL must be written as \"name @ https://…\" or \"name @ git+https://…\""),
        ('[install]\nconstraints = ["x[y]<2"]', "install.constraints[0]: 'x[y]<2': a constraint cannot have extras"),
        ('[install]\nonly-binary = "yes"', "install.only-binary: expected true or false (without quotes), got 'yes'"),
        (
            '[test]\nworking-directory = "nowhere"',
            (f"test.working-directory: 'nowhere' is no folder (looked for {FILE.parent / 'nowhere'}); "
             "write a folder relative to this file, or '{tmp}' for an empty one of each cell"),
        ),
        (
            '[test]\nworking-directory = "{tmp}/../.."',
            (f"test.working-directory: '{{tmp}}/../..' is no folder (looked for {FILE.parent / '{tmp}/../..'}); "
             "write a folder relative to this file, or '{tmp}' for an empty one of each cell"),
        ),
        ('[test]\nenv = { A = "{axis:nump}" }', "test.env.A: the placeholder '{axis:nump}' names no axis (axes: python)"),
        ('[test]\ncommand = "pytest -x"', "test.command: expected a list of strings: [\"pytest\", \"-x\"], got 'pytest -x'"),
        ("[test]\ncommand = []", 'test.command: needs a program, such as ["pytest"]'),
        ('[test]\ncommand = ["x", "{cel}"]', "test.command[1]: unknown placeholder '{cel}'; did you mean 'cell'? (allowed: {cell}, {python}, {project}, {tmp}, {axis:NAME}; write '{{' for a literal brace)"),
        ('[axes]\nnumpy="1"\n[test]\ncommand = ["{axis:nunpy}"]', "test.command[0]: the placeholder '{axis:nunpy}' names no axis; did you mean 'numpy'? (axes: python, numpy)"),
        ('[test]\ncommand = ["a{"]', "test.command[0]: 'a{': a '{' that is never closed (write '{{' for a literal brace)"),
        ('[test]\nreports = "junit:{oops}.xml"', "test.reports: unknown placeholder '{oops}' (allowed: {cell}, {python}, {project}, {tmp}, {axis:NAME}; write '{{' for a literal brace)"),
        ('[test]\nreports = "junit:"', "test.reports: 'junit:' is not allowed (allowed: 'pytest', 'exit-status', 'junit:FILE')"),
        ("[test]\nretries = 101", "test.retries: expected a whole number from 0 to 100, got the number 101"),
        ("[test]\nretries = 0x" + "f" * 5_000, "test.retries: expected a whole number from 0 to 100, got a huge number"),
        ("[test]\ngrace-period = 0x" + "f" * 5_000, "test.grace-period: a huge number is too long: at most 8760h"),
        ("[axes]\nnumpy = [0x" + "f" * 5_000 + "]", "axes.numpy[0]: expected a string, got a huge number (put it in quotes)"),
        ("[axes]\nallow-failure = '1'", "axes.allow-failure: is an option of [[include]], not an axis"),
        ("[axes]\nas-of = 'yesterday'", "axes.as-of: 'yesterday' is not allowed (allowed: 'release', 'today', a date such as 2023-01-31, a time such as 2023-01-31T12:00:00Z)"),
        ("[axes]\nas-of = '0001-01-01T00:00:00+05:00'", "axes.as-of: 0001-01-01 00:00:00+05:00 is no time of the calendar"),
        ("[axes]\nas-of = '2023-01-01T25:00:00Z'", "axes.as-of: '2023-01-01T25:00:00Z' is no date of the calendar"),
        ("[axes]\nnumpy = '>=1,<'", "axes.numpy: '>=1,<' is no valid PEP 440 specifier, such as \">=1,<2\""),
        ("[axes]\npython = '3.8..3.9..3.10'", "axes.python: '3.8..3.9..3.10' is no range of Python versions, such as \"3.8..3.13\""),
        ("[[exclude]]\npython = []", "exclude[0].python: needs at least one value"),
        ("[axes]\nnumpy = '1'\n[[exclude]]\nnumpy = '1'\nNumPy = '2'", "exclude[0].NumPy: the axis 'numpy' is there twice"),
        ("[plan]\nstrategy = 'ful'", "plan.strategy: 'ful' is no strategy; did you mean 'full'? (allowed: 'full', 'pairwise', 't=1' to 't=6', 'one-at-a-time', 'corners', 'budget=N')"),
        ("[test]\ncommand = ['']", 'test.command: needs a program, such as ["pytest"]'),
        ("[test]\nenv = { '1' = 'x' }", "test.env.1: '1' is no valid variable name (letters, digits and '_', no digit first)"),
        ("[test]\nretries = true", "test.retries: expected a whole number from 0 to 100, got true"),
        ("[test]\ntimeout = -1", 'test.timeout: expected a duration such as "10m", "1h30m" or "90s", or a number of seconds, got the number -1 ("none" for no limit)'),
        ("[test]\ngrace-period = nan", 'test.grace-period: expected a duration such as "10m", "1h30m" or "90s", or a number of seconds, got the number nan'),
        ('[test]\ntimeout = "9999999h"', "test.timeout: '9999999h' is too long: at most 8760h (\"none\" for no limit)"),
        ('[test]\nsmoke = ["a-b"]', "test.smoke[0]: 'a-b' is no module name (such as \"matplotlib.pyplot\")"),
        ("[test]\nenv = { A = 1 }", "test.env.A: expected a string, got the number 1 (put it in quotes)"),
        ('[test]\npass-env = ["A=1"]', "test.pass-env[0]: 'A=1' is no variable name or pattern (such as \"CI\" or \"MY_*\")"),
        ('[[exclude]]\npyton = "3.9"', "exclude[0].pyton: no such axis; did you mean 'python'? (allowed: python)"),
        ("[[exclude]]\nallow-failure = true", "exclude[0].allow-failure: no such axis (allowed: python)"),
        ("[[include]]\nallow-failure = true", "include[0]: names no axis: it would match every cell"),
        ('[[include]]\npython = "3.9"\nallow-failure = "yes"', "include[0].allow-failure: expected true or false (without quotes), got 'yes'"),
        ('[project]\npath = "a\\u0000b"', "project.path: 'a\\x00b' holds the control character '\\x00', which is not allowed"),
        (f'[axes]\nenv.X = "{"x" * 1001}"', "axes.env.X: a string of 1,001 characters; at most 1,000 are allowed"),
    ],
)  # fmt: skip
def test_each_mistake_says_where_and_what_is_allowed(text: str, message: str) -> None:
    """A mistake names file, key path, what was there, and what is allowed."""
    assert [f"matrix.toml: {message}"] == mistakes(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[axes]\npython = "3.9, 3.11"', 'axes.python: \'3.9, 3.11\' is no Python; write ["3.9", "3.11"] '),
        ('[axes]\nx = "1.16.x"', "axes.x: '1.16.x' is no version; write \"1.16\" (any 1.16.x) "),
        ('[axes]\nx = "^1.16"', "axes.x: '^1.16' is no version; write \">=1.16,<2\" "),
        ('[axes]\nx = "^0.3.1"', "axes.x: '^0.3.1' is no version; write \">=0.3.1,<0.4\" "),
        ('[axes]\nx = "1.2, 1.3"', "axes.x: '1.2, 1.3' is no version; write [\"1.2\", \"1.3\"] "),
        ('[axes]\nx = "~1.4"', "axes.x: '~1.4' is no valid PEP 440 specifier; write \"1.4\" (any 1.4.x), "),
        ('[axes]\nx = "*"', "axes.x: '*' is no version; write 'latest' for any version "),
        ('[test]\ncommand = "pytest -k \\"a b\\""', 'test.command: expected a list of strings: ["pytest", "-k", "a b"], got '),
        ('[test]\ncommand = ["pytest", "&&", "x"]', "test.command: there is no shell, so && would be an argument; "),
        ('[install]\nrequires = ["requirements/t.txt"]', "install.requires[0]: 'requirements/t.txt' is a file: write \"-r requirements/t.txt\""),
        ('[install]\nconstraints = ["c.txt"]', "install.constraints[0]: 'c.txt' is a file: write \"-c c.txt\""),
        ("[tool.venvgrid.axes]\npython = '3.9'", "tool: [tool.venvgrid.axes] is for pyproject.toml; in this file write [axes], and so on"),
        ("python = '3.9'", "python: unknown section; it belongs into [axes] "),
        ("[test]\ndeps = ['x']", "test.deps: unknown key; here it is install.requires "),
        ("[install]\nset_env = {}", "install.set_env: unknown key; here it is test.env "),
        ("[envs]", "envs: unknown section; here it is axes "),
        ("[grid.low.test]\nchangedir = 'x'", "grid.low.test.changedir: unknown key; here it is grid.low.test.working-directory "),
        ("[project]\nskip_install = true", 'project.skip_install: unknown key; here it is project.install = "none" '),
        ("[install]\nextras = ['a']", "install.extras: unknown key; it belongs into [project] "),
        ("[grid.low]\nresolution = 'lowest'", "grid.low.resolution: unknown section; it belongs into [grid.low.install] "),
        ("[grid.low]\n[install]\nextras = ['a']", "install.extras: unknown key; it belongs into [project] "),
        ('[install]\nrequires = ["pytest=>8"]', "install.requires[0]: 'pytest=>8' is no valid requirement; write \"pytest>=8\""),
        ('[install]\nrequires = ["pytest = 8"]', "install.requires[0]: 'pytest = 8' is no valid requirement; write \"pytest==8\""),
        ('[install]\nrequires = ["a[b] 2"]', "install.requires[0]: 'a[b] 2' is no valid requirement; write \"a[b]==2\""),
        ('[install]\nrequires = ["pytest>=7,=<9"]', "install.requires[0]: 'pytest>=7,=<9' is no valid requirement; write \"pytest>=7,<=9\""),
        ('[install]\nindex-url = "https://x"', "install.index-url: unknown key; indexes are in the settings of pip or uv: PIP_INDEX_URL, "),
        ('[install]\ninstaller = "conda"', "install.installer: unknown key; write VENVGRID_INSTALLER=uv or pip before the command "),
        ('[test]\nretries = "2"', "test.retries: expected a whole number from 0 to 100, got '2' (without quotes)"),
        ('[test]\nenv = ["A=1"]', 'test.env: expected a table: { A = "1" }, got a list'),
        ('[axes]\npython = "3.9|3.10"', 'axes.python: \'3.9|3.10\' is no Python; write ["3.9", "3.10"] '),
        ('[axes]\nx = "1.16 || 1.17"', "axes.x: '1.16 || 1.17' is no version; write [\"1.16\", \"1.17\"] "),
        ('[axes]\nx = "x==1.16"', "axes.x: 'x==1.16' is no version; write \"1.16\": the name is that of the axis "),
        ('[axes]\nx = "x >=1.16,<2"', "axes.x: 'x >=1.16,<2' is no version; write \">=1.16,<2\": the name is that of the axis "),
        ('[axes]\nplatform = "osx"', "axes.platform: 'osx' is no platform; did you mean 'macos'? "),
        ('[axes]\nplatform = "win32"', "axes.platform: 'win32' is no platform; did you mean 'windows'? "),
        ('[axes]\nplatform = "ubuntu-latest"', "axes.platform: 'ubuntu-latest' is no platform; did you mean 'linux'? "),
        ("[exclude]\npython = '3.9'", "exclude: expected one or more tables, got a table; write [[exclude]] before its keys"),
    ],
)  # fmt: skip
def test_the_mistake_names_what_was_meant(text: str, message: str) -> None:
    """Spellings of other tools, keys in another section and shell commands: what to write is in the message, once."""
    (said,) = mistakes(text)
    assert said.startswith(f"matrix.toml: {message}")


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("3.8-3.10", 'write "3.8..3.10" for a range'),
        ("cpython3.9", 'write "3.9"'),
        ("py3.9", 'write "3.9"'),
        ("py311", 'write "3.11"'),
        ("313t", 'write "3.13t"'),
        ("3.11.x", 'write "3.11"'),
        ("latest", 'write "supported"'),
        ("3", 'write "supported"'),
    ],
)
def test_a_python_written_for_another_tool(written: str, hint: str) -> None:
    """A spelling that other tools use is a mistake with the right one in it."""
    (message,) = mistakes(f'[axes]\npython = "{written}"')
    assert message.startswith(f"matrix.toml: axes.python: '{written}' is no Python; {hint} (allowed: ")


@pytest.mark.parametrize(("written", "hint"), [("2.2.*", "2.2"), ("v1.0", "1.0")])
def test_a_version_written_another_way(written: str, hint: str) -> None:
    """A version in another spelling is a mistake with the right one in it."""
    (message,) = mistakes(f'[axes]\nnumpy = "{written}"')
    assert message.startswith(f"matrix.toml: axes.numpy: '{written}' is no version; write '{hint}' (allowed: ")


def test_all_mistakes_are_reported_at_once() -> None:
    """Mistakes of different sections, and of items of one list, all come in one error."""
    got = mistakes('oops = 1\n[test]\nretries = -1\nsmoke = ["1", "ok", "2"]\n[[exclude]]\nx = "1"\ny = "2"')
    assert {"oops", "test.retries", "test.smoke[0]", "test.smoke[2]", "exclude[0].x", "exclude[0].y"} == {
        line.split(": ")[1] for line in got
    }


def test_a_file_of_mistakes_only_is_cut_short() -> None:
    """Thousands of mistakes are counted, not listed."""
    got = mistakes("".join(f"k{number} = 1\n" for number in range(1000)))
    assert (201, "matrix.toml: … and 800 more mistakes") == (len(got), got[-1])


def test_the_number_of_cells_has_a_limit() -> None:
    """A product that is too large is counted, not expanded."""
    versions = json.dumps([str(number) for number in range(1001)])
    (message,) = mistakes(f"[axes]\na = {versions}\nb = {versions}")
    assert (
        "matrix.toml: axes: 1,002,001 cells (1 python x 1001 a x 1001 b); at most 1,000,000 are possible: "
        'give fewer values or axes, or let a strategy choose cells: [plan] strategy = "pairwise"'
    ) == message
    many = "\n".join(f'a{number} = ["1", "2", "3"]' for number in range(300))
    assert mistakes(f"[axes]\n{many}")[0].startswith("matrix.toml: axes: more than 10^30 cells (1 python x 3 a0 x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[axes]\npython = [", "matrix.toml:2:11: not valid TOML (line 2, column 11): "),
        (
            "a = '1\n",
            'matrix.toml:2:1: not valid TOML (line 2, column 1): Expected "\'": a quote or bracket above is never closed',
        ),
        (
            "a = 1\na = 2\n",
            "matrix.toml:2:6: not valid TOML (line 2, column 6): the key is there twice, in the line 'a = 2'",
        ),
        ("a = 1\nb =", "matrix.toml:2:4: not valid TOML (line 2, column 4): "),
        ("a = \na = 1", "matrix.toml:1:5: not valid TOML (line 1, column 5): Invalid value"),
    ],
)
def test_broken_toml_is_located(text: str, message: str) -> None:
    """A syntax error names file, line and column."""
    (got,) = mistakes(text)
    assert message == got[: len(message)]


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "a = " + "1" * 5_000])
def test_toml_that_breaks_the_reader_is_a_mistake(text: str) -> None:
    """What makes tomllib raise something else than its own error is no traceback either."""
    assert "not valid TOML" in mistakes(text)[0]


OTHER_KEYS = ("strategy", "python", "numpy", "env", "env.X", "X", "allow-failure", "as_of")


def table_like() -> st.SearchStrategy[dict[str, Any]]:
    """Tables that look like configurations, with any TOML value anywhere."""
    words = st.sampled_from(
        ["3.9", "3.8..3.10", "2.2", ">=1,<2", "absent", "..", "3.9..", "~=1", "==1.*", "", "/", "\0", "pytest", "{cell}", "{",
         "release", "today", "2023-01-31", "none", "10m", "full", "wheel", "highest", "a,b", "-e .", "x @ https://h/x", "pypy3.10"]
    )  # fmt: skip
    scalars = st.one_of(
        words,
        st.text(max_size=20),
        st.booleans(),
        st.integers(),
        st.just(10**300),
        st.floats(),
        st.dates(),
        st.datetimes(timezones=st.sampled_from([None, dt.UTC, dt.timezone(dt.timedelta(hours=14))])),
        st.times(),
    )
    keys = st.one_of(
        st.sampled_from(
            [*grids.SECTIONS, *config_sections.PROJECT, *config_sections.INSTALL, *config_sections.TEST, *OTHER_KEYS]
        ),
        st.text(max_size=10),
    )
    values = st.recursive(
        scalars,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
        max_leaves=8,
    )
    sections = st.dictionaries(keys, values, max_size=5)
    known = st.fixed_dictionaries(
        {}, optional={name: st.one_of(sections, st.lists(sections, max_size=2), values) for name in grids.SECTIONS}
    )
    several = st.builds(
        lambda top, named: {**top, "grid": named}, known, st.dictionaries(st.sampled_from(["a", "b c", "x-1"]), known)
    )
    return st.one_of(known, sections, several)


@settings(max_examples=300, deadline=None)
@given(table_like())
def test_any_table_gives_a_config_or_mistakes(table: dict[str, Any]) -> None:
    """No content makes a traceback, and each mistake names the file and fits on a line."""
    try:
        got = loading.build(Source(table=table, file=FILE), running="3.11")
    except ConfigError as error:
        found = error.mistakes
    else:
        assert all(axis.values or axis.policy for axis in got.axes)
        assert 64 == len(got.digest)
        return
    assert found
    assert [True] * len(found) == [line.startswith("matrix.toml: ") and len(line.splitlines()) == 1 for line in found]


def test_a_bad_requirement_says_why() -> None:
    """The reason that packaging gives is part of the message."""
    (message,) = mistakes('[install]\nrequires = ["pytest >= banana"]')
    assert message.startswith(
        "matrix.toml: install.requires[0]: 'pytest >= banana' is no valid requirement, such as \"pytest>=8\" ("
    )


@pytest.mark.parametrize("name", ["ipython", "cpython", "numpy", "typing-extensions", "py", "pythran"])
def test_distributions_are_not_taken_for_mistyped_axes(name: str) -> None:
    """Only what can hardly be a distribution is refused."""
    assert axis_values.meant(name) == ""
