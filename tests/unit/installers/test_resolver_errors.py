"""What uv and pip print when they say no, recorded from uv 0.13.8, pip 20.3.4 and pip 26.3, and what we make of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid import testing
from venvgrid.installers import pip, resolver_errors, sentences
from venvgrid.installers.base import CauseKind, ResolveFailed, ResolveRequest, Unresolvable

NO_WHEEL = """\
error: No solution found when resolving dependencies
  cause: Because matplotlib>=2.2.0rc1,<=2.2.5 has no usable wheels and only the following versions of matplotlib are available:
             matplotlib<2.2.dev0
             matplotlib>=2.2.0rc1,<=2.2.5
             matplotlib>2.3.dev0
         we can conclude that matplotlib==2.2.* cannot be used.
         And because you require matplotlib==2.2.*, we can conclude that your requirements are unsatisfiable.

hint: Wheels are required for `matplotlib` because building from source is disabled for all packages
"""
MARKED = """\
error: No solution found when resolving dependencies
  cause: Because pywin32{sys_platform == 'win32'}==306 has no wheels with a matching Python ABI tag (e.g., `cp313`) and demo==1.0 depends on pywin32{sys_platform == 'win32'}==306, we can conclude that demo==1.0 cannot be used.
         And because only demo==1.0 is available and you require demo, we can conclude that your requirements are unsatisfiable.
"""
CONFLICT = """\
error: No solution found when resolving dependencies
  cause: Because only demo==1.0 is available and demo==1.0 depends on packaging<24, we can conclude that all versions of demo depend on packaging<24.
         And because you require packaging==24.* and demo, we can conclude that your requirements are unsatisfiable.
"""
PLAIN_CONFLICT = """\
error: No solution found when resolving dependencies
  cause: Because you require packaging==24.* and packaging<24, we can conclude that your requirements are unsatisfiable.
"""
NO_VERSION = """\
error: No solution found when resolving dependencies
  cause: Because only packaging<=26.3 is available and you require packaging==99.*, we can conclude that your requirements are unsatisfiable.
"""
NO_DISTRIBUTION = """\
error: No solution found when resolving dependencies
  cause: Because packagingxyzq was not found in the package registry and you require packagingxyzq==99.*, we can conclude that your requirements are unsatisfiable.
"""
NEEDS_PYTHON = """\
error: No solution found when resolving dependencies
  cause: Because the current Python version (3.8.18) does not satisfy Python>=3.9 and pandas>=2.3.0,<=2.3.3 depends on Python>=3.9, we can conclude that pandas>=2.3.0,<=2.3.3 cannot be used.
         And because only the following versions of pandas are available:
             pandas<2.3.dev0
             pandas>=2.3.0,<=2.3.3
             pandas>2.4.dev0
         and you require pandas==2.3.*, we can conclude that your requirements are unsatisfiable.
"""
NO_NETWORK = """\
error: Request failed after 3 retries in 7.3s
  cause: Failed to fetch: https://index.example/simple/numpy/
  cause: error sending request for url (https://index.example/simple/numpy/)
  cause: client error (Connect)
  cause: dns error
  cause: failed to lookup address information: Temporary failure in name resolution
"""
OFFLINE = """\
error: No solution found when resolving dependencies
  cause: Because pandas was not found in the cache and you require pandas==2.2.*, we can conclude that your requirements are unsatisfiable.

hint: Packages were unavailable because the network was disabled.
"""
PIP_NO_WHEEL = """\
ERROR: Could not find a version that satisfies the requirement matplotlib==3.5.* (from versions: 1.5.2, 2.2.5)
ERROR: No matching distribution found for matplotlib==3.5.*
"""
PIP_CONFLICT = """\
ERROR: Cannot install demo==1.0 and packaging==24.* because these package versions have conflicting dependencies.

The conflict is caused by:
    The user requested packaging==24.*
    demo 1.0 depends on packaging<24

To fix this you could try to:
ERROR: ResolutionImpossible: for help visit the documentation
"""
PIP_NO_NETWORK = """\
WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError(...: Failed to establish a new connection')': /simple/numpy/
ERROR: Could not find a version that satisfies the requirement numpy (from versions: none)
ERROR: No matching distribution found for numpy
"""


def request(*requirements: str, version: str = "3.9.18", cutoff: str = "") -> ResolveRequest:
    return ResolveRequest(interpreter=testing.interpreter(version), requirements=requirements, cutoff=cutoff)


@pytest.mark.parametrize(
    ("output", "requirement", "expected"),
    [
        (MARKED, "demo", "pywin32==306 has no wheel for CPython 3.9 on linux-x86_64"),
        (NO_WHEEL, "matplotlib==2.2.*", "matplotlib 2.2 has no wheel for CPython 3.9 on linux-x86_64"),
        (CONFLICT, "packaging==24.*", "demo 1.0 needs packaging<24, but the cell has packaging 24"),
        (PLAIN_CONFLICT, "packaging==24.*", "you require packaging==24.* and packaging<24"),
        (NO_VERSION, "packaging==99.*", "no release of packaging matches 99"),
        (NO_DISTRIBUTION, "packagingxyzq==99.*", "the package index has no distribution named packagingxyzq"),
        (NEEDS_PYTHON, "pandas==2.3.*", "pandas 2.3 needs Python >=3.9"),
    ],
)
def test_uv_says_why_a_cell_is_impossible(output: str, requirement: str, expected: str) -> None:
    """Each kind of unsatisfiable requirement becomes one line that names what the cell pins, as it was written."""
    assert Unresolvable(reason=expected) == resolver_errors.from_uv(request(requirement), output)


def test_a_missing_release_is_told_with_its_era() -> None:
    """With a cut-off, "no release" says as of when."""
    answer = resolver_errors.from_uv(request("packaging==99.*", cutoff="2022-08-19T00:00:00Z"), NO_VERSION)
    assert Unresolvable(reason="no release of packaging matches 99 as of 2022-08-19") == answer


@pytest.mark.parametrize("output", [NO_NETWORK, OFFLINE])
def test_a_network_failure_of_uv_is_never_impossible(output: str) -> None:
    """No network and --offline are failures to find out, whatever words uv wraps them in."""
    assert isinstance(resolver_errors.from_uv(request("numpy"), output), ResolveFailed)


def test_a_network_failure_names_the_cause() -> None:
    """The reason holds the address that failed and the last cause."""
    answer = resolver_errors.from_uv(request("numpy"), NO_NETWORK)
    assert isinstance(answer, ResolveFailed)
    assert "https://index.example/simple/numpy/" in answer.reason
    assert "Temporary failure in name resolution" in answer.reason


@pytest.mark.parametrize(
    ("output", "requirement", "expected"),
    [
        (PIP_NO_WHEEL, "matplotlib==3.5.*", "matplotlib 3.5 has no wheel for CPython 3.9 on linux-x86_64"),
        (PIP_CONFLICT, "packaging==24.*", "the cell requires packaging==24.*, but demo 1.0 depends on packaging<24"),
    ],
)
def test_pip_says_why_a_cell_is_impossible(output: str, requirement: str, expected: str) -> None:
    """Pip's refusals become the same kind of line."""
    assert Unresolvable(reason=expected) == resolver_errors.from_pip(request(requirement), output)


def test_a_network_failure_of_pip_is_never_impossible() -> None:
    """Pip says "no matching distribution" when it could not connect: that is a failure, not an answer."""
    assert isinstance(resolver_errors.from_pip(request("numpy"), PIP_NO_NETWORK), ResolveFailed)


@given(st.text())
def test_a_reason_is_one_short_line(output: str) -> None:
    """Whatever a resolver prints, the reason is one line of bounded length and not empty."""
    for answer in (
        resolver_errors.from_uv(request("numpy"), output),
        resolver_errors.from_pip(request("numpy"), output),
    ):
        assert isinstance(answer, Unresolvable | ResolveFailed)
        assert 0 < len(answer.reason) <= sentences.MAX_REASON_LENGTH + 60
        assert "\n" not in answer.reason


NOT_BUILT = """\
error: Failed to download and build `sibl @ git+https://host/sibl`
  cause: Building source distributions for `sibl` is disabled
"""
BROKEN = """\
error: No solution found when resolving dependencies
  cause: Because certi==2024.1 has an invalid package format and you require certi, we can conclude that your requirements are unsatisfiable.
"""
UNREADABLE = """\
error: No solution found when resolving dependencies
  cause: Because pandas>=0.24.0,<=0.24.2 has invalid metadata and only the following versions of pandas are available:
             pandas<0.24.dev0
             pandas>=0.24.0,<=0.24.2
             pandas>0.25.dev0
         we can conclude that pandas==0.24.* cannot be used.
         And because you require pandas==0.24.*, we can conclude that your requirements are unsatisfiable.

hint: Metadata for `pandas` (v0.24.2) could not be parsed:
  after parsing `2011`, found `k`, which is not part of a valid version
  pytz (>=2011k)
        ^^^^^^^
"""
FIRST_INDEX = """\
error: No solution found when resolving dependencies
  cause: Because only toy==4.0 is available and you require toy==1.0.*, we can conclude that your requirements are unsatisfiable.

hint: `toy` was found on http://host/simple, but not at the requested version (toy==1.0.*). A compatible version may be available on a subsequent index
"""


def test_a_build_that_is_off_names_the_way_out() -> None:
    """A repository has no wheel: the resolve has failed, and the reason says what to write."""
    asked = ResolveRequest(interpreter=testing.interpreter(), requirements=("sibl @ git+https://host/sibl",))
    answer = resolver_errors.from_uv(asked, NOT_BUILT)
    assert isinstance(answer, ResolveFailed)
    assert answer.reason.endswith('allow it with install.source-builds = ["sibl"]')


def test_broken_files_and_the_first_index_are_causes() -> None:
    """They are told by the distribution, for the examiner."""
    asked = ResolveRequest(interpreter=testing.interpreter(), requirements=("toy==1.0.*", "certi"))
    for text, kind, told in (
        (BROKEN, CauseKind.BROKEN, "the index gave a file of certi==2024.1 that is no whole wheel"),
        (
            UNREADABLE,
            CauseKind.UNREADABLE,
            "uv cannot read what pandas>=0.24.0,<=0.24.2 requires, `pytz (>=2011k)`; try it with pip",
        ),
        (FIRST_INDEX, CauseKind.ONLY, "toy 1.0 is not in http://host/simple, the first index that has toy"),
    ):
        answer = resolver_errors.from_uv(asked, text)
        assert isinstance(answer, Unresolvable)
        assert answer.causes[0].kind is kind
        assert told in answer.causes[0].reason


def test_a_report_of_pip_keeps_commit_and_folder() -> None:
    """A direct reference is installed from the lock as it was resolved: not the newest commit, not the whole repository."""
    git = {"url": "https://x/a", "vcs_info": {"vcs": "git", "commit_id": "4"}, "subdirectory": "in"}
    rows = [
        {"download_info": git, "is_direct": True, "metadata": {"name": "a", "version": "1"}},
        {"download_info": {"url": "https://x/b.whl"}, "is_direct": True, "metadata": {"name": "b", "version": "1"}},
        {"download_info": {"url": "https://x/c.whl"}, "metadata": {"name": "c", "version": "1"}},
    ]
    found = pip.read_report(json.dumps({"install": rows}))
    assert [item.direct for item in found] == ["git+https://x/a@4#subdirectory=in", "https://x/b.whl", ""]
