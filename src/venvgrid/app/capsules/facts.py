"""Facts of a machine and of an interpreter that may explain why a test fails on one machine and not on another."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.processes import guests
from venvgrid.processes.command import Command
from venvgrid.processes.parallel import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from venvgrid.processes.command import Runner

BEGIN, END = "<<venvgrid-facts:", ":venvgrid-facts>>"
TIMEOUT = 20.0  # seconds
# Names of services by a variable that each sets.
SERVICES = {
    "GITHUB_ACTIONS": "GitHub Actions",
    "GITLAB_CI": "GitLab CI",
    "TF_BUILD": "Azure Pipelines",
    "BUILDKITE": "Buildkite",
    "CI": "CI",
}
# Facts that an interpreter tells of the machine, not of itself.
OF_MACHINE = ("libc", "locale", "encoding", "filesystem-encoding", "timezone")


def of_interpreter(executable: str, environ: Mapping[str, str], run: Runner) -> dict[str, str]:
    """Return what an interpreter tells of itself and of its machine, with these variables; {} if it does not answer."""
    command = Command(
        argv=(executable, "-B", "-s", "-S", str(guests.FACTS)), cwd=guests.FOLDER, env=environ, timeout=TIMEOUT
    )
    text = run(command).stdout
    start, end = text.rfind(BEGIN), text.rfind(END)
    if 0 <= start < end:
        with suppress(ValueError, AttributeError):
            told = json.loads(text[start + len(BEGIN) : end])
            return {str(name): str(value) for name, value in told.items() if value}
    return {}


def of_machine(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the facts of this machine, by name; unknown ones are left out."""
    user = getattr(os, "geteuid", lambda: None)()
    found = {
        "system": platform.system(),
        "distribution": _distribution(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "cpu": _cpu(),
        "cpus": str(usable_cpus()),
        "user": "" if user is None else "not root" if user else "root",
        "zone": _zone(),
        "service": next((told for name, told in SERVICES.items() if environ.get(name)), ""),
    }
    return {name: value for name, value in found.items() if value}


def _distribution() -> str:
    with suppress(OSError, AttributeError):
        told = platform.freedesktop_os_release()
        return told.get("PRETTY_NAME") or told["NAME"]
    return platform.mac_ver()[0] if sys.platform == "darwin" else platform.version() if os.name == "nt" else ""


def _cpu() -> str:
    with suppress(OSError, UnicodeDecodeError):
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        found = re.search(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", text, re.MULTILINE)
        if found:
            return " ".join(found[1].split())
    return platform.processor()


def _zone() -> str:
    """Return the time zone of the machine, "Europe/Berlin"."""
    with suppress(OSError):
        return os.path.realpath("/etc/localtime").rpartition("zoneinfo/")[2].removeprefix("/etc/localtime")
    return ""
