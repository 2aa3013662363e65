"""Executables that are no Pythons but whose file says what a Python would, and a `run` that reads them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvgrid.interpreters.query import BEGIN, END
from venvgrid.model import Interpreter
from venvgrid.processes.command import Completed

if TYPE_CHECKING:
    from venvgrid.processes.command import Command


def interpreter(version: str = "3.12.1", **traits: Any) -> Interpreter:
    """Make an interpreter of this version."""
    fields: dict[str, Any] = {
        "executable": f"/pythons/{version}/bin/python",
        "implementation": "cpython",
        "free_threaded": False,
        "debug": False,
        "bits": 64,
        "platform": "linux-x86_64",
        "cache_tag": "",
        "markers": {"sys_platform": "linux"},
        "source": "pyenv",
    }
    return Interpreter(version=version, **{**fields, **traits})


def describe(path: Path | str, version: str, **traits: Any) -> dict[str, Any]:
    """Give what query.py prints for a Python at `path`."""
    item = interpreter(version, **{"executable": str(path), **traits.pop("fields", {})})
    return {
        "executable": item.executable,
        "version": item.version,
        "implementation": item.implementation,
        "free_threaded": item.free_threaded,
        "debug": item.debug,
        "bits": item.bits,
        "platform": item.platform,
        "cache_tag": item.cache_tag,
        "markers": dict(item.markers),
        "prefix": traits.pop("prefix", str(Path(path).parent)),
    }


def add(path: Path, version: str = "3.12.1", *, script: bool = False, **says: Any) -> Path:
    """Put a Python there. `says` overrides its answer: stdout, stderr, exit_code, timed_out, starts, fields, traits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"version": version, **says})
    path.write_text(f"#!shim\n{text}" if script else text, encoding="utf-8")
    path.chmod(0o755)
    return path


@dataclass
class FakeRun:
    """A runner that answers for the executables made by `add`; `started` holds the commands, in order."""

    started: list[Command] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The executables that were started."""
        return [command.argv[0] for command in self.started]

    def __call__(self, command: Command) -> Completed:
        """Answer as the file says."""
        self.started.append(command)
        path = command.argv[0]
        says = json.loads(Path(os.path.realpath(path)).read_text(encoding="utf-8").removeprefix("#!shim\n"))
        reported = says.get("starts", path)
        data = describe(reported, says["version"], fields=says.get("fields", {}), **says.get("traits", {}))
        return Completed(
            argv=command.argv,
            exit_code=None if says.get("timed_out") or says.get("signal") else says.get("exit_code", 0),
            timed_out=says.get("timed_out", False),
            signal=says.get("signal", ""),
            stdout=says.get("stdout", f"{says.get('banner', '')}\n{BEGIN}{json.dumps(data)}{END}\n"),
            stderr=says.get("stderr", ""),
        )
