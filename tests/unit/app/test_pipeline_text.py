"""Pipelines as text: what stands in them, limits, and which file is whose."""

from __future__ import annotations

import re

import pytest
import yaml

from venvgrid.app.pipelines import limits, pipeline
from venvgrid.app.pipelines.pipeline import Pipeline
from venvgrid.app.pipelines.vendors import VENDORS
from venvgrid.cli import parser as parsers
from venvgrid.model import UsageError

EVERY = sorted(set(VENDORS) & set(parsers.CI_VENDORS))


def made(vendor: str, **more: object) -> str:
    return pipeline.render(Pipeline(vendor=vendor, version="1.2.3", **more))  # type: ignore[arg-type]


@pytest.mark.parametrize("vendor", EVERY)
def test_a_file_is_valid_yaml_and_says_who_wrote_it(vendor: str) -> None:
    """The first line holds the command, which parses to the same pipeline again."""
    text = made(vendor, shards=7, grid="docs", config="sub dir/matrix.toml")
    assert yaml.safe_load(text)
    words = pipeline.written_by(text)
    again = parsers.build().parse_args(words)
    assert (again.action, again.shards, again.grid, again.config) == (vendor, 7, "docs", "sub dir/matrix.toml")


@pytest.mark.parametrize("vendor", EVERY)
def test_over_a_limit_nothing_is_written(vendor: str) -> None:
    """As many shards as the vendor takes are written; one more is an error with the number, the source and the fix."""
    (limit,) = [item for item in limits.LIMITS[vendor] if item.what == VENDORS[vendor].counts]
    room = limit.most - VENDORS[vendor].others
    assert made(vendor, shards=room)
    with pytest.raises(UsageError) as caught:
        made(vendor, shards=room + 1)
    for part in (f"{limit.most + 1:,} ", limit.source, f"--shards {room}", limits.READ):
        assert part in str(caught.value)


@pytest.mark.parametrize("vendor", EVERY)
def test_a_file_names_each_thing_once_and_pins_it(vendor: str) -> None:
    """The version of venvgrid that wrote the file is installed; actions are named by a commit."""
    text = made(vendor)
    assert set(re.findall(r"venvgrid\[uv\]\S*", text)) == {"venvgrid[uv]==1.2.3'"}
    for action in re.findall(r"uses: (\S+)", text):
        assert re.fullmatch(r"actions/[\w/-]+@[0-9a-f]{40}", action)


@pytest.mark.parametrize(
    "path", ["a$(x)/m.toml", "a${{ x }}.toml", "a'b.toml", "a\nb.toml", "a;b.toml", "%x%.toml", ""]
)
def test_a_path_that_a_vendor_would_expand_is_refused(path: str) -> None:
    """No vendor's expressions and no shell's words come from the name of a file; an ordinary path is quoted."""
    if path:
        with pytest.raises(UsageError, match="cannot hold this path"):
            made("github", config=path)
    assert "-c 'my grids/m.toml'" in made("github", config="my grids/m.toml")


def test_each_platform_has_its_shards() -> None:
    """The matrix is of machines and shards; names of artifacts have both; all jobs count for the limit."""
    flow = yaml.safe_load(made("github", shards=3, platforms=("linux", "macos", "windows")))
    job = flow["jobs"]["test"]
    machines = ["ubuntu-latest", "macos-latest", "windows-latest"]
    assert job["strategy"]["matrix"] == {"runner": machines, "shard": [1, 2, 3]}
    assert job["runs-on"] == "${{ matrix.runner }}"
    (upload,) = [step for step in job["steps"] if "upload-artifact" in step.get("uses", "")]
    assert "${{ matrix.runner }}-${{ matrix.shard }}" in upload["with"]["name"]
    with pytest.raises(UsageError, match=r"300 jobs in a matrix(.|\n)*--shards 85"):
        made("github", shards=100, platforms=("linux", "macos", "windows"))


def test_a_platform_without_a_known_machine_is_refused() -> None:
    """Its cells would be missing in every run."""
    with pytest.raises(UsageError, match="the axis platform has macos, but"):
        made("gitlab", platforms=("linux", "macos"))


@pytest.mark.parametrize("vendor", ["github", "gitlab", "buildkite"])
def test_pipelines_of_two_grids_share_nothing(vendor: str) -> None:
    """Jobs, artifacts and caches have names of their own: two files may be in one pipeline, and two checks required."""
    named = r"(?m)^(\S.*):$|(?:key|label|paths|restore-keys|group): (.*venvgrid.*)|    name: (venvgrid [a-z].*)"
    one, two = (
        {found for parts in re.findall(named, made(vendor, grid=grid)) for found in parts if "venvgrid" in found}
        for grid in ("", "docs")
    )
    assert (len(one) > 5, one & two - {"[.venvgrid-cache/]"}) == (True, set())


def test_history_is_fetched_where_a_version_comes_from_it() -> None:
    """`fetch-depth: 0` stands in both jobs that check out, or in none."""
    assert made("github", needs_history=True).count("fetch-depth: 0") == 2
    assert "fetch-depth" not in made("github")


def test_a_github_workflow_has_least_rights_and_a_gate_that_always_runs() -> None:
    """Only checkouts may read; no credentials stay; the gate needs all jobs, and runs if they fail or are skipped."""
    flow = yaml.safe_load(made("github", shards=3))
    jobs = flow["jobs"]
    assert flow["permissions"] == {}
    assert {name: job.get("permissions") for name, job in jobs.items()} == {
        "plan": {"contents": "read"},
        "test": {"contents": "read"},
        "gate": None,
    }
    assert (jobs["gate"]["if"], set(jobs["gate"]["needs"])) == ("always()", set(jobs) - {"gate"})
    assert jobs["test"]["strategy"] == {"fail-fast": False, "matrix": {"shard": [1, 2, 3]}}
    checkouts = [step for job in jobs.values() for step in job["steps"] if "checkout" in step.get("uses", "")]
    assert [step["with"]["persist-credentials"] for step in checkouts] == [False, False]


def test_nothing_that_a_stranger_writes_is_in_a_script() -> None:
    """Titles of pull requests and names of branches reach no script: only the number of the shard is filled in."""
    flow = yaml.safe_load(made("github", platforms=("linux", "windows")))
    scripts = [step["run"] for job in flow["jobs"].values() for step in job["steps"] if "run" in step]
    assert set(re.findall(r"\$\{\{(.*?)\}\}", "".join(scripts))) == {" matrix.shard "}


def test_no_run_of_a_pull_request_writes_a_cache() -> None:
    """Each step that saves a cache asks for the event; the others only restore."""
    flow = yaml.safe_load(made("github"))
    steps = [step for job in flow["jobs"].values() for step in job["steps"] if "/cache" in step.get("uses", "")]
    saving = [step for step in steps if "/cache/restore@" not in step["uses"]]
    assert saving
    assert all("github.event_name != 'pull_request'" in step["if"] for step in saving)


def test_artifacts_of_a_second_attempt_do_not_collide() -> None:
    """The name of every uploaded artifact has the attempt."""
    flow = yaml.safe_load(made("github"))
    names = [
        step["with"]["name"]
        for job in flow["jobs"].values()
        for step in job["steps"]
        if "upload-artifact" in step.get("uses", "")
    ]
    assert len(names) == 3
    assert all(name.endswith("${{ github.run_attempt }}") for name in names)
