"""`venvgrid scheduler`: where workers and runs meet."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from venvgrid.app.cluster import certificates
from venvgrid.model import ExitStatus, InfrastructureError

if TYPE_CHECKING:
    import argparse

    from distributed import Security

    from venvgrid.cli.terminal import Terminal

QUIET = 100  # above CRITICAL
LOST = "60s"  # without a word from a worker
TTL = "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL"  # the engine's own variable for it


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Serve until Ctrl-C; make the certificates if their folder has none."""
    certificates.check_installed()
    address = arguments.address
    folder = Path(arguments.certificates) if arguments.certificates else None
    certificates.check_address(address, has_certificates=folder is not None)
    if folder is not None and not certificates.exist(folder):
        certificates.make(folder)
        terminal.message(f"{folder} has the certificates now; copy it to each machine, and keep it from others")
    try:
        asyncio.run(_serve(address, certificates.security(folder), terminal))
    except OSError as error:
        raise InfrastructureError(f"{address}: {error}") from error
    return ExitStatus.PASSED


async def _serve(address: str, security: Security | None, terminal: Terminal) -> None:
    import dask  # noqa: PLC0415  (it needs the extra)
    from distributed import Scheduler  # noqa: PLC0415

    logging.getLogger("distributed").setLevel(QUIET)
    dask.config.set({"distributed.scheduler.worker-ttl": terminal.environ.get(TTL, LOST)})
    parts = urlsplit(address)
    async with Scheduler(
        host=parts.hostname,
        port=parts.port or 0,
        protocol=parts.scheme,
        security=security,
        dashboard=False,
        dashboard_address="127.0.0.1:0",
    ) as scheduler:
        terminal.message(f"the scheduler is at {scheduler.address}")
        terminal.message(f"on each machine: venvgrid worker {scheduler.address} --certificates FOLDER")
        await scheduler.finished()
