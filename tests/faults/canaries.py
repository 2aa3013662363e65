"""Gate: no secret is in anything that venvgrid writes or prints: `python tests/faults/canaries.py`.

Canaries are planted in variables, in the password of an index, in what tests print, in names and messages of tests, in
encodings, split over two writes, in arguments, and in changes that are not committed. Then every byte is looked
through: of both streams, and of every file that a run, a plan, a record, a capsule and a merged result leave outside of
the environments.
"""

from __future__ import annotations

import base64
import io
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import rig
import wheels

from venvgrid.reporters.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARIES = {
    "PYPI_TOKEN": "canary-token-4f1a9c",
    "AWS_SECRET_ACCESS_KEY": "canary/secret+key==77e0",
    "DB_PASSWORD": "canary pass word 81bd",
    "MY_API_KEY": "canary-multi\nline-key-92ce",
    "INDEX_PASSWORD": "canary-index-pw-a3d5",
}
SETTINGS = "settings.py"
TEST = """
    import base64, fcntl, os, sys, termios, time
    from urllib.parse import quote

    import pytest

    TOKEN, KEY = os.environ["PYPI_TOKEN"], os.environ["AWS_SECRET_ACCESS_KEY"]


    @pytest.mark.parametrize("value", [TOKEN])
    def test_name(value):
        assert value == "x", f"message {KEY}"


    def test_output():
        print(TOKEN, os.environ["DB_PASSWORD"], os.environ["MY_API_KEY"])
        print(base64.b64encode(KEY.encode()).decode(), quote(KEY, safe=""))
        sys.__stdout__.write(TOKEN[:7])
        sys.__stdout__.flush()
        waiting = bytearray(4)
        while fcntl.ioctl(1, termios.FIONREAD, waiting) or any(waiting):  # until it has been read
            time.sleep(0.01)
        sys.__stdout__.write(TOKEN[7:] + "\\n")
        print("https://me:%s@host/simple" % os.environ["DB_PASSWORD"].replace(" ", "-"))
        assert 0, TOKEN


    def test_exception():
        raise RuntimeError(KEY + " in " + repr(dict(os.environ)))
"""
MATRIX = f"""
    [project]
    install = "none"
    [axes]
    python = ["{rig.HERE}"]
    toy = ["1.0", "9.9"]
    [test]
    command = ["pytest", "-s"]
    smoke = []
    pass-env = {list(CANARIES)}
"""


def encodings(secret: str) -> set[bytes]:
    """Return the forms of a secret; each of its lines counts."""
    texts = {
        secret,
        *secret.splitlines(),
        quote(secret, safe=""),
        base64.b64encode(secret.encode()).decode().rstrip("="),
    }
    return {text.encode() for text in texts if len(text) >= 8}


def commit(root: Path) -> None:
    """Put a project under version control, and change a file of it afterwards: the change has a secret."""
    (root / SETTINGS).write_text("TOKEN = None\n", encoding="utf-8")
    rig.committed(root)
    (root / SETTINGS).write_text(f"VALUE = {CANARIES['DB_PASSWORD']!r}\n", encoding="utf-8")


def contents(file: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, and those of the members of an archive."""
    waiting = [file.read_bytes()]
    while waiting:
        data = waiting.pop()
        yield data
        if data.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                waiting += [archive.read(name) for name in archive.namelist()]


def shared(root: Path, cache: Path, **env: str) -> tuple[rig.Ended, ...]:
    """Make a plan, run it, merge its record, and leave a capsule, complete and not."""
    planned = rig.venvgrid(root, cache, "plan", "-o", "plan.json", **env)
    part = rig.venvgrid(root, cache, "run", "--plan", "plan.json", "--record", "shard.record", **env)
    merged = rig.venvgrid(root, cache, "merge", "shard.record", "-o", "merged", **env)
    again = rig.venvgrid(root, cache, "reproduce", "merged", **env)
    ended = (planned, part, merged, again)
    if [item.status for item in ended] != [0, 1, 0, 0] or not list(root.glob("merged/capsules/*.capsule")):
        raise SystemExit(f"plan, run, merge, reproduce: {ended}")
    return ended


def streams(folder: Path) -> dict[str, str]:
    """Run: a cell that fails, an impossible one, a lock, options that are wrong, a release that is nowhere."""
    index = wheels.Index(password=CANARIES["INDEX_PASSWORD"])
    index.add("toy", "1.0")
    index.add("toy", "9.9", wheels.sdist("toy", "9.9", {"PKG-INFO": b"Name: toy\nVersion: 9.9\n"}), "sdist")
    with index.serving():
        address = index.address.replace("://", f"://me:{CANARIES['INDEX_PASSWORD']}@")
        root = rig.project(folder / "project", MATRIX, {"test_whole.py": TEST})
        commit(root)
        env = {**CANARIES, "UV_INDEX": f"private={address}"}
        written = [f"--report={name}=report-{name}.txt" for name in FORMATS]
        ran = rig.venvgrid(root, folder / "cache", "run", "-v", *written, "--", f"--override-ini=addopts={'-q'}", **env)
        if ran.status != 1 or sorted(rig.outcomes(root).values()) != ["failed", "impossible"]:
            raise SystemExit(f"the run ended with {ran.status}: {ran.out}{ran.err}")
        locked = rig.venvgrid(root, folder / "cache", "lock", **env)
        again = rig.venvgrid(
            root, folder / "cache", "run", "-k", "*nothing*", "--strategy", CANARIES["PYPI_TOKEN"], **env
        )
        parts = shared(root, folder / "cache", **env)
        rig.project(folder / "nowhere", MATRIX.replace("9.9", "9.8"), {"test_whole.py": TEST})
        nowhere = rig.venvgrid(folder / "nowhere", folder / "cache", "run", **env)
        if nowhere.status != 2:
            raise SystemExit(f"a release that is nowhere: {nowhere.status}: {nowhere.out}{nowhere.err}")
    ended = (ran, locked, again, nowhere, *parts)
    return {"stdout": "".join(item.out for item in ended), "stderr": "".join(item.err for item in ended)}


def hits(folder: Path) -> list[str]:
    """Run; return every place where a canary was found."""
    printed = streams(folder)
    found = []
    for name, secret in CANARIES.items():
        for text in encodings(secret):
            found += [f"{name} in {stream}" for stream, content in printed.items() if text in content.encode()]
            for file in (*(folder / "project").rglob("*"), *(folder / "nowhere").rglob("*")):
                # What tests and pytest keep for themselves is theirs.
                own = {"store", "pytest", ".git"} & set(file.relative_to(folder).parts)
                if not file.is_file() or file.name in {"test_whole.py", SETTINGS} or own:
                    continue
                if any(text in data for data in contents(file)) or text in str(file.relative_to(folder)).encode():
                    found.append(f"{name} in {file.relative_to(folder)}")
    for name, secret in CANARIES.items():
        for file in (folder / "cache").rglob("*"):
            if file.is_file() and secret.encode() in file.read_bytes():
                found.append(f"{name} in the cache: {file.relative_to(folder)}")
    return sorted(set(found))


def main() -> None:
    """Print the figure."""
    with tempfile.TemporaryDirectory(prefix="venvgrid-secrets-") as folder:
        found = hits(Path(folder))
    rig.figure(found, f"places with a canary secret, of {len(CANARIES)} planted")


if __name__ == "__main__":
    main()
