"""Environment variables of tests and tools: allow-lists. Pure.

Tests get what a machine needs for programs to work at all, and nothing that changes the code under test or holds a
secret. tox does the same; nox and hatch pass everything.
"""

from __future__ import annotations

import fnmatch
import functools
import os
import re
import sys
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

# Shells, Python and the probe give them values of their own.
SET_BY_OTHERS = frozenset(
    ("PATH", "PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE", "VIRTUAL_ENV", "PYTHONPATH", "PYTEST_ADDOPTS", "VENVGRID_PROBE")
)
# What they name is of the machine, or of the cell.
NO_FILES = frozenset(("PATH", "HOME", "SHELL", "PWD", "VIRTUAL_ENV"))
_WORD = re.compile(rf"[^\s=,;{re.escape(os.pathsep)}]+")
# Patterns of the variables that tests get, and why.
PASSED = (
    # Who and where: getpass, expanduser, pexpect; tests with a HOME that differs from the account's are rare.
    *("HOME", "USER", "LOGNAME", "USERNAME", "SHELL", "TERM"),
    # Language and time zone: part of the machine that is tested on; a test that depends on them sets them itself.
    *("LANG", "LC_*", "LANGUAGE", "TZ", "LOCALE_ARCHIVE"),
    *("TMPDIR", "TEMP", "TMP", "PATH"),
    # The way to the network.
    *("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "NIX_SSL_CERT_FILE"),
    # Where desktops keep things, and the screen: GUI backends do not import without.
    *("XDG_*", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"),
    # Where this machine has its native libraries. What is preloaded (LD_PRELOAD, DYLD_INSERT_LIBRARIES) stays out: it
    # changes the code under test.
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "NIX_LD", "NIX_LD_LIBRARY_PATH"),
    # How numeric libraries use this CPU and GPU: without them they oversubscribe a shared machine, or do not load.
    *(
        "OPENBLAS_*",
        "OMP_*",
        "MKL_*",
        "NPY_*",
        "KMP_*",
        "GOTO_*",
        "BLIS_*",
        "VECLIB_*",
        "NUMEXPR_*",
        "NUMBA_NUM_THREADS",
    ),
    *("CUDA_*", "NVIDIA_*", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"),
    # How to compile here, for tests that do (cffi, Cython); tox passes the same.
    *("CC", "CXX", "AR", "CFLAGS", "CPPFLAGS", "CXXFLAGS", "LDFLAGS", "PKG_CONFIG_PATH", "SDKROOT", "DEVELOPER_DIR"),
    # Windows: without SYSTEMROOT sockets and random numbers fail, without COMSPEC and PATHEXT commands are not found,
    # compilers are looked for under the program folders.
    *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "OS", "PSMODULEPATH"),
    *("APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "ALLUSERSPROFILE", "PUBLIC", "PROGRAMFILES*", "PROGRAMW6432"),
    *(
        "COMMONPROGRAMFILES*",
        "COMMONPROGRAMW6432",
        "USERPROFILE",
        "HOMEDRIVE",
        "HOMEPATH",
        "USERDOMAIN",
        "COMPUTERNAME",
    ),
    *("NUMBER_OF_PROCESSORS", "PROCESSOR_*", "MSYSTEM"),
)
# Left out on purpose: CI (projects skip tests by it; `pass-env = ["CI"]` for who wants that), SOURCE_DATE_EPOCH (it
# changes what is built), FORCE_COLOR, NO_COLOR, COLORTERM (they change what is printed), SSH_AUTH_SOCK, NETRC,
# DBUS_SESSION_BUS_ADDRESS and cloud credentials (doors to secrets), GIT_* (a hook's GIT_DIR misleads the tests' git).

# Passed only for their exact names in `pass-env`, not for a glob: they change which Python, packages or tests run.
GUARDED = (
    *("PYTHON*", "__PYVENV_LAUNCHER__", "VIRTUAL_ENV*", "CONDA_*", "_CONDA_*", "PYENV_*", "PYTEST_*", "PY_COLORS"),
    *("COVERAGE_*", "COV_CORE_*", "TOX_*", "NOX_*", "UV", "UV_*", "PIP_*", "VENVGRID_*", "_VENVGRID_*"),
)

# Variables of uv and pip that are passed to them: where the index is and how to reach it. All others would change the
# cell (targets, resolution, constraints, cut-off dates) or a decision of venvgrid (link mode, bytecode, which Python);
# so may those of later versions.
TOOL_PASSED = (
    *("UV_INDEX", "UV_INDEX_*", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX"),
    *("UV_KEYRING_PROVIDER", "UV_CREDENTIALS_DIR", "UV_*_ENDPOINT_URL", "UV_OFFLINE", "UV_CACHE_DIR", "UV_NO_CACHE"),
    *("UV_HTTP_*", "UV_REQUEST_TIMEOUT", "UV_CONCURRENT_*", "UV_LOCK_TIMEOUT"),
    *("UV_NATIVE_TLS", "UV_SYSTEM_CERTS", "UV_INSECURE_HOST", "UV_CONFIG_FILE", "UV_NO_CONFIG"),
    *("UV_PYTHON_INSTALL_DIR", "UV_PYTHON_CACHE_DIR", "UV_PYTHON_INSTALL_MIRROR", "UV_PYPY_INSTALL_MIRROR"),
    *("UV_PYTHON_DOWNLOADS", "UV_PYTHON_DOWNLOADS_JSON_URL"),
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_TRUSTED_HOST"),
    *("PIP_KEYRING_PROVIDER", "PIP_CERT", "PIP_CLIENT_CERT", "PIP_PROXY", "PIP_*TIMEOUT", "PIP_*RETRIES"),
    *("PIP_CACHE_DIR", "PIP_NO_CACHE_DIR", "PIP_CONFIG_FILE", "PIP_DISABLE_PIP_VERSION_CHECK", "PIP_NO_INPUT"),
    *("PYTHONUTF8", "PYTHONIOENCODING", "PYENV_ROOT"),
)
TOOL_GUARDED = (*GUARDED, "FORCE_COLOR", "CLICOLOR_FORCE")  # their output is parsed: no colours
GLOB = frozenset("*?[")  # characters by which a pattern is more than a name


# Variables that make pip or uv install other versions than they are asked for.
CONSTRAINING = (
    "UV_CONSTRAINT",
    "UV_OVERRIDE",
    "UV_EXCLUDE_NEWER",
    "UV_PRERELEASE",
    "UV_RESOLUTION",
    "PIP_CONSTRAINT",
    "PIP_PRE",
)


def constraining(base: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables that are set and that would choose other versions, if cells were installed with them."""
    return tuple(name for name in CONSTRAINING if base.get(name))


def child_environment(
    base: Mapping[str, str],
    *,
    pass_env: Iterable[str],
    extra: Mapping[str, str],
    prefix: os.PathLike[str],
    platform: str = sys.platform,
    runner: str | None = sys.prefix if sys.prefix != sys.base_prefix else None,
) -> dict[str, str]:
    """Return all variables of a test process.

    Args:
        base: the variables to choose from, `os.environ`.
        pass_env: names and globs of further ones. An exact name is always honoured, even PYTHONPATH: the probe attests
            its effect. A glob does not match the names in GUARDED.
        extra: overrides all. With a PATH in it, the environment's commands still come first.
        prefix: the virtual environment: becomes VIRTUAL_ENV, and its commands come first on PATH.
        platform: as `sys.platform`; on "win32" names are case-insensitive.
        runner: the virtual environment that venvgrid runs in, or None: it is removed from PATH.
    """
    fold = str.upper if platform == "win32" else str
    patterns = tuple(pass_env)
    exact = {fold(name) for name in patterns}
    passed, wanted, guarded = (_matcher(names, platform) for names in (PASSED, patterns, GUARDED))
    own = {fold(name) for name in extra} | {"PATH", "VIRTUAL_ENV"}
    chosen = {
        name: value
        for name, value in base.items()
        if (fold(name) in exact or passed(name) or (wanted(name) and not guarded(name))) and fold(name) not in own
    }
    chosen["VIRTUAL_ENV"] = str(prefix)
    chosen |= {name: value for name, value in extra.items() if fold(name) != "PATH"}
    given = {fold(name): value for name, value in (*base.items(), *extra.items())}
    active = {fold(name): value for name, value in base.items()}.get("VIRTUAL_ENV")
    leave_out = tuple(place for place in (active, runner) if place)
    chosen["PATH"] = _search_path(given.get("PATH", os.defpath), str(prefix), leave_out, platform)
    return chosen


def paths_in(name: str, value: str, folder: str) -> Iterator[str]:
    """Yield the paths that the value of a variable may name: its words, or what follows an option; below `folder`."""
    for word in () if name in NO_FILES else _WORD.findall(value):
        path = word[word.find(os.sep) :] if word.startswith("-") and os.sep in word else word
        yield os.path.normpath(os.path.join(folder, path))  # noqa: PTH118  (of each word of each variable)


def tool_environment(base: Mapping[str, str], *, platform: str = sys.platform) -> dict[str, str]:
    """Return all variables for uv, pip and build backends: all of `base` that do not change the cell."""
    passed, guarded = _matcher(TOOL_PASSED, platform), _matcher(TOOL_GUARDED, platform)
    return {name: value for name, value in base.items() if passed(name) or not guarded(name)}


@functools.cache
def _matcher(patterns: tuple[str, ...], platform: str) -> Callable[[str], bool]:
    """Return a function that checks whether a name matches one of the globs.

    Most of them are plain names or beginnings: one regular expression of all takes 4 ms to compile in each run.
    """
    fold = str.upper if platform == "win32" else str
    folded = [fold(pattern) for pattern in patterns]
    plain = {pattern for pattern in folded if GLOB.isdisjoint(pattern)}
    beginnings = {pattern[:-1] for pattern in folded if pattern[-1:] == "*" and GLOB.isdisjoint(pattern[:-1])}
    rest = [fnmatch.translate(pattern) for pattern in folded if pattern not in plain and pattern[:-1] not in beginnings]
    begins, others = tuple(beginnings), re.compile("|".join(rest) or r"(?!)").match

    @functools.cache  # a run asks for the same names for each cell
    def matches(name: str) -> bool:
        name = fold(name)
        return name in plain or name.startswith(begins) or others(name) is not None

    return matches


@functools.lru_cache(maxsize=64)
def _search_path(value: str, prefix: str, leave_out: tuple[str, ...], platform: str) -> str:
    flavour = PureWindowsPath if platform == "win32" else PurePosixPath
    scripts, separator = ("Scripts", ";") if platform == "win32" else ("bin", ":")
    unwanted = {flavour(place) / scripts for place in leave_out}
    # An empty entry means the current folder: tests could put commands there.
    kept = [entry for entry in value.split(separator) if entry and flavour(entry) not in unwanted]
    own = str(flavour(prefix) / scripts)
    return separator.join([own, *(entry for entry in kept if entry != own)])
