"""Downloads of interpreters, by uv."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.interpreters.candidates import Rejected
from venvgrid.interpreters.discovery import find_one
from venvgrid.interpreters.selection import Missing, uv_can_download, uv_request
from venvgrid.interpreters.specs import matches, parse_spec
from venvgrid.processes.command import Command, Completed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.model import Interpreter
    from venvgrid.processes.command import Runner

TIMEOUT = 900.0  # seconds: an archive has about 30 MB
FIND_TIMEOUT = 60.0
MAX_MESSAGE_LENGTH = 500  # characters of a message
SWITCH = "VENVGRID_PYTHON_DOWNLOADS"

PASSED_ON = re.compile(
    r"""
    PATH | HOME | LANG | LC_ALL | TMPDIR | TEMP | TMP | XDG_DATA_HOME | XDG_CACHE_HOME | XDG_CONFIG_HOME
    | XDG_CONFIG_DIRS | XDG_BIN_HOME | SYSTEMROOT | SYSTEMDRIVE | WINDIR | COMSPEC | PATHEXT | USERPROFILE
    | APPDATA | LOCALAPPDATA | PROGRAMFILES | PROGRAMDATA | HTTP_PROXY | HTTPS_PROXY | ALL_PROXY | NO_PROXY
    | SSL_CERT_FILE | SSL_CERT_DIR | SSL_CLIENT_CERT | NETRC
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Variables that would select another Python, or contradict the options below.
KEPT_BACK = re.compile(
    r"""
    UV_PYTHON | UV_PYTHON_PREFERENCE | UV_PYTHON_DOWNLOADS | UV_MANAGED_PYTHON | UV_NO_MANAGED_PYTHON
    | UV_SYSTEM_PYTHON | UV_OFFLINE | UV_PYTHON_INSTALL_BIN | UV_PYTHON_INSTALL_REGISTRY | UV_WORKING_DIR
    | UV_PROJECT
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LABEL = re.compile(r"^(?:error|cause|caused by): ", re.IGNORECASE)


def switched_off(environ: Mapping[str, str], *, offline: bool = False) -> str:
    """Return the option or variable that forbids downloads, or "" if they are allowed."""
    if offline:
        return "--offline"
    for name, values in (
        (SWITCH, {"never", "manual", "0", "false", "no", "off"}),
        ("UV_PYTHON_DOWNLOADS", {"never", "manual"}),
        ("UV_PYTHON_PREFERENCE", {"only-system"}),
        ("UV_NO_MANAGED_PYTHON", {"1", "true", "yes", "on"}),
        ("UV_OFFLINE", {"1", "true", "yes", "on"}),
    ):
        value = environ.get(name, "")
        if value.lower() in values:
            return f"{name}={value}"
    return ""


def install(
    spec: str,
    *,
    uv: str,
    run: Runner,
    environ: Mapping[str, str],
    cwd: Path,
    cache: Path | None = None,
    offline: bool = False,
) -> Interpreter | Missing:
    """Install a Python that fits `spec` with uv, and return it, or the reason why it is missing.

    `uv` is its executable, `cwd` the folder where it looks for its configuration, `cache` that of the interpreter
    cache. Mirrors, folders, proxies and certificates of `environ` are passed on. Nothing is put on the user's PATH.
    """
    try:
        wanted = parse_spec(spec)
    except ValueError as error:
        return Missing(spec=spec, reason=str(error))
    if switch := switched_off(environ, offline=offline):
        return Missing(spec=spec, reason=f"{wanted.title} was not downloaded: {switch} forbids it")
    if not uv_can_download(wanted):
        return Missing(spec=spec, reason=f"uv has no {wanted.title} to download")
    environment = _environment(environ)
    request = uv_request(wanted)

    def uv_python(*arguments: str, timeout: float) -> Completed:
        argv = (uv, "python", *arguments, "--no-progress", "--color", "never")
        return run(Command(argv=argv, cwd=cwd, env=environment, timeout=timeout))

    installed = uv_python("install", request, timeout=TIMEOUT)
    if not installed.ok:
        return Missing(spec=spec, reason=f"`uv python install {request}` failed: {one_line(installed, TIMEOUT)}")
    options = ("--managed-python", "--no-python-downloads", "--no-project", "--system")
    found = uv_python("find", request, *options, timeout=FIND_TIMEOUT)
    path = found.stdout.strip()
    if not found.ok or not path:
        problem = f"`uv python find {request}` failed: {one_line(found, FIND_TIMEOUT)}"
        return Missing(spec=spec, reason=f"uv installed {wanted.title}, but {problem}")
    # uv returns a link for the minor version, which later leads to another patch release. Cells need the patch release.
    answer = find_one(Path(path).resolve(), run=run, cache=cache, environ=environ, source="uv")
    if isinstance(answer, Rejected):
        return Missing(spec=spec, reason=f"uv installed {answer.path}, but it is not usable: {answer.reason}")
    if not matches(wanted, answer):
        reason = f"uv installed {answer.version} at {answer.executable}, which is no {wanted.title}"
        return Missing(spec=spec, reason=reason)
    return answer


def one_line(completed: Completed, timeout: float) -> str:
    """Return uv's error message in a line, its chain of causes joined: "…: …"."""
    if completed.error:
        return completed.error
    if completed.timed_out:
        return f"no end after {timeout:g} s"
    if completed.signal:
        return f"ended by {completed.signal}"
    lines = [line.strip() for line in completed.stderr.splitlines() if line.strip()]
    start = next((index for index, line in enumerate(lines) if line.startswith("error")), 0)
    parts = [_LABEL.sub("", line) for line in lines[start:]]
    text = ": ".join(part.rstrip(":") for part in parts) or f"exit status {completed.exit_code}"
    # In a long chain of causes the first and the last matter most.
    if len(text) <= MAX_MESSAGE_LENGTH:
        return text
    return f"{text[: MAX_MESSAGE_LENGTH * 2 // 3 - 3]} … {text[-MAX_MESSAGE_LENGTH // 3 :]}"


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    passed = {
        name: value
        for name, value in environ.items()
        if PASSED_ON.fullmatch(name) or (name.upper().startswith("UV_") and not KEPT_BACK.fullmatch(name))
    }
    return {**passed, "UV_PYTHON_INSTALL_BIN": "0", "UV_PYTHON_INSTALL_REGISTRY": "0"}
