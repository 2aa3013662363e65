"""Placement: which machine gets which task, and what becomes of tasks whose machine is lost."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machinery import build, check, keep, machine

from venvgrid import testing
from venvgrid.running.executors.remote import placement
from venvgrid.running.executors.remote.placement import Placement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from venvgrid.running.executors.remote.machines import Inventory
    from venvgrid.running.executors.remote.members import Item
    from venvgrid.running.tasks import Task


class Clock:
    """Seconds as the test says."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def make(machines: Iterable[Inventory], tasks: Iterable[Task] = (), seconds: float = 0.0) -> Placement:
    """Make a placement; the address of a machine is its name."""
    made = Placement(lambda _task: seconds, Clock())
    for item in machines:
        made.came(item.name, item)
    for task in tasks:
        made.add(task)
    return made


def sent(made: Placement) -> dict[str, str]:
    """Assign what can be assigned: task → machine."""
    return {item.item.task.key: item.address for item in made.assign()}


def kill(made: Placement, address: str, *, begun: bool = True) -> list[str]:
    """Lose a machine after its tasks began; return those that are to blame."""
    for key in tuple(made.members[address].sent):
        if begun:
            made.begun(address, key)
    return [item.task.key for item in made.lost(address)]


def test_a_test_goes_where_its_environment_was_built() -> None:
    """Of two free machines, the one that built an environment gets its tests."""
    made = make([machine("m1", 2), machine("m2", 2)], [build("a", "w")])
    (home,) = sent(made).values()
    made.done(home, build("a", "w").key, is_home=True)
    made.add(check("a", "w"))
    made.add(check("b", "w"))
    assert set(sent(made).values()) == {home}


def test_a_machine_that_would_be_idle_takes_a_test_from_a_full_home() -> None:
    """A test does not wait for its home while another machine has a free slot."""
    made = make([machine("m1"), machine("m2")], [build("a", "w")])
    (home,) = sent(made).values()
    made.done(home, build("a", "w").key, is_home=True)
    for name in "ab":
        made.add(check(name, "w"))
    assert set(sent(made).values()) == {"m1", "m2"}


def test_a_build_that_failed_or_could_not_begin_makes_no_home() -> None:
    """Only an environment that is there counts; bytecode of one that is nowhere is an orphan."""
    made = make([machine("m1"), machine("m2")], [build("a")])
    (first,) = sent(made).values()
    made.back(first, build("a").key)
    (second,) = sent(made).values()
    made.done(second, build("a").key)
    made.add(keep("a"))
    assert [task.key for task in made.orphans()] == [keep("a").key]


def test_a_test_that_has_to_be_alone_stays_on_its_machine() -> None:
    """It waits for the machine where its environment is, even while others are idle."""
    made = make([machine("m1"), machine("m2")], [build("a")])
    (home,) = sent(made).values()
    made.done(home, build("a").key, is_home=True)
    made.add(check("x"))
    made.add(check("y"))
    busy = sent(made)
    assert set(busy.values()) == {"m1", "m2"}
    made.add(check("a", alone=True))
    assert sent(made) == {}
    made.done(home, next(key for key, address in busy.items() if address == home))
    assert sent(made) == {check("a").key: home}


def test_tasks_go_where_their_interpreter_is() -> None:
    """A task never goes to a machine without its very interpreter; what nobody has is hopeless."""
    old, nowhere = testing.interpreter("3.9.1"), testing.interpreter("3.8.1")
    made = make(
        [machine("m1", 9), machine("m2", 1, interpreters=(old,))],
        [check("a", python=old), check("b", python=nowhere), check("c")],
    )
    assert sent(made) == {"test:a": "m2", "test:c": "m1"}
    assert [task.key for task in made.hopeless()] == ["test:b"]


def test_a_machine_gets_one_task_in_advance_while_many_wait() -> None:
    """Slots, and one more only if more than twice as many tasks wait: the last tasks go to whoever is free."""
    few = make([machine("m1", 2)], [check(str(n)) for n in range(4)])
    assert len(sent(few)) == 2
    many = make([machine("m1", 2)], [check(str(n)) for n in range(5)])
    assert len(sent(many)) == 3
    assert sent(many) == {}


def test_nobody_is_blamed_for_a_task_that_had_not_begun() -> None:
    """What waited on a machine that was lost runs again beside others; what ran there runs again alone."""
    made = make([machine("m1", 2), machine("m2", 2)], [check(name) for name in "abcd"])
    assert len(sent(made)) == 4
    here = sorted(made.members["m1"].sent)
    made.begun("m1", here[0])
    assert made.lost("m1") == []
    for key in tuple(made.members["m2"].sent):
        made.done("m2", key)
    first = sent(made)
    assert first == {here[0]: "m2"}, "the suspect is alone"
    made.done("m2", here[0])
    assert sent(made) == {here[1]: "m2"}


def test_a_task_that_kills_three_machines_alone_is_guilty_and_its_neighbours_are_not() -> None:
    """Of tasks that ran together on a machine that died, only that which kills again alone is named, with machines."""
    made = make([machine(f"m{n}", 3) for n in range(9)], [])
    for name in ("killer", "a", "b"):
        made.add(check(name))
    guilty: list[str] = []
    ended: set[str] = set()
    while not guilty:
        sent(made)
        dead = next((at for at, item in made.members.items() if "test:killer" in item.sent), None)
        assert dead is not None
        for address, member in tuple(made.members.items()):
            for key in tuple(member.sent):
                made.begun(address, key)
                if address != dead:
                    ended.add(str(made.done(address, key)))
        guilty = [item.task.key for item in made.lost(dead)]
    assert guilty == ["test:killer"]
    assert len({item.task.key for item in (*made._waiting, *made._suspects)}) + len(ended) == 2  # noqa: SLF001


def test_a_suspect_stays_one_if_its_next_machine_never_begins_it() -> None:
    """It is alone again, and not among others: another death would blame those."""
    made = make([machine("m1"), machine("m2", 2), machine("m3", 2)], [check("s")])
    (first,) = sent(made).values()
    kill(made, first)
    (second,) = sent(made).values()
    kill(made, second, begun=False)
    (third,) = made.members
    made.add(check("a"))
    assert sent(made) == {"test:s": third}
    made.back(third, "test:s")
    assert sent(made) == {"test:s": third}


def test_a_suspect_is_not_starved_by_work_that_goes_on() -> None:
    """One machine is emptied for it, the same one until it is empty, whatever ends meanwhile elsewhere."""
    made = make([machine("m0"), machine("m1", 2), machine("m2", 2)], [check("s")])
    made.lost("m1")
    made.came("m1", machine("m1", 2))
    sent(made)
    where = next(at for at, item in made.members.items() if "test:s" in item.sent)
    for number in range(40):
        made.add(check(f"n{number}"))
    sent(made)
    kill(made, where)
    for turn in range(12):
        if any(list(item.sent) == ["test:s"] for item in made.members.values()):
            break
        members = list(made.members.values())
        member = members[turn % len(members)]
        made.done(member.address, next(iter(member.sent), ""))
        sent(made)
    assert any(list(item.sent) == ["test:s"] for item in made.members.values())


def test_a_host_whose_workers_die_again_and_again_is_drained_if_there_is_another() -> None:
    """Three deaths in ten minutes: nothing more is sent there; the only host goes on."""
    two = make([machine("w1", host="h"), machine("w2", host="h"), machine("w3", host="h"), machine("other")])
    one = make([machine("w1", host="h"), machine("w2", host="h"), machine("w3", host="h"), machine("w4", host="h")])
    for made in (two, one):
        for number in range(9):
            made.add(check(str(number)))
        for number in (1, 2, 3):
            sent(made)
            kill(made, f"w{number}")
    assert list(two.drained) == ["h"]
    assert one.drained == {}


def test_deaths_that_are_far_apart_drain_no_host() -> None:
    """The third death in ten minutes counts, not the third in a day."""
    made = make([machine(f"w{n}", host="h") for n in (1, 2, 3)] + [machine("other")], map(check, "abcdefghi"))
    clock = made._clock  # noqa: SLF001
    assert isinstance(clock, Clock)
    for number in (1, 2, 3):
        sent(made)
        kill(made, f"w{number}")
        clock.now += placement.CRASH_TIME
    assert made.drained == {}


def test_nothing_is_begun_that_cannot_end() -> None:
    """A machine with 100 seconds left gets no task of 60: twice the expected time must be there."""
    made = make([machine("m1", ends=1100.0, now=1000.0)], [check("a")], seconds=60.0)
    assert sent(made) == {}
    assert [task.key for task in made.hopeless()] == ["test:a"]
    made.came("m2", machine("m2", ends=1121.0, now=1000.0))
    assert sent(made) == {"test:a": "m2"}


def test_the_clock_of_a_machine_may_be_wrong() -> None:
    """What is left to it is counted by its own clock, and then by ours."""
    made = make([machine("m1", ends=5e9 + 200.0, now=5e9)], [check("a")], seconds=60.0)
    assert sent(made) == {"test:a": "m1"}


def test_a_batch_system_that_takes_a_machine_blames_no_task() -> None:
    """A machine that is lost at the end of its time was not killed: its tasks are no suspects, its host not drained."""
    made = make([machine("m1", 2, ends=1100.0, now=1000.0)], [check("a"), check("b")])
    assert len(sent(made)) == 2
    made._clock.now = 100.0  # type: ignore[attr-defined]  # noqa: SLF001
    assert kill(made, "m1") == []
    made.came("m2", machine("m2", 2))
    assert len(sent(made)) == 2, "neither is alone"


def test_a_machine_in_trouble_gets_nothing_more_after_three_times() -> None:
    """A full disk is no fault of tasks: they go elsewhere; the machine with its reason is named."""
    made = make([machine("bad"), machine("good")], [check(name) for name in "abcdef"])
    while "bad" not in made.drained:
        sent(made)
        for key in tuple(made.members["bad"].sent):
            assert made.trouble("bad", key, "No space left on device") == []
        for key in tuple(made.members["good"].sent):
            made.done("good", key)
    assert made.drained["bad"] == "bad gets nothing more: No space left on device"
    assert set(sent(made).values()) <= {"good"}


def test_a_task_waits_for_a_machine_that_has_not_failed_it() -> None:
    """The machine in trouble is free sooner than the good one: a task that it could not do is not sent there again."""
    made = make([machine("bad"), machine("good")], [check("a"), check("b")])
    places = sent(made)
    (unlucky,) = (key for key, address in places.items() if address == "bad")
    assert made.trouble("bad", unlucky, "No space left on device") == []
    assert sent(made) == {}
    for key in tuple(made.members["good"].sent):
        made.done("good", key)
    assert sent(made) == {unlucky: "good"}


def test_one_task_in_trouble_drains_no_machine() -> None:
    """It may be the task itself: it is given up in the end, and its machine goes on."""
    made = make([machine("m1")], [check("a")])
    for number in range(placement.MAX_TRIES):
        assert sent(made) == {"test:a": "m1"}
        assert bool(made.trouble("m1", "test:a", "No space left on device")) is (number == placement.MAX_TRIES - 1)
    assert made.drained == {}


def test_a_success_between_troubles_counts() -> None:
    """Only troubles one after the other drain a machine."""
    made = make([machine("m1")], [check(str(n)) for n in range(9)])
    for _ in range(4):
        (key,) = list(sent(made))[:1] or list(made.members["m1"].sent)[:1]
        made.trouble("m1", key, "x")
        for other in tuple(sent(made)) + tuple(made.members["m1"].sent):
            made.done("m1", other)
    assert made.drained == {}


def test_a_task_that_no_machine_can_do_is_given_up() -> None:
    """Trouble on whatever machines ends a task with what the last one said, not as a crash."""
    made = make([machine(f"m{n}") for n in range(9)], [check("a")])
    given_up: list[Item] = []
    machines = []
    while not given_up:
        ((key, address),) = sent(made).items()
        machines.append(address)
        given_up = made.trouble(address, key, "cannot")
    assert (given_up[0].trouble, given_up[0].deaths) == ("cannot", 0)
    assert len(set(machines)) == len(machines) == placement.MAX_TRIES, "a machine that could not is not asked again"


def test_a_machine_that_is_announced_twice_keeps_its_tasks() -> None:
    """A second word of the same machine takes nothing back: else its answers would be strangers."""
    made = make([machine("m1")], [check("a")])
    sent(made)
    made.came("m1", machine("m1"))
    assert made.sent("m1", "test:a") is not None


class World:
    """Machines that die, answer and fail at random; it checks what must always hold."""

    def __init__(self, chance: random.Random, tasks: list[Task], killers: set[str]) -> None:
        self.random, self.killers, self.born = chance, killers, 0
        self.made, self.ended = make([], tasks), list[str]()
        self.losses, self.troubles = chance.randrange(12), chance.randrange(6)

    def come(self) -> None:
        self.born += 1
        self.made.came(f"m{self.born}", machine(f"m{self.born}", self.random.randrange(1, 4), host=f"h{self.born % 3}"))

    def step(self) -> None:
        if not self.made._usable() or self.random.random() < 0.1:  # noqa: SLF001
            self.come()
        for _ in self.made.assign():
            pass
        self.check()
        busy = [(at, key) for at, member in self.made.members.items() for key in member.sent]
        if not busy:
            return
        address, key = self.random.choice(busy)
        self.made.begun(address, key)
        if key in self.killers or (self.losses > 0 and self.random.random() < 0.2):
            self.losses -= 1
            self.ended += [item.task.key for item in self.made.lost(address)]
        elif self.troubles > 0 and self.random.random() < 0.2:
            self.troubles -= 1
            self.ended += [item.task.key for item in self.made.trouble(address, key, "trouble")]
        elif self.random.random() < 0.1:
            self.made.back(address, key)
        elif self.made.done(address, key, is_home=self.random.random() < 0.9):
            self.ended.append(key)

    def check(self) -> None:
        for member in self.made.members.values():
            assert len(member.sent) <= member.inventory.slots + 1
            if any(item.suspect for item in member.sent.values()):
                assert len(member.sent) == 1
        keys = [key for member in self.made.members.values() for key in member.sent]
        assert len(keys) == len(set(keys)), "one task on two machines"


@settings(max_examples=150)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 14), kills=st.integers(0, 2))
def test_whatever_comes_and_is_lost_each_task_ends_once(seed: int, count: int, kills: int) -> None:
    """Law: each task ends exactly once; no machine has more than its slots and one; a suspect has no neighbour."""
    tasks: list[Task] = [(build if n % 3 == 0 else check)(str(n), str(n % 4)) for n in range(count)]
    tasks = list({task.key: task for task in tasks}.values())
    world = World(random.Random(seed), tasks, {f"test:{n}" for n in range(kills)})
    for _ in range(4000):
        if len(world.ended) >= len(tasks):
            break
        world.step()
    assert sorted(world.ended) == sorted(task.key for task in tasks)


@pytest.mark.parametrize("count", [0, 1])
def test_slots_are_those_of_usable_machines(count: int) -> None:
    """A drained machine counts for nothing."""
    made = make([machine("m1", 2), machine("m2", 3)])
    if count:
        made.refuse("m2", "x")
    assert made.slots == (2 if count else 5)
