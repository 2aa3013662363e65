"""A cell is kept only if nothing that its tests could read changed while they ran."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from rig import HERE, results

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Command, Write

pytestmark = pytest.mark.e2e

TWO = f'[project]\ninstall = "none"\n[axes]\npython = ["{HERE}"]\nenv.MODE = ["a", "b"]\n'
SECOND_FINDS = """
from pathlib import Path

PLACE = Path("made.txt")

def test_it():
    if PLACE.exists():
        assert PLACE.{how}
    else:
        PLACE.write_text("1")
"""
BOTH_WAIT = """
import os, time
from pathlib import Path

SEEN = Path(os.environ["SEEN"])

def wait_for(path):
    for _ in range(6000):
        if path.exists():
            return
        time.sleep(0.01)
    raise SystemExit("it never came")

def test_it():
    (SEEN / os.environ["MODE"]).touch()
    wait_for(SEEN / ("b" if os.environ["MODE"] == "a" else "a"))
    if os.environ["MODE"] == "a":
        Path("made.txt").write_text("1")
    (SEEN / (os.environ["MODE"] + "2")).touch()
    wait_for(SEEN / ("b2" if os.environ["MODE"] == "a" else "a2"))
"""


def told(root: Path) -> dict[str, tuple[bool, list[str]]]:
    """Map the mode of each cell to whether it was unchanged, and to its notes."""
    return {item["id"][-1]: (item["cached"], item["notes"]) for item in results(root)["cells"]}


@pytest.mark.parametrize("how", ["read_text() == '1'", "exists()"])
def test_what_another_cell_made_is_no_input(venvgrid: Command, project: Write, how: str) -> None:
    """The second cell is green by a file of the first one, read or only looked for: it is not kept and says why."""
    root = project(TWO, {"tests/test_demo.py": SECOND_FINDS.format(how=how)})
    assert venvgrid("run", "-q", "-j", "1", cwd=root).status == 0
    notes = sorted(notes for _, notes in told(root).values())
    assert notes == [[], ["made.txt was made in this run before the tests of this cell: not kept"]]
    (root / "made.txt").unlink()
    assert venvgrid("run", "-q", cwd=root).status == 0
    assert sorted(cached for cached, _ in told(root).values()) == [False, True]


def test_a_file_that_appears_while_two_cells_run(venvgrid: Command, project: Write, tmp_path: Path) -> None:
    """It may be of either: neither is kept."""
    seen = tmp_path / "seen"
    seen.mkdir()
    root = project(f'{TWO}[test]\npass-env = ["SEEN"]\n', {"tests/test_demo.py": BOTH_WAIT})
    env = {"SEEN": str(seen)}
    assert venvgrid("run", "-q", "-j", "2", cwd=root, env=env).status == 0
    assert told(root)["b"] == (False, ["made.txt appeared while several cells ran: not kept"])
    (root / "made.txt").unlink()
    assert venvgrid("run", "-q", "-j", "2", cwd=root, env=env).status == 0
    assert told(root)["b"][0] is False


FORGE = """
import os
from pathlib import Path

def test_it():
    path = Path("value.txt")
    before = path.stat()
    path.write_text("2")
    {read}
    path.write_text("1")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
"""


@pytest.mark.parametrize(
    "action",
    [
        FORGE.format(read="assert path.read_text() == '2'"),
        "import os\n\ndef test_it():\n    os.rename('value.txt', 'x')\n    os.rename('x', 'value.txt')\n",
        "import os\n\ndef test_it():\n    os.chmod('value.txt', 0o600)\n    os.chmod('value.txt', 0o644)\n",
        "import os\n\ndef test_it():\n    os.unlink('link')\n    os.symlink('value.txt', 'link')\n",
    ],
)
def test_a_change_and_back_is_a_change(venvgrid: Command, project: Write, action: str) -> None:
    """Content, name, mode or link are as before, and the times too: the cell is green, not kept, and says so."""
    root = project(TWO.replace(', "b"', ""), {"tests/test_demo.py": action, "value.txt": "1"})
    (root / "link").symlink_to("value.txt")
    (root / "value.txt").chmod(0o644)
    for _ in range(2):
        assert venvgrid("run", "-q", cwd=root).status == 0
        cached, notes = told(root)["a"]
        assert not cached
        assert notes[0].endswith(" was changed in this run: not kept")


COUNTING = """
from pathlib import Path

PLACE = Path("tests/__pycache__/count")

def test_it():
    PLACE.parent.mkdir(exist_ok=True)
    try:
        number = int(PLACE.read_text())
    except OSError:
        number = 0
    PLACE.write_text(str(number + 1))
"""


def test_an_ignored_file_that_the_run_wrote(venvgrid: Command, project: Write) -> None:
    """A counter in an ignored file: its content is another one in each run, so no result is kept."""
    root = project(TWO.replace(', "b"', ""), {"tests/test_demo.py": COUNTING})
    for _ in range(3):
        assert venvgrid("run", "-q", cwd=root).status == 0
    assert told(root)["a"][1] == ["read tests/__pycache__/count, which was made in this run: not kept"]


def test_reports_of_the_tests_are_no_inputs(venvgrid: Command, project: Write) -> None:
    """`reports = "junit:FILE"` writes into the project in each run; the cell is kept nevertheless."""
    command = 'command = ["pytest", "-q", "--junitxml=out-{cell}.xml"]\nreports = "junit:out-{cell}.xml"\n'
    root = project(f"{TWO}[test]\n{command}", {"tests/test_demo.py": "def test_it():\n    pass\n"})
    assert venvgrid("run", "-q", cwd=root).status == 0
    assert venvgrid("run", "-q", cwd=root).status == 0
    assert {cached for cached, _ in told(root).values()} == {True}
    (root / "out-x.xml").touch()
    assert venvgrid("run", "-q", cwd=root).status == 0
    assert {cached for cached, _ in told(root).values()} == {True}


def test_bytecode_of_an_edit_within_a_second_is_not_used(venvgrid: Command, project: Write) -> None:
    """A helper gets another content of the same size, with its time set back: this runs, not the earlier bytecode."""
    test = "import helper\n\n\ndef test_it():\n    assert helper.VALUE == 1\n"
    root = project(TWO.replace(', "b"', ""), {"tests/test_demo.py": test, "tests/helper.py": "VALUE = 1\n"})
    file = root / "tests/helper.py"
    assert venvgrid("run", "-q", cwd=root).status == 0
    before = file.stat()
    file.write_text("VALUE = 2\n", encoding="utf-8")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert venvgrid("run", "-q", cwd=root).status == 1
