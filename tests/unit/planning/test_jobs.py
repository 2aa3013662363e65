"""How many jobs a plan needs, what they cost, and the file of durations."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import factories
import jsonschema  # type: ignore[import-untyped] # it has no types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import plan_of_platforms

from venvgrid.app import travel
from venvgrid.app.shards import durations
from venvgrid.cli import main
from venvgrid.model import UsageError
from venvgrid.model.shard import Shard
from venvgrid.planning import jobs, packing
from venvgrid.reporters.terminal import plan_table
from venvgrid.results import plan_file

if TYPE_CHECKING:
    from pathlib import Path

cells = st.dictionaries(st.from_regex(r"c[0-9]{1,3}", fullmatch=True), st.floats(1, 900), min_size=1, max_size=30)
platforms = st.dictionaries(st.sampled_from(["linux", "macos", "windows"]), cells, min_size=1)


def test_a_target_that_one_cell_misses_alone_is_told() -> None:
    """By platform, with the time of that cell; a target that is reached is not."""
    found = {"linux": {"a": 90.0, "b": 20.0}, "macos": {"c": 10.0}}
    made = jobs.estimate(found, {}, jobs.counts_for_target(found, {}, 60), {})
    assert jobs.missed(made, 60) == "no number of jobs reaches --target 60 s: one cell takes 90 s on linux"
    assert jobs.missed(jobs.estimate(found, {}, jobs.counts_for_target(found, {}, 90), {}), 90) == ""


@given(platforms, st.floats(1, 2000))
def test_no_job_takes_longer_than_the_target_but_for_one_cell(
    found: dict[str, dict[str, float]], target: float
) -> None:
    """With as few jobs as packing manages, none of them empty; never fewer than the times demand."""
    counts = jobs.counts_for_target(found, {}, target)
    for name, of in found.items():
        limit = max(target, *of.values())
        shards = packing.pack(of, counts[name])
        assert packing.makespan(shards, of) <= limit * (1 + 1e-9)
        assert all(shards)
        assert counts[name] >= min(len(of), math.ceil(sum(of.values()) / limit - 1e-9))


@given(platforms, st.integers(3, 60))
def test_a_number_of_jobs_is_shared_out(found: dict[str, dict[str, float]], count: int) -> None:
    """All of them, as far as there are cells: no job is empty, no platform without one."""
    counts = jobs.counts_for_jobs(found, count)
    assert sum(counts.values()) == min(count, sum(map(len, found.values())))
    assert all(1 <= counts[name] <= len(of) for name, of in found.items())


def test_minutes_are_billed_by_job_and_priced_by_platform() -> None:
    """Each job is rounded up, as services do; a platform without a price costs 1."""
    found = {"linux": {"a": 61.0, "b": 30.0}, "macos": {"c": 1.0}}
    made = jobs.estimate(found, {}, {"linux": 2, "macos": 1}, {"macos": 10.0})
    assert [(item.platform, item.shards, item.cells, item.seconds, item.minutes, item.cost) for item in made] == [
        ("linux", 2, 2, 61.0, 3, 3.0),
        ("macos", 1, 1, 1.0, 1, 10.0),
    ]
    shown = list(plan_table.jobs(made))
    assert [line.split() for line in shown[2:5]] == [
        ["linux", "2", "2", "1.0", "min", "3", "3"],
        ["macos", "1", "1", "1", "s", "1", "10"],
        ["together", "3", "3", "1.0", "min", "4", "13"],
    ]
    assert list(plan_table.jobs(())) == []


def test_the_plan_file_has_the_jobs() -> None:
    """They are read again, are part of its digest, and fit the schema; a plan without them is read, too."""
    plan = plan_of_platforms()
    wanted = travel.WantedJobs(target=1.0, prices={"macos": 10.0})
    made = travel.with_jobs(plan, wanted, "linux")
    assert [(item.platform, item.shards, item.cost) for item in made.jobs] == [("linux", 2, 2.0), ("macos", 2, 20.0)]
    text = made.render({"strategy": {"name": "full"}})
    assert plan_file.parse(text, "plan.json").jobs == made.jobs
    assert made.digest != plan.digest
    from importlib import resources  # noqa: PLC0415

    schema = resources.files("venvgrid").joinpath("model/schemas/plan.schema.json").read_text("utf-8")
    jsonschema.validate(json.loads(text), json.loads(schema))
    with pytest.raises(UsageError, match="give at least 2"):
        travel.with_jobs(plan, replace(wanted, count=1), "linux")


def test_a_machine_gets_the_cells_of_its_platform() -> None:
    """The shards of each platform are its own; a machine that the plan does not mean is told so."""
    plan = plan_of_platforms()
    for platform in ("linux", "macos"):
        found = travel.shards_of(plan, 2, platform)
        assert sorted(cell for shard in found for cell in shard) == [f"py3.11-{platform}", f"py3.12-{platform}"]
    with pytest.raises(UsageError, match=r"no cell for this machine, which is windows; it has cells for linux, macos"):
        travel.shards_of(plan, 2, "windows")


def test_a_job_of_another_count_than_the_plan_says_is_told() -> None:
    """A file of the CI service that was not written again; without jobs in the plan any count is right."""
    plan = plan_of_platforms()
    assert travel.other_count(plan, Shard(1, 3), "linux") == ""
    made = travel.with_jobs(plan, travel.WantedJobs(target=1.0, prices={}), "linux")
    assert travel.other_count(made, Shard(1, 2), "macos") == ""
    assert "the plan has 2 jobs for macos, this is 1/3" in travel.other_count(made, Shard(1, 3), "macos")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--jobs", "many"), "--jobs 'many': write auto, or a number"),
        (("--jobs", "0"), "--jobs '0'"),
        (("--jobs", "4", "--target", "10m"), "it needs --jobs auto"),
        (("--target", "soon"), "--target: expected a duration"),
        (("--target", "0"), "--target: expected a duration"),
        (("--cost", "ubuntu=3"), "--cost 'ubuntu=3': write a platform"),
        (("--cost", "macos"), "--cost 'macos'"),
        (("--cost", "macos=-1"), "--cost 'macos=-1'"),
        (("--durations", "matrix.toml"), "it has no times of cells"),
    ],
)
def test_wrong_options_are_told(
    options: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each with what is right."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "matrix.toml").write_text('[project]\ninstall = "none"\n[install]\nrequires = []\n', encoding="utf-8")
    assert main.main(["plan", "-q", *options]) == 2
    assert message in capsys.readouterr().err


times = st.dictionaries(st.from_regex(r"py3\.[0-9]{1,2}-a[0-9]", fullmatch=True), st.floats(0.01, 9999), min_size=1)


@given(times)
def test_durations_are_read_as_they_were_written(seconds: dict[str, float]) -> None:
    """To three digits: more are noise, and would change every line."""
    written = durations.render(seconds)
    found = durations._of_lines(written)  # noqa: SLF001
    assert found.keys() == seconds.keys()
    assert all(math.isclose(found[cell], time, rel_tol=0.005) for cell, time in seconds.items())
    assert durations.render(found) == written


def test_a_run_adds_its_times(tmp_path: Path) -> None:
    """Cells that were not in it keep theirs; another file is not written over; results.json is read as well."""
    file = tmp_path / "durations.txt"
    durations.write(file, factories.report(factories.result("py3.9"), factories.result("py3.10")))
    durations.write(file, factories.report(replace(factories.result("py3.9"), durations={"test": 4.5678})))
    assert durations.read(file) == {"py3.9": 4.57, "py3.10": 1.2}
    from venvgrid.analysis import document  # noqa: PLC0415

    results = tmp_path / "results.json"
    results.write_text(json.dumps(document.to_results(factories.report(factories.result("py3.9")))), encoding="utf-8")
    assert durations.read(results) == {"py3.9": 1.2}
    other = tmp_path / "notes.txt"
    other.write_text("these are my notes\n", encoding="utf-8")
    with pytest.raises(UsageError, match="has no times of cells"):
        durations.write(other, factories.report(factories.result("py3.9")))
    assert other.read_text(encoding="utf-8") == "these are my notes\n"
    other.write_text("py3.9 nan\n", encoding="utf-8")
    with pytest.raises(UsageError, match="has no times of cells"):
        durations.read(other)


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_two_branches_merge_their_durations(tmp_path: Path) -> None:
    """Changes to cells beside each other need nothing; new cells at one place need `merge=union`."""

    def git(*words: str) -> int:
        named = ["git", "-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "core.hooksPath=none", *words]
        return subprocess.run(named, cwd=tmp_path, check=False, capture_output=True).returncode

    file = tmp_path / "durations.txt"
    base = {f"py3.{minor}-a": float(minor) for minor in range(9, 14)}

    def branch(name: str, **changed: float) -> None:
        assert git("checkout", "-q", "-b", name, "start") == 0
        file.write_text(
            durations.render({**base, **{key.replace("_", "."): time for key, time in changed.items()}}), "utf-8"
        )
        assert git("commit", "-qam", name) == 0

    git("init", "-q")
    file.write_text(durations.render(base), encoding="utf-8")
    (tmp_path / ".gitattributes").write_text("durations.txt merge=union\n", encoding="utf-8")
    git("add", "durations.txt")
    assert git("commit", "-qm", "base") == 0
    git("tag", "start")
    branch("one", **{"py3_10-a": 100.0, "py3_13-a": 130.0})
    branch("two", **{"py3_11-a": 110.0, "py3_9-a": 90.0})
    (tmp_path / ".gitattributes").rename(tmp_path / "attributes")
    assert git("merge", "-q", "one") == 0
    merged = durations.read(file)
    assert [merged[f"py3.{minor}-a"] for minor in range(9, 14)] == [90.0, 100.0, 110.0, 12.0, 130.0]
    branch("three", **{"py3_12-b": 1.0, "py3_10-a": 7.0})
    branch("four", **{"py3_12-c": 2.0, "py3_10-a": 8.0})
    (tmp_path / "attributes").rename(tmp_path / ".gitattributes")
    assert git("merge", "-q", "three") == 0
    merged = durations.read(file)
    assert (merged["py3.12-b"], merged["py3.12-c"], merged["py3.10-a"]) == (1.0, 2.0, 8.0)
