"""The station: what a worker process does for a cluster. It takes text and gives text, whoever carries it.

execute   a job → its answer. It takes as long as the task; several run at once.
answer    a question → an answer at once: inventory, lacks, put, get, stop, end
"""

from __future__ import annotations

import json
import os
import platform as system
import shutil
import socket
import threading
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from venvgrid.app.cluster import surroundings
from venvgrid.app.cluster.blobs import FOLDER, Blobs
from venvgrid.app.cluster.session import Session
from venvgrid.app.machine import Machine
from venvgrid.app.options import FrontEnd
from venvgrid.model import InfrastructureError, VenvgridError
from venvgrid.model.version import __version__
from venvgrid.processes.diagnosis import MACHINE
from venvgrid.running.executors.remote.jobs import Answer, parse_job, render_answer
from venvgrid.running.executors.remote.machines import Inventory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Any

    from venvgrid.running.executors.remote.jobs import Job

PLACES = "machines"  # in the user's cache: a folder for each worker of this machine
MIN_FREE = 4 << 20  # bytes on the disk of the cache: with less, what tools say of disks is true
WATCH = 2.0  # seconds between two looks whether the running jobs are still wanted


class Station:
    """One worker process. `bound` is the plan that it is for, "" for the first that comes, None for all.

    `say` sends a text to the coordinator. `is_wanted` says of a key of a job whether somebody still waits for it.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        home: Path,
        *,
        slots: int,
        name: str = "",
        bound: str | None = None,
        ends: float = 0.0,
        say: Callable[[str], None] = lambda _text: None,
        is_wanted: Callable[[str], bool] = lambda _key: True,
    ) -> None:
        """Take a folder in the user's cache that no other worker has."""
        self._environ, self._slots, self._bound, self._ends = environ, slots, bound, ends
        self._say, self._is_wanted = say, is_wanted
        self._machine = Machine(front=FrontEnd(environ=environ, notify=lambda _text: None), project=home)
        number, self._lock_of_place, self._place = _free_place(self._machine.cache / PLACES)
        self._name = name or f"{socket.gethostname()}-{number}"
        self._blobs = Blobs(self._machine.cache / FOLDER)
        self._guard, self._slots_free = threading.Condition(), threading.Semaphore(slots)
        self._session: Session | None = None
        self._running: dict[str, str] = {}  # key of the transport → run
        threading.Thread(target=self._watch, name="venvgrid-watch", daemon=True).start()

    def inventory(self) -> Inventory:
        """Return what this machine has."""
        found = self._machine.interpreters.found().interpreters
        return Inventory(
            name=self._name,
            host=socket.gethostname(),
            venvgrid=__version__,
            platform=f"{self._machine.platform} ({system.platform()})",
            cpus=os.cpu_count() or 1,
            memory=surroundings.memory(),
            slots=self._slots,
            interpreters=tuple(found),
            ends=self._ends,
            now=time.time(),
            bound=self._bound or "",
            process=os.getpid(),
            variables=surroundings.digests(self._environ),
        )

    def answer(self, question: str) -> str:
        """Return the answer to a question."""
        try:
            asked = json.loads(question)
            return json.dumps(self._answered(asked))
        except (OSError, VenvgridError, ValueError, KeyError, TypeError) as error:
            return json.dumps({"error": str(error) or repr(error)})

    def _answered(self, asked: Mapping[str, Any]) -> object:
        match asked["op"]:
            case "inventory":
                return json.loads(self.inventory().render())
            case "lacks":
                return {"lacks": self._blobs.lacks(asked["digests"])}
            case "put":
                self._blobs.put(asked["digest"], asked["offset"], asked["data"], last=asked["last"])
                return {}
            case "get":
                return {"data": self._blobs.get(asked["digest"], asked["offset"], asked["size"])}
            case "stop":
                self._stop(asked["run"], urgent=asked["urgent"])
                return {}
            case "end":
                self._end(asked["run"])
                return {}
            case other:
                raise ValueError(f"unknown question {other!r:.80}")

    def execute(self, text: str, key: str = "") -> str:
        """Do a job and return its answer; `key` is its name for `is_wanted`."""
        data = json.loads(text)
        run, attempt = str(data["run"]), int(data["attempt"])
        try:
            with self._guard:
                if not self._is_free_for(run, key):
                    return render_answer(Answer(attempt=attempt, machine=self._name, trouble="another run has it"))
                self._running[key] = run
                if refusal := self._refusal(str(data["plan"])):
                    return render_answer(Answer(attempt=attempt, machine=self._name, refuses=refusal))
                if missing := self._blobs.lacks([data["bundle"]["digest"]]):
                    return render_answer(Answer(attempt=attempt, machine=self._name, needs=tuple(missing)))
                session = self._session_of(run, data["bundle"]["digest"], int(data["together"]))
            job = parse_job(data, session.places)
            if missing := session.lacks(job):
                return render_answer(Answer(attempt=attempt, machine=self._name, needs=tuple(missing)))
            with self._slots_free:  # one job more than slots may be here: it waits
                answer = session.do(job)
            return render_answer(self._checked(answer))
        except (OSError, VenvgridError) as error:
            return render_answer(Answer(attempt=attempt, machine=self._name, trouble=str(error) or repr(error)))
        except Exception:  # noqa: BLE001  (the coordinator tells it)
            return render_answer(Answer(attempt=attempt, machine=self._name, error=traceback.format_exc()[-8000:]))
        finally:
            with self._guard:
                self._running.pop(key, None)
                self._guard.notify_all()

    def _is_free_for(self, run: str, key: str) -> bool:
        """Wait until nothing else works here; return whether the job is still wanted then.

        That is a job of another run, or one of this run that is being stopped: nobody waited for it any more.
        """
        while any(other != run or self._is_stopped for other in self._running.values()):
            self._guard.wait(WATCH)
            if not self._is_wanted(key):
                return False
        return True

    @property
    def _is_stopped(self) -> bool:
        return self._session is not None and self._session.is_stopped

    def _checked(self, answer: Answer) -> Answer:
        """Return an answer, or the trouble of this machine if a full disk may be why the answer is bad.

        What a failed build has written is gone by now. A test may say such words itself: then the disk has to be full.
        """
        text = MACHINE.search(answer.result)
        is_build = answer.result.startswith('{"TaskFailed"')
        if text is None or not (is_build or shutil.disk_usage(self._place).free < MIN_FREE):
            return answer
        return Answer(attempt=answer.attempt, machine=self._name, trouble=f"{text[0]} ({self._place})")

    def _refusal(self, plan: str) -> str:
        """Return why the worker does nothing of a plan: it is for another one; else ""."""
        if self._bound == "":
            self._bound = plan
        if self._bound is not None and self._bound != plan:
            return f"it was started for the plan {self._bound[:20]} alone"
        return ""

    def _session_of(self, run: str, bundle: str, together: int) -> Session:
        """Return the session of a run; that of another run ends, and one that was stopped begins anew."""
        if self._session is not None and self._session.run == run and not self._is_stopped:
            return self._session
        self._close()
        found = self._blobs.find(bundle)
        if found is None:
            raise InfrastructureError(f"{self._name} was not given the project")
        session = Session(
            run=run,
            name=self._name,
            place=self._place,
            blobs=self._blobs,
            together=together,
            environ=self._environ,
            say=self._said,
        )
        session.open(found)
        self._session = session
        return session

    def _said(self, job: Job, event: str) -> None:
        data = {"run": job.run, "key": job.task.key, "attempt": job.attempt, "machine": self._name, "event": event}
        self._say(json.dumps(data))

    def _stop(self, run: str, *, urgent: bool) -> None:
        session = self._session
        if session is not None and session.run == run:
            session.stop(urgent=urgent)

    def _end(self, run: str) -> None:
        with self._guard:
            if self._session is not None and self._session.run == run and run not in self._running.values():
                self._close()

    def _close(self) -> None:
        if self._session is not None:
            self._session.stop(urgent=True)
            with suppress(OSError):
                self._session.close()
            self._session = None

    def _watch(self) -> None:
        """Stop the jobs of a coordinator that is gone: nobody would read what they say."""
        while True:
            time.sleep(WATCH)
            for key, run in tuple(self._running.items()):
                if not self._is_wanted(key):
                    self._stop(run, urgent=False)


def _free_place(folder: Path) -> tuple[int, FileLock, Path]:
    """Return the first folder that no other worker of this machine uses, and the lock that keeps it so."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = 1
    while True:
        lock = FileLock(folder / f"{number}.lock")
        with suppress(Timeout):
            lock.acquire(timeout=0)
            place = folder / str(number)
            place.mkdir(mode=0o700, exist_ok=True)
            return number, lock, place
        number += 1
