"""Windows job objects: descendants of a process belong to its job, and the job ends with its creator.

`kernel32` and `ntdll` are parameters, so that the logic can be tested on any platform.
See https://learn.microsoft.com/windows/win32/procthread/job-objects.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from typing import TYPE_CHECKING, Any

from venvgrid.processes.children import Ending, ending_of, wait_until
from venvgrid.processes.supervision import supervisor

if TYPE_CHECKING:
    from collections.abc import Callable

    from venvgrid.processes.children import Handle

CREATE_SUSPENDED = 0x00000004
CREATE_NEW_PROCESS_GROUP = 0x00000200
CTRL_BREAK_EVENT = 1

_BASIC_ACCOUNTING = 1
_EXTENDED_LIMITS = 9
_KILL_ON_JOB_CLOSE = 0x00002000


class _BasicLimits(ctypes.Structure):
    _fields_ = (
        ("PerProcessUserTimeLimit", ctypes.c_int64),
        ("PerJobUserTimeLimit", ctypes.c_int64),
        ("LimitFlags", ctypes.c_uint32),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", ctypes.c_uint32),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", ctypes.c_uint32),
        ("SchedulingClass", ctypes.c_uint32),
    )


class _ExtendedLimits(ctypes.Structure):
    _fields_ = (
        ("BasicLimitInformation", _BasicLimits),
        ("IoInfo", ctypes.c_uint64 * 6),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    )


class _Accounting(ctypes.Structure):
    _fields_ = (
        ("Times", ctypes.c_int64 * 4),
        ("TotalPageFaultCount", ctypes.c_uint32),
        ("TotalProcesses", ctypes.c_uint32),
        ("ActiveProcesses", ctypes.c_uint32),
        ("TotalTerminatedProcesses", ctypes.c_uint32),
    )


class Job:
    """A job object that kills its processes when it is closed, also by the death of venvgrid.

    Raises:
        OSError: it cannot be created.
    """

    def __init__(self, kernel32: Any = None, ntdll: Any = None) -> None:
        self._kernel32 = kernel32 if kernel32 is not None else _library("kernel32")
        self._ntdll = ntdll if ntdll is not None else _library("ntdll")
        self._kernel32.CreateJobObjectW.restype = ctypes.c_void_p
        handle = self._kernel32.CreateJobObjectW(None, None)
        self._handle = ctypes.c_void_p(handle)
        if not handle:
            raise OSError("cannot make a job object")
        limits = _ExtendedLimits()
        limits.BasicLimitInformation.LimitFlags = _KILL_ON_JOB_CLOSE
        size = ctypes.sizeof(limits)
        if not self._kernel32.SetInformationJobObject(self._handle, _EXTENDED_LIMITS, ctypes.byref(limits), size):
            self.close()
            raise OSError("cannot set the limits of a job object")

    def assign(self, process: int) -> None:
        """Assign a process (a handle), created with CREATE_SUSPENDED, to the job and resume it.

        Raises:
            OSError: it cannot be assigned and stays suspended, or cannot be resumed.
        """
        handle = ctypes.c_void_p(process)
        if not self._kernel32.AssignProcessToJobObject(self._handle, handle):
            raise OSError("cannot put the process into a job object")
        if self._ntdll.NtResumeProcess(handle) != 0:
            raise OSError("cannot resume the process")

    def active_processes(self) -> int:
        """Return the number of running processes of the job."""
        numbers = _Accounting()
        size = ctypes.sizeof(numbers)
        self._kernel32.QueryInformationJobObject(self._handle, _BASIC_ACCOUNTING, ctypes.byref(numbers), size, None)
        return int(numbers.ActiveProcesses)

    def terminate(self) -> None:
        """Kill every process of the job."""
        self._kernel32.TerminateJobObject(self._handle, 1)

    def close(self) -> None:
        """Close the job, which kills its remaining processes."""
        self._kernel32.CloseHandle(self._handle)


class JobChild:
    """A command in a Windows job object, to which all of its descendants belong."""

    def __init__(self, process: Handle, job: Job) -> None:
        self._process = process
        self._job = job

    @property
    def pid(self) -> int:
        """See `Child`."""
        return int(self._process.pid)

    def wait(self, timeout: float) -> bool:
        """See `Child`."""
        return wait_until(lambda: self._process.poll() is not None, timeout)

    def terminate(self) -> None:
        """See `Child`: sends Ctrl-Break, the one signal that a Windows process group can get."""
        with contextlib.suppress(OSError, ValueError):
            self._process.send_signal(CTRL_BREAK_EVENT)

    def kill(self) -> None:
        """See `Child`."""
        self._job.terminate()

    def finish(self) -> Ending:
        """See `Child`."""
        code = self._process.poll()
        wait_until(lambda: self._job.active_processes() == 0, 0.0 if code is None else supervisor.LEAK_GRACE)
        leaked = self._job.active_processes()
        self._job.terminate()
        self._job.close()
        return Ending(signal="SIGKILL") if code is None else ending_of(code, leaked, platform="win32")


def start(popen: Callable[..., Any], job: Job | None = None) -> tuple[Any, JobChild]:
    """Start a process in a job: `popen` takes `creationflags` and returns a `subprocess.Popen`.

    Raises:
        OSError: it cannot be started, or not in a job; then it does not run.
    """
    job = job or Job()
    try:
        process = popen(creationflags=CREATE_NEW_PROCESS_GROUP | CREATE_SUSPENDED)
    except (OSError, ValueError):
        job.close()
        raise
    try:
        job.assign(int(process._handle))  # noqa: SLF001 - Popen's only access to it
    except OSError:
        process.kill()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        process.wait()
        job.close()
        raise
    return process, JobChild(process, job)


def _library(name: str) -> Any:
    if sys.platform != "win32":
        raise OSError("job objects exist on Windows only")
    return ctypes.WinDLL(name, use_last_error=True)
