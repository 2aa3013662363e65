"""Sessions of watch: what begins a round, what ends one, and what wakes nothing."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import factories

from venvgrid.app.watching import watched
from venvgrid.app.watching.holding import PATIENCE
from venvgrid.app.watching.messages import Ended, Finished, Planned, Pressed, Touched
from venvgrid.app.watching.session import Filters, Session, Wanted
from venvgrid.model import Outcome
from venvgrid.model.result import Footprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from venvgrid.analysis.watching.standing import Standing
    from venvgrid.app.watching.messages import Message

    Script = list[Message | Callable[[], None]]


DONE: Any = (None, None, None)  # nothing looks into it here


@dataclass
class FakeRound:
    """A round that does nothing; `log` gets what is done to it."""

    wanted: Wanted
    log: list[str]

    def cancel(self) -> None:
        """Record it."""
        self.log.append(f"cancel {self.wanted.number}")


@dataclass
class Stage:
    """A session with a script: each step is a message, or what to do before the next one."""

    project: Path
    script: deque[Message | Callable[[], None]]
    answers: deque[str | None] = field(default_factory=deque)
    rounds: list[Wanted] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)

    def next(self) -> Message:
        """Return the next message of the script; at its end the user quits."""
        while self.script:
            step = self.script.popleft()
            if not callable(step):
                return step
            step()
        return Pressed(key="q")

    def begin(self, wanted: Wanted) -> FakeRound:
        """Begin a round."""
        self.rounds.append(wanted)
        return FakeRound(wanted, self.log)

    def take(self) -> watched.Watched:
        """Take the state of the project and its configuration."""
        self.log.append("take")
        return watched.take(self.project, "", (self.project / "matrix.toml",), ())

    def follow(self, folders: Iterable[str]) -> bool:
        """Follow nothing."""
        del folders
        return False

    def began(self, why: str, filters: Filters) -> None:
        """See `Screen`."""
        self.shown.append(f"{why}{' ' + filters.cells if filters.cells else ''}")

    def ended(self, ended: Ended, standing: Standing) -> None:
        """See `Screen`."""
        self.shown.append(ended.error or standing.line())

    def prepared(self, cells: int) -> None:
        """See `Screen`."""
        self.shown.append(f"{cells} warm")

    def ask(self, question: str) -> str | None:
        """See `Screen`."""
        del question
        return self.answers.popleft()

    def note(self, text: str) -> None:
        """See `Screen`."""
        self.shown.append(text)

    def play_rounds(self) -> list[Wanted]:
        """Run the session to its end; return its rounds."""
        self.play()
        return self.rounds

    def play(self, **more: Any) -> Session:
        """Run the session to its end."""
        session = Session(
            inbox=self.next,
            post=self.script.appendleft,
            begin=self.begin,
            screen=self,
            waker=self,
            take=self.take,
            actions=more.pop("actions", {}),
            glances=more.pop("glances", {}),
        )
        session.run()
        return session


def stage(folder: Path, *script: Message | Callable[[], None], answers: Iterable[str | None] = ()) -> Stage:
    """Make a session for a project with two files."""
    folder.mkdir(exist_ok=True)
    (folder / "one.py").write_text("1\n")
    (folder / "two.py").write_text("2\n")
    return Stage(folder, deque(script), deque(answers))


def touched(folder: Path, name: str, text: str | None) -> tuple[Callable[[], None], Touched]:
    """Return the writing of a file (None: its deletion), and what the system says of it."""

    def write() -> None:
        if text is None:
            (folder / name).unlink()
        else:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)

    return write, Touched(paths=frozenset({str(folder / name)}))


def many_edits(folder: Path) -> Script:
    """Return so many edits of one file that it may be the tests that write it."""
    texts = (f"{number} again\n" for number in range(PATIENCE))
    return [step for text in texts for step in touched(folder, "two.py", text)]


def finished(number: int, name: str, outcome: Outcome, **footprint: Any) -> Finished:
    """Return the message that a cell has its result."""
    result = factories.result(name, outcome, footprint=Footprint(**footprint))
    return Finished(round=number, result=result)


def test_it_begins_with_a_round(tmp_path: Path) -> None:
    """The grid runs once before anything is edited."""
    played = stage(tmp_path)
    played.play()
    assert [(item.number, item.again) for item in played.rounds] == [(1, False)]


def test_an_edit_ends_the_round_and_begins_another(tmp_path: Path) -> None:
    """A changed file cancels what runs, and the next round names the file."""
    played = stage(tmp_path, *touched(tmp_path, "one.py", "11\n"))
    played.play()
    assert played.log == ["take", "cancel 1", "cancel 2"]
    assert played.shown == ["start", "one.py"]


def test_what_changes_nothing_wakes_nothing(tmp_path: Path) -> None:
    """A file that is saved without a change, ours, and caches of tools begin no round."""
    same = touched(tmp_path, "one.py", "1\n")
    ours = touched(tmp_path, ".venvgrid/x", "x")
    cache = touched(tmp_path, ".pytest_cache/x", "x")
    played = stage(tmp_path, Ended(round=1), *same, *ours, *cache)
    played.play()
    assert len(played.rounds) == 1


def test_a_deleted_file_and_a_new_one_wake(tmp_path: Path) -> None:
    """Files that go and come are edits."""
    script = (*touched(tmp_path, "two.py", None), Ended(round=2), *touched(tmp_path, "new.py", "x"))
    played = stage(tmp_path, Ended(round=1), *script)
    played.play()
    assert [line for line in played.shown if line.endswith(".py")] == ["two.py", "new.py"]


def test_files_of_the_tests_wake_nothing(tmp_path: Path) -> None:
    """A file that appears in the first round and that a cell made begins no round, nor does it later."""
    told = finished(1, "a", Outcome.PASSED, made=("out.txt",))
    again = (Pressed(key="\n"), *touched(tmp_path, "out.txt", "xx"))
    played = stage(tmp_path, *touched(tmp_path, "out.txt", "x"), told, Ended(round=1, done=DONE), *again)
    assert len(played.play_rounds()) == 2


def test_a_file_that_no_test_made_wakes(tmp_path: Path) -> None:
    """A file that appears in the first round begins another at its end if no cell made it."""
    made = (*touched(tmp_path, "mine.py", "x"), finished(1, "a", Outcome.PASSED), Ended(round=1, done=DONE))
    played = stage(tmp_path, *made)
    assert len(played.play_rounds()) == 2
    assert played.shown[-1] == "mine.py"


def test_new_files_wake_at_once(tmp_path: Path) -> None:
    """When a round has ended it is known what tests make: another new file ends the round that runs."""
    played = stage(tmp_path, Ended(round=1, done=DONE), Pressed(key="\n"), *touched(tmp_path, "mine.py", "x"))
    played.play()
    assert played.shown[-1] == "mine.py"


def test_a_file_that_tests_write_does_not_wake_for_ever(tmp_path: Path) -> None:
    """A file that ends many rounds in a row is no edit if the tests of the next one say that they wrote it."""
    edits = many_edits(tmp_path)
    told = finished(PATIENCE, "a", Outcome.PASSED, wrote=("two.py",))
    later: Script = [*touched(tmp_path, "two.py", "again\n"), Ended(round=PATIENCE, done=DONE)]
    played = stage(tmp_path, *edits, told, *later, *touched(tmp_path, "one.py", "edited\n"))
    played.play()
    assert played.shown[:2] == ["start", "two.py"]
    assert len(played.rounds) == PATIENCE + 1
    assert played.shown[-1] == "one.py"


def test_no_edit_is_lost(tmp_path: Path) -> None:
    """A file that ended many rounds in a row wakes again as soon as a cell has ended that did not write it."""
    edits = many_edits(tmp_path)
    played = stage(tmp_path, *edits, finished(PATIENCE, "a", Outcome.PASSED))
    played.play()
    assert len(played.rounds) == PATIENCE + 1


def test_red_cells_and_both_sides_go_first(tmp_path: Path) -> None:
    """A round is told which cells were red, and the sides of the rules that the last one found."""
    script = (
        Planned(round=1, cells=("a", "b", "c")),
        finished(1, "b", Outcome.FAILED),
        finished(1, "a", Outcome.PASSED),
        Ended(round=1, sides=(("b", "a"),), done=DONE),
        *touched(tmp_path, "one.py", "11\n"),
    )
    played = stage(tmp_path, *script)
    played.play()
    assert (played.rounds[1].red, played.rounds[1].sides) == (("b",), (("b", "a"),))
    assert "green in 1 of 3, red in 1, 1 stale" in played.shown


def test_what_was_edited_and_what_failed_go_first(tmp_path: Path) -> None:
    """A round knows the files that changed since a whole round, not only the last edit, and the tests that failed."""
    red = factories.result("a", Outcome.FAILED, failures=(factories.failure("tests/test_a.py::test_one"),))
    whole = Ended(round=3, done=(None, None, None))  # type: ignore[arg-type]
    edits = (*touched(tmp_path, "one.py", "11\n"), *touched(tmp_path, "two.py", "22\n"))
    stopped = finished(3, "a", Outcome.CANCELLED)
    script = (Planned(round=1, cells=("a",)), Finished(round=1, result=red), *edits, stopped, whole)
    played = stage(tmp_path, *script, *touched(tmp_path, "one.py", "111\n"))
    played.play()
    assert [item.edited for item in played.rounds] == [(), ("one.py",), ("one.py", "two.py"), ("one.py",)]
    assert [item.failed for item in played.rounds] == [(), *[("tests/test_a.py::test_one",)] * 3]


def test_a_round_of_some_tests_forgets_no_edit(tmp_path: Path) -> None:
    """After a round with a choice, the edited files are still those of all other tests."""
    played = stage(
        tmp_path,
        Ended(round=1, done=(None, None, None)),  # type: ignore[arg-type]
        Pressed(key="p"),
        *touched(tmp_path, "one.py", "11\n"),
        Ended(round=3, done=(None, None, None)),  # type: ignore[arg-type]
        *touched(tmp_path, "two.py", "22\n"),
        answers=["name"],
    )
    played.play()
    assert played.rounds[-1].edited == ("one.py", "two.py")


def test_messages_of_earlier_rounds_are_ignored(tmp_path: Path) -> None:
    """What a cancelled round tells late changes nothing."""
    script = (
        Planned(round=1, cells=("a",)),
        *touched(tmp_path, "one.py", "11\n"),
        finished(1, "a", Outcome.PASSED),
        Ended(round=1, error="late"),
    )
    played = stage(tmp_path, *script)
    session = played.play()
    assert session.standing.line() == "green in 0 of 1, 1 stale"
    assert "late" not in played.shown


def test_keys(tmp_path: Path) -> None:
    """F runs red cells once, c and p choose until a, Enter runs again, and others are passed over."""
    keys = [Pressed(key=key) for key in "fcpax\n"]
    played = stage(tmp_path, *keys, answers=["py3.13", "timed"])
    played.play()
    _, failed, cells, tests, everything, again = played.rounds
    assert failed.filters == Filters(failed=True)
    assert cells.filters == Filters(cells="py3.13")  # a new choice ends the one of red cells
    assert (tests.filters.cells, tests.filters.tests) == ("py3.13", "timed")
    assert (everything.filters, everything.again) == (Filters(), True)
    assert again.again


def test_a_question_that_is_left_keeps_the_choice(tmp_path: Path) -> None:
    """Ctrl-C in a question changes no filter."""
    played = stage(tmp_path, Pressed(key="c"), Pressed(key="c"), answers=["py3.13", None])
    played.play()
    assert [item.filters.cells for item in played.rounds] == ["", "py3.13", "py3.13"]


def test_a_broken_configuration_is_told_and_waited_for(tmp_path: Path) -> None:
    """An error ends a round and not the session."""
    played = stage(tmp_path, Ended(round=1, error="matrix.toml: wrong"), *touched(tmp_path, "one.py", "11\n"))
    played.play()
    assert played.shown == ["start", "matrix.toml: wrong", "one.py"]


def test_an_action_stops_the_round(tmp_path: Path) -> None:
    """The keys for why and shell are answered while nothing runs; then the round that they stopped begins again."""
    seen: list[str] = []
    played = stage(tmp_path, Planned(round=1, cells=("a",)), Pressed(key="w"), Ended(round=2), Pressed(key="w"))
    played.answers.extend(["", ""])

    def why(standing: Standing) -> bool:
        seen.append(f"{standing.line()}: {played.log[-1]}")
        return True

    played.play(actions={"w": why})
    assert seen == ["green in 0 of 1, 1 stale: cancel 1", "green in 0 of 1, 1 stale: cancel 2"]
    assert (len(played.rounds), len(played.answers)) == (2, 1)


def test_what_an_action_told_can_be_read(tmp_path: Path) -> None:
    """The round that it stopped waits for Enter, since it clears the screen; after a shell it does not."""
    played = stage(tmp_path, Pressed(key="s"), Pressed(key="w"))
    played.answers.append("")
    left: list[int] = []

    def shell(_standing: Standing) -> bool:
        left.append(len(played.answers))
        return False

    def why(standing: Standing) -> bool:
        return not shell(standing)

    played.play(actions={"s": shell, "w": why})
    assert (left, len(played.answers), len(played.rounds)) == ([1, 1], 0, 3)


def test_a_glance_disturbs_nothing(tmp_path: Path) -> None:
    """The key for the page is answered while a round runs."""
    seen: list[str] = []
    played = stage(tmp_path, Pressed(key="o"))
    played.play(glances={"o": lambda standing: seen.append(f"{standing.line()}{played.log}")})
    assert seen == ["green in 0 of 0['take']"]


def test_a_new_configuration_may_name_what_else_wakes(tmp_path: Path) -> None:
    """After a change of the configuration, and of it alone, the session looks anew at what wakes it."""
    other = (*touched(tmp_path, "one.py", "11\n"), Planned(round=2, cells=("a",)))
    changed = (*touched(tmp_path, "matrix.toml", "x"), Planned(round=3, cells=("a",)))
    played = stage(tmp_path, Planned(round=1, cells=("a",)), Ended(round=1, done=DONE), *other, *changed)
    played.play()
    assert [line for line in played.log if line == "take"] == ["take", "take"]
    assert played.log[-2:] == ["take", "cancel 3"]
    assert played.shown[-1] == "matrix.toml"  # told once, although it is a file of the project, too
