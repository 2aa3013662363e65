"""Capsules: whole, bounded, equal for equal contents; and never believed more than they deserve."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING, Any

import factories
import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from venvgrid.app.capsules import given as given_to_cells
from venvgrid.app.capsules import plain
from venvgrid.config import loading
from venvgrid.model import Attestation, Distribution, Failure, Outcome, UsageError
from venvgrid.results import records
from venvgrid.results.capsules import archives, capsule, comparison
from venvgrid.results.capsules.capsule import MAX_BYTES, Capsule, FailedTest, Locked, Order, Python, Sources
from venvgrid.results.capsules.comparison import Here, Verdict
from venvgrid.storage import digests
from venvgrid.testing import distribution

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COMMIT = "c0ffee" * 6 + "abcd"
FAILED = FailedTest(
    test="tests/test_a.py::test_x", kind="ValueError", message="bad", signature="ValueError: bad @ a.py:3"
)
PYTHON = Python(implementation="cpython", version="3.12.1", platform="linux-x86_64", facts={"compiler": "GCC 12.2"})


def make(**changes: Any) -> Capsule:
    """Make the capsule of a cell that failed."""
    made = Capsule(
        cell="py3.12-six1.16",
        axes={"python": "3.12", "six": "1.16", "env.MODE": "b"},
        outcome=Outcome.FAILED,
        reason="1 failed of 3 tests",
        project="demo",
        sources=Sources(commit=COMMIT),
        python=PYTHON,
        lock=Locked(distributions=(distribution("pytest", "8.4.2"), distribution("six", "1.16.0"))),
        command=("pytest", "-q"),
        assigned={"MODE": "b"},
        passed={"LANG": "C.UTF-8"},
        hidden=("HOME",),
        order=Order(seed="42", count=3, digest="d", tests=("tests/test_a.py::test_x",)),
        tests={"failed": 1, "passed": 2},
        failures=(FAILED,),
        failed=1,
        attested=Attestation(python="cpython 3.12.1 bin/python", packages={"six": "1.16.0"}, collected=3),
        machine={"libc": "glibc 2.36", "cpu": "one"},
    )
    return replace(made, **changes)


def schema() -> Any:
    text = resources.files("venvgrid").joinpath("model/schemas/capsule.schema.json").read_text("utf-8")
    return json.loads(text)


def archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return buffer.getvalue()


def test_a_capsule_is_read_as_it_was_written() -> None:
    """Nothing is lost; the file fits its schema, which knows each of its keys."""
    content = capsule.render(make())
    assert capsule.parse(content, "x") == make()
    data = json.loads(content)
    jsonschema.validate(data, schema())
    assert set(data) == set(schema()["properties"])
    for name in ("sources", "python", "order", "attested"):
        assert set(data[name]) <= set(schema()["properties"][name]["properties"])


@given(st.text(), st.dictionaries(st.text(), st.text(), max_size=3), st.lists(st.text(), max_size=3))
def test_any_text_survives(message: str, variables: dict[str, str], names: list[str]) -> None:
    """Messages, variables and names of tests are any text; equal contents are equal bytes."""
    made = make(failures=(replace(FAILED, message=message),), passed=variables, command=tuple(names))
    content = capsule.render(made)
    assert capsule.parse(content, "x") == made
    assert capsule.render(capsule.parse(content, "x")) == content


def test_a_lone_surrogate_does_not_break_it() -> None:
    """Names of files may be no UTF-8; the capsule is."""
    content = capsule.render(make(reason="a\udcffb"))
    assert capsule.parse(content, "x").reason == "a?b"


def test_a_large_capsule_loses_the_least_useful_parts_first() -> None:
    """200 kB at most, with the lock, the signatures and the failing tests as long as they fit."""
    failures = tuple(replace(FAILED, test=f"t{index}", longrepr="x" * 8_000) for index in range(300))
    packages = tuple(distribution(f"p{index}", "1.0") for index in range(400))
    patched = Sources(commit=COMMIT, patch="y" * 50_000)
    lock = Locked(distributions=packages)
    made = make(failures=failures, failed=300, sources=patched, lock=lock, requirements=plain.requirements(packages))
    content = capsule.render(made)
    found = capsule.parse(content, "x")
    assert len(content) <= MAX_BYTES
    assert found.lock == made.lock
    assert (found.failed, len(found.failures) >= 20) == (300, True)
    assert found.sources.patch == patched.patch or found.sources.patch_missing


def changed(content: bytes, **values: Any) -> bytes:
    """Change a capsule and make its checksum right again, as who means harm would."""
    data = {name: value for name, value in {**json.loads(content), **values}.items() if name != "checksum"}
    return json.dumps({**data, "checksum": digests.of_json(data)}).encode()


def python(version: str, platform: str) -> dict[str, str]:
    return {"implementation": "cpython", "version": version, "platform": platform}


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda content: content[: len(content) // 2], "only a part"),
        (lambda content: content.replace(b"ValueError: bad", b"ValueError: odd"), "was changed after it was written"),
        (lambda content: content.replace(b"capsule-1", b"capsule-2"), "newer venvgrid"),
        (lambda _: b"{}", "no capsule of venvgrid"),
        (lambda _: b"[]", "no capsule of venvgrid"),
        (lambda _: b"\x89PNG\r\n\x1a\n", "not whole JSON"),
        (lambda _: b"", "not whole JSON"),
        (lambda _: b"[" * 100_000, "not whole JSON"),
        (lambda _: b" " * 5_000_000, "more than 4 MB"),
        (lambda content: changed(content, cell="../../x"), "no id of a cell"),
        (lambda content: changed(content, cell=".."), "no id of a cell"),
        (lambda content: changed(content, cell=7), "damaged"),
        (lambda content: changed(content, lock=7), "damaged"),
        (lambda content: changed(content, failures=None), "damaged"),
        (lambda content: changed(content, outcome="passed"), "is not red"),
        (lambda content: changed(content, outcome="fine"), "damaged"),
        (lambda content: changed(content, sources={"commit": "--upload-pack=x"}), "is no commit"),
        (lambda content: changed(content, sources={"reference": "refs/../../x"}), "no reference"),
        (lambda content: changed(content, sources={"config": "/etc/matrix.toml"}), "leads out"),
        (lambda content: changed(content, sources={"config": "a/../../matrix.toml"}), "leads out"),
        (lambda content: changed(content, sources={"config": "C:\\matrix.toml"}), "leads out"),
        (lambda content: changed(content, sources={"patch": "x" * 200_000}), "patch is too large"),
        (
            lambda content: changed(content, python=python("x", "p")),
            "no version",
        ),
        (
            lambda content: changed(content, python=python("3.9", "\x1b[2J")),
            "no plat",
        ),
        (lambda content: changed(content, project="\x1b[2J"), "no name of a project"),
        (lambda content: changed(content, order={"seed": "1 --basetemp=/"}), "is no seed"),
    ],
)
def test_what_is_no_good_capsule_is_refused_by_name(damage: Callable[[bytes], bytes], told: str) -> None:
    """Damaged, edited, foreign, future, and with paths or options in it that lead elsewhere: status 2."""
    with pytest.raises(UsageError, match=told) as error:
        capsule.parse(damage(capsule.render(make())), "place/x.capsule")
    assert str(error.value).startswith("place/x.capsule")


def test_keys_of_later_versions_are_passed_over() -> None:
    """The format only gains keys."""
    assert capsule.parse(changed(capsule.render(make()), more={"a": [1]}), "x") == make()


def test_capsules_are_found_in_files_folders_and_archives_of_archives(tmp_path: Path) -> None:
    """A capsule, a folder of a run, a record, an artifact of records."""
    one, two = make(), make(cell="py3.13", axes={"python": "3.13"})
    record = archive({f"capsules/{item.cell}.capsule": capsule.render(item) for item in (one, two)} | {"x.log": b"x"})
    (tmp_path / "capsules").mkdir()
    (tmp_path / "capsules" / "a.capsule").write_bytes(capsule.render(one))
    (tmp_path / "artifact.zip").write_bytes(archive({"shard-1/shard.record": record}))
    assert [item.capsule.cell for item in archives.find(tmp_path / "capsules" / "a.capsule")] == [one.cell]
    assert [item.capsule.cell for item in archives.find(tmp_path / "capsules")] == [one.cell]
    found = archives.find(tmp_path / "artifact.zip")
    assert archives.choose(found, "py3.13").capsule == two
    with pytest.raises(UsageError, match=r"--with CELL: py3.12-six1.16, py3.13"):
        archives.choose(found, "")
    with pytest.raises(UsageError, match=r"no capsule of py2.7"):
        archives.choose(found, "py2.7")


def test_archives_that_mean_harm_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bombs, endless nesting, very many members, cut-off archives, and names of wheels that lead elsewhere."""
    monkeypatch.setattr(archives, "MAX_ARCHIVE", 3_000_000)
    bomb = archive({"a.capsule": b"0" * 50_000_000})
    with pytest.raises(UsageError, match="unpacks to more than"):
        archives.read(bomb, "bomb")
    many = archive({f"{index}.zip": archive({"a.capsule": b" " * 900_000}) for index in range(3)})
    with pytest.raises(UsageError, match="no capsule"):
        archives.read(many, "many")
    nested = capsule.render(make())
    for _ in range(6):
        nested = archive({"a.zip": nested if nested[:1] == b"P" else archive({"a.capsule": nested})})
    assert archives.read(nested, "nested") == []
    with pytest.raises(UsageError, match="no whole archive"):
        archives.read(bomb[: len(bomb) // 2], "half")
    monkeypatch.setattr(archives, "MAX_MEMBERS", 5)
    with pytest.raises(UsageError, match="more than 5 members"):
        archives.read(archive({str(index): b"" for index in range(6)}), "members")
    for name in ("wheels/../../x.whl", "wheels/a/b.whl", "wheels/C:x.whl", "project/x.py"):
        with pytest.raises(UsageError, match="no name of a wheel"):
            archives.unpack_wheels(archive({name: b"x"}), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_capsule_with_wheels_is_no_broken_record(tmp_path: Path) -> None:
    """It is an archive, but lies where records are looked for."""
    (tmp_path / "py3.12.capsule").write_bytes(archive({"capsule.json": capsule.render(make())}))
    assert list(records.find([tmp_path])) == []


def result(outcome: Outcome, *signatures: str) -> Any:
    """Make the result of the cell here."""
    failures = tuple(Failure(test="t", kind="k", message="m", signature=name) for name in signatures)
    return replace(factories.result(factories.cell("3.12"), outcome), failures=failures)


def test_the_verdict_goes_by_signatures() -> None:
    """One equal signature reproduces; other failures are another failure; what could not run tells nothing."""
    same = FAILED.signature
    assert comparison.verdict(make(), result(Outcome.FAILED, same, "other")) is Verdict.REPRODUCED
    assert comparison.verdict(make(), result(Outcome.FAILED, "other")) is Verdict.ANOTHER
    assert comparison.verdict(make(), result(Outcome.CRASHED)) is Verdict.ANOTHER
    assert comparison.verdict(make(), result(Outcome.PASSED)) is Verdict.PASSES
    for outcome in (Outcome.BUILD_FAILED, Outcome.MISSING_INTERPRETER, Outcome.CANCELLED, Outcome.IMPOSSIBLE):
        assert comparison.verdict(make(), result(outcome)) is Verdict.UNKNOWN
    silent = make(outcome=Outcome.NO_TESTS, failures=())
    assert comparison.verdict(silent, result(Outcome.NO_TESTS)) is Verdict.REPRODUCED
    assert comparison.verdict(silent, result(Outcome.FAILED, "x")) is Verdict.ANOTHER


def same_here(**changes: Any) -> Here:
    made = make()
    here = Here(
        python=made.python,
        packages={item.name: item.version for item in made.lock.distributions},
        passed=dict(made.passed),
        names=frozenset({"LANG", "HOME"}),
        machine=dict(made.machine),
    )
    return replace(here, **changes)


def test_equal_machines_do_not_differ() -> None:
    """Nothing is told that is the same."""
    assert comparison.differences(make(), same_here()) == ()


def test_without_an_interpreter_only_the_machine_is_compared() -> None:
    """What an interpreter would tell is not known, and no difference."""
    here = Here(machine={"cpu": "two"})
    assert [item.name for item in comparison.differences(make(), here)] == ["CPU"]


def test_differences_come_in_the_order_of_their_likelihood() -> None:
    """Packages and the Python before the CPU; a fact that the failure speaks of comes first."""
    here = same_here(
        python=replace(PYTHON, version="3.12.9"),
        packages={"pytest": "8.4.2", "six": "1.17.0"},
        machine={"libc": "musl 1.2", "cpu": "two", "timezone": "CET CEST"},
        passed={"LANG": "de_DE.UTF-8"},
        names=frozenset({"LANG"}),
    )
    names = [item.name for item in comparison.differences(make(hidden=("HOME", "MY_TOKEN")), here)]
    assert names == ["six", "Python", "libc", "timezone", "LANG", "MY_TOKEN", "CPU"]
    told = replace(FAILED, message="can't compare offset-naive and offset-aware datetimes")
    assert comparison.differences(make(failures=(told,)), here)[0].name == "timezone"
    told = replace(FAILED, message="LANG is wrong")
    assert comparison.differences(make(failures=(told,)), here)[0].name == "LANG"


def test_three_commands_make_the_environment_install_and_test() -> None:
    """The hashes are checked if all are known; failing tests are named where the command allows it."""
    first, second, third = plain.commands(make())
    assert first == "python3.12 -m venv cell"
    assert "--require-hashes -r cell/requirements.txt" in second
    assert second.endswith("pip install --no-deps .")
    assert third == "MODE=b cell/bin/pytest -q tests/test_a.py::test_x"
    other = plain.commands(make(command=("make", "test"), assigned={}))[2]
    assert other == 'PATH="$PWD/cell/bin:$PATH" make test'
    module = plain.commands(make(command=("python", "-m", "pytest", "tests"), assigned={}))[2]
    assert module == "cell/bin/python -m pytest tests"
    old = plain.commands(make(python=replace(PYTHON, version="2.7.18")))[0]
    assert old == "python2.7 -m virtualenv cell"
    older = plain.commands(make(python=replace(PYTHON, version="3.6.15")))[0]
    assert older == "python3.6 -m venv cell && cell/bin/python -m pip install --upgrade 'pip<22'"
    free = plain.commands(make(python=replace(PYTHON, version="3.13.0", free_threaded=True), install="none"))
    assert free[0] == "python3.13t -m venv cell"
    assert not free[1].endswith(".")
    unhashed = Locked(distributions=(Distribution(name="x", version="1", direct="git+https://e.org/x@c0"),))
    assert "--require-hashes" not in plain.commands(make(lock=unhashed))[1]
    assert plain.requirements(unhashed.distributions) == "x @ git+https://e.org/x@c0\n"


def test_the_commands_of_an_archive_unpack_it() -> None:
    """Its wheels are installed where that is asked for; an editable project has none there."""
    unpacked = "cell/bin/python -m zipfile -e py3.12-six1.16.capsule cell && "
    own = plain.commands(make(), has_wheels=True)[1]
    assert own.startswith(unpacked)
    assert own.endswith("--no-index --find-links cell/project demo")
    fetched = plain.commands(make(), is_archive=True)[1]
    assert (fetched.startswith(unpacked), "--no-index" in fetched) == (True, False)
    assert fetched.endswith("pip install --no-deps .")
    editable = plain.commands(make(install="editable"), has_wheels=True)[1]
    assert editable.endswith("pip install --no-deps -e .")


def test_the_third_command_goes_to_the_folder_of_the_tests() -> None:
    """Programs and variables are seen from there; failing tests are not named, for their ids are not relative to it."""
    moved = make(folder="sub/tests", back="../..", assigned={"DATA": "{project}/data", "TOKEN": "{tmp}/{axis:six}"})
    assert plain.commands(moved)[2] == (
        "mkdir -p cell-files && cd sub/tests && DATA=../../data TOKEN=../../cell-files/1.16 ../../cell/bin/pytest -q"
    )
    more = replace(moved, before=(("python", "prepare.py"), ("make", "it")), command=("tox", "{python}"), assigned={})
    assert plain.commands(more)[2] == (
        "cd sub/tests && ../../cell/bin/python prepare.py"
        ' && PATH="$PWD/../../cell/bin:$PATH" make it && PATH="$PWD/../../cell/bin:$PATH" tox ../../cell/bin/python'
    )
    empty = make(folder="cell-files/a b", back="../..", assigned={})
    assert plain.commands(empty)[2] == "mkdir -p 'cell-files/a b' && cd 'cell-files/a b' && ../../cell/bin/pytest -q"
    windows = replace(moved, python=replace(PYTHON, platform="win-amd64"), assigned={"A": "1"})
    assert plain.commands(windows)[2] == r"cd sub/tests && set A=1 && ..\..\cell\Scripts\pytest -q"


@pytest.mark.parametrize(
    ("written", "project", "expected"),
    [
        ("", ".", ("", "")),
        (".", ".", ("", "")),
        ("tests", ".", ("tests", "..")),
        ("pkg", "pkg", ("", "")),
        ("tests/unit", "pkg", ("../tests/unit", "../../pkg")),
        ("{tmp}", ".", ("cell-files", "..")),
        ("{tmp}/a/b", "pkg", ("cell-files/a/b", "../../..")),
    ],
)
def test_the_folder_of_the_tests_is_told_from_the_project(
    written: str, project: str, expected: tuple[str, str], tmp_path: Path
) -> None:
    """It is relative to the configuration there, and to the project here."""
    for name in ("tests/unit", "pkg"):
        (tmp_path / name).mkdir(parents=True)
    text = f'[project]\npath = "{project}"\n[test]\nworking-directory = "{written}"\n' if written else ""
    config = loading.parse(text or "[axes]\n", file=tmp_path / "matrix.toml", running="3.12")
    assert given_to_cells.folder(config) == expected
