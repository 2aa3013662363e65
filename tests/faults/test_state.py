"""State that is damaged, moved, foreign, full or from another version: noticed before use, never a wrong verdict."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import rig

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")]
RUN = ("run", "-q", "--no-cache")


@pytest.fixture
def made(tmp_path: Path, filled: Callable[..., Path]) -> tuple[Path, Path]:
    """Return a project that has run, and its cache."""
    root, cache = rig.project(tmp_path / "project"), filled("made", rig.MATRIX, {})
    ended = rig.venvgrid(root, cache, *RUN)
    assert ended.status == 0, ended.err
    return root, cache


def whole(root: Path, cache: Path, *arguments: str, **more: str) -> rig.Ended:
    """Run, and make sure that the verdicts are those of an undamaged run: the tests check all files."""
    ended = rig.venvgrid(root, cache, *(arguments or RUN), **more)
    assert ended.status == 0, ended.out + ended.err
    assert [outcome for _, outcome, _ in rig.verdicts(root)] == ["passed", "passed"]
    return ended


def damage(file: Path, how: str, chance: random.Random) -> None:
    """Truncate a file, flip one of its bytes, or empty it; its times stay what they were."""
    status, data = file.stat(), bytearray(file.read_bytes())
    if how == "flipped" and data:
        data[chance.randrange(len(data))] ^= 0x41
    file.chmod(0o644)
    file.write_bytes({"cut": bytes(data[: len(data) // 2]), "empty": b"", "flipped": bytes(data)}[how])
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("how", ["cut", "empty", "flipped"])
@pytest.mark.parametrize("where", ["trees", "resolutions", "metadata", "interpreters", "virtualenv"])
def test_a_damaged_cache_changes_no_verdict(made: tuple[Path, Path], where: str, how: str) -> None:
    """Every file of a part of the cache at once; environments are made anew from it."""
    root, cache = made
    chance = random.Random(where + how)
    for file in sorted((cache / where).rglob("*")):
        if file.is_file() and not file.is_symlink():
            damage(file, how, chance)
    shutil.rmtree(root / ".venvgrid")
    whole(root, cache)


@pytest.mark.parametrize("how", ["cut", "empty", "flipped"])
def test_damaged_state_of_a_project_changes_no_verdict(made: tuple[Path, Path], how: str) -> None:
    """Markers and manifests of environments, results and journals of earlier runs, kept verdicts."""
    root, cache = made
    assert rig.venvgrid(root, cache, "run", "-q", "--cache").status == 0
    chance = random.Random(how)
    state = root / ".venvgrid"
    for pattern in ("store/*/*.json", "store/*/.*", "runs/*/results.json", "runs/*/events.jsonl", "results-cache/**/*"):
        for file in state.glob(pattern):
            if file.is_file() and not file.is_symlink():
                damage(file, how, chance)
    whole(root, cache, "run", "-q", "--cache")
    assert rig.venvgrid(root, cache, "report", "--format", "json").status == 0


@pytest.mark.parametrize("how", ["cut", "empty", "flipped"])
def test_a_damaged_lock_is_refused(made: tuple[Path, Path], how: str) -> None:
    """Nothing is installed by it; the message says what to type. A flipped byte may be in a comment or a name."""
    root, cache = made
    assert rig.venvgrid(root, cache, "lock", "-q").status == 0
    lock = root / "matrix.lock"
    whole_lock = lock.read_bytes()
    for seed in range(5):
        lock.write_bytes(whole_lock)
        damage(lock, how, random.Random(seed))
        ended = rig.venvgrid(root, cache, *RUN, "--locked")
        assert ended.status in {0, 2, 3}, ended.err
        if ended.status == 2:
            assert "venvgrid lock" in ended.err
        elif ended.status == 0:
            assert [outcome for _, outcome, _ in rig.verdicts(root)] == ["passed", "passed"]


def test_cache_verify_finds_and_names_what_is_damaged(made: tuple[Path, Path]) -> None:
    """One changed byte, with the file's times as they were; what is left is whole, and the next run makes it again."""
    root, cache = made
    shutil.rmtree(root / ".venvgrid")  # while environments share it, they would be damaged too
    assert rig.venvgrid(root, cache, "cache", "verify").status == 0
    (file,) = cache.glob("trees/*/packaging-24.0-*/site/packaging/version.py")
    damage(file, "flipped", random.Random(1))
    found = rig.venvgrid(root, cache, "cache", "verify")
    assert found.status == 1
    assert "damaged, and removed: trees/" in found.out
    assert "packaging-24.0-" in found.out
    assert rig.venvgrid(root, cache, "cache", "verify").status == 0
    whole(root, cache)


def test_cache_prune_by_age_and_size(made: tuple[Path, Path]) -> None:
    """The longest unused goes first; a run that goes on meanwhile has the right verdicts."""
    root, cache = made
    shown = rig.venvgrid(root, cache, "cache")
    assert "trees: installed distributions" in shown.out
    assert "0 deleted" in rig.venvgrid(root, cache, "cache", "prune", "--older-than", "1").err
    old = next(cache.glob("trees/*/iniconfig-*"))
    for file in (old, old / "seals.json"):
        os.utime(file, (1, 1))
    assert "1 deleted" in rig.venvgrid(root, cache, "cache", "prune", "--older-than", "30").err
    assert not old.exists()
    whole(root, cache)
    stop = threading.Event()

    def prune_on() -> None:
        while not stop.is_set():
            rig.venvgrid(root, cache, "cache", "prune", "--older-than", "0")

    pruning = threading.Thread(target=prune_on)
    pruning.start()
    try:
        for _ in range(3):
            shutil.rmtree(root / ".venvgrid")
            whole(root, cache)
    finally:
        stop.set()
        pruning.join()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to give files away")
def test_a_cache_that_is_pruned_while_runs_use_it(tmp_path: Path) -> None:
    """All of it, over and over: runs make anew what is gone."""
    root, cache = rig.project(tmp_path / "project"), tmp_path / "cache"
    over, said = threading.Event(), []

    def prune() -> None:
        while not over.is_set():
            ended = rig.venvgrid(root, cache, "cache", "prune", "--max-size", "1MB")
            said.append(ended.status)

    thread = threading.Thread(target=prune)
    thread.start()
    try:
        for _ in range(3):
            whole(root, cache, *RUN, "--fresh")
    finally:
        over.set()
        thread.join()
    assert set(said) == {0}


def test_a_cache_that_others_can_write_is_refused(made: tuple[Path, Path]) -> None:
    """What is in it is executed; a new one is ours alone."""
    root, cache = made
    assert cache.stat().st_mode & 0o777 == 0o700
    cache.chmod(0o777)
    ended = rig.venvgrid(root, cache, *RUN)
    assert (ended.status, "can be written by other users; type: chmod go-w" in ended.err) == (3, True)
    cache.chmod(0o700)
    os.chown(cache, 65534, 65534)
    ended = rig.venvgrid(root, cache, *RUN)
    assert (ended.status, "belongs to another user" in ended.err) == (3, True)


def test_a_cache_that_cannot_be_written_is_replaced(tmp_path: Path) -> None:
    """By a temporary one, with a warning; it is gone afterwards."""
    root = rig.project(tmp_path / "project")
    ended = whole(root, Path("/dev/null/cache"), TMPDIR=str(tmp_path))
    assert "warning: the cache /dev/null/cache cannot be written" in ended.err
    assert list(tmp_path.glob("venvgrid-cache-*")) == []


@pytest.mark.skipif(not rig.may_mount(), reason="needs to mount a file system")
@pytest.mark.parametrize("what", ["size=6m", "size=20m", "nr_inodes=300"])
def test_a_full_cache_breaks_nothing_for_good(tmp_path: Path, what: str) -> None:
    """The cells say so, or do without; with space the next run is whole."""
    root, cache = rig.project(tmp_path / "project"), tmp_path / "cache"
    cache.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"{what},mode=700", "none", str(cache)], check=True)
    try:
        first = rig.venvgrid(root, cache, *RUN)
        assert first.status in {0, 3}, first.out + first.err
        assert "Traceback" not in first.err
        room = "remount,size=200m" if what.startswith("size") else "remount,nr_inodes=100000"
        subprocess.run(["mount", "-o", room, str(cache)], check=True)
        whole(root, cache)
    finally:
        subprocess.run(["umount", "-l", str(cache)], check=True)


def test_a_project_that_moved_is_built_anew(made: tuple[Path, Path], tmp_path: Path) -> None:
    """Its environments name their old place."""
    root, cache = made
    moved = tmp_path / "elsewhere" / "project"
    moved.parent.mkdir()
    root.rename(moved)
    whole(moved, cache)
    assert rig.venvgrid(moved, cache, "exec", f"py{rig.HERE}-packaging24.0", "--", "pytest", "--version").status == 0


def test_an_interpreter_that_was_replaced_is_noticed(tmp_path: Path) -> None:
    """The same path, another Python: what was made with the old one is built anew, nothing else is asked for."""
    folder = tmp_path / "python"
    folder.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "a")], check=True)
    matrix = rig.MATRIX.replace(f'"{rig.HERE}"', f'"{folder / "a" / "bin" / "python"}"')
    root, cache = rig.project(tmp_path / "project", matrix), tmp_path / "cache"
    whole(root, cache)
    shutil.rmtree(folder / "a")
    gone = rig.venvgrid(root, cache, *RUN)
    assert gone.status == 3, gone.out
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--copies", str(folder / "a")], check=True)
    whole(root, cache)


def test_a_clock_that_was_put_back(made: tuple[Path, Path]) -> None:
    """Files and runs from the future: runs keep their order, and nothing is mistaken for fresh."""
    root, cache = made
    for run in (root / ".venvgrid" / "runs").iterdir():
        run.rename(run.with_name("2999" + run.name[4:]))
    for file in (*cache.rglob("*"), *root.rglob("*")):
        if file.exists() and not file.is_symlink():
            os.utime(file, (4e9, 4e9))
    whole(root, cache)
    assert max(run.name for run in (root / ".venvgrid" / "runs").iterdir()).startswith("2999")


def test_a_configuration_that_goes_back_and_forth_rebuilds_nothing(made: tuple[Path, Path]) -> None:
    """Environments are found by what they hold."""
    root, cache = made
    other = (root / "matrix.toml").read_text(encoding="utf-8")
    details = []
    for text in (other.replace("24.0", "24.1"), other, other.replace("24.0", "24.1"), other):
        (root / "matrix.toml").write_text(text, encoding="utf-8")
        whole(root, cache)
        details.append(sorted(rig.build_details(root)))
    assert details == [["built", "reused"], ["reused"] * 2, ["reused"] * 2, ["reused"] * 2]


@pytest.mark.parametrize("version", ["venvgrid-results-0", "venvgrid-results-9", ""])
def test_results_of_other_versions(made: tuple[Path, Path], version: str) -> None:
    """Earlier results that this version does not know tell nothing, and stop nothing."""
    root, cache = made
    (file,) = (root / ".venvgrid" / "runs").glob("*/results.json")
    data = json.loads(file.read_text(encoding="utf-8"))
    data["format"] = version
    file.write_text(json.dumps(data), encoding="utf-8")
    whole(root, cache)


def test_a_lock_of_a_later_version_is_refused(made: tuple[Path, Path]) -> None:
    """It says which format it has, and what to type."""
    root, cache = made
    assert rig.venvgrid(root, cache, "lock", "-q").status == 0
    lock = root / "matrix.lock"
    lock.write_text(lock.read_text(encoding="utf-8").replace("venvgrid-lock-1", "venvgrid-lock-2"), encoding="utf-8")
    ended = rig.venvgrid(root, cache, *RUN, "--locked")
    assert ended.status == 2
    assert "its format is 'venvgrid-lock-2', not 'venvgrid-lock-1'" in ended.err
    assert "venvgrid lock" in ended.err


def test_what_a_killed_run_left_in_the_temporary_folder_goes(tmp_path: Path) -> None:
    """All of it is in one folder, which the next run clears away; a folder of somebody else stays."""
    root, cache, temporary = rig.project(tmp_path / "project"), tmp_path / "cache", tmp_path / "tmp"
    (temporary / "venvgrid-mine").mkdir(parents=True)
    test = "import time\n\n\ndef test_waits():\n    open('ready', 'w').close()\n    time.sleep(600)\n"
    (root / "test_whole.py").write_text(test, encoding="utf-8")
    env = rig.environment(cache, TMPDIR=str(temporary))
    started = subprocess.Popen(rig.argv(*RUN), cwd=root, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    rig.wait_for((root / "ready").exists, started)
    started.kill()
    started.wait()
    assert len(list(temporary.iterdir())) > 1
    rig.project(root.parent / "project2")
    (root / "test_whole.py").write_bytes((root.parent / "project2" / "test_whole.py").read_bytes())
    whole(root, cache, TMPDIR=str(temporary))
    assert [path.name for path in temporary.iterdir()] == ["venvgrid-mine"]


def test_a_record_that_came_with_a_project_deletes_nothing(tmp_path: Path) -> None:
    """Whatever folder it names, also one of the user whose name begins like ours."""
    root, mine = rig.project(tmp_path / "project"), tmp_path / "venvgrid-mine"
    mine.mkdir()
    (mine / "work.txt").touch()
    (root / ".venvgrid").mkdir()
    (root / ".venvgrid" / "scratch").write_text(f"{mine}\n", encoding="utf-8")
    whole(root, tmp_path / "cache")
    assert (mine / "work.txt").exists()


@pytest.mark.skipif(not rig.may_trace(), reason="needs strace")
@pytest.mark.parametrize("error", ["EIO", "EDQUOT"])
@pytest.mark.parametrize("call", ["rename", "mkdir", "fsync", "openat"])
def test_a_disk_that_fails_for_a_moment(tmp_path: Path, call: str, error: str) -> None:
    """Somewhere in the middle: no traceback, no wrong verdict, and the next run is whole."""
    root, cache = rig.project(tmp_path / "project"), tmp_path / "cache"
    count = {"openat": 900, "rename": 6, "mkdir": 12, "fsync": 3}[call]
    before = [
        "strace",
        "-qq",
        "-o",
        os.devnull,
        "-e",
        f"trace={call}",
        "-e",
        f"inject={call}:error={error}:when={count}",
    ]
    ended = rig.venvgrid(root, cache, *RUN, before=before)
    assert ended.status in {0, 1, 2, 3}, ended.out
    assert "this is a bug in venvgrid" not in ended.err, ended.err
    whole(root, cache)


@pytest.mark.skipif(not rig.may_trace(), reason="needs strace")
def test_a_file_system_without_locks(tmp_path: Path) -> None:
    """As some of NFS: the run says that nothing keeps a second one out, and goes on."""
    root, cache = rig.project(tmp_path / "project"), tmp_path / "cache"
    for error in ("ENOLCK", "ENOSYS"):
        before = ["strace", "-qq", "-o", os.devnull, "-e", "trace=flock", "-e", f"inject=flock:error={error}"]
        ended = rig.venvgrid(root, cache, *RUN, before=before)
        assert ended.status == 0, ended.err
        assert "file system without locks" in ended.err
        assert rig.outcomes(root) == dict.fromkeys(rig.outcomes(root), "passed")


def test_paths_that_are_longer_than_a_first_line(tmp_path: Path) -> None:
    """A script's "#!" line holds 127 bytes on old kernels; the project is deeper than that."""
    folder = tmp_path / ("d" * 60) / ("e" * 60) / ("f f" * 20)
    root, cache = rig.project(folder / "project"), tmp_path / "cache"
    whole(root, cache)
    assert rig.venvgrid(root, cache, "exec", f"py{rig.HERE}-packaging24.0", "--", "pytest", "--version").status == 0


def test_a_process_that_tests_leave_is_ended_and_told(tmp_path: Path) -> None:
    """The cell ends when its command does, though the process holds the pipe for an hour."""
    test = """
        import subprocess, sys

        def test_leaves():
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True)
    """
    root = rig.project(tmp_path / "project", files={"test_whole.py": test})
    ended = rig.venvgrid(root, tmp_path / "cache", *RUN)
    assert ended.status == 0, ended.out
    if sys.platform == "linux":
        assert "leaked: 1 process outlived the tests and had to be ended" in ended.out
