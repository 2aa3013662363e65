"""Fuzzes what reads text of others, guided by coverage: `python tests/faults/fuzz.py TARGET --seconds 3600`.

Needs atheris (`python -m pip install atheris`). Each target may raise venvgrid's own errors and nothing else, and has
to answer within ten seconds. Without a target: their names. It begins with the kept corpus, and prints how many inputs
were tried. `--keep FOLDER` adds inputs of a folder to the kept corpus.
"""
# ruff: noqa: E501 - seeds on a line

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from venvgrid.analysis.history import last
from venvgrid.config import loading
from venvgrid.installers import uv
from venvgrid.migration import matrix_toml, variants
from venvgrid.migration.model import Notes, ParsedSource
from venvgrid.migration.readers import nox, tox, tox_settings
from venvgrid.migration.readers.requirements import parse_arguments
from venvgrid.migration.readers.workflow import reader as github_workflow
from venvgrid.model import VenvgridError
from venvgrid.outcomes import junit_input
from venvgrid.planning import expansion, selection
from venvgrid.processes.redaction import Redactor
from venvgrid.resolving import lockfile
from venvgrid.results.journal import read as read_journal
from venvgrid.results.report import build_report

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS = Path(__file__).parent / "corpus"  # a file for each target, a JSON string for each input, as latin-1
KEPT = 150  # inputs for each target, about: short ones and long ones alike
HERE = Path(tempfile.gettempdir()) / f"venvgrid-fuzz-{os.getpid()}"
SEEDS = {
    "config": b'[axes]\npython = "3.9..3.12"\nnumpy = ["1.26", "latest"]\n[plan]\nstrategy = "t=2"\n[grid.a]\naxes.numpy = false\n',
    "expression": b"python>=3.9 and not (numpy==2.0 or outcome==failed) or py3.*-x",
    "lock": b'format = "venvgrid-lock-1"\nfits = "x"\n[cells]\na = "b"\n[environments.b]\npython = "3.12"\n',
    "journal": b'{"event": "RunFinished", "exit_status": 0, "duration": 1.0, "at": 1.0}\n',
    "results": b'{"cells": [{"id": "a", "outcome": "passed", "packages": {}, "durations": {}}], "grid": ""}',
    "junit": b"<testsuite tests='1'><testcase classname='a' name='b' time='0.1'><failure/></testcase></testsuite>",
    "pylock": b'lock-version = "1.0"\ncreated-by = "uv"\n[[packages]]\nname = "a"\nversion = "1"\nwheels = [{url = "https://x/a-1-py3-none-any.whl", hashes = {sha256 = "8a"}}]\n',
    "tox": b"[tox]\nenvlist = py3{9,10}-dj{1,2}\n[testenv]\ndeps = dj1: Django<2\ncommands = pytest {posargs:-q}\n",
    "nox": b"import nox\nP = ['3.9'] + ['3.10']\n@nox.session(python=P)\ndef t(s):\n    s.install('.')\n    s.run('pytest')\n",
    "workflow": b"jobs:\n  test:\n    strategy: {matrix: {python: ['3.9'], include: [{os: x}]}}\n    steps: [{run: pytest}]\n",
    "requirements": b"a>=1 # c\n-r b.txt\n-e .[x]\nhttps://x/y.whl\n",
    "redaction": b"https://me:pass@host and hunter2hunter2 split",
}


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _config(data: bytes) -> None:
    made = loading.parse(_text(data), file=HERE / "matrix.toml", running="3.12")
    if not any(axis.policy for axis in made.axes):
        expansion.expand(made)


def _expression(data: bytes) -> None:
    selection.compile(_text(data), ("python", "numpy", "env.X"))


def _lock(data: bytes) -> None:
    lockfile.render(lockfile.parse(_text(data), HERE / "matrix.lock"))


def _journal(data: bytes) -> None:
    (HERE / "events.jsonl").write_bytes(data)
    build_report(read_journal(HERE / "events.jsonl"))


def _results(data: bytes) -> None:
    run = HERE / "root" / "runs" / "20260101-000000-0000"
    run.mkdir(parents=True, exist_ok=True)
    (run / "events.jsonl").write_bytes(b"")
    (run / "results.json").write_bytes(data)
    last(HERE / "root")


def _junit(data: bytes) -> None:
    (HERE / "r.xml").write_bytes(data)
    junit_input.read(HERE / "r.xml", None, junit_input.Limits(elapsed=1.0))


def _pylock(data: bytes) -> None:
    uv._resolved(_text(data), HERE)  # noqa: SLF001  (what stands behind the door)


def _written(source: ParsedSource) -> None:
    made = variants.group(source, {})
    if made.groups:
        text = matrix_toml.render(made.groups, made.notes, made.lost, source.source)
        loading.parse(text, file=HERE / "matrix.toml", running="3.12")


def _tox(data: bytes) -> None:
    _written(tox.read(tox_settings.read_ini(_text(data), "tox.ini"), HERE, "tox.ini"))


def _nox(data: bytes) -> None:
    _written(nox.read(_text(data), HERE, "noxfile.py"))


def _workflow(data: bytes) -> None:
    _written(github_workflow.read(_text(data), HERE, "ci.yml", ["3.12"]))


def _requirements(data: bytes) -> None:
    (HERE / "requirements.txt").write_bytes(data)
    parse_arguments(["-r", "requirements.txt"], HERE, Notes(), "x")


def _redaction(data: bytes) -> None:
    redactor = Redactor.from_environ({"A_TOKEN": "hunter2hunter2"})
    stream = redactor.stream()
    half = len(data) // 2
    found = stream.add(data[:half]) + stream.add(data[half:]) + stream.end()
    assert b"hunter2hunter2" not in found


TARGETS: dict[str, Callable[[bytes], None]] = {
    "config": _config, "expression": _expression, "lock": _lock, "journal": _journal, "results": _results,
    "junit": _junit, "pylock": _pylock, "tox": _tox, "nox": _nox, "workflow": _workflow,
    "requirements": _requirements, "redaction": _redaction,
}  # fmt: skip


def one(target: str, data: bytes) -> None:
    """Run a target on one input; any error but venvgrid's own is a finding."""
    HERE.mkdir(exist_ok=True)
    with suppress(VenvgridError):
        TARGETS[target](data)


def kept(target: str) -> list[bytes]:
    """Read the kept corpus of a target."""
    file = CORPUS / f"{target}.jsonl"
    lines = file.read_text(encoding="ascii").splitlines() if file.is_file() else []
    return [json.loads(line).encode("latin-1") for line in lines]


def keep(target: str, folder: Path) -> None:
    """Add inputs of a folder to the kept corpus."""
    found = {file.read_bytes() for file in folder.iterdir()} | set(kept(target))
    ordered = sorted(found, key=lambda data: (len(data), data))
    chosen = ordered[:: max(1, round(len(ordered) / KEPT))]
    text = "".join(json.dumps(data.decode("latin-1")) + "\n" for data in chosen)
    CORPUS.mkdir(exist_ok=True)
    (CORPUS / f"{target}.jsonl").write_text(text, encoding="ascii")


def main() -> None:
    """Fuzz a target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="?", choices=list(TARGETS))
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--corpus", type=Path, help="a folder that inputs are added to")
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    if not arguments.target:
        print("\n".join(TARGETS))
        return
    if arguments.keep:
        keep(arguments.target, arguments.keep)
        return
    atheris = importlib.import_module("atheris")  # needed here alone
    corpus = arguments.corpus or HERE / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate([SEEDS[arguments.target], *kept(arguments.target)]):
        (corpus / f"seed{number}").write_bytes(data)
    atheris.instrument_all()
    options = [
        f"-max_total_time={arguments.seconds}",
        "-timeout=10",
        "-rss_limit_mb=2000",
        "-verbosity=0",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], lambda data: one(arguments.target, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
