"""What runs in a worker of Dask: two functions that are sent by their names, and the process of `venvgrid worker`.

A plain `dask worker` can do it as well (as dask-jobqueue and dask-kubernetes start them): it makes its station with the
first question.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from venvgrid.app.cluster import surroundings
from venvgrid.app.cluster.station import Station

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Security, Worker

TOPIC = "venvgrid"  # of what stations say while a job runs
_GUARD = threading.Lock()
_STATIONS: dict[str, Station] = {}  # by the worker's id: LocalCluster may have several in a process
HASH_SEED = 6640  # `distributed.nanny` sets it, whatever its settings say
QUIET = 100  # above CRITICAL: what the engine logs, the coordinator tells in words
SPARE = 2  # threads besides those of the slots: a job that only says what it needs never waits


def execute(text: str, key: str) -> str:
    """Do a job in a thread of a worker and return its answer; `key` is that of the task."""
    from distributed import get_worker  # noqa: PLC0415

    return station_of(get_worker()).execute(text, key)


async def answer(question: str, dask_worker: Worker) -> str:
    """Return the answer to a question, from a thread beside those of the jobs."""
    return await asyncio.to_thread(lambda: station_of(dask_worker).answer(question))


def station_of(worker: Worker, **options: Any) -> Station:
    """Return the station of a worker; it is made when first asked for."""
    with _GUARD:
        if worker.id not in _STATIONS:
            _STATIONS[worker.id] = Station(
                surroundings.without(os.environ, _given_by_engine(worker)),
                Path.cwd(),
                say=partial(_say, worker),
                is_wanted=partial(_is_wanted, worker),
                **{"slots": worker.state.nthreads, "ends": surroundings.walltime(os.environ), "bound": None, **options},
            )
        return _STATIONS[worker.id]


def _given_by_engine(worker: Worker) -> dict[str, object]:
    """Return the variables that a nanny gives its workers: threads of numeric libraries, and a seed of hashes."""
    import dask  # noqa: PLC0415

    if worker.nanny is None:
        return {}
    before, plain = (dask.config.get(f"distributed.nanny.{name}", {}) for name in ("pre-spawn-environ", "environ"))
    return {**before, **plain, "PYTHONHASHSEED": HASH_SEED}


def _say(worker: Worker, text: str) -> None:
    worker.log_event(TOPIC, json.dumps([worker.address, text]))


def _is_wanted(worker: Worker, key: str) -> bool:
    """Return whether a task was not cancelled; the coordinator's end cancels all of them."""
    task = worker.state.tasks.get(key)
    return task is not None and task.state in {"executing", "long-running"}


async def serve(
    address: str,
    security: Security | None,
    *,
    slots: int,
    lifetime: float,
    ready: Callable[[str], None],
    **options: Any,
) -> None:
    """Be a worker until the scheduler is gone, or nothing more may begin."""
    from distributed import Worker  # noqa: PLC0415

    logging.getLogger("distributed").setLevel(QUIET)
    async with Worker(
        address,
        nthreads=slots + SPARE,
        security=security,
        memory_limit=0,
        dashboard=False,
        dashboard_address="127.0.0.1:0",  # of the page of its health
        death_timeout=60,
        lifetime=lifetime or None,
        resources={},
    ) as worker:
        station = station_of(worker, slots=slots, **options)
        ready(describe(station))
        await worker.finished()


def describe(station: Station) -> str:
    """Return the inventory of a worker for people."""
    found = station.inventory()
    names = ", ".join(
        f"{'' if item.implementation == 'cpython' else item.implementation}{item.version}"
        for item in found.interpreters
    )
    memory = f", {found.memory / 2**30:.0f} GiB" if found.memory else ""
    return (
        f"{found.name}: {found.slots} at once, {found.cpus} CPUs{memory}, {found.platform}\n"
        f"  Pythons: {names or 'none'}"
    )
