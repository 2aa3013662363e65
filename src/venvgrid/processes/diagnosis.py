"""What a command's exit code means. Pure."""

from __future__ import annotations

import re
import signal

FATAL = (
    *("SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGSEGV", "SIGSYS", "SIGPIPE"),
    *("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGXCPU", "SIGXFSZ"),
)
SHELL = 128  # what a shell adds to the number of the signal that ended its command
ERROR_STATUS = range(0xC0000000, 0xD0000000)  # Windows: an NTSTATUS of severity "error" that no program exits with
NTSTATUS = {
    0xC0000005: "access violation",
    0xC00000FD: "stack overflow",
    0xC0000374: "heap corruption",
    0xC000001D: "illegal instruction",
    0xC0000409: "stack buffer overrun",
    0xC000013A: "Ctrl-C",
}
COMMON = {126: " (not executable)", 127: " (command not found)"}
PYTEST = {2: " (interrupted)", 3: " (internal error)", 4: " (usage error)"}


MAX_HEADLINE_LENGTH = 400  # characters
CONTINUATION = " " * 7
MACHINE = re.compile(r"No space left on device|Disk quota exceeded|Read-only file system|Too many open files")


def signal_of(code: int | None) -> str:
    """Name the signal behind an exit code: -11, a shell's 139, and Windows' 0xC0000005; "" if there is none."""
    if code is None:
        return ""
    if code & 0xFFFFFFFF in ERROR_STATUS:
        return NTSTATUS.get(code & 0xFFFFFFFF, f"exit code {code & 0xFFFFFFFF:#x}")
    try:
        name = signal.Signals(-code if code < 0 else code - SHELL).name
    except ValueError:
        return f"signal {-code}" if code < 0 else ""
    return name if code < 0 or name in FATAL else ""


def meaning(code: int | None) -> str:
    """Give what the exit code of any command means, as " (…)" to append; "" if it is nothing special."""
    return COMMON.get(code or 0, "")


def pytest_meaning(code: int | None) -> str:
    """Give what pytest's exit status means, as " (…)" to append; "" if it is nothing special."""
    return PYTEST.get(code or 0, "") or meaning(code)


def headline(text: str) -> str:
    """Give the line of a tool's output that says most: the last exception, else the last error, else the last line."""
    lines = [line.strip() for line in _unwrapped(text) if line.strip()]
    lines = [line for line in lines if not line.startswith(("hint:", "note:"))]
    for mark in ("Error: ", "Exception: ", "cause: ", "error: ", "ERROR: "):
        found = [line for line in lines if mark in f"{line} "]
        if found:
            line = found[-1].removeprefix("error: ").removeprefix("cause: ").removeprefix("ERROR: ")
            machine = MACHINE.search(line)  # said first: what comes before it is long paths
            return (f"{machine.group()}: {line}" if machine else line)[:MAX_HEADLINE_LENGTH]
    return lines[-1][:MAX_HEADLINE_LENGTH] if lines else "it failed and said nothing"


def _unwrapped(text: str) -> list[str]:
    """Join what uv wraps: its errors and causes go on in lines that are further in."""
    lines: list[str] = []
    is_cause = False
    for line in text.splitlines():
        if is_cause and line.startswith(CONTINUATION):
            lines[-1] += f" {line.strip()}"
        else:
            is_cause = line.lstrip().startswith(("error: ", "cause: "))
            lines.append(line)
    return lines
