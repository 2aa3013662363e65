"""A server outside of all cells."""

from __future__ import annotations

import socket
import threading


class Answering:
    """A server on this machine that gives its text to whoever connects."""

    def __init__(self, text: str) -> None:
        """Begin to answer."""
        self.text = text
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while self.text:
            connection, _ = self.listener.accept()
            with connection:
                connection.sendall(self.text.encode())

    def close(self) -> None:
        """Answer no more."""
        self.text = ""
        socket.create_connection(("127.0.0.1", self.port)).close()
        self.thread.join()
        self.listener.close()
