"""The host side of a fork server: starts it, and lets it run pytest.

The guest side is `processes/guest/_venvgrid_warm`. The server itself runs under the supervisor, as every command of a
cell does: if venvgrid ends, for whatever reason, nothing of it stays.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.model.values import dataclass
from venvgrid.processes import capture, guests, memory, runner
from venvgrid.processes.children import ending_of
from venvgrid.processes.command import Completed
from venvgrid.processes.parallel import mutex
from venvgrid.processes.supervision import supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from venvgrid.processes.command import Cancellation, Command

TICK = 0.02  # seconds
CONNECTING = 5.0  # seconds
LONGEST = 120.0  # seconds of all imports
PATIENCE = 5000  # ms; many servers are idle for hours
# Read by libraries of linear algebra when they are loaded: with one thread, they start none, and can be forked.
THREADS = ("OPENBLAS", "OMP", "MKL", "BLIS", "NUMEXPR", "GOTO")
SINGLE = {**{f"{name}_NUM_THREADS": "1" for name in THREADS}, "VECLIB_MAXIMUM_THREADS": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Imports:
    """What a server imports. `modules` are names, and whether pytest rewrites their asserts, in order.

    `roots` are the project's, which it never imports; modules come from `places` and the standard library only.
    """

    modules: tuple[tuple[str, bool], ...] = ()
    roots: tuple[str, ...] = ()
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a server says when its imports have ended. `refused` is why it cannot be forked, or "".

    `left` are modules that each run imports itself. `ms` are those of the imports.
    """

    refused: str = ""
    ms: int = 0
    modules: int = 0
    threads: int = 1
    left: tuple[str, ...] = ()


class Server:
    """A running fork server. `folder` is its own, new and with a short path; `close` deletes it."""

    def __init__(self, python: Command, folder: Path, imports: Imports) -> None:
        """Start the server. `python` is the command of an interpreter with its options; its timeout is not applied.

        Raises:
            NotStartedError: it cannot be started.
        """
        self.folder = folder
        argv = (*python.argv, str(guests.WARM), str(folder))
        specification = {
            "modules": [list(pair) for pair in imports.modules],
            "roots": list(imports.roots),
            "places": list(imports.places),
            "argv": list(argv),
        }
        (folder / "warm.json").write_text(json.dumps(specification), encoding="utf-8")
        env = {**python.env, **SINGLE}
        self._child, self._pumps = runner.start(replace(python, argv=argv, env=env, supervised=True))
        for pump in self._pumps:
            pump.patience = PATIENCE
        self._began = time.monotonic()
        self._state: State | None = None
        self._lock = mutex()  # of the child: one thread may close the server while another one waits for it
        self._said: str | None = None  # the last of its output, when it is closed

    def state(self) -> State | None:
        """Return its state, or None while it imports."""
        if self._state is None:
            with suppress(OSError, ValueError):
                found = json.loads((self.folder / "state").read_text(encoding="utf-8"))
                self._state = State(
                    refused=found.get("why", ""),
                    ms=found.get("ms", 0),
                    modules=found.get("modules", 0),
                    threads=found.get("threads", 1),
                    left=tuple(found.get("left", ())),
                )
        return self._state

    def is_alive(self) -> bool:
        """Return whether its process has not ended."""
        return not self._has_ended(0.0)

    def _has_ended(self, timeout: float) -> bool:
        with self._lock:
            return self._said is not None or self._child.wait(timeout)

    def wait(self, cancellation: Cancellation) -> State | None:
        """Return its state when the imports have ended; None if it ended without one, or was cancelled."""
        while self.state() is None and not cancellation.is_set():
            if self._has_ended(TICK):
                return self.state()
            if time.monotonic() - self._began > LONGEST:
                self._state = State(refused=f"its imports take longer than {LONGEST:g} s")
        return self.state()

    def memory(self) -> int:
        """Return the resident bytes of its processes, 0 if unknown."""
        return 0 if self._said is not None else memory.resident_bytes(self._child.pid) or 0

    def close(self) -> str:
        """Kill it with all that it runs; return the last of its output. It may be called again."""
        with self._lock:
            if self._said is None:
                self._child.kill()
                self._child.wait(supervisor.KILL_TIMEOUT)
                self._child.finish()
                self._said = "".join(pump.finish() or "" for pump in self._pumps)
                shutil.rmtree(self.folder, ignore_errors=True)
            return self._said

    def run(
        self,
        command: Command,
        *,
        script: str = "",
        cancellation: Cancellation,
        poll: Callable[[], None],
    ) -> Completed:
        """Run pytest in a fork, as `command` would in a new process; `script` is the file that it starts, if it is one.

        `poll` is called every 20 ms and once after the end. A limit or a cancellation kills it without grace.
        """
        began = time.monotonic()
        if cancellation.is_set():
            return Completed(argv=command.argv, exit_code=None, cancelled=True)
        if command.log is None:
            raise ValueError("a run needs a log")
        sink = capture.Log(command.log, clean=command.clean() if command.clean else None)
        try:
            ending = self._run(command, script, sink, cancellation, poll)
        except OSError as error:
            reason = f"the warm process of the environment is gone: {error.strerror or error}"
            ending = Completed(argv=command.argv, exit_code=None, error=reason)
        finally:
            text = sink.finish()
        poll()
        return replace(ending, duration=time.monotonic() - began, stdout=text)

    def _run(
        self, command: Command, script: str, sink: capture.Log, cancellation: Cancellation, poll: Callable[[], None]
    ) -> Completed:
        with ExitStack() as stack:
            output = self.folder / f"o{time.monotonic_ns():x}"
            os.mkfifo(output, 0o600)
            stack.callback(output.unlink, missing_ok=True)
            reader = os.open(output, os.O_RDONLY | os.O_NONBLOCK)
            stack.callback(os.close, reader)
            line = stack.enter_context(socket.socket(socket.AF_UNIX))
            line.settimeout(CONNECTING)
            line.connect(str(self.folder / "s"))
            line.sendall(_request(command, script, str(output)))
            return _Run(command, line, reader, sink).follow(cancellation, poll)


def _request(command: Command, script: str, output: str) -> bytes:
    request: Mapping[str, object] = {
        "argv": [script or command.argv[0], *command.argv[1:]] if script else _arguments(command.argv),
        "orig_argv": list(command.argv),
        "script": script,
        "cwd": str(command.cwd),
        "env": dict(command.env),
        "output": output,
    }
    return json.dumps(request).encode("ascii") + b"\n"


def _arguments(argv: tuple[str, ...]) -> list[str]:
    """Return the arguments of `python … -m pytest ARGUMENTS`, after a place for the module."""
    return ["-m", *argv[argv.index("-m") + 2 :]]


class _Run:
    """A run while it lasts."""

    def __init__(self, command: Command, line: socket.socket, reader: int, sink: capture.Log) -> None:
        self._command, self._line, self._reader, self._sink = command, line, reader, sink
        self._said = b""
        self._is_over = False
        self._poller = select.poll()
        self._poller.register(line.fileno(), select.POLLIN)
        self._poller.register(reader, select.POLLIN)

    def follow(self, cancellation: Cancellation, poll: Callable[[], None]) -> Completed:
        """Wait for the end and enforce the limits."""
        now = time.monotonic()
        deadline = now + self._command.timeout if self._command.timeout is not None else float("inf")
        sample_at = now if self._command.memory else float("inf")
        cancelled = timed_out = over_memory = False
        while not self._is_over:
            self._wait()
            poll()
            now = time.monotonic()
            if cancelled or timed_out or over_memory:
                continue
            cancelled = cancellation.is_set()
            timed_out = now >= deadline and not cancelled
            if now >= sample_at:
                sample_at = now + memory.SAMPLE_INTERVAL
                over_memory = self._is_too_large()
            if cancelled or timed_out or over_memory:
                with suppress(OSError):
                    self._line.sendall(supervisor.KILL)
        self._drain()
        return replace(self._completed(), cancelled=cancelled, timed_out=timed_out, over_memory=over_memory)

    def _wait(self) -> None:
        for descriptor, event in self._poller.poll(TICK * 1000):
            if descriptor == self._reader:
                self._read()
                if not event & select.POLLIN:  # nobody writes any more
                    self._poller.unregister(self._reader)
            else:
                data = self._line.recv(4096)
                self._said += data
                self._is_over = not data or (b"ended " in self._said and data.endswith(b"\n"))

    def _read(self) -> bool:
        """Take output; return whether there was any."""
        with suppress(BlockingIOError):
            data = os.read(self._reader, capture.CHUNK)
            self._sink.write(data)
            return bool(data)
        return False

    def _drain(self) -> None:
        for _ in range(capture.DRAIN_LIMIT // capture.CHUNK):
            if not self._read():
                break

    def _is_too_large(self) -> bool:
        words = self._said.split()
        pid = int(words[1]) if len(words) > 1 else 0
        return bool(pid and (memory.resident_bytes(pid) or 0) > (self._command.memory or 0))

    def _completed(self) -> Completed:
        messages = {line.split()[0]: line.split()[1:] for line in self._said.splitlines() if line}
        if b"ended" not in messages:
            raise ConnectionResetError("it ended before the tests did")
        status, leaked = map(int, messages[b"ended"])
        ending = ending_of(os.waitstatus_to_exitcode(status), leaked)
        return Completed(
            argv=self._command.argv, exit_code=ending.exit_code, signal=ending.signal, leaked=ending.leaked
        )
