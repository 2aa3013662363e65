"""Calls from several threads."""

import threading

import pytest

from venvgrid.processes.parallel import Vanguard, map_parallel

LONG = 60.0  # seconds: more than any test takes


def test_the_first_caller_goes_alone() -> None:
    """The others begin when it is back, and then all at once."""
    order: list[str] = []
    together = threading.Barrier(3, timeout=LONG)
    vanguard = Vanguard(LONG)

    def work(item: int) -> int:
        order.append("begin")
        if len(order) > 1:
            assert order[1] == "end"
            together.wait()
        order.append("end")
        return item * 2

    found = map_parallel(lambda item: vanguard.call(work, item), range(4), workers=4)
    assert found == [0, 2, 4, 6]


def test_who_follows_does_not_wait_for_ever() -> None:
    """After some seconds the others go too."""
    vanguard, begun, gone = Vanguard(0.01), threading.Event(), threading.Event()

    def work(item: str) -> str:
        if item == "slow":
            begun.set()
            assert gone.wait(LONG)
        else:
            gone.set()
        return item

    first = threading.Thread(target=vanguard.call, args=(work, "slow"))
    first.start()
    assert begun.wait(LONG)
    assert vanguard.call(work, "quick") == "quick"
    first.join(LONG)
    assert not first.is_alive()


def test_a_first_caller_that_fails_holds_nobody_up() -> None:
    """Its error is its own."""
    vanguard = Vanguard(LONG)

    def work(item: int) -> float:
        return 1 / item

    with pytest.raises(ZeroDivisionError):
        vanguard.call(work, 0)
    assert vanguard.call(work, 1) == 1
