"""The capsule of a red cell, `CELL.capsule`: JSON with a checksum. Pure.

It holds what is needed to run the cell elsewhere, and facts about where it was red. It names the project's sources by
their commit, and holds none of them but a small patch. It has no date and no duration: equal contents, equal bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, field, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from venvgrid.model import Attestation, Distribution, Outcome, UsageError, serialization
from venvgrid.model.config import EMPTY
from venvgrid.model.values import dataclass
from venvgrid.storage import digests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORMAT = "venvgrid-capsule-1"
SUFFIX = ".capsule"
FOLDER = "capsules"  # in the folder of a run, in a record, and beside merged results
MAX_BYTES = 200_000  # of a capsule without wheels
MAX_READ = 4_000_000  # bytes of a capsule that is read: a later version may write larger ones
MAX_PATCH = 50_000  # bytes
MAX_LONGREPR = 8_000  # characters

# Variables whose values say who and where, not how: they differ everywhere, and are nobody's business.
PERSONAL = re.compile(
    r"HOME|USER(?:NAME|PROFILE|DOMAIN)?|LOGNAME|SHELL|TERM|PATH|TMPDIR|TEMP|TMP|XDG_.*|.*DISPLAY|XAUTHORITY|.*_PROXY"
    r"|SSL_.*|.*_CERT(?:_FILE)?|.*_CA_BUNDLE|.*APPDATA|HOMEDRIVE|HOMEPATH|COMPUTERNAME|ALLUSERSPROFILE|PUBLIC",
    re.IGNORECASE,
)

_GIVE = "give CELL.capsule of a red cell, or a record that has one"
_FAMILY = re.compile(r"venvgrid-capsule-(\d+)")
_CELL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_VERSION = re.compile(r"\d{1,3}\.\d{1,3}[\w.+]{0,40}")
_WORD = re.compile(r"[\w.+-]{1,80}")
_COMMIT = re.compile(r"(?:[0-9a-f]{40}(?:[0-9a-f]{24})?)?")
_REFERENCE = re.compile(r"(?:refs/[A-Za-z0-9][A-Za-z0-9/._+-]*)?")
_SEED = re.compile(r"[0-9]{0,40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTest:
    """One failure of the cell; `test` is "" if something else stopped it."""

    test: str
    kind: str
    message: str
    signature: str
    longrepr: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the project's sources come from. `config` and `project` are relative to the repository, or to the folder.

    `changed` maps tracked files that differed from the commit, and files that git does not know, to digests of their
    contents; `patch` is the difference of the tracked ones, or "", and `patch_missing` says why.
    """

    commit: str = ""
    reference: str = ""  # a service's name of the commit, "refs/pull/12/merge"
    config: str = "matrix.toml"
    project: str = "."
    inputs_digest: str = ""  # of all files that tests may read
    dirty: bool = False
    changed: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    patch: str = ""
    patch_missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Python:
    """The interpreter; `facts` are those of its build, by name: compiler, OpenSSL, …"""

    implementation: str
    version: str
    platform: str
    free_threaded: bool = False
    debug: bool = False
    bits: int = 64
    cache_tag: str = ""
    facts: Mapping[str, str] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """The lock entry of the cell: exactly what its environment holds besides the project."""

    as_of: str = ""
    notes: tuple[str, ...] = ()
    distributions: tuple[Distribution, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """In which order the tests ended: up to the last one that failed, if they are few enough; `count` counts all."""

    seed: str = ""  # of pytest-randomly or pytest-random-order
    count: int = 0
    digest: str = ""
    tests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Capsule:
    """One red cell.

    `assigned` are the variables that the configuration sets; `passed` those that the tests got from the machine, with
    their values, `hidden` those of them whose values are not told.
    """

    cell: str
    axes: Mapping[str, str]
    grid: str = ""
    outcome: Outcome
    reason: str = ""
    venvgrid: str = ""
    project: str = ""  # its name
    project_version: str = ""
    install: str = "wheel"
    sources: Sources = field(default_factory=Sources)
    config_digest: str = ""
    plan: str = ""  # the digest of the plan that it was part of
    python: Python
    lock: Locked
    command: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()  # those of `run -- …`, at the end of `command`
    before: tuple[tuple[str, ...], ...] = ()  # the commands before it
    folder: str = ""  # where they run, seen from the project's folder; "" if there
    back: str = ""  # the project's folder, seen from there
    assigned: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    passed: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    hidden: tuple[str, ...] = ()
    order: Order = field(default_factory=Order)
    tests: Mapping[str, int] = field(default_factory=dict)
    failures: tuple[FailedTest, ...] = ()
    failed: int = 0  # how many failures there were; the capsule may hold fewer
    attested: Attestation = field(default_factory=Attestation)
    machine: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    plain: tuple[str, ...] = ()  # commands for people without venvgrid
    requirements: str = ""  # the file that these commands use

    @property
    def signatures(self) -> frozenset[str]:
        """The signatures of its failures."""
        return frozenset(item.signature for item in self.failures)

    @property
    def failing_tests(self) -> tuple[str, ...]:
        """The tests that failed, each once."""
        return tuple(dict.fromkeys(item.test for item in self.failures if item.test))


def render(capsule: Capsule) -> bytes:
    """Return the bytes of a capsule; of one that is too large, parts are left out, the least useful first."""
    content = _content(capsule)
    for reduced in _reductions(capsule):
        if len(content) <= MAX_BYTES:
            break
        content = _content(reduced)
    return content


def parse(content: bytes, name: str) -> Capsule:
    """Parse the bytes of a capsule; `name` is for messages.

    Raises:
        UsageError: it is none, damaged, edited, or of a later format.
    """
    if len(content) > MAX_READ:
        raise UsageError(f"{name} is no capsule: it has more than {MAX_READ // 1_000_000} MB")
    try:
        data = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is no capsule, or only a part of one: it is not whole JSON; {_GIVE}") from error
    found = _FAMILY.fullmatch(str(data.get("format"))) if isinstance(data, dict) else None
    if found is None:
        raise UsageError(f"{name} is no capsule of venvgrid; {_GIVE}")
    if data["format"] != FORMAT:
        raise UsageError(f"{name} was made by a newer venvgrid ({data['format']}); update venvgrid to read it")
    try:
        is_original = data["checksum"] == _checksum(data)
        capsule: Capsule = serialization.from_plain(Capsule, data)
        wrong = _wrong(capsule)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{name} is damaged ({error!r:.80}); take the original") from error
    if not is_original:
        raise UsageError(f"{name} was changed after it was written; take the original")
    if wrong:
        raise UsageError(f"{name} is refused: {wrong}")
    return capsule


def is_cell(name: str) -> bool:
    """Return whether a text can be the id of a cell: it is safe as the name of a file."""
    return _CELL.fullmatch(name) is not None


def file_name(cell: str) -> str:
    """Return the name of the capsule of a cell."""
    return f"{cell}{SUFFIX}"


def _content(capsule: Capsule) -> bytes:
    data = {"format": FORMAT, **_full(capsule)}
    return (json.dumps({**data, "checksum": _checksum(data)}, indent=1, ensure_ascii=False) + "\n").encode()


def _checksum(data: Mapping[str, Any]) -> str:
    return digests.of_json({name: value for name, value in data.items() if name != "checksum"})


def _full(value: object) -> Any:
    """Return a value as JSON-able data with all fields: other programs need not know the defaults."""
    if isinstance(value, Distribution):  # very many of them: only what they have
        return {name: _full(item) for name, item in asdict(value).items() if item and name != "uploaded"}
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: _full(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {_full(name): _full(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_full(item) for item in value]
    if isinstance(value, str):
        return str(value).encode("utf-8", "replace").decode("utf-8")  # lone surrogates are no UTF-8
    return value


def _reductions(capsule: Capsule) -> Iterator[Capsule]:
    """Yield smaller capsules: each has all that a later step does not take away."""
    steps: tuple[Callable[[Capsule], Capsule], ...] = (
        lambda item: replace(item, failures=tuple(_shorter(one, 1_000) for one in item.failures)),
        lambda item: replace(item, order=replace(item.order, tests=())),
        lambda item: replace(item, failures=item.failures[:100]),
        lambda item: replace(item, failures=tuple(_shorter(one, 0) for one in item.failures)),
        lambda item: replace(item, sources=_without_patch(item.sources)),
        lambda item: replace(item, failures=item.failures[:20]),
        lambda item: replace(item, sources=replace(item.sources, changed=EMPTY)),
        lambda item: replace(item, requirements="", plain=()),
        lambda item: replace(item, passed=EMPTY, hidden=()),
    )
    for step in steps:
        capsule = step(capsule)
        yield capsule


def _shorter(failure: FailedTest, limit: int) -> FailedTest:
    return replace(failure, longrepr=failure.longrepr[-limit:] if limit else "")


def _without_patch(sources: Sources) -> Sources:
    if not sources.patch:
        return sources
    return replace(sources, patch="", patch_missing="the capsule would be too large with it")


def _wrong(capsule: Capsule) -> str:
    """Return what a capsule of venvgrid cannot hold, or ""."""
    sources = capsule.sources
    checks = {
        f"{capsule.cell!r:.80} is no id of a cell": is_cell(capsule.cell),
        f"{capsule.python.version!r:.80} is no version of Python": _VERSION.fullmatch(capsule.python.version),
        f"{capsule.python.platform!r:.80} is no platform": _WORD.fullmatch(capsule.python.platform),
        f"{sources.commit!r:.80} is no commit": _COMMIT.fullmatch(sources.commit),
        f"{sources.reference!r:.80} is no reference of git": _is_reference(sources.reference),
        f"{sources.config!r:.80} leads out of the project": is_inside(sources.config),
        f"{sources.project!r:.80} leads out of the project": is_inside(sources.project),
        f"{capsule.order.seed!r:.80} is no seed": _SEED.fullmatch(capsule.order.seed),
        f"{capsule.grid!r:.80} is no name of a grid": capsule.grid.isprintable(),
        f"{capsule.project!r:.80} is no name of a project": capsule.project.isprintable(),
        f"the outcome {capsule.outcome} is not red": capsule.outcome.is_red,
        "its patch is too large": len(sources.patch) <= 2 * MAX_PATCH,
    }
    return next((why for why, is_fine in checks.items() if not is_fine), "")


def _is_reference(name: str) -> bool:
    return _REFERENCE.fullmatch(name) is not None and ".." not in name


def is_inside(path: str) -> bool:
    """Return whether a path is relative, and stays in its folder on every system."""
    parts = path.split("/")
    return bool(path) and ".." not in parts and not path.startswith("/") and not re.search(r"[\\:\0-\x1f]", path)
