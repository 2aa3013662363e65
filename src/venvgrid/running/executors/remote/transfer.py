"""Files to machines and back, in pieces of text: each machine gets each content once."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from venvgrid.running.executors.remote.cluster import Cluster
    from venvgrid.running.executors.remote.jobs import Blob

PUT, GET = 1 << 20, 256 << 10  # bytes of a piece


class Transfer:
    """Sends files to the machines of a cluster, and fetches theirs. `files` finds the file of a digest here."""

    def __init__(self, cluster: Cluster, files: Callable[[str], Path]) -> None:
        """Begin with nothing on its way."""
        self._cluster, self._files = cluster, files
        self._locks: dict[str, threading.Lock] = {}  # by host: its workers share a cache
        self._guard = threading.Lock()

    def push(self, address: str, host: str, digests: Iterable[str]) -> None:
        """Give a machine the contents that it lacks.

        Raises:
            OSError: it does not answer, or a file cannot be read.
        """
        with self._guard:
            lock = self._locks.setdefault(host, threading.Lock())
        with lock:
            wanted = list(dict.fromkeys(digests))
            for digest in self._ask(address, op="lacks", digests=wanted)["lacks"]:
                self._put(address, digest)

    def _put(self, address: str, digest: str) -> None:
        with self._files(digest).open("rb") as stream:
            offset = 0
            while True:
                piece = stream.read(PUT)
                data = base64.b64encode(piece).decode("ascii")
                self._ask(address, op="put", digest=digest, offset=offset, data=data, last=len(piece) < PUT)
                offset += len(piece)
                if len(piece) < PUT:
                    return

    def fetch(self, address: str, blob: Blob) -> bytes:
        """Return a content that a machine has made.

        Raises:
            OSError: it does not answer, or what it sends is something else.
        """
        parts: list[bytes] = []
        while sum(map(len, parts)) < blob.size:
            offset = sum(map(len, parts))
            answer = self._ask(address, op="get", digest=blob.digest, offset=offset, size=GET)
            piece = base64.b64decode(answer["data"])
            if not piece:
                break
            parts.append(piece)
        content = b"".join(parts)
        if hashlib.sha256(content).hexdigest() != blob.digest:
            raise OSError(f"{address} has not the file {blob.digest[:12]} any more")
        return content

    def _ask(self, address: str, **question: object) -> dict[str, str]:
        answer: dict[str, str] = json.loads(self._cluster.ask(address, json.dumps(question)))
        if error := answer.get("error"):
            raise OSError(f"{address}: {error}")
        return answer
