"""What the policies of axes make of the releases that an index has."""
# ruff: noqa: SIM300 - expected == actual

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from venvgrid.model import PolicyError
from venvgrid.resolving import version_policies
from venvgrid.resolving.version_policies import Release

TODAY = date(2026, 11, 21)


def release(version: str, day: str = "2026-01-01") -> Release:
    uploaded = datetime.fromisoformat(day).replace(tzinfo=UTC) if day else None
    return Release(version=version, uploaded=uploaded)


NUMPY = (
    release("1.22.0", "2021-12-31"),
    release("1.22.4", "2022-05-20"),
    release("1.26.4", "2024-02-05"),
    release("2.0.0", "2024-06-16"),
    release("2.1.0", "2024-08-18"),
    release("2.2.0", "2024-12-08"),
    release("2.10.0", "2026-06-08"),
    release("2.11.0rc1", "2026-11-01"),
    release("2.11.0.dev3", "2026-11-02"),
)


@pytest.mark.parametrize(
    ("policy", "declared", "values"),
    [
        ("declared", ">=1.22.1", "1.22.4 2.10.0"),
        ("declared", "==2.0.0", "2.0.0"),
        ("latest", None, "2.10.0"),
        ("latest-minors", None, "1.22 1.26 2.0 2.1 2.2 2.10"),
        ("latest-minors", ">=2", "2.0 2.1 2.2 2.10"),
        ("latest-minors:3", None, "2.1 2.2 2.10"),
        ("latest-majors", None, "1.26 2.10"),
        ("latest-majors:1", None, "2.10"),
        ("spec0", None, "2.2 2.10"),
        ("max:3", None, "1.22 2.0 2.10"),
        ("max:1", None, "2.10"),
        ("max:99", None, "1.22 1.26 2.0 2.1 2.2 2.10"),
        ("1.26..2.1", None, "1.26 2.0 2.1"),
        ("1..1", None, "1.22 1.26"),
        ("1.22 .. 2", "<2.2", "1.22 1.26 2.0 2.1"),
    ],
)
def test_each_policy_gives_versions(policy: str, declared: str | None, values: str) -> None:
    """Oldest first, only what the project allows, no pre-release; 2.10 comes after 2.2."""
    found = version_policies.of_package("numpy", policy, NUMPY, declared=declared, today=TODAY)
    assert (values.split(), "") == (list(found.values), found.pre)


def test_pre_adds_the_newest_pre_release() -> None:
    """No development release; none that is older than the newest release."""
    found = version_policies.of_package("numpy", "latest+pre", NUMPY, declared=None, today=TODAY)
    assert (("2.10.0",), "2.11.0rc1") == (found.values, found.pre)
    older = (*NUMPY[:-2], release("2.10.0rc1"))
    assert version_policies.of_package("numpy", "latest-minors:1+pre", older, declared=None, today=TODAY).pre == ""


@pytest.mark.parametrize(
    ("policy", "declared", "problem"),
    [
        ("declared", None, '"declared" needs numpy in [project] dependencies of pyproject.toml'),
        ("latest", ">=3", "'latest' gives no version: the index has no release of numpy that numpy>=3 allows"),
        ("3..4", None, "'3..4' gives no version of numpy: none from 3 to 4 is released and allowed by the project"),
    ],
)
def test_a_policy_without_versions_says_why(policy: str, declared: str | None, problem: str) -> None:
    """The message names the distribution and what ruled its versions out."""
    with pytest.raises(PolicyError) as caught:
        version_policies.of_package("numpy", policy, NUMPY, declared=declared, today=TODAY)
    assert problem == str(caught.value)


def test_spec0_needs_dates() -> None:
    """An index that tells no upload times is named as the reason."""
    with pytest.raises(PolicyError, match="needs release dates, and the index does not tell those of numpy"):
        version_policies.of_package("numpy", "spec0", [release("1.0", "")], declared=None, today=TODAY)


def test_spec0_keeps_the_newest_of_a_quiet_project() -> None:
    """A project without a release for two years is tested with its newest."""
    assert version_policies.of_package(
        "six", "spec0", [release("1.0", "2019-01-01")], declared=None, today=TODAY
    ).values == ("1.0",)


@pytest.mark.parametrize(
    ("policy", "requires", "values"),
    [
        ("requires-python", ">=3.11", "3.11 3.12 3.13 3.14"),
        ("requires-python", ">=3.11.4,<3.13", "3.11 3.12"),
        ("requires-python", ">=2.7,!=3.0.*,!=3.1.*,!=3.2.*,!=3.3.*,!=3.4.*,!=3.5.*,<3.8", "2.7 3.6 3.7"),
        ("supported", "", "3.10 3.11 3.12 3.13 3.14"),
        ("supported", ">=3.12", "3.12 3.13 3.14"),
        ("spec0", "", "3.12 3.13 3.14"),
        ("classifiers", ">=3.6", "3.9 3.12"),
    ],
)
def test_pythons_of_a_policy(policy: str, requires: str, values: str) -> None:
    """Released minor versions, by what the project declares and by their dates."""
    lines = ["Programming Language :: Python :: 3.12", "Programming Language :: Python :: 3.9", "Topic :: Python :: 3"]
    found = version_policies.of_python(policy, requires=requires, classifiers=lines, today=date(2026, 10, 1))
    assert values.split() == list(found.values)


NEEDS_CLASSIFIERS = '"classifiers" needs classifiers "Programming Language :: Python :: 3.X" in pyproject.toml'
TOO_OLD = "'supported' gives no version: no released Python is <3.8 and not at its end of life on 2026-11-21"


@pytest.mark.parametrize(
    ("policy", "requires", "problem"),
    [
        ("requires-python", "", '"requires-python" needs [project] requires-python in pyproject.toml'),
        ("classifiers", "", NEEDS_CLASSIFIERS),
        ("requires-python", ">=3.99", "'requires-python' gives no version: no released Python is >=3.99"),
        ("supported", "<3.8", TOO_OLD),
    ],
)
def test_a_policy_without_pythons_says_why(policy: str, requires: str, problem: str) -> None:
    """The message says what the project would have to declare, or what ruled all of them out."""
    with pytest.raises(PolicyError) as caught:
        version_policies.of_python(policy, requires=requires, classifiers=[], today=TODAY)
    assert problem == str(caught.value)


versions = st.builds("{}.{}.{}".format, st.integers(0, 3), st.integers(0, 12), st.integers(0, 3))


@given(st.lists(versions, min_size=1, unique=True), st.integers(1, 12))
def test_spread_values_are_sorted_and_hold_both_ends(found: list[str], most: int) -> None:
    """Law of max:N: at most N, in order, the newest always and the oldest if there is room."""
    listed = [release(version) for version in found]
    every = version_policies.of_package("x", "latest-minors", listed, declared=None, today=TODAY).values
    some = version_policies.of_package("x", f"max:{most}", listed, declared=None, today=TODAY).values
    assert len(some) == min(most, len(every))
    assert list(some) == sorted(some, key=Version)
    assert some[-1] == every[-1]
    assert most == 1 or some[0] == every[0]


def test_changes_name_what_came_and_went() -> None:
    """Of the values of an axis, then and now."""
    assert "+ 2.3, - 1.22" == version_policies.changes(("1.22", "2.2"), ("2.2", "2.3"))
    assert "" == version_policies.changes(("1",), ("1",))


def released_as(version: str, requires: str = "", uploaded: str = "2024-01-01", **options: Any) -> Release:
    """Return a release of a day."""
    day = datetime.fromisoformat(f"{uploaded}T00:00:00+00:00")
    return Release(version=version, requires_python=requires, uploaded=day, **options)


@pytest.mark.parametrize(
    ("locked", "python", "cutoff", "declared", "why"),
    [
        ("2.23", "3.12.1", "", ("core==2.23",), "core latest is 2.23 here, not 2.41: required is core==2.23"),
        ("2.27", "3.8.18", "", (), "core latest is 2.27 here, not 2.41: that needs Python >=3.9"),
        ("2.23", "3.12.1", "", (), "core latest is 2.23 here, not 2.41: another distribution requires an older one"),
        ("2.23", "3.8.18", "2024-06-01T00:00:00Z", ("core<2.24",), "not 2.27: required is core<2.24"),
        ("2.41", "3.12.1", "", ("core>=2",), ""),
        ("2.27", "3.12.1", "2024-06-01T00:00:00Z", (), ""),
        ("2.50a1", "3.12.1", "", (), ""),
    ],
)
def test_latest_that_is_not_the_newest_is_a_note(
    locked: str, python: str, cutoff: str, declared: tuple[str, ...], why: str
) -> None:
    """With the reason: a requirement, the Python, another distribution. Pre-releases and yanked ones do not count."""
    releases = [
        released_as("2.23"),
        released_as("2.27", ">=3.8"),
        released_as("2.41", ">=3.9", "2025-01-01"),
        released_as("2.42", yanked=True),
        released_as("2.50a2"),
    ]
    found = list(version_policies.behind("core", locked, releases, python, cutoff, declared))
    assert [why in line for line in found] == ([True] if why else [])


def test_an_index_that_does_not_answer_gives_no_note() -> None:
    """The note is a courtesy: without releases nothing is known."""
    assert list(version_policies.behind("core", "1", [], "3.12", "", ())) == []


def test_only_axes_with_latest_are_compared() -> None:
    """Names are compared normalised, in the lock and in requirements."""
    axes = {"python": "3.12", "Py_Core": "latest", "six": "1.15", "rich": "latest"}
    notes = version_policies.not_newest(
        axes, {"py-core": "2.23", "six": "1.15"}, ["py.core<2.24", "x"], lambda _: [released_as("9")], "3.12.1", ""
    )
    assert list(notes) == ["Py_Core latest is 2.23 here, not 9: required is py.core<2.24"]
