"""`venvgrid worker`: this machine takes part in the runs of a scheduler."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.cluster import certificates, surroundings
from venvgrid.config.values import BadValueError, duration
from venvgrid.model import ExitStatus, InfrastructureError, UsageError
from venvgrid.processes.parallel import usable_cpus

if TYPE_CHECKING:
    import argparse

    from venvgrid.cli.terminal import Terminal

MARGIN = 30.0  # seconds before the end of a batch job in which nothing begins


def main(arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Be a worker until the scheduler is gone."""
    certificates.check_installed()
    from venvgrid.app.cluster import dask_worker  # noqa: PLC0415  (it needs the extra)

    security = certificates.security(Path(arguments.certificates) if arguments.certificates else None)
    certificates.check_address(arguments.address, has_certificates=security is not None)
    ends = surroundings.walltime(terminal.environ)
    if arguments.lifetime:
        try:
            ends = time.time() + duration(arguments.lifetime)
        except BadValueError as error:
            raise UsageError(f"--lifetime: {error}") from error
    serving = dask_worker.serve(
        arguments.address,
        security,
        slots=arguments.slots or usable_cpus(),
        name=arguments.name or "",
        bound=None if arguments.any_plan else _plan(arguments.plan),
        ends=max(0.0, ends - MARGIN),
        lifetime=0.0,
        ready=terminal.message,
    )
    try:
        asyncio.run(serving)
    except OSError as error:
        raise InfrastructureError(f"no scheduler answers at {arguments.address}: {error}") from error
    return ExitStatus.PASSED


def _plan(given: str | None) -> str:
    """Return the digest of a plan that is given as a file or a digest, "" for the first that comes."""
    if not given or not Path(given).is_file():
        return given or ""
    from venvgrid.results import plan_file  # noqa: PLC0415

    return plan_file.read(Path(given)).digest
