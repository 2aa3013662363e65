"""The machines of a cluster before a run has anything for them: who they are, and that they may take part."""

from __future__ import annotations

import functools
import json
import queue
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from venvgrid.model import InfrastructureError
from venvgrid.model.version import __version__
from venvgrid.running.executors.remote.cluster import Listener
from venvgrid.running.executors.remote.machines import parse_inventory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from venvgrid.running.executors.remote.cluster import Cluster
    from venvgrid.running.executors.remote.machines import Inventory

TRANSFERS = 8  # machines that are asked, or served with files, at a time
TICK = 1.0  # seconds


class Fleet:
    """The machines of a cluster that may take part in the run of a plan. Only one thread does what `inbox` holds."""

    def __init__(self, cluster: Cluster, notify: Callable[[str], None], plan: str = "") -> None:
        """Begin to listen."""
        self.cluster, self.notify, self.plan = cluster, notify, plan
        self.inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.said: Callable[[str, str], None] = lambda _address, _text: None
        self.came: Callable[[str, Inventory], None] = self._note
        self.lost: Callable[[str], None] = self._drop
        self.machines: dict[str, Inventory] = {}
        self._there: dict[str, int] = {}  # addresses that were not lost → how often they came
        self.pool = ThreadPoolExecutor(max_workers=TRANSFERS, thread_name_prefix="venvgrid-transfer")
        cluster.start(Listener(came=self._came, lost=self._lost, said=self._say))

    def wait(self, count: int, patience: float, *, cancelled: Callable[[], bool]) -> Mapping[str, Inventory]:
        """Return the machines, as soon as there are `count`.

        Raises:
            InfrastructureError: there are fewer after `patience` seconds.
        """
        until = time.monotonic() + patience
        while len(self.machines) < count and not cancelled():
            if time.monotonic() > until:
                there = len(self.machines)
                more = f"{there} of {count} machines" if there else "no machine"
                raise InfrastructureError(
                    f"{more} came in {patience:.0f} seconds; start one with: venvgrid worker ADDRESS"
                )
            with_timeout(self.inbox)
        return self.machines

    def close(self) -> None:
        """Leave the cluster."""
        self.pool.shutdown(wait=False, cancel_futures=True)  # a machine that is silent is not waited for
        self.cluster.close()

    def _came(self, address: str) -> None:
        self.inbox.put(lambda: self._arrived(address))

    def _arrived(self, address: str) -> None:
        if address not in self._there:  # a cluster may tell of it twice
            self._there[address] = time.monotonic_ns()
            self.pool.submit(self._ask_inventory, address, self._there[address])

    def _ask_inventory(self, address: str, visit: int) -> None:
        """Ask a machine what it has; it takes part if it is still there then."""

        def tell(text: str) -> None:
            self.inbox.put(functools.partial(self.notify, f"warning: {text}: it gets no cell"))

        try:
            text = self.cluster.ask(address, json.dumps({"op": "inventory"}))
            version = json.loads(text).get("venvgrid", "of another version")
            if version != __version__:
                tell(f"{json.loads(text).get('name', address)} has venvgrid {version}, this is {__version__}")
                return
            found = parse_inventory(text)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            tell(f"{address} does not say what it has ({error!r:.300})")
            return
        if found.bound and self.plan and found.bound != self.plan:
            tell(f"{found.name} was started for another plan ({found.bound[:20]})")
            return
        self.inbox.put(lambda: self.came(address, found) if self._there.get(address) == visit else None)

    def _lost(self, address: str) -> None:
        self.inbox.put(lambda: self._left(address))

    def _left(self, address: str) -> None:
        if self._there.pop(address, None) is not None:
            self.lost(address)

    def _say(self, address: str, text: str) -> None:
        self.inbox.put(lambda: self.said(address, text))

    def _note(self, address: str, found: Inventory) -> None:
        self.machines[address] = found

    def _drop(self, address: str) -> None:
        self.machines.pop(address, None)


def with_timeout(inbox: queue.SimpleQueue[Callable[[], None]]) -> None:
    """Do the next message, if one comes in time."""
    try:
        message = inbox.get(timeout=TICK)
    except queue.Empty:
        return
    message()
