"""The executor of one machine: threads that wait for child processes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from venvgrid.running.executors.base import Deliver, Finished, Slots

if TYPE_CHECKING:
    from collections.abc import Callable

    from venvgrid.processes.command import Cancellation
    from venvgrid.running.executors.base import Post
    from venvgrid.running.tasks import Task, TaskResult


class ThreadExecutor:
    """Does tasks with `execute` in a pool of threads. `cancellation` stops the commands of all tasks."""

    def __init__(self, execute: Callable[[Task, Post], TaskResult], slots: Slots, cancellation: Cancellation) -> None:
        """Begin with no thread: the pool starts one when a task comes."""
        self.slots = slots
        self._execute, self._cancellation = execute, cancellation
        self._pool = ThreadPoolExecutor(max_workers=slots.cpu + slots.network, thread_name_prefix="venvgrid")

    def submit(self, task: Task, deliver: Deliver) -> None:
        """Start a task in a thread."""
        self._pool.submit(self._run, task, deliver)

    def _run(self, task: Task, deliver: Deliver) -> None:
        try:
            result: TaskResult | Exception = self._execute(task, deliver)
        except Exception as error:  # noqa: BLE001  (a bug: the loop raises it)
            result = error
        deliver(Finished(task, result))

    def cancel(self, *, urgent: bool) -> None:
        """Stop the commands of all tasks; `urgent`: kill them."""
        if not self._cancellation.is_set():
            self._cancellation.set()
        if urgent and not self._cancellation.is_urgent():
            self._cancellation.set()

    def close(self) -> None:
        """Wait for all threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)
