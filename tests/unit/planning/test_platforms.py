"""The axis `platform`: its values, the machines that they mean, and what is known of a Python elsewhere."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import factories
import pytest
from packaging.markers import Marker

from venvgrid import testing
from venvgrid.app.plan import by_platform
from venvgrid.config import loading, platforms
from venvgrid.installers.base import Resolved, ResolveFailed, ResolveRequest, Unresolvable
from venvgrid.installers.pip import Pip
from venvgrid.installers.uv import Uv
from venvgrid.interpreters.elsewhere import interpreter_on
from venvgrid.model import ConfigError, ExitStatus, LockError, Outcome, Plan, PlannedCell, Status
from venvgrid.planning import expansion, selection
from venvgrid.processes.command import Completed
from venvgrid.reporters import registry
from venvgrid.reporters.documents import plan_json
from venvgrid.reporters.formats import FORMATS
from venvgrid.reporters.terminal import plan_table
from venvgrid.resolving import lock_check, lockfile
from venvgrid.resolving.resolver import Resolver, lock_entry
from venvgrid.results.exit_status import exit_status
from venvgrid.results.report import build_report

if TYPE_CHECKING:
    from venvgrid.model import Config, Event, Interpreter, LockEntry
    from venvgrid.processes.command import Command

FILE = Path(__file__).resolve().parent / "matrix.toml"
HERE = testing.interpreter()  # on 64-bit Linux
GRID = '[axes]\npython = ["3.12"]\nplatform = ["linux", "macos"]\nenv.A = ["1", "2"]\n'


def read(text: str) -> Config:
    """Read a configuration."""
    return loading.parse(text, file=FILE, running="3.11")


def values(written: str) -> tuple[str, ...]:
    """Return the values of the axis."""
    (axis,) = [axis for axis in read(f"[axes]\nplatform = {written}").axes if axis.name == "platform"]
    return axis.values


def test_the_names_of_platforms() -> None:
    """Each may be spelt as its maker does; the value is one."""
    assert values('["linux", "macos", "windows", "linux-aarch64"]') == ("linux", "macos", "windows", "linux-aarch64")
    assert values('["Linux-x86_64", "macOS-arm64", "windows-amd64"]') == ("linux", "macos", "windows")
    assert values('"macos"') == ("macos",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('platform = ["ubuntu"]', "'ubuntu' is no platform; did you mean 'linux'? (allowed: linux, linux-aarch64"),
        ('platform = ["macOs14"]', "did you mean 'macos'"),
        ('platform = ["linux", "linux-x86_64"]', "the value 'linux' is there twice"),
        ("platform = []", "needs at least one value"),
        ('Platform = ["linux"]', "write 'platform', not 'Platform'"),
        ('platforms = ["linux"]', "is no axis; did you mean 'platform'?"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    """Each is told with what is allowed."""
    with pytest.raises(ConfigError) as caught:
        read(f"[axes]\n{text}")
    assert message in "\n".join(caught.value.mistakes)


@pytest.mark.parametrize("name", [*platforms.PLATFORMS, *platforms.OTHER_NAMES])
def test_the_schema_knows_every_name(name: str) -> None:
    """An editor has no complaint about what is read."""
    text = resources.files("venvgrid").joinpath("model/schemas/config.schema.json").read_text("utf-8")
    (pattern,) = re.findall(
        r'"platform": \{\s+"description": "[^"]+",\s+"type": "string",\s+"pattern": "([^"]+)"', text
    )
    assert re.search(pattern.replace("\\\\", "\\"), name)


@pytest.mark.parametrize(
    ("tag", "machine", "name"),
    [
        ("linux-x86_64", "x86_64", "linux"),
        ("linux-aarch64", "aarch64", "linux-aarch64"),
        ("linux-i686", "x86_64", "linux-i686"),
        ("macosx-14.0-arm64", "arm64", "macos"),
        ("macosx-10.9-x86_64", "x86_64", "macos-x86_64"),
        ("macosx-10.13-universal2", "arm64", "macos"),
        ("macosx-10.13-universal2", "x86_64", "macos-x86_64"),
        ("win-amd64", "AMD64", "windows"),
        ("win-arm64", "ARM64", "windows-aarch64"),
        ("win32", "AMD64", "win32"),
        ("freebsd-14.1-release-amd64", "amd64", "freebsd-14.1-release-amd64"),
    ],
)
def test_what_machines_are_called(tag: str, machine: str, name: str) -> None:
    """32-bit Pythons and other systems are of no platform of the axis; what they run has no axis."""
    assert platforms.named(tag, machine) == name


def test_ids_expressions_and_excludes() -> None:
    """The platform stands behind the Python, and can be selected."""
    plan = expansion.expand(read(f'{GRID}[[exclude]]\nplatform = "macOS"\nenv.A = "2"\n'))
    ids = [item.cell.id for item in plan.cells]
    assert ids == ["py3.12-linux-A.1", "py3.12-linux-A.2", "py3.12-macos-A.1", "py3.12-macos-A.2"]
    assert [item.status.value for item in plan.cells] == ["runnable", "runnable", "runnable", "excluded"]
    keep = selection.compile("platform==macos and not A.2", ["python", "platform", "env.A"], {}, ids)
    assert [item.cell.id for item in plan.cells if keep(item.cell)] == ["py3.12-macos-A.1"]


def test_cells_of_other_platforms_are_elsewhere() -> None:
    """They are marked with the reason; what was excluded stays so; a grid without the axis runs anywhere."""
    plan = by_platform(expansion.expand(read(f'{GRID}[[exclude]]\nplatform = "macos"\nenv.A = "2"\n')), "linux")
    assert [item.status.value for item in plan.cells] == ["runnable", "runnable", "elsewhere", "excluded"]
    assert plan.cells[2].reason == "it runs on macos; this machine is linux"
    assert {item.status for item in by_platform(plan, "freebsd-14").cells} == {Status.ELSEWHERE, Status.EXCLUDED}
    without = expansion.expand(read('[axes]\npython = ["3.12"]'))
    assert by_platform(without, "freebsd-14") == without


def test_what_is_elsewhere_decides_nothing_here() -> None:
    """A cell that runs elsewhere is not red, not missing and no success."""
    elsewhere = factories.result("py3.9", Outcome.ELSEWHERE)
    assert exit_status([elsewhere, factories.result("py3.10")]) is ExitStatus.PASSED
    assert exit_status([elsewhere]) is ExitStatus.NOTHING_TO_RUN
    assert not Outcome.ELSEWHERE.is_red
    planned = PlannedCell(cell=factories.cell("py3.9"), status=Status.ELSEWHERE, reason="it runs on macos")
    ran = factories.finished(factories.result("py3.10"))
    events: list[Event] = [factories.started([planned, factories.cell("py3.10")]), ran]
    report = build_report([*events, factories.ended()])
    assert (report.cells[0].outcome, report.cells[0].reason) == (Outcome.ELSEWHERE, "it runs on macos")
    assert report.exit_status == ExitStatus.PASSED
    assert build_report([events[0], factories.ended()]).exit_status == ExitStatus.INCOMPLETE


@pytest.mark.parametrize(
    ("marker", "where"),
    [
        ("sys_platform == 'win32'", {"windows", "windows-aarch64"}),
        ("sys_platform == 'darwin' and platform_machine == 'arm64'", {"macos"}),
        ("platform_machine == 'aarch64'", {"linux-aarch64"}),
        ("platform_system == 'Linux' and os_name == 'posix'", {"linux", "linux-aarch64"}),
        ("python_version >= '3.12' and implementation_name == 'cpython'", set(platforms.PLATFORMS)),
    ],
)
def test_markers_are_those_of_the_platform(marker: str, where: set[str]) -> None:
    """Not those of this machine."""
    like = testing.interpreter("3.12.4")
    known = {**like.markers, "implementation_name": "cpython", "python_version": "3.12", "platform_machine": "x86_64"}
    like = replace(like, markers=known)
    found = {name for name in platforms.PLATFORMS if Marker(marker).evaluate(dict(interpreter_on(name, like).markers))}
    assert found == where


def asked(interpreter: Interpreter) -> list[str]:
    """Return what uv is asked with for an interpreter."""
    started: list[str] = []

    def run(command: Command) -> Completed:
        started.extend(command.argv)
        return Completed(argv=command.argv, exit_code=0, stdout='lock-version = "1.0"\ncreated-by = "uv"\n')

    uv = Uv(binary="uv", version="0.13.8", environ={}, run=run)
    assert isinstance(uv.resolve(ResolveRequest(interpreter=interpreter, requirements=("six",))), Resolved)
    return started


def test_uv_resolves_for_the_platform() -> None:
    """With its name for it; for this machine it is not asked at all."""
    words = asked(interpreter_on("windows", HERE))
    assert words[words.index("--python-platform") + 1] == "x86_64-pc-windows-msvc"
    assert "--python-platform" not in asked(HERE)


@pytest.mark.parametrize(
    ("version", "way"), [("3.12.1", 'pip install "venvgrid[uv]"'), ("2.7.18", "uv does not know Python 2.7.18")]
)
def test_pip_says_that_it_cannot(version: str, way: str, tmp_path: Path) -> None:
    """It would answer for this machine: a cell that is called possible, or impossible, would be a guess."""
    pip = Pip(
        folder_for=lambda _: tmp_path / "pip-26.1", downloads=tmp_path, environ={}, run=lambda _: pytest.fail("ran")
    )
    interpreter = interpreter_on("macos", testing.interpreter(version))
    found = pip.resolve(ResolveRequest(interpreter=interpreter, requirements=("six",)))
    assert isinstance(found, ResolveFailed)
    assert found.is_open
    assert f"pip cannot resolve Python {version} for macos" in found.reason
    assert way in found.reason


def entries(config: Config) -> dict[str, LockEntry]:
    """Return the entries of all cells, with the same distributions on each platform."""
    answer = Resolved(distributions=(testing.distribution("six", "1.17.0"), testing.distribution("pytest", "8.0")))
    found = {}
    for item in expansion.expand(config).cells:
        python = HERE if item.cell.platform == "linux" else interpreter_on(item.cell.platform, HERE)
        found[item.cell.id] = lock_entry(config, item.cell, python, answer)
    return found


def locked(tmp_path: Path, config: Config) -> tuple[lockfile.Lock, Path, Plan]:
    """Return a lock that went through its file, and the plan that it is of."""
    plan = expansion.expand(config)
    planned = {item.cell.id: item for item in plan.cells}
    path = tmp_path / "matrix.lock"
    path.write_text(lockfile.render(lockfile.make("d", planned, entries(config), plan)), encoding="utf-8")
    return lockfile.read(path), path, plan


THREE = '[axes]\npython = ["3.12"]\nplatform = ["linux", "macos", "linux-aarch64"]\nsix = ["1.17"]\n'


def test_the_lock_has_an_entry_for_each_platform(tmp_path: Path) -> None:
    """Also where the distributions are the same: the machine there finds its own."""
    config = read(THREE)
    lock, path, plan = locked(tmp_path, config)
    assert sorted(item.platform for item in lock.environments.values()) == ["linux-aarch64", "linux-x86_64", "macos"]
    there = replace(HERE, platform="macosx-14.0-arm64")
    for item, python in zip(plan.cells, (HERE, there, replace(HERE, platform="linux-aarch64")), strict=True):
        found = lock_check.answers(lock, path, config, [(item.cell, python)])
        assert not isinstance(found[item.cell.id], Unresolvable)
    with pytest.raises(LockError, match="on macos, but this is"):
        lock_check.answers(lock, path, config, [(plan.cells[1].cell, HERE)])


def test_a_reason_names_the_platform_and_answers_are_not_shared(tmp_path: Path) -> None:
    """What is impossible on one platform is asked again for another; equal requests of one are asked once."""
    config = read(THREE)

    def answer(request: ResolveRequest) -> Resolved | Unresolvable:
        if request.interpreter.platform == "macos":
            return Unresolvable(reason="six 1.17 has no wheel for CPython 3.12 on macos")
        return Resolved(distributions=(testing.distribution("six", "1.17.0"),))

    installer = testing.FakeInstaller(answer=answer)
    resolver = Resolver(
        config=config, metadata=None, groups=(), installer_for=lambda _: installer, cache=tmp_path, clock=lambda: 1.7e9
    )
    cells = [item.cell for item in expansion.expand(config).cells]
    for _ in range(2):
        found = [
            resolver.resolve(cell, HERE if cell.platform == "linux" else interpreter_on(cell.platform, HERE))
            for cell in cells
        ]
        assert [type(item).__name__ for item in found] == ["LockEntry", "Unresolvable", "LockEntry"]
    assert [request.interpreter.platform for request in installer.requests if request.dependencies][:3] == [
        "linux-x86_64",
        "macos",
        "linux-aarch64",
    ]


def test_every_report_has_a_word_for_it() -> None:
    """It is told where cells are listed, and is a failure nowhere."""
    elsewhere = factories.result("py3.9", Outcome.ELSEWHERE, reason="it runs on macos; this machine is linux", log="")
    report = factories.report(elsewhere, factories.result("py3.10"))
    shown = {name: registry.text(name, report) for name in FORMATS}
    for name in ("table", "markdown", "html", "json", "junit"):
        assert "elsewhere" in shown[name], name
        assert "it runs on macos; this machine is linux" in shown[name], name
    assert 'failures="0" errors="0" skipped="1"' in shown["junit"]
    assert "1 cells pass" in shown["badge"]
    assert "::error" not in shown["github"]
    assert json.loads(shown["gitlab"]) == []


def test_the_plan_has_a_word_for_it() -> None:
    """The table of a plan shows the sign, the reason, and the sum."""
    plan = by_platform(expansion.expand(read(GRID)), "linux")
    shown = plan_table.render(plan, width=100, colour=False, encoding="utf-8")
    assert "→ elsewhere" in shown
    assert "it runs on macos; this machine is linux (2 cells)" in shown
    assert "4 cells: 2 runnable, 2 elsewhere" in shown
    assert ">" in plan_table.render(plan, width=100, colour=False, encoding="ascii")
    assert [cell["status"] for cell in plan_json.plan_json(plan)["cells"]] == ["runnable"] * 2 + ["elsewhere"] * 2
