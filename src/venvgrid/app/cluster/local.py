"""A cluster of processes on this machine: `--on dask`. It begins and ends with the run."""

from __future__ import annotations

import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.app.cluster import certificates
from venvgrid.app.cluster.dask_cluster import DaskCluster
from venvgrid.processes import runner
from venvgrid.processes.command import Cancellation, Command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from distributed import LocalCluster

QUIET = 100  # above CRITICAL: what a closed connection says is of no use to anybody
SHORT, MAX_SHORT = 5.0, 3  # seconds of a worker's life, and how many may be so short in a row
FOREVER = 10 * 365 * 86400.0  # seconds


class LocalDask(DaskCluster):
    """A scheduler in this process, and `count` workers of one slot each. They are reached by TLS on loopback only."""

    def __init__(self, count: int, environ: Mapping[str, str]) -> None:
        """Start all of them; each says itself when it is there."""
        from distributed import LocalCluster  # noqa: PLC0415

        self._folder = Path(tempfile.mkdtemp(prefix="venvgrid-cluster-"))
        certificates.make(self._folder)
        security = certificates.security(self._folder)
        self._cluster: LocalCluster = LocalCluster(
            n_workers=0,
            processes=False,
            host="127.0.0.1",
            protocol="tls",
            security=security,
            dashboard_address="127.0.0.1:0",  # of the page of its health: there is no dashboard
            scheduler_kwargs={"dashboard": False},
            silence_logs=QUIET,
        )
        address = self._cluster.scheduler_address
        super().__init__(address, security)
        self._ending = Cancellation()
        self._pool = ThreadPoolExecutor(max_workers=count, thread_name_prefix="venvgrid-worker")
        command = (sys.executable, "-m", "venvgrid", "worker", address, "--slots", "1", "--any-plan")
        started = Command(
            argv=(*command, "--certificates", str(self._folder)),
            cwd=self._folder,
            env=dict(environ),
            timeout=FOREVER,
            supervised=True,
        )
        for _ in range(count):
            self._pool.submit(self._keep, started)

    def _keep(self, command: Command) -> None:
        """Run a worker, and another one after it if it dies, until the end; one that cannot even begin is given up."""
        short = 0
        while not self._ending.is_set() and short < MAX_SHORT:
            done = runner.run(command, cancellation=self._ending)
            short = short + 1 if done.duration < SHORT else 0

    def close(self) -> None:
        """End the workers and the scheduler."""
        super().close()
        self._ending.set()
        self._pool.shutdown(wait=True)
        self._cluster.close(timeout=5)
        shutil.rmtree(self._folder, ignore_errors=True)
