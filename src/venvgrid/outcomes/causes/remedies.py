"""The way out of known mistakes: what to add to the configuration, from an exception and its text. Pure."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

from venvgrid.model.names import normalise
from venvgrid.outcomes.causes import plugins

if TYPE_CHECKING:
    from collections.abc import Collection

REMOVED = frozenset(  # from the standard library, by Python 3.14
    (
        "aifc",
        "asynchat",
        "asyncore",
        "audioop",
        "binhex",
        "cgi",
        "cgitb",
        "chunk",
        "crypt",
        "formatter",
        "imghdr",
        "imp",
        "lib2to3",
        "mailcap",
        "msilib",
        "nis",
        "nntplib",
        "ossaudiodev",
        "parser",
        "pipes",
        "smtpd",
        "sndhdr",
        "spwd",
        "sunau",
        "symbol",
        "telnetlib",
        "uu",
        "xdrlib",
    )
)
RUNNERS = frozenset({"uv", "uvx", "poetry", "pdm", "hatch", "pipenv", "tox", "nox", "rye", "pixi", "conda", "pipx"})
OWN = frozenset({"test", "tests", "testing", "conftest", "src", "docs", "examples", "benchmarks", "utils", "helpers"})

_MODULE = re.compile(r"No module named u?['\"]?([A-Za-z_][\w.]*)")
_FIXTURE = re.compile(r"fixture '([^']+)' not found")
_MARKER = re.compile(r"'([^']+)' not found in `markers` configuration option")
_ASYNC = re.compile(r"async def functions? (?:are|is) not natively supported")
_SETTING = re.compile(r"Unknown config option: ([\w.-]+)")
_NO_WHEEL = re.compile(r"(?:^|[:;,] )([A-Za-z0-9][\w.-]*)\S*(?: \S+)? has no wheel for ")
_BUILD = re.compile(r"[Ff]ailed to build `?(?!wheel)[A-Za-z0-9]")
_BUILD_MODULE = re.compile(r"could not be built: ModuleNotFoundError: No module named '([\w.]+)'")
# A subprocess needs pip, and the test failed by what it returned.
_PIP = re.compile(r"'-m', '(?:pip|ensurepip)'.*non-zero exit|No such file or directory: u?'(?:\S*/)?pip3?'")
_NO_PIP = re.compile(r"\bNo module named '?pip'?$", re.MULTILINE)
_NO_PROGRAM = re.compile(r"No such file or directory: u?'([\w.+-]+)'")
_STARTS = re.compile(r"\bsubprocess\.py\b")
_ADDED = re.compile(r'(?:^|: )add "([\w.-]+)" to install\.requires$')
_OPTION = re.compile(r"no such option: u?'(-[\w-]+)'|no option named u?'([\w-]+)'")


def of_failure(message: str, longrepr: str = "") -> str:
    """Return what to type for a failure of a test or a file, or ""."""
    if match := _FIXTURE.search(message):
        return _provided(plugins.FIXTURES.get(match[1], ""), f"the fixture {match[1]}")
    if match := _MARKER.search(message):
        known = _provided(plugins.MARKERS.get(match[1], ""), f"the marker {match[1]}")
        return known or f"add {match[1]} to the setting markers of pytest, or leave out --strict-markers"
    if _ASYNC.search(message):
        return 'add "pytest-asyncio" (or "anyio") to install.requires'
    if message.startswith("import file mismatch"):
        return (
            'give the files different names, add __init__.py, or write command = ["pytest", "--import-mode=importlib"]'
        )
    if message.startswith("Start directory is not importable"):
        return "is it relative to [project] path?"
    if match := _SETTING.search(message):
        return of_setting(match[1])
    if match := _OPTION.search(message):
        name = match[1] or f"--{match[2]}"
        return _provided(plugins.of_option(name), name)
    if match := _MODULE.search(message):
        return of_module(match[1])
    if _PIP.search(message) or _NO_PIP.search(longrepr):
        return of_module("pip")
    match = _NO_PROGRAM.search(message) if _STARTS.search(longrepr) else None
    return of_program(match[1]) if match else ""


def unless_installed(hint: str, installed: Collection[str]) -> str:
    """Return a hint, or "" if it only says to add a distribution that is installed; names are normalised."""
    found = _ADDED.search(hint)
    return "" if found and normalise(found[1]) in installed else hint


def of_reason(reason: str) -> str:
    """Return what to type for a cell that cannot be resolved or built, or ""."""
    if (match := _NO_WHEEL.search(reason)) and "source-builds" not in reason:
        name = re.split(r"[<>=!~\[]", match[1], maxsplit=1)[0]
        return f'install.source-builds = ["{name}"] builds it from source, install.only-binary = false builds any'
    if match := _BUILD_MODULE.search(reason):
        known = plugins.of_module(match[1]) or match[1].partition(".")[0]
        return f'the build has an environment of its own: add "{known}" to requires in [build-system] of pyproject.toml'
    if _BUILD.search(reason):
        return "install.only-binary = true takes wheels only, and builds nothing but the project"
    return ""


def of_module(module: str) -> str:
    """Return what to type if a module is missing, or ""."""
    root = module.partition(".")[0]
    if root in REMOVED:
        return f"{root} was removed from the standard library of Python"
    if known := plugins.of_module(module):
        return f'{known} provides {module}: add "{known}" to install.requires'
    if root in OWN:
        return 'if it is a folder of the project: command = ["python", "-m", "pytest"]'
    if root in sys.stdlib_module_names:
        return ""
    if parent := module.rpartition(".")[0]:  # Python names the first part that is missing
        return f"{parent} is there without {module}: another version may have it, or the wheel of the project lacks it"
    return (
        f'add "{root}" to install.requires'
        if root in {"pip", "wheel", "pytest", "numpy", "mock"}
        else f"if a distribution provides {root}, add it to install.requires"
    )


def of_options(options: list[str]) -> str:
    """Return what to type if pytest does not know options, or ""."""
    told = [_provided(plugins.of_option(option), option.partition("=")[0]) for option in options]
    told += [
        f"{option.split('=')[0]} needs pytest {since} or newer"
        for option in options
        if (since := plugins.pytest_since(option))
    ]
    return "; ".join(_merged([item for item in told if item]))


def of_setting(name: str) -> str:
    """Return what to type if pytest does not know a setting, or ""."""
    if since := plugins.pytest_since(name):
        return f"{name} needs pytest {since} or newer"
    return _provided(plugins.SETTINGS.get(name, ""), f"the setting {name}")


def of_program(name: str) -> str:
    """Return what to type if a program is missing."""
    if name == "cd":
        return 'there is no shell: write working-directory = "FOLDER" into [test]'
    if name in {"export", "set", "source", "."}:
        return "there is no shell: write variables into test.env; the environment of the cell is active"
    if " " in name:
        return f"write each word as an item: {json.dumps(name.split())}"
    if name in RUNNERS:
        return f"the environment of the cell is active without {name}: begin the command with what {name} would run"
    return f"install {name} on this machine, or add the distribution that provides it to install.requires"


def of_path(package: str, path: str = "") -> str:
    """Return what to type if a path of tests does not exist; `package` has tests inside."""
    if "$" in path or path.startswith("~"):
        return f"there is no shell, so {path} stays as it is: write a path from the project's folder, or {{project}}"
    return f"is it relative to [project] path? {inside(package)}".strip()


def inside(package: str) -> str:
    """Return how tests inside of a package are run, or "" without one."""
    return f'Tests inside the package run with command = ["pytest", "--pyargs", "{package}"]' if package else ""


def _provided(distribution: str, what: str) -> str:
    return f'{distribution} provides {what}: add "{distribution}" to install.requires' if distribution else ""


def _merged(told: list[str]) -> list[str]:
    """Return each remedy once, by what it adds."""
    return list({item.partition(": add ")[2] or item: item for item in reversed(told)}.values())[::-1]
