"""Lock swaps: which mixes of a green and a red lock may be tried."""

from __future__ import annotations

from venvgrid.analysis.diagnosis.candidates import swaps


def locks(size: int) -> tuple[dict[str, str], dict[str, str]]:
    """Return two locks that differ in `size` distributions, and agree in one."""
    names = [f"p{number:02}" for number in range(size)]
    return dict.fromkeys(["same", *names], "1"), {"same": "1", **dict.fromkeys(names, "2")}


def test_of_few_differences_all_mixes() -> None:
    """Five distributions that differ have 30 mixes besides the two locks."""
    made = swaps({}, *locks(5))
    assert len({item.swapped for item in made}) == len(made) == 30
    assert all(item.packages["same"] == "1" for item in made)


def test_of_many_differences_some_of_each_size() -> None:
    """Of 40, a thousand are chosen: each alone, all but one, and random ones of many sizes."""
    made = swaps({}, *locks(40), most=1000)
    sizes = [len(item.swapped) for item in made]
    assert len({item.name for item in made}) == 1000
    assert sizes.count(1) >= 40
    assert sizes.count(39) >= 40
    assert len(set(sizes)) > 30


def test_equal_locks_give_equal_swaps() -> None:
    """What is random follows from the locks: a search can be done again."""
    assert swaps({}, *locks(30)) == swaps({}, *locks(30))


def test_a_distribution_of_one_lock_only() -> None:
    """Swapping in what the red lock does not have takes it out."""
    made = {item.swapped: item.packages for item in swaps({}, {"a": "1", "b": "1"}, {"a": "2"})}
    assert made == {("a",): {"a": "2", "b": "1"}, ("b",): {"a": "1"}}


def test_the_likeliest_come_first() -> None:
    """Distributions that the failure names lead the order."""
    assert swaps({}, *locks(30), first=("p17", "p03"))[:2] == tuple(
        item for name in ("p17", "p03") for item in swaps({}, *locks(30)) if item.swapped == (name,)
    )
