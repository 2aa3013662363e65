"""Resolving a cell: what is asked, eras, what is kept, with an index that is a function."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from venvgrid import testing
from venvgrid.config import loading
from venvgrid.installers.base import Resolved, ResolveFailed, ResolveRequest, ResolveResult, Unresolvable
from venvgrid.model import Config, LockEntry, Resolution
from venvgrid.planning import expansion
from venvgrid.project.metadata import Metadata
from venvgrid.resolving.requirements import requirement, requirements_of
from venvgrid.resolving.resolver import Resolver
from venvgrid.storage.atomic import read_sealed, write_sealed

if TYPE_CHECKING:
    from venvgrid.model import Cell

DEMO = Metadata(name="demo", version="1.0", requires=("numpy>=1.20", 'rich>=10; extra == "tty"'), extras=("tty",))


def parse(text: str) -> Config:
    return loading.parse(text, file=Path.cwd() / "matrix.toml")


def resolver(
    configured: Config, installer: testing.FakeInstaller, cache: Path, *, metadata: Metadata | None = DEMO
) -> Resolver:
    return Resolver(
        config=configured,
        metadata=metadata,
        groups=("hypothesis",),
        installer_for=lambda _interpreter: installer,
        cache=cache,
        clock=lambda: 1_700_000_000.0,
    )


def index(request: ResolveRequest) -> ResolveResult:
    """An index with numpy, uploaded on a day in 2022, and pytest."""
    found = [testing.distribution("numpy", "1.23.2", uploaded="2022-08-14T10:00:00+00:00")]
    if request.dependencies:
        found.append(testing.distribution("pytest", "7.1"))
        found.append(testing.distribution("demo", "1.0"))
    return Resolved(distributions=tuple(found))


def first_cell(configured: Config) -> Cell:
    return expansion.expand(configured).cells[0].cell


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2.2", "numpy==2.2.*"),
        ("2.2.5", "numpy==2.2.5.*"),
        ("2.0rc1", "numpy==2.0rc1"),
        ("1!2.0", "numpy==1!2.0"),
        (">=1,<2", "numpy>=1,<2"),
        ("latest", "numpy"),
        ("absent", None),
    ],
)
def test_requirements(value: str, expected: str | None) -> None:
    """A value of a dependency axis is a PEP 508 requirement, or the wish that there is none."""
    assert expected == requirement("numpy", value)


def test_everything_is_resolved_together(tmp_path: Path) -> None:
    """One request holds the pins, the project with its extras, the tests' requirements and the groups."""
    configured = parse(
        '[axes]\npython = ["3.12"]\nnumpy = ["1.23"]\n[project]\nextras = ["tty"]\n[install]\nconstraints = ["six<2"]\n'
        "pre-releases = true\n"
    )
    installer = testing.FakeInstaller(answer=index)
    entry = resolver(configured, installer, tmp_path).resolve(first_cell(configured), testing.interpreter())
    (asked,) = installer.requests
    assert asked.requirements[0] == "numpy==1.23.*"
    assert asked.requirements[1].startswith("demo[tty] @ file:///")
    assert asked.requirements[2:] == ("pytest", "hypothesis")
    assert asked.constraints == ("six<2",)
    assert asked.pre_releases
    assert isinstance(entry, LockEntry)
    assert [item.name for item in entry.distributions] == ["numpy", "pytest"]  # the project itself is no part of it


def test_an_era_ends_a_week_after_the_newest_pin_was_released(tmp_path: Path) -> None:
    """`as-of = "release"` asks for the pins' upload day first, and cuts off at the end of the seventh day after it."""
    configured = parse('[axes]\npython = ["3.12"]\nnumpy = ["1.23"]\n[install]\nas-of = "release"\n')
    installer = testing.FakeInstaller(answer=index)
    entry = resolver(configured, installer, tmp_path).resolve(first_cell(configured), testing.interpreter())
    assert [(asked.dependencies, asked.cutoff) for asked in installer.requests] == [
        (False, ""),
        (True, "2022-08-22T00:00:00Z"),
    ]
    assert isinstance(entry, LockEntry)
    assert entry.as_of == "2022-08-22T00:00:00Z"


def test_an_index_without_upload_times_is_no_silent_today(tmp_path: Path) -> None:
    """Where the release day is not known, the cell fails and says so."""
    configured = parse('[axes]\npython = ["3.12"]\nnumpy = ["1.23"]\n[install]\nas-of = "release"\n')
    installer = testing.FakeInstaller(answer=lambda _: Resolved(distributions=(testing.distribution("numpy", "1.23"),)))
    answer = resolver(configured, installer, tmp_path).resolve(first_cell(configured), testing.interpreter())
    assert isinstance(answer, ResolveFailed)
    assert "does not tell when numpy was uploaded" in answer.reason


def test_python_27_says_that_its_era_was_not_applied(tmp_path: Path) -> None:
    """On 2.7 the cell is resolved as of today, and a note says so."""
    configured = parse('[axes]\npython = ["2.7"]\nnumpy = ["1.16"]\n[install]\nas-of = "release"\n')
    installer = testing.FakeInstaller(answer=index)
    entry = resolver(configured, installer, tmp_path).resolve(first_cell(configured), testing.interpreter("2.7.18"))
    assert isinstance(entry, LockEntry)
    assert entry.as_of == ""
    assert "as-of was not applied" in entry.notes[0]


def test_lowest_direct_makes_what_the_project_declares_direct(tmp_path: Path) -> None:
    """The project's requirements become direct; pytest comes in behind a distribution in between, at its highest."""
    configured = parse('[axes]\npython = ["3.12"]\nresolution = ["lowest-direct"]\n')
    installer = testing.FakeInstaller(answer=index)
    resolver(configured, installer, tmp_path).resolve(first_cell(configured), testing.interpreter())
    (asked,) = installer.requests
    assert asked.resolution is Resolution.LOWEST_DIRECT
    assert "numpy>=1.20" in asked.requirements
    assert "pytest" not in asked.requirements
    assert any(line.startswith("venvgrid-test-requirements @ ") for line in asked.requirements)


def test_an_answer_is_asked_for_once(tmp_path: Path) -> None:
    """The second resolve of the same cell comes from the cache, and gives the same entry."""
    configured = parse('[axes]\npython = ["3.12"]\nnumpy = ["1.23"]\n')
    installer = testing.FakeInstaller(answer=index)
    works = resolver(configured, installer, tmp_path)
    first = works.resolve(first_cell(configured), testing.interpreter())
    assert works.resolve(first_cell(configured), testing.interpreter()) == first
    assert len(installer.requests) == 1


@pytest.mark.parametrize(
    "changes", [{"index": lambda: "other"}, {"clock": lambda: 1_700_003_600.0}, {"clock": lambda: 1_699_999_999.0}]
)
def test_an_answer_of_another_index_or_time_is_asked_for_again(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Other settings of the index, an hour later, and an answer from the future: a clock was wrong."""
    configured = parse('[axes]\npython = ["3.12"]\nnumpy = ["1.23"]\n')
    installer = testing.FakeInstaller(answer=index)
    works = resolver(configured, installer, tmp_path)
    works.resolve(first_cell(configured), testing.interpreter())
    replace(works, **changes).resolve(first_cell(configured), testing.interpreter())
    assert len(installer.requests) == 2


def test_a_kept_answer_with_unknown_keys_is_read(tmp_path: Path) -> None:
    """Earlier versions kept the addresses of files: they are passed over, and the answer counts."""
    configured = parse('[axes]\npython = ["3.12"]\nnumpy = ["1.23"]\n')
    installer = testing.FakeInstaller(answer=index)
    expected = resolver(configured, installer, tmp_path).resolve(first_cell(configured), testing.interpreter())
    (file,) = (tmp_path / "resolutions").iterdir()
    data = json.loads(read_sealed(file))
    data["answer"]["distributions"][0]["urls"] = ["https://index.example/numpy.whl"]
    write_sealed(file, json.dumps(data))
    assert resolver(configured, installer, tmp_path).resolve(first_cell(configured), testing.interpreter()) == expected
    assert len(installer.requests) == 1


def test_an_impossible_cell_is_remembered_but_a_failure_is_not(tmp_path: Path) -> None:
    """A refusal is kept; a network failure is asked again."""
    configured = parse('[axes]\npython = ["3.12"]\n')
    refuses = testing.FakeInstaller(answer=lambda _: Unresolvable(reason="no"))
    fails = testing.FakeInstaller(answer=lambda _: ResolveFailed(reason="no network"), name="other")
    for installer, asked in ((refuses, 1), (fails, 2)):
        for _ in range(2):
            resolver(configured, installer, tmp_path).resolve(first_cell(configured), testing.interpreter())
        assert len(installer.requests) == asked


def test_equal_contents_share_a_key_and_others_do_not(tmp_path: Path) -> None:
    """The key follows the distributions and the interpreter."""
    configured = parse('[axes]\npython = ["3.12"]\nenv.A = ["1", "2"]\n')
    works = resolver(configured, testing.FakeInstaller(answer=index), tmp_path)
    one, two = (item.cell for item in expansion.expand(configured).cells)
    keys = [
        works.resolve(cell, testing.interpreter(version))
        for cell, version in ((one, "3.12.1"), (two, "3.12.1"), (one, "3.12.2"))
    ]
    found = [entry.key for entry in keys if isinstance(entry, LockEntry)]
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(("value", "same"), [("3.12", True), ("/pythons/{}", False)])
def test_the_key_does_not_hold_the_place_of_the_interpreter(tmp_path: Path, value: str, *, same: bool) -> None:
    """It is the same on another machine; but two interpreters that are named by their paths are never one."""
    made = []
    for place in ("one", "other"):
        configured = parse(f'[axes]\npython = ["{value.format(place)}"]\n')
        python = replace(testing.interpreter(), executable=f"/pythons/{place}")
        works = resolver(configured, testing.FakeInstaller(answer=index), tmp_path)
        entry = works.resolve(first_cell(configured), python)
        assert isinstance(entry, LockEntry)
        made.append(entry.key)
    assert (made[0] == made[1]) is same


def test_an_absent_distribution_is_asked_for_by_nobody_of_ours(tmp_path: Path) -> None:
    """`absent` takes it from the tests' requirements, and a cell that still gets it is impossible."""
    configured = parse('[axes]\npython = ["3.12"]\nNumPy = ["absent"]\n[install]\nrequires = ["pytest", "numpy>1"]\n')
    wants = requirements_of(configured, first_cell(configured), ("numpy", "six"))
    assert wants.requires == ("pytest", "six")
    answer = resolver(configured, testing.FakeInstaller(answer=index), tmp_path).resolve(
        first_cell(configured), testing.interpreter()
    )
    assert answer == Unresolvable(reason="numpy must be absent, but demo requires it")


@pytest.mark.parametrize("damage", ["", "{", '{"created": "x"}', "[]"])
def test_a_damaged_cache_is_passed_over(tmp_path: Path, damage: str) -> None:
    """A file of the cache that cannot be read costs a resolve, nothing else."""
    configured = parse('[axes]\npython = ["3.12"]\n')
    installer = testing.FakeInstaller(answer=index)
    works = resolver(configured, installer, tmp_path)
    works.resolve(first_cell(configured), testing.interpreter())
    for file in (tmp_path / "resolutions").iterdir():
        file.write_text(damage, encoding="utf-8")
    assert isinstance(works.resolve(first_cell(configured), testing.interpreter()), LockEntry)
    assert len(installer.requests) == 2
