"""The coordinator's side of a run on many machines: it connects, chooses interpreters, and makes the executor."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.app.cluster import bundle, certificates, surroundings
from venvgrid.app.cluster.blobs import hash_of
from venvgrid.interpreters import specs
from venvgrid.interpreters.selection import short
from venvgrid.reporters import text
from venvgrid.running.executors.remote.executor import RemoteExecutor
from venvgrid.running.executors.remote.fleet import Fleet
from venvgrid.running.executors.remote.machines import identity
from venvgrid.running.executors.remote.parcel import Parcel
from venvgrid.storage import digests

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from venvgrid.app.cluster.dask_cluster import DaskCluster
    from venvgrid.app.context import RunContext
    from venvgrid.model import Interpreter
    from venvgrid.running.executors.base import Executor
    from venvgrid.running.executors.remote.jobs import Blob
    from venvgrid.running.executors.remote.machines import Identity, Inventory

LOCAL = "dask"
COMING = 120.0  # seconds in which the machines that were asked for must come


@contextmanager
def connected(context: RunContext) -> Iterator[Fleet]:
    """Connect to the cluster of a run and wait for its machines.

    Raises:
        UsageError: the address is wrong, or the extra is missing.
        InfrastructureError: nothing answers, or no machine comes.
    """
    certificates.check_installed()
    options, notify = context.options, context.front.notify
    cluster: DaskCluster
    if options.on == LOCAL:
        from venvgrid.app.cluster.local import LocalDask  # noqa: PLC0415  (it needs the extra)

        cluster, wanted = LocalDask(options.workers, context.machine.environ), options.workers
    else:
        from venvgrid.app.cluster.dask_cluster import DaskCluster  # noqa: PLC0415

        security = certificates.security(options.certificates)
        certificates.check_address(options.on, has_certificates=security is not None, others=LOCAL)
        cluster, wanted = DaskCluster(options.on, security), options.machines
    fleet = Fleet(cluster, notify, plan_of(context))
    try:
        fleet.wait(wanted, COMING, cancelled=context.machine.cancellation.is_set)
        told(fleet.machines.values(), surroundings.digests(context.machine.environ), notify=notify)
        yield fleet
    finally:
        fleet.close()


def plan_of(context: RunContext) -> str:
    """Return what workers may be bound to: the plan of the run, else its configuration."""
    return context.options.plan_digest or f"config:{context.config.digest}"


def told(machines: Iterable[Inventory], here: Collection[str], *, notify: Callable[[str], None]) -> None:
    """Say which machines take part, and what of their variables is not as `here`: tests get those of their machine."""
    found = list(machines)
    slots = sum(item.slots for item in found)
    hosts = Counter(item.host for item in found)
    names = ", ".join(f"{name} ({count})" if count > 1 else name for name, count in hosts.items())
    notify(f"{len(found)} workers for {slots} cells at once: {names}")
    unlike: dict[tuple[str, ...], list[str]] = {}
    for item in found:
        if names_of := surroundings.differing(here, item.variables):
            unlike.setdefault(tuple(names_of), []).append(item.name)
    for which, others in unlike.items():
        notify(f"note: on {text.some(others, 8)}, tests get other values than here of {', '.join(which)}")


def interpreters(
    values: Iterable[str], fleet: Fleet, here: Iterable[Interpreter], root: Path
) -> dict[str, Interpreter | str]:
    """Return the interpreter of each value of the python axis on the machines, or the reason why none has it.

    One that is here as well is named as it is here: what it resolves and builds is done here. Of two builds that fit,
    the better one is taken, as at home, and of equal ones that which most machines have.
    """
    mine = {identity(item): item for item in here}
    there: dict[Identity, Interpreter] = {}
    for machine in fleet.machines.values():
        for item in machine.interpreters:
            there.setdefault(identity(item), replace(item, executable=f"{machine.host}:{item.executable}"))
    known = [mine.get(key, item) for key, item in there.items()]
    names = ", ".join(sorted({short(item) for item in known}, key=str)) or "none"
    found: dict[str, Interpreter | str] = {}
    for value in values:
        try:
            spec = specs.parse_spec(value, root=root)
        except ValueError as error:
            found[value] = str(error)
            continue
        if spec.path:
            found[value] = (
                f"{spec.title}: an interpreter of a path cannot be found on other machines; write its version"
            )
            continue
        chosen = specs.choose(spec, known)
        found[value] = chosen or f"no machine of the cluster has {spec.title}; they have {names}"
    return found


class Files:
    """The files that machines ask for, by their digests."""

    def __init__(self) -> None:
        """Begin without any."""
        self._paths: dict[str, Path] = {}
        self._wheels: dict[Path, Blob] = {}

    def add(self, blob: Blob, path: Path) -> Blob:
        """Add a file."""
        self._paths[blob.digest] = path
        return blob

    def find(self, digest: str) -> Path:
        """Return the file of a digest. Raises OSError if there is none."""
        if digest not in self._paths:
            raise OSError(f"{digest[:12]} is no file of this run")
        return self._paths[digest]

    def wheel(self, path: Path) -> Blob:
        """Return the name of a wheel, which is read once."""
        if path not in self._wheels:
            self._wheels[path] = self.add(hash_of(path), path)
        return self._wheels[path]


def executor(context: RunContext, fleet: Fleet, local: Executor, run: str, folder: Path) -> RemoteExecutor:
    """Return the executor of a run; `folder` takes what the machines send."""
    files = Files()
    place = folder / "bundle.tar"
    made = bundle.make(context, place)
    files.add(made.blob, made.path)

    def placed(name: str) -> Path:
        target = folder / name
        if not os.path.realpath(target).startswith(f"{os.path.realpath(folder)}{os.sep}"):
            raise OSError(f"a machine sends a file for another place: {name}")
        return target

    parcel = Parcel(
        run=f"{run}-{digests.of_text(made.blob.digest + str(os.getpid()), 8)}",
        plan=fleet.plan,
        bundle=made.blob,
        places=made.places,
        place=placed,
        files=files.find,
        wheel=files.wheel,
        expected={name: earlier.seconds for name, earlier in context.history.items()},
        here=frozenset(item.executable for item in context.machine.interpreters.found().interpreters),
    )
    return RemoteExecutor(fleet, local, parcel)
