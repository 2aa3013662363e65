"""Windows job objects, with a Windows made by hand."""
# ruff: noqa: SIM300, N802, ARG002 - expected == actual; the names and parameters are those of Windows

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from venvgrid.processes import windows_job
from venvgrid.processes.children import Ending


class Kernel:
    """kernel32 and ntdll: one job with some processes."""

    def __init__(self, *, assigns: bool = True, alive: int = 0) -> None:
        self.assigns, self.alive = assigns, alive
        self.calls: list[str] = []
        self.limits = b""
        self.CreateJobObjectW = _CreateJob(self)

    def SetInformationJobObject(self, job: Any, kind: int, data: Any, size: int) -> int:
        self.calls.append("limit")
        self.limits = ctypes.string_at(data, size)
        return 1

    def AssignProcessToJobObject(self, job: Any, process: Any) -> int:
        self.calls.append(f"assign {process.value}")
        return int(self.assigns)

    def NtResumeProcess(self, process: Any) -> int:
        self.calls.append(f"resume {process.value}")
        return 0

    def QueryInformationJobObject(self, job: Any, kind: int, data: Any, size: int, _: None) -> int:
        data._obj.ActiveProcesses = self.alive  # noqa: SLF001 - what byref was made of
        return 1

    def TerminateJobObject(self, job: Any, code: int) -> int:
        self.calls.append("terminate")
        self.alive = 0
        return 1

    def CloseHandle(self, job: Any) -> int:
        self.calls.append("close")
        return 1


class _CreateJob:
    restype: Any = None

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def __call__(self, security: None, name: None) -> int:
        self.kernel.calls.append("create")
        return 7


class Process:
    """A Popen that has been started suspended."""

    pid = 100
    _handle = 42
    stdout = stderr = None

    def __init__(self, code: int | None = None) -> None:
        self.code = code
        self.calls: list[str] = []

    def poll(self) -> int | None:
        """Return the exit code."""
        return self.code

    def send_signal(self, sig: int) -> None:
        """Remember it."""
        self.calls.append(f"signal {sig}")

    def kill(self) -> None:
        """Remember it."""
        self.calls.append("kill")

    def wait(self) -> None:
        """Remember it."""
        self.calls.append("wait")


def start(kernel: Kernel, process: Process) -> tuple[windows_job.JobChild, list[int]]:
    """Start the process in a job of this Windows; give the flags that it was started with, too."""
    flags: list[int] = []

    def popen(*, creationflags: int) -> Process:
        flags.append(creationflags)
        return process

    _, child = windows_job.start(popen, windows_job.Job(kernel, kernel))
    return child, flags


def test_process_runs_only_in_its_job() -> None:
    """A process is made suspended, put into a job that dies with us, and only then let run: no child can escape."""
    kernel = Kernel()
    _, flags = start(kernel, Process())
    assert ["create", "limit", "assign 42", "resume 42"] == kernel.calls
    assert [windows_job.CREATE_SUSPENDED | windows_job.CREATE_NEW_PROCESS_GROUP] == flags
    assert (0x2000).to_bytes(4, "little") == kernel.limits[16:20]  # LimitFlags: JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE


def test_process_that_cannot_be_put_into_a_job() -> None:
    """Then it is killed, still suspended, and the job closed."""
    kernel, process = Kernel(assigns=False), Process()
    with pytest.raises(OSError, match="cannot put the process into a job object"):
        start(kernel, process)
    assert (["kill", "wait"], "close") == (process.calls, kernel.calls[-1])


def test_process_that_cannot_be_started() -> None:
    """Then no job is left open."""
    kernel = Kernel()

    def popen(*, creationflags: int) -> Process:
        raise FileNotFoundError(creationflags)

    with pytest.raises(FileNotFoundError):
        windows_job.start(popen, windows_job.Job(kernel, kernel))
    assert ["create", "limit", "close"] == kernel.calls


def test_leftovers_are_killed_and_counted() -> None:
    """What still runs in the job when its process has ended is counted and killed, and the job is closed."""
    kernel = Kernel(alive=3)
    child, _ = start(kernel, Process(code=5))
    assert Ending(exit_code=5, leaked=3) == child.finish()
    assert ["terminate", "close"] == kernel.calls[-2:]


def test_asking_and_killing() -> None:
    """A process is asked by Ctrl-Break; killing ends the whole job."""
    kernel, process = Kernel(), Process()
    child, _ = start(kernel, process)
    child.terminate()
    child.kill()
    assert (["signal 1"], "terminate") == (process.calls, kernel.calls[-1])
    assert child.wait(0.0) is False


def test_death_by_an_exception_is_named() -> None:
    """An access violation is no exit code but has a name."""
    child, _ = start(Kernel(), Process(code=0xC0000005))
    assert Ending(signal="ACCESS_VIOLATION") == child.finish()
