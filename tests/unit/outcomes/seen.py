"""What tests of verdicts are made of: a session that proves its cell, and ways to change it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.model import CaseOutcome, Outcome
from venvgrid.outcomes.attestation import Expectation
from venvgrid.outcomes.judgement import CommandExit, Judgement, judge
from venvgrid.outcomes.observation import Observation, ReportFile
from venvgrid.outcomes.records import Attested, Collected, Finished, Record, Reported, Session, Started

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX = "/proj/.venvgrid/store/1"
SESSION = Session(
    source="1",
    pid=1,
    executable=f"{PREFIX}/bin/python",
    prefix=PREFIX,
    version="3.9.18",
    implementation="cpython",
    pytest="8.0",
)
ORIGIN = f"{PREFIX}/lib/python3.9/site-packages/proj/__init__.py"
ATTESTED = Attested(
    source="1",
    packages={"numpy": "1.26.4", "scipy": ""},
    origins={"numpy": f"{PREFIX}/lib/python3.9/site-packages/numpy/__init__.py", "scipy": ""},
    imported=("numpy",),
    project_version="1.0",
    project_origin=ORIGIN,
    project_imported=True,
)
EXPECTED = Expectation(
    prefix=PREFIX,
    python_version="3.9.18",
    packages={"numpy": "1.26.4", "scipy": ""},
    project="proj",
    tested="package",
    project_version="1.0",
    project_origin=PREFIX,
)
CLEAN = CommandExit(exit_code=0)


def reports(*verdicts: str, source: str = "1") -> list[Record]:
    """Tests test_0, test_1, … with these verdicts, each begun and ended."""
    found: list[Record] = []
    for number, verdict in enumerate(verdicts):
        name = f"test_{number}"
        bad = verdict in {"failed", "error"}
        found.append(Started(source=source, id=name))
        found.append(
            Reported(
                source=source,
                id=name,
                verdict=CaseOutcome(verdict),
                kind="ValueError" if bad else "",
                message="bad" if bad else "no display" if verdict == "skipped" else "",
            ),
        )
    return found


def session(*tests: Record, collected: int | None = None, status: int | None = 0) -> list[Record]:
    """A whole session around these records; by default it collected what reported."""
    number = sum(isinstance(item, Reported) and not item.collecting for item in tests)
    first = Collected(source="1", ids=number if collected is None else collected)
    return [SESSION, first, *tests, ATTESTED, Finished(source="1", exitstatus=status)]


def judged(
    records: Iterable[Record],
    ended: CommandExit = CLEAN,
    expected: Expectation = EXPECTED,
    report: ReportFile | None = None,
) -> Judgement:
    """The judgement over these records."""
    observed = Observation()
    for record in records:
        observed.add(record)
    return judge(observed, ended, expected, report=report)


def outcome(
    records: Iterable[Record], ended: CommandExit = CLEAN, expected: Expectation = EXPECTED
) -> tuple[Outcome, str]:
    """Outcome and reason."""
    found = judged(records, ended, expected)
    return found.outcome, found.reason


def changed(**values: object) -> list[Record]:
    """A green session, its attestation changed."""
    first, *rest = session(*reports("passed"))
    return [
        first,
        *(replace(record, **values) if isinstance(record, Attested) else record for record in rest),  # type: ignore[arg-type]
    ]
