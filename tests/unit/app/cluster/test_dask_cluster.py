"""Dask as a cluster: what its client does when workers die at the wrong moment."""

from __future__ import annotations

import asyncio
import queue
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("distributed", reason="needs the extra dask: pip install 'venvgrid[dask]'")

from venvgrid.app.cluster.dask_cluster import DaskCluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIMIT = 30.0  # seconds; only a hang waits so long


class Future:
    """A job of the engine: `fetch` is how its result comes."""

    status = "finished"

    def __init__(self, fetch: Callable[[], Any]) -> None:
        self.fetch, self.released = fetch, False
        self.waiting: asyncio.Task[Any] | None = None

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self.callback = callback

    async def result(self) -> Any:
        self.waiting = asyncio.current_task()
        return await self.fetch()

    def cancel(self) -> None:
        self.status = "cancelled"

    def release(self) -> None:
        self.released = True


class Client:
    """A client of the engine, whose jobs are given by the test."""

    def __init__(self, futures: list[Future], loop: asyncio.AbstractEventLoop) -> None:
        self.futures, self._loop, self.loop = futures, loop, self

    def submit(self, *_arguments: Any, **_options: Any) -> Future:
        return self.futures.pop(0)

    def add_callback(self, work: Callable[..., Any], *arguments: Any) -> None:
        asyncio.run_coroutine_threadsafe(work(*arguments), self._loop)


@contextmanager
def a_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:

        async def end() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), loop).result(LIMIT)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def never() -> str:
    await asyncio.Event().wait()
    return "it came"


async def at_once() -> str:
    return "answer"


async def gone() -> str:
    raise OSError("the worker is gone")


def cluster_of(loop: asyncio.AbstractEventLoop, *futures: Future) -> DaskCluster:
    """Make a cluster that has connected."""
    made = DaskCluster.__new__(DaskCluster)
    vars(made).update(_client=Client([*futures], loop), _futures={})
    return made


def test_an_answer_that_went_with_its_worker_blocks_no_other() -> None:
    """The engine has one thread for all callbacks: none of them waits for a result."""
    with a_loop() as loop:
        lost, fine = Future(never), Future(at_once)
        made = cluster_of(loop, lost, fine)
        answers: queue.Queue[tuple[str, str | None]] = queue.Queue()
        made.send("tcp://w", "lost", "{}", lambda text: answers.put(("lost", text)))
        made.send("tcp://w", "fine", "{}", lambda text: answers.put(("fine", text)))
        lost.callback(lost)
        fine.callback(fine)
        assert answers.get(timeout=LIMIT) == ("fine", "answer")
        made.forget("lost")
    assert answers.empty(), "a job that was given up is not answered"


@pytest.mark.parametrize("status", ["finished", "error"])
def test_a_job_without_an_answer_is_said(status: str) -> None:
    """Whoever waits for it is told that there is none."""
    with a_loop() as loop:
        future = Future(gone)
        future.status = status
        made = cluster_of(loop, future)
        answers: queue.Queue[str | None] = queue.Queue()
        made.send("tcp://w", "job", "{}", answers.put)
        future.callback(future)
        assert answers.get(timeout=LIMIT) is None
    assert future.released
