"""The door to the notifications of the system: a thread that posts to which paths something happened."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from venvgrid.app.watching.messages import Touched
from venvgrid.model import InfrastructureError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from venvgrid.app.watching.messages import Message

STEP = 40  # ms without a further change after which changes are told: an editor writes a file in several steps
LONGEST = 400  # ms after which they are told in any case
FOREVER = 2**31 - 1  # ms


class Waker:
    """Watches folders, without those below them. A context manager: its end stops the thread."""

    def __init__(self, post: Callable[[Message], None]) -> None:
        """Begin without folders; `post` is called from a thread."""
        self._post, self._folders = post, frozenset[str]()
        self._stop, self._thread = threading.Event(), threading.Thread()

    def follow(self, folders: Iterable[str]) -> bool:
        """Watch these folders from now on; return whether they are others than before.

        Raises:
            UsageError: watchfiles is not installed.
            InfrastructureError: the system cannot watch so many.
        """
        wanted = frozenset(folders)
        if wanted == self._folders:
            return False
        try:
            # The wrapper around it makes its watch when it is first asked: what happened before would be lost.
            from watchfiles._rust_notify import RustNotify  # noqa: PLC0415  (an extra)
        except ImportError:
            raise UsageError('watch needs the package watchfiles; type: pip install "venvgrid[watch]"') from None
        try:
            notify = RustNotify(sorted(wanted), False, False, 0, False, True)  # noqa: FBT003  (it takes no names)
        except OSError as error:
            reason = f"{len(wanted)} folders cannot be watched: {error}"
            raise InfrastructureError(f"{reason}; on Linux, raise fs.inotify.max_user_watches") from error
        stop = threading.Event()

        def listen() -> None:
            with notify:
                while not isinstance(found := notify.watch(LONGEST, STEP, FOREVER, stop), str):
                    self._post(Touched(paths=frozenset(path for _, path in found)))

        self._end()  # there is no moment without a watch
        self._folders, self._stop = wanted, stop
        self._thread = threading.Thread(target=listen, name="venvgrid-watch", daemon=True)
        self._thread.start()
        return True

    def _end(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the thread."""
        self._end()
