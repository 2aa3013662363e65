"""Which variables tests and tools get."""
# ruff: noqa: SIM300 - expected == actual

from __future__ import annotations

import fnmatch
import string
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.processes.variables import GUARDED, child_environment, constraining, tool_environment

PREFIX = PurePosixPath("/grid/envs/cell")
PATH = "/grid/envs/cell/bin:/usr/bin"


def child(base: dict[str, str], **options: Any) -> dict[str, str]:
    """The variables of a test process on Linux, for a venvgrid in no virtual environment."""
    values: dict[str, Any] = {"pass_env": (), "extra": {}, "prefix": PREFIX, "platform": "linux", "runner": None}
    return child_environment({"PATH": "/usr/bin", **base}, **{**values, **options})


def test_what_a_machine_needs_is_passed() -> None:
    """Home, language, proxies, certificates, folders, screens, CPU settings: without them programs do not work here."""
    base = {
        "HOME": "/home/m",
        "LANG": "de_DE.UTF-8",
        "LC_TIME": "C",
        "TZ": "Europe/Berlin",
        "https_proxy": "http://proxy:3128",
        "NO_PROXY": "localhost",
        "SSL_CERT_FILE": "/etc/ssl/own.pem",
        "PIP_CERT": "/etc/ssl/own.pem",
        "XDG_CACHE_HOME": "/cache",
        "DISPLAY": ":0",
        "OPENBLAS_NUM_THREADS": "2",
        "OPENBLAS_CORETYPE": "Haswell",
        "LD_LIBRARY_PATH": "/opt/cuda/lib64",
        "CC": "clang",
    }
    assert {**base, "PATH": PATH, "VIRTUAL_ENV": str(PREFIX)} == child(base)


@pytest.mark.parametrize("patterns", [(), ("*",), ("P*", "[A-Z_]*", "??*")])
def test_what_changes_the_tests_is_not_passed(patterns: tuple[str, ...]) -> None:
    """No glob hands on what changes which Python, packages or tests run; an own VIRTUAL_ENV replaces the active one."""
    base = dict.fromkeys(
        [
            *("PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "PYTHONSTARTUP", "PYTHONOPTIMIZE"),
            *("__PYVENV_LAUNCHER__", "VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "CONDA_PREFIX", "PYENV_VERSION"),
            *("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_XDIST_WORKER", "COVERAGE_PROCESS_START", "TOX_ENV_NAME"),
            *("NOX_CURRENT_SESSION", "UV_PYTHON", "UV_INDEX_URL", "PIP_INDEX_URL", "PIP_TARGET"),
        ],
        "x",
    )
    assert {"PATH": PATH, "VIRTUAL_ENV": str(PREFIX)} == child(base, pass_env=patterns)


def test_secrets_and_habits_are_not_passed() -> None:
    """Credentials, agents, CI and colour settings stay here unless they are asked for."""
    names = ["AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "SSH_AUTH_SOCK", "NETRC", "CI", "SOURCE_DATE_EPOCH"]
    names += ["FORCE_COLOR", "NO_COLOR", "LD_PRELOAD", "GIT_DIR", "DBUS_SESSION_BUS_ADDRESS", "MY_OWN"]
    assert {"PATH": PATH, "VIRTUAL_ENV": str(PREFIX)} == child(dict.fromkeys(names, "x"))


def test_names_and_globs_pass_more() -> None:
    """`pass-env` takes exact names and globs, with case on POSIX."""
    base = {"CI": "1", "MY_A": "2", "MY_B": "3", "my_c": "4", "YOURS": "5"}
    passed = child(base, pass_env=["CI", "MY_*", "ABSENT"])
    assert {"CI": "1", "MY_A": "2", "MY_B": "3", "PATH": PATH, "VIRTUAL_ENV": str(PREFIX)} == passed


@given(st.sampled_from(GUARDED))
def test_exact_name_is_honoured(pattern: str) -> None:
    """The exact name of a guarded variable passes it (but for VIRTUAL_ENV, which is the cell's)."""
    name = pattern.replace("*", "_X")
    assert "mine" == child({name: "mine"}, pass_env=[name])[name]


def test_extra_wins() -> None:
    """What the configuration sets wins over what is there, guarded or not."""
    base = {"LANG": "C", "PYTHONPATH": "/theirs", "TMPDIR": "/tmp"}
    extra = {"LANG": "ja_JP.UTF-8", "PYTHONPATH": "/mine", "PYTEST_ADDOPTS": "-x", "VIRTUAL_ENV": "/other"}
    assert {**extra, "TMPDIR": "/tmp", "PATH": PATH} == child(base, extra=extra)


def test_commands_of_the_environment_come_first() -> None:
    """PATH begins with the environment; virtual environments that are active, or venvgrid's own, are left out."""
    base = {
        "PATH": "/home/m/.venv/bin:/usr/local/bin::/tools/venvgrid/bin/:/usr/bin:/grid/envs/cell/bin",
        "VIRTUAL_ENV": "/home/m/.venv",
    }
    expected = "/grid/envs/cell/bin:/usr/local/bin:/usr/bin"
    assert expected == child(base, runner="/tools/venvgrid")["PATH"]


def test_path_of_the_configuration() -> None:
    """A PATH that the configuration sets replaces ours, but the environment's commands are still found first."""
    assert "/grid/envs/cell/bin:/opt/only" == child({}, extra={"PATH": "/opt/only"})["PATH"]


def test_path_that_is_missing() -> None:
    """Without PATH, commands are looked for where the system says."""
    given_nothing = child_environment({}, pass_env=(), extra={}, prefix=PREFIX, platform="linux", runner=None)
    assert "/grid/envs/cell/bin:/bin:/usr/bin" == given_nothing["PATH"]


def test_windows_names_have_no_case() -> None:
    """On Windows, `Path` is PATH, and there is only one of it."""
    base = {
        "Path": r"C:\Windows;c:\users\M\venv\SCRIPTS;C:\Tools",
        "SystemRoot": r"C:\Windows",
        "ProgramFiles(x86)": r"C:\Program Files (x86)",
        "Virtual_Env": r"C:\Users\m\venv",
        "PythonPath": "x",
        "My_Own": "1",
        "Lang": "C",
    }
    seen = child_environment(
        base,
        pass_env=["MY_*"],
        extra={"LANG": "de"},
        prefix=PureWindowsPath(r"D:\grid\cell"),
        platform="win32",
        runner=None,
    )
    expected = {
        "SystemRoot": r"C:\Windows",
        "ProgramFiles(x86)": r"C:\Program Files (x86)",
        "My_Own": "1",
        "LANG": "de",
        "VIRTUAL_ENV": r"D:\grid\cell",
        "PATH": r"D:\grid\cell\Scripts;C:\Windows;C:\Tools",
    }
    assert expected == seen


names = st.text(string.ascii_letters + string.digits + "_", min_size=1)
some_variables = st.dictionaries(names | st.sampled_from(["PYTHONPATH", "HOME", "PATH", "CI"]), st.text())


@given(some_variables, st.lists(names | st.sampled_from(["*", "PYTHON*", "C?"])), some_variables)
def test_nothing_is_made_up(base: dict[str, str], patterns: list[str], extra: dict[str, str]) -> None:
    """Every variable but PATH and VIRTUAL_ENV comes from the configuration as it is, or else from here as it is."""
    seen = child_environment(base, pass_env=patterns, extra=extra, prefix=PREFIX, platform="linux", runner=None)
    own = {"PATH", "VIRTUAL_ENV"}
    assert {**base, **extra, **{name: seen[name] for name in own}}.items() >= seen.items()
    assert seen.items() >= {name: value for name, value in extra.items() if name not in own}.items()


@given(
    pattern=st.text("QaB_*?[!]-", max_size=6),
    name=st.text("QaB_[]!-", min_size=1, max_size=6),
    platform=st.sampled_from(["linux", "win32"]),
)
def test_a_glob_of_pass_env_matches_as_in_a_shell(pattern: str, name: str, platform: str) -> None:
    """Plain names, beginnings and all other globs are what `fnmatch` says; on Windows in capitals or not."""
    fold = str.upper if platform == "win32" else str
    seen = child({f"QQ{name}": "1"}, pass_env=(f"QQ{pattern}",), platform=platform)
    expected = fold(name) == fold(pattern) or fnmatch.fnmatchcase(fold(name), fold(pattern))
    assert expected is (f"QQ{name}" in seen)


def test_tools_reach_the_index() -> None:
    """Uv and pip get the way to the index and the credentials for it, and all that has nothing to do with them."""
    base = {
        "HOME": "/home/m",
        "PATH": "/usr/bin",
        "UV_INDEX_URL": "https://u:p@index/simple",
        "UV_INDEX_PRIVATE_PASSWORD": "p",
        "UV_CACHE_DIR": "/cache/uv",
        "UV_HTTP_TIMEOUT": "9",
        "PIP_INDEX_URL": "https://u:p@index/simple",
        "PIP_CERT": "/pem",
        "PIP_DEFAULT_TIMEOUT": "9",
        "PIP_CONFIG_FILE": "/pip.conf",
        "NETRC": "/netrc",
        "AWS_PROFILE": "mine",
        "SETUPTOOLS_SCM_PRETEND_VERSION": "1.0",
        "CFLAGS": "-O2",
    }
    assert base == tool_environment(base, platform="linux")


def test_tools_do_not_get_what_changes_a_cell() -> None:
    """Nothing that was set for other uses of uv, pip or Python changes what a cell installs."""
    base = dict.fromkeys(
        [
            *("PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "CONDA_PREFIX", "PYENV_VERSION"),
            *("UV_PYTHON", "UV_PROJECT", "UV_PROJECT_ENVIRONMENT", "UV_CONSTRAINT", "UV_OVERRIDE", "UV_EXCLUDE_NEWER"),
            *(
                "UV_RESOLUTION",
                "UV_PRERELEASE",
                "UV_COMPILE_BYTECODE",
                "UV_LINK_MODE",
                "UV_SYSTEM_PYTHON",
                "UV_TOMORROW",
            ),
            *("PIP_REQUIRE_VIRTUALENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIREMENT", "PIP_CONSTRAINT"),
            *("PIP_NO_BINARY", "PIP_PRE", "PIP_TOMORROW", "COVERAGE_PROCESS_START", "FORCE_COLOR"),
        ],
        "x",
    )
    assert {} == tool_environment(base, platform="linux")


def test_prefix_may_be_a_path_of_this_machine(tmp_path: Path) -> None:
    """By default the platform is this one."""
    seen = child_environment({}, pass_env=(), extra={}, prefix=tmp_path)
    assert str(tmp_path) == seen["VIRTUAL_ENV"]
    assert seen["PATH"].startswith(str(tmp_path))


def test_variables_that_choose_versions() -> None:
    """Variables with which uv or pip would install other versions are named, if they say anything."""
    base = {"UV_CONSTRAINT": "c.txt", "PIP_CONSTRAINT": "", "UV_INDEX_URL": "x", "PIP_PRE": "1"}
    assert constraining(base) == ("UV_CONSTRAINT", "PIP_PRE")
