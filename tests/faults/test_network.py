"""An index that is slow, lies, or is not there: never `impossible`, and the other cells go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import pytest
import rig
import wheels

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("toy_caches")]
MATRIX, TEST = rig.TOY_MATRIX, rig.TOY_TEST


def toy_index(**options: object) -> wheels.Index:
    index = wheels.Index(**options)  # type: ignore[arg-type]
    index.add("toy", "1.0")
    return index


def run(tmp_path: Path, index: wheels.Index, *arguments: str, **more: str) -> tuple[rig.Ended, dict[str, str]]:
    root = rig.project(tmp_path / "project", MATRIX, TEST)
    env = {"UV_INDEX": f"private={index.address}", "UV_CACHE_DIR": str(tmp_path / "uv"), "UV_HTTP_RETRIES": "1", **more}
    ended = rig.venvgrid(root, tmp_path / "cache", "run", *arguments, **env)
    return ended, rig.outcomes(root)


TOY, OTHER = f"py{rig.HERE}-toy1.0", f"py{rig.HERE}-toy-absent"


@pytest.mark.parametrize("behaviour", ["500", "403", "garbage", "drop", "hash", "loop", "local"])
def test_an_index_that_fails_is_no_impossible_cell(tmp_path: Path, behaviour: str) -> None:
    """Status 3, the reason says what the index did; the cell that does not need it is tested."""
    index = toy_index(behaviour=behaviour)
    with index.serving():
        ended, outcomes = run(tmp_path, index)
        assert ended.status == 3, ended.out + ended.err
        assert outcomes[TOY] == "build-failed", ended.out
        assert "Traceback" not in ended.err
        # What failed is not kept: with an index that works the cell is tested.
        index.behaviour = "ok"
        again, outcomes = run(tmp_path, index)
    assert (again.status, outcomes) == (0, {TOY: "passed", OTHER: "passed"}), again.out


def test_a_short_trouble_is_waited_out(tmp_path: Path) -> None:
    """The first answers are 503."""
    index = toy_index(behaviour="flaky")
    with index.serving():
        ended, outcomes = run(tmp_path, index, UV_HTTP_RETRIES="5")
    assert (ended.status, outcomes[TOY]) == (0, "passed"), ended.out


@pytest.mark.parametrize("behaviour", ["many", "named"])
def test_an_index_that_is_only_odd_is_no_failure(tmp_path: Path, behaviour: str) -> None:
    """A hundred thousand links; files under a name that leads out, which nobody uses."""
    index = toy_index(behaviour=behaviour)
    with index.serving():
        ended, outcomes = run(tmp_path, index)
    assert (ended.status, outcomes) == (0, {TOY: "passed", OTHER: "passed"}), ended.out
    assert not list(tmp_path.rglob("out.whl"))


def test_the_newest_of_an_index_with_many_links(tmp_path: Path) -> None:
    """Policies are settled by our own reader."""
    index = toy_index(behaviour="many")
    root = rig.project(tmp_path / "project", MATRIX.replace('["1.0", "absent"]', '"latest-minors:1"'), TEST)
    with index.serving():
        env = {"UV_INDEX": f"private={index.address}"}
        ended = rig.venvgrid(root, tmp_path / "cache", "plan", **env)
    assert ended.status == 0, ended.err
    assert TOY in ended.out


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_while_resolving(tmp_path: Path, end: signal.Signals) -> None:
    """The index never answers; status 128 + n, the cells are cancelled, and the resolver is gone."""
    index, root, marker = (
        toy_index(behaviour="hangs"),
        rig.project(tmp_path / "project", MATRIX, TEST),
        uuid.uuid4().hex,
    )
    with index.serving():
        env = rig.environment(tmp_path / "cache", UV_INDEX=f"private={index.address}", UV_MARKER=marker)
        env["UV_HTTP_TIMEOUT"] = "3600"
        argv = rig.argv("run")
        started = subprocess.Popen(argv, cwd=root, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        rig.wait_for(lambda: index.asked, started)
        started.send_signal(end)
        _, err = started.communicate(timeout=rig.LIMIT)
    assert (started.returncode, "Traceback" in err) == (128 + end, False), err
    assert set(rig.outcomes(root).values()) == {"cancelled"}
    assert rig.processes(marker) == []


def test_no_name_server(tmp_path: Path) -> None:
    """A host that nobody knows."""
    index = wheels.Index(address="http://nobody-knows-this.invalid/simple")
    ended, outcomes = run(tmp_path, index)
    assert (ended.status, outcomes[TOY]) == (3, "build-failed"), ended.out


def test_a_file_that_comes_byte_by_byte(tmp_path: Path) -> None:
    """The tool's own time limit ends it."""
    index = toy_index(behaviour="slow")
    with index.serving():
        ended, outcomes = run(tmp_path, index, UV_HTTP_TIMEOUT="2")
    # uv's limit is for each read: a byte now and then is progress. What matters is that it ends.
    assert ended.status in {0, 3}, ended.out
    assert outcomes[TOY] in {"passed", "build-failed"}


@pytest.mark.skipif(not rig.may_cut_off(), reason="needs a network namespace")
def test_offline_with_warm_caches_does_a_whole_run(tmp_path: Path) -> None:
    """In a network namespace without any interface."""
    index = toy_index()
    with index.serving():
        ended, _ = run(tmp_path, index)
        assert ended.status == 0, ended.out
        root = tmp_path / "project"
        env = {"UV_INDEX": f"private={index.address}", "UV_CACHE_DIR": str(tmp_path / "uv")}
        subprocess.run(["rm", "-rf", str(root / ".venvgrid")], check=True)
        for extra in (("--offline",), ("--offline", "--fresh")):
            ended = rig.venvgrid(root, tmp_path / "cache", "run", "--no-cache", *extra, before=("unshare", "-n"), **env)
            assert ended.status == 0, ended.out + ended.err
            assert rig.outcomes(root) == {TOY: "passed", OTHER: "passed"}


@pytest.mark.parametrize("how", ["address", "netrc", "variables", "keyring"])
def test_credentials_work(tmp_path: Path, how: str) -> None:
    """In the address, in netrc, in uv's variables, in a keyring; without them it is the index that failed."""
    password = "s3cret-of-the-index"
    index = toy_index(password=password)
    with index.serving():
        refused, outcomes = run(tmp_path, index)
        assert (refused.status, outcomes[TOY]) == (3, "build-failed"), refused.out
        netrc = tmp_path / "netrc"
        netrc.write_text(f"machine 127.0.0.1 login me password {password}\n", encoding="utf-8")
        netrc.chmod(0o600)
        keyring = tmp_path / "bin" / "keyring"
        keyring.parent.mkdir()
        keyring.write_text(f"#!/bin/sh\necho {password}\n", encoding="utf-8")
        keyring.chmod(0o755)
        more = {
            "keyring": {
                "PATH": f"{keyring.parent}{os.pathsep}{os.environ['PATH']}",
                "UV_KEYRING_PROVIDER": "subprocess",
                "UV_INDEX": "private=" + index.address.replace("://", "://me@"),
            },
            "address": {"UV_INDEX": "private=" + index.address.replace("://", f"://me:{password}@")},
            "netrc": {"NETRC": str(netrc)},
            "variables": {"UV_INDEX_PRIVATE_USERNAME": "me", "UV_INDEX_PRIVATE_PASSWORD": password},
        }[how]
        ended, outcomes = run(tmp_path, index, **more)
        assert (ended.status, outcomes[TOY]) == (0, "passed"), ended.out
        # Our own reader knows them too.
        root = rig.project(tmp_path / "policy", MATRIX.replace('["1.0", "absent"]', '"latest-minors:1"'), TEST)
        planned = rig.venvgrid(root, tmp_path / "cache", "plan", **{"UV_INDEX": f"private={index.address}", **more})
        assert (planned.status, TOY in planned.out) == (0, True), planned.err
    assert password not in ended.out + ended.err + planned.out + planned.err
    for file in (tmp_path / "project").rglob("*"):
        assert not file.is_file() or password.encode() not in file.read_bytes(), file


def test_a_public_package_cannot_replace_a_private_one(tmp_path: Path) -> None:
    """The first index that has the name is believed, though the second has a higher version."""
    private, public = toy_index(), wheels.Index()
    public.add("toy", "1.0.9", wheels.wheel("toy", "1.0.9", {"toy.py": b"VALUE = 'evil'\n"}))
    with private.serving(), public.serving():
        ended, outcomes = run(tmp_path, private, UV_INDEX=f"private={private.address} public={public.address}")
        assert (ended.status, outcomes[TOY]) == (0, "passed"), ended.out
    (cell,) = [item for item in rig.results(tmp_path / "project")["cells"] if item["id"] == TOY]
    assert cell["packages"]["toy"] == "1.0"
