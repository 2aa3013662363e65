"""Gate: no secret is in anything that venvgrid writes or prints: `python tests/faults/canaries.py`.

Canaries are planted in variables, in the password of an index, in what tests print, in names and messages of tests, in
encodings, split over two writes, and in arguments; then every byte of every file that a run leaves outside of the
environments, and of both streams, is looked through.
"""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from urllib.parse import quote

import rig
import wheels

from venvgrid.reporters.formats import FORMATS

CANARIES = {
    "PYPI_TOKEN": "canary-token-4f1a9c",
    "AWS_SECRET_ACCESS_KEY": "canary/secret+key==77e0",
    "DB_PASSWORD": "canary pass word 81bd",
    "MY_API_KEY": "canary-multi\nline-key-92ce",
    "INDEX_PASSWORD": "canary-index-pw-a3d5",
}
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


def streams(folder: Path) -> dict[str, str]:
    """Run: a cell that fails, an impossible one, a lock, options that are wrong, a release that is nowhere."""
    index = wheels.Index(password=CANARIES["INDEX_PASSWORD"])
    index.add("toy", "1.0")
    index.add("toy", "9.9", wheels.sdist("toy", "9.9", {"PKG-INFO": b"Name: toy\nVersion: 9.9\n"}), "sdist")
    with index.serving():
        address = index.address.replace("://", f"://me:{CANARIES['INDEX_PASSWORD']}@")
        root = rig.project(folder / "project", MATRIX, {"test_whole.py": TEST})
        env = {**CANARIES, "UV_INDEX": f"private={address}"}
        written = [f"--report={name}=report-{name}.txt" for name in FORMATS]
        ran = rig.venvgrid(root, folder / "cache", "run", "-v", *written, "--", f"--override-ini=addopts={'-q'}", **env)
        if ran.status != 1 or sorted(rig.outcomes(root).values()) != ["failed", "impossible"]:
            raise SystemExit(f"the run ended with {ran.status}: {ran.out}{ran.err}")
        locked = rig.venvgrid(root, folder / "cache", "lock", **env)
        again = rig.venvgrid(
            root, folder / "cache", "run", "-k", "*nothing*", "--strategy", CANARIES["PYPI_TOKEN"], **env
        )
        rig.project(folder / "nowhere", MATRIX.replace("9.9", "9.8"), {"test_whole.py": TEST})
        nowhere = rig.venvgrid(folder / "nowhere", folder / "cache", "run", **env)
        if nowhere.status != 2:
            raise SystemExit(f"a release that is nowhere: {nowhere.status}: {nowhere.out}{nowhere.err}")
    ended = (ran, locked, again, nowhere)
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
                own = {"store", "pytest"} & set(file.relative_to(folder).parts)
                if not file.is_file() or file.name == "test_whole.py" or own:
                    continue
                if text in file.read_bytes() or text in str(file.relative_to(folder)).encode():
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
