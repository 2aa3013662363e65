"""Why a program failed, in one line: from its exit code, its output, or the error of its start."""

from __future__ import annotations

import errno
import os
import re
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from venvgrid.processes.command import Completed

FATAL = (
    *("SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGSEGV", "SIGSYS", "SIGPIPE"),
    *("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGXCPU", "SIGXFSZ"),
)
SHELL = 128  # a shell adds it to the number of the signal that ended its command
ERROR_STATUS = range(0xC0000000, 0xD0000000)  # Windows: an NTSTATUS of severity "error" that no program exits with
NTSTATUS = {  # the exit code of a Windows process that dies of an exception
    0xC0000005: "ACCESS_VIOLATION",
    0xC000001D: "ILLEGAL_INSTRUCTION",
    0xC0000094: "INTEGER_DIVIDE_BY_ZERO",
    0xC00000FD: "STACK_OVERFLOW",
    0xC0000135: "DLL_NOT_FOUND",
    0xC000013A: "CONTROL_C_EXIT",
    0xC0000374: "HEAP_CORRUPTION",
    0xC0000409: "STACK_BUFFER_OVERRUN",
}
COMMON = {126: " (not executable)", 127: " (command not found)"}
PYTEST = {2: " (interrupted)", 3: " (internal error)", 4: " (usage error)"}

MAX_HEADLINE_LENGTH = 400  # characters
CONTINUATION = " " * 7  # the indentation of lines that uv wraps
MACHINE = re.compile(r"No space left on device|Disk quota exceeded|Read-only file system|Too many open files")
_EXCEPTION = re.compile(r"([A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning)): ?(.*)")


def signal_of(code: int | None) -> str:
    """Return the name of the signal behind an exit code (-11, a shell's 139, Windows' 0xC0000005), or ""."""
    if code is None:
        return ""
    status = code & 0xFFFFFFFF
    if status in ERROR_STATUS:
        return NTSTATUS[status].lower().replace("_", " ") if status in NTSTATUS else f"exit code {status:#x}"
    try:
        name = signal.Signals(-code if code < 0 else code - SHELL).name
    except ValueError:
        return f"signal {-code}" if code < 0 else ""
    return name if code < 0 or name in FATAL else ""


def meaning(code: int | None) -> str:
    """Return the meaning of any command's exit code as a suffix, such as " (command not found)", or ""."""
    return COMMON.get(code or 0, "")


def pytest_meaning(code: int | None) -> str:
    """Return pytest's meaning of an exit code as a suffix, such as " (usage error)", or ""."""
    return PYTEST.get(code or 0, "") or meaning(code)


def start_failure(name: str, cwd: Path, error: OSError) -> str:
    """Return one line about why the command `name` could not be started in `cwd`."""
    reason = error.strerror or str(error)
    path = cwd / name if os.path.dirname(name) else None  # noqa: PTH120 - a Path drops the "./"
    if error.errno in {errno.ENOENT, errno.ENOTDIR} and not cwd.is_dir():
        reason = f"there is no folder {cwd} to run it in"
    elif error.errno == errno.ENOENT and path is not None and path.is_file():
        reason = "the interpreter that it names (in its #! line, or its loader) does not exist"
    elif error.errno == errno.EACCES and path is not None and path.is_dir():
        reason = "it is a directory"
    return f"could not start {name}: {reason}"


def last_exception(completed: Completed) -> tuple[str, str]:
    """Return the kind ("" if unknown) and the message of the exception that ended a Python program."""
    if completed.error:
        return "", completed.error
    if completed.signal:
        return completed.signal, f"the interpreter was killed by {completed.signal}"
    if completed.timed_out:
        return "", f"no answer in {completed.duration:.0f} s"
    for line in reversed(completed.stdout.splitlines()):
        if match := _EXCEPTION.match(line):
            return match.group(1), match.group(2)
    lines = completed.stdout.strip().splitlines()
    return "", lines[-1] if lines else f"exit status {completed.exit_code}"


def unfinished(completed: Completed) -> str:
    """Return why a command did not end by itself, or ""."""
    if completed.timed_out:
        return f"it was stopped after {completed.duration:.0f} s"
    if completed.over_memory:
        return "it exceeded its memory limit"
    return f"it was killed by {completed.signal}" if completed.signal else completed.error


def headline(text: str) -> str:
    """Return the most telling line of a tool's output: the last exception, else the last error, else the last line."""
    lines = [line.strip() for line in _unwrapped(text) if line.strip()]
    lines = [line for line in lines if not line.startswith(("hint:", "note:"))]
    for mark in ("Error: ", "Exception: ", "cause: ", "error: ", "ERROR: "):
        if found := [line for line in lines if mark in f"{line} "]:
            line = found[-1].removeprefix("error: ").removeprefix("cause: ").removeprefix("ERROR: ")
            machine = MACHINE.search(line)  # goes first: long paths stand before it
            return (f"{machine.group()}: {line}" if machine else line)[:MAX_HEADLINE_LENGTH]
    return lines[-1][:MAX_HEADLINE_LENGTH] if lines else "it failed and said nothing"


def _unwrapped(text: str) -> list[str]:
    """Join the lines of errors and causes that uv wraps and indents."""
    lines: list[str] = []
    is_cause = False
    for line in text.splitlines():
        if is_cause and line.startswith(CONTINUATION):
            lines[-1] += f" {line.strip()}"
        else:
            is_cause = line.lstrip().startswith(("error: ", "cause: "))
            lines.append(line)
    return lines
