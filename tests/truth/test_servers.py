"""What tests ask of servers: a cell that asked another than its own is not kept, whatever Python and process asked."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from answering import Answering
from rig import HERE, results

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Command, Write

pytestmark = pytest.mark.e2e

OLD = ("2.7", "3.7")  # they have no audit hook: other code tells


@pytest.fixture
def server() -> Iterator[Answering]:
    with closing(Answering("1")) as answering:
        yield answering


def matrix(pythons: dict[str, str]) -> str:
    there = [HERE, *(version for version in OLD if version in pythons)]
    return f'[project]\ninstall = "none"\n[axes]\npython = {there}\n'


def told(root: Path) -> list[dict[str, Any]]:
    return list(results(root)["cells"])


def doubts(root: Path) -> list[str]:
    return [note for cell in told(root) for note in cell["notes"] if "not kept" in note]


@pytest.mark.parametrize("child", [False, True])
def test_another_server_is_no_input(
    venvgrid: Command, project: Write, pythons: dict[str, str], server: Answering, *, child: bool
) -> None:
    """What it answers may change: the cell says so, is not kept, and is red as soon as the answer is another."""
    asking = f"import socket; assert socket.create_connection(('localhost', {server.port})).recv(9) == b'1'"
    started = f'subprocess.check_call([sys.executable, "-c", "{asking}"], env={{}})'
    test = f"import subprocess, sys\n\n\ndef test_it():\n    {started if child else asking}\n"
    root = project(matrix(pythons), {"tests/test_demo.py": test})
    ended = venvgrid("run", "-q", cwd=root)
    assert ended.status == 0, ended.out + ended.err
    assert doubts(root) == [f"connected to 127.0.0.1:{server.port}, outside of the cell: not kept"] * len(told(root))
    server.text = "2"
    assert venvgrid("run", "-q", cwd=root).status == 1
    assert {cell["outcome"] for cell in told(root)} == {"failed"}


OWN = '''
    import socket
    import subprocess
    import sys
    import threading

    CHILD = """
    import socket
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(1)
    print(server.getsockname()[1])
    sys.stdout.flush()
    server.accept()[0].sendall(b"1")
    threading.Event().wait()
    """.replace("\\n    ", "\\n")


    def asked(address, family=socket.AF_INET):
        client = socket.socket(family)
        client.connect(address)
        assert client.recv(9) == b"1"
        client.close()


    def served(address, family=socket.AF_INET):
        server = socket.socket(family)
        server.bind(address)
        server.listen(1)

        def answer():
            connection = server.accept()[0]
            connection.sendall(b"1")
            connection.close()

        threading.Thread(target=answer).start()
        asked(server.getsockname(), family)
        server.close()


    def test_a_thread(tmpdir):
        served(("127.0.0.1", 0))
        served(("", 0))
        served(str(tmpdir.join("s")), socket.AF_UNIX)


    def test_a_child_that_is_killed():
        code = "import sys, threading" + CHILD
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        asked(("localhost", int(child.stdout.readline())))
        child.kill()
        child.wait()


    def test_datagrams_and_names():
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 0))
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.sendto(b"1", server.getsockname())
        assert server.recvfrom(9)[0] == b"1"
        socket.getaddrinfo("localhost", 80)
        socket.getfqdn()


    def test_a_port_that_was_free():
        finder = socket.socket()
        finder.bind(("127.0.0.1", 0))
        address = finder.getsockname()
        finder.close()
        served(address)
'''


def test_a_cells_own_servers_are_no_doubt(venvgrid: Command, project: Write, pythons: dict[str, str]) -> None:
    """In a thread, in a child that is killed, by datagrams, by a path, at a port that was free: the cell is kept."""
    root = project(matrix(pythons), {"tests/test_demo.py": OWN})
    ended = venvgrid("run", "-q", cwd=root)
    assert ended.status == 0, ended.out + ended.err
    assert doubts(root) == []
    assert venvgrid("run", "-q", cwd=root).status == 0
    assert all(cell["cached"] for cell in told(root))
