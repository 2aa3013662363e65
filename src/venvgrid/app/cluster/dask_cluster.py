"""Dask as a cluster: jobs are tasks with one place each, and nothing but text is sent.

The only other user of the library is `dask_worker`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from venvgrid.app.cluster import dask_worker
from venvgrid.model import InfrastructureError

if TYPE_CHECKING:
    from distributed import Client, Future, Security

    from venvgrid.running.executors.remote.cluster import Answered, Listener

QUIET = 100  # above CRITICAL: what the engine logs, the executor tells in words
CONNECT = 20.0  # seconds
ASK = 60.0


class DaskCluster:
    """The workers of one scheduler."""

    def __init__(self, address: str, security: Security | None) -> None:
        """Connect.

        Raises:
            InfrastructureError: nothing answers there.
        """
        from distributed import Client  # noqa: PLC0415

        for name in ("distributed", "tornado"):
            logging.getLogger(name).setLevel(QUIET)
        try:
            self._client: Client = Client(
                address, security=security, timeout=CONNECT, set_as_default=False, name="venvgrid"
            )
        except (OSError, TimeoutError) as error:
            raise InfrastructureError(f"no scheduler answers at {address}: {error}") from error
        self._futures: dict[str, Future[Any]] = {}

    def start(self, listener: Listener) -> None:
        """Tell of workers and of what they say."""
        self._listener = listener
        self._client.subscribe_topic("all", self._happened)
        self._client.subscribe_topic(dask_worker.TOPIC, self._said)
        for address in self._client.scheduler_info(n_workers=-1)["workers"]:
            listener.came(address)

    def _happened(self, event: tuple[float, Any]) -> None:
        _time, message = event
        if not isinstance(message, dict):
            return
        if message.get("action") == "add-worker":
            self._listener.came(message["worker"])
        elif message.get("action") == "remove-worker":
            self._listener.lost(message["worker"])

    def _said(self, event: tuple[float, str]) -> None:
        address, text = json.loads(event[1])
        self._listener.said(address, text)

    def send(self, address: str, key: str, job: str, answered: Answered) -> None:
        """Submit a task for one worker."""
        future = self._client.submit(
            dask_worker.execute, job, key, key=key, workers=[address], allow_other_workers=False, pure=False, retries=0
        )
        self._futures[key] = future

        # The thread of callbacks is one for all: it must not wait for a worker, which may be gone by now.
        loop: Any = self._client.loop  # a loop of tornado
        future.add_done_callback(lambda ended: loop.add_callback(self._collect, key, ended, answered))

    async def _collect(self, key: str, ended: Future[Any], answered: Answered) -> None:
        """Fetch the answer of a job; if it went with its worker, the engine would do the job again, and wait for it."""
        text: str | None = None
        if ended.status == "finished":
            with suppress(Exception, asyncio.CancelledError):
                text = str(await asyncio.wait_for(ended.result(), ASK))
        if self._futures.pop(key, None) is not None and ended.status != "cancelled":
            answered(text)
        ended.release()

    def forget(self, key: str) -> None:
        """Cancel a task."""
        future = self._futures.pop(key, None)
        if future is not None:
            future.cancel()

    def ask(self, address: str, question: str) -> str:
        """Ask a worker beside its tasks."""
        try:
            # In the thread of the client, where `run` can be given a time limit.
            answers = self._client.sync(
                self._client.run, dask_worker.answer, question, workers=[address], callback_timeout=ASK
            )
            return str(answers[address])
        except Exception as error:
            raise OSError(f"it does not answer ({error!r:.200})") from error

    def close(self) -> None:
        """Leave the scheduler."""
        for key in tuple(self._futures):
            self.forget(key)
        self._client.close(timeout=5)
