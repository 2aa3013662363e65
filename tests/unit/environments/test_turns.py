"""Whose links move the ctimes of cached files."""

from pathlib import Path

from venvgrid.environments.package_cache.turns import NAME, Turns
from venvgrid.processes.parallel import map_parallel


def test_alone_nobody_else_was_here(tmp_path: Path) -> None:
    """A second turn of the same process is no other process."""
    turns = Turns(tmp_path / "trees")
    turns.take()
    turns.take()
    assert not turns.were_others_here()


def test_threads_of_one_process_are_not_others(tmp_path: Path) -> None:
    """Cells that are built side by side take their first turn together; none mistakes another for a process."""
    for index in range(50):
        turns = Turns(tmp_path / str(index))
        map_parallel(Turns.take, [turns] * 8)
        assert not turns.were_others_here()


def test_another_process_is_seen_even_after_our_next_turn(tmp_path: Path) -> None:
    """Both see each other, and neither forgets it when it writes its name again."""
    ours, theirs = Turns(tmp_path), Turns(tmp_path)
    ours.take()
    theirs.take()
    ours.take()
    assert ours.were_others_here()
    assert theirs.were_others_here()


def test_processes_that_ended_before_do_not_count(tmp_path: Path) -> None:
    """The name of an earlier process is replaced at our first turn."""
    Turns(tmp_path).take()
    turns = Turns(tmp_path)
    turns.take()
    assert not turns.were_others_here()


def test_a_name_that_is_gone_may_hide_others(tmp_path: Path) -> None:
    """Without the file nothing is known, so nothing is claimed."""
    turns = Turns(tmp_path)
    turns.take()
    (tmp_path / NAME).unlink()
    assert turns.were_others_here()
