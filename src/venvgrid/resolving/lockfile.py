"""`matrix.lock`: the exact distributions and interpreter of each cell, to commit and to install again.

TOML with one distribution a line and without addresses of an index, so that any diff compares two locks. Hashes are
those of the files that fit the platform of the lock; `run --locked` on another platform fails with a message.

The checksum covers the meaning of the file, not its layout. A lock that was edited or badly merged is refused. Its
distributions are checked against their cells all the same (`lock_check`).
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

from venvgrid.config.toml_writer import block, inline, strings, table, text
from venvgrid.model import Conflict, Distribution, FrozenPolicy, LockEntry, LockError, Status, serialization
from venvgrid.model.values import dataclass
from venvgrid.storage import digests

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from venvgrid.model import Config, Plan, PlannedCell
    from venvgrid.project.metadata import Metadata

FORMAT = "venvgrid-lock-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedEnvironment:
    """Contents of one environment, without the interpreter's path: other machines of the platform can use it."""

    python: str
    implementation: str
    platform: str
    as_of: str = ""
    notes: tuple[str, ...] = ()
    distributions: tuple[Distribution, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The whole file. `cells` map to the name of an environment; `impossible` and `open` map to a reason.

    `open` are cells that could not be locked: no interpreter, no network, another platform.
    """

    digest: str
    cells: Mapping[str, str] = field(default_factory=dict)
    impossible: Mapping[str, str] = field(default_factory=dict)
    open: Mapping[str, str] = field(default_factory=dict)
    environments: Mapping[str, LockedEnvironment] = field(default_factory=dict)
    chosen: tuple[Mapping[str, str], ...] = ()  # the values of each cell that a strategy chose
    learnt: tuple[Conflict, ...] = ()
    frozen: Mapping[str, FrozenPolicy] = field(default_factory=dict)  # by axis
    has_checksum: bool = True  # False: it was made before locks had one
    is_edited: bool = False  # its checksum is not that of its contents


def path_for(config: Config) -> Path:
    """Return the path of the lock: `matrix.lock` beside the configuration, or NAME.lock for `-c NAME.toml`.

    Each grid has its own: `matrix.lowest.lock` for [grid.lowest].
    """
    name = "matrix" if config.file.name == "pyproject.toml" else config.file.stem
    return config.root / (f"{name}.{config.grid}.lock" if config.grid else f"{name}.lock")


def digest_of(config: Config, metadata: Metadata | None, groups: tuple[str, ...]) -> str:
    """Return the digest of all that decides about distributions: a lock fits the configurations with its digest."""
    declared = [metadata.requires_python, sorted(metadata.requires)] if metadata else []
    parts = [
        [[axis.name, axis.values] for axis in config.axes],
        [serialization.to_plain(rule.keys) for rule in config.excludes],
        [serialization.to_plain(rule.keys) for rule in config.includes],
        [config.project.install.value, sorted(config.project.extras), sorted(groups)],
        _asked(config),
        declared,
    ]
    if config.planning.kind != "full":
        parts.append(
            [config.strategy, serialization.to_plain(replace(config.planning, optimise=0.0, skip_missing=False))]
        )
    return digests.of_json(parts, 32)


def _asked(config: Config) -> dict[str, object]:
    """Return [install]; without a younger key that has its default, so that older locks still fit."""
    plain = serialization.to_plain(config.install)
    return plain if config.install.pre_releases else {key: plain[key] for key in plain if key != "pre_releases"}


def stale(config: Config, digest: str, runnable: Iterable[str]) -> str:
    """Return why the lock does not fit, or ""; `digest` is that of the configuration, `runnable` are its cells."""
    path = path_for(config)
    if not path.is_file():
        return f"there is no {path.name}"
    lock = read(path)
    if lock.digest != digest:
        return f"{path.name} is not of this configuration: axes, requirements or the project have changed"
    known = lock.cells.keys() | lock.impossible.keys() | lock.open.keys()
    missing = [cell for cell in runnable if cell not in known]
    more = f" and {len(missing) - 1} more cells" if missing[1:] else ""
    return f"{path.name} lacks {missing[0]}{more}" if missing else ""


def make(
    digest: str,
    planned: Mapping[str, PlannedCell],
    entries: Mapping[str, LockEntry],
    plan: Plan | None = None,
    frozen: Mapping[str, FrozenPolicy] | None = None,
) -> Lock:
    """Make a lock from the entries of a run, and the choice of cells from `plan` if a strategy made one."""
    cells, environments = {}, {}
    for cell, entry in entries.items():
        locked = LockedEnvironment(
            python=entry.interpreter.version,
            implementation=entry.interpreter.implementation,
            platform=entry.interpreter.platform,
            as_of=entry.as_of,
            notes=entry.notes,
            distributions=entry.distributions,
        )
        cells[cell] = name = names_of(locked)[entry.interpreter.elsewhere]
        environments[name] = locked
    others = {
        status: {name: item.reason for name, item in planned.items() if item.status is status and name not in cells}
        for status in Status
    }
    return Lock(
        digest=digest,
        cells=cells,
        impossible=others[Status.IMPOSSIBLE],
        open={**others[Status.FAILED], **others[Status.MISSING_INTERPRETER], **others[Status.ELSEWHERE]},
        environments=environments,
        chosen=tuple(item.cell.axes for item in plan.cells if not item.cell.named)
        if plan and plan.certificate and plan.combinations
        else (),
        learnt=plan.learnt if plan else (),
        frozen=frozen or {},
    )


def render(lock: Lock) -> str:
    """Return the text of matrix.lock."""
    body = _body(lock)
    head = ["# Made by `venvgrid lock`: commit it, and do not edit it.", f"format = {text(FORMAT)}"]
    head += [f"fits = {text(lock.digest)}"]
    whole = "\n".join([*head, "", *body])
    checksum = [f"checksum = {text(_checksum(tomllib.loads(whole)))}"] if lock.has_checksum else []
    return "\n".join([*head, *checksum, "", *body])


def _body(lock: Lock) -> list[str]:
    lines: list[str] = []
    if lock.chosen:
        learnt = [inline({"values": _values(item.values), "reason": text(item.reason)}) for item in lock.learnt]
        plan = {"chosen": block(map(_values, lock.chosen)), "learnt": block(learnt) if learnt else ""}
        lines += table("plan", _present(plan))
    for name, axis in sorted(lock.frozen.items()):
        entries = {"policy": text(axis.policy), "values": strings(axis.values), "pre": axis.pre and text(axis.pre)}
        lines += table(f"axes.{text(name)}", _present(entries))
    for title, cells in (("cells", lock.cells), ("impossible", lock.impossible), ("open", lock.open)):
        if cells:
            lines += table(title, {text(name): text(value) for name, value in sorted(cells.items())})
    for name, environment in sorted(lock.environments.items()):
        entries = {
            "python": text(environment.python),
            "implementation": text(environment.implementation),
            "platform": text(environment.platform),
            "as-of": environment.as_of and text(environment.as_of),
            "notes": strings(environment.notes) if environment.notes else "",
            "distributions": block(map(_distribution, environment.distributions)),
        }
        lines += table(f"environments.{name}", _present(entries))
    return lines


def _checksum(data: Mapping[str, Any]) -> str:
    """Return the digest of all values of a lock but its checksum, whatever the order of the keys."""
    contents = {name: value for name, value in data.items() if name != "checksum"}
    return digests.of_text(json.dumps(contents, sort_keys=True, default=str))


def read(path: Path, *, accept_edited: bool = False) -> Lock:
    """Read matrix.lock.

    Raises:
        LockError: it is missing, damaged or edited.
    """
    try:
        lock = parse(path.read_text(encoding="utf-8-sig"), path)  # an editor may add a byte order mark
    except FileNotFoundError as error:
        raise LockError(f"{path} does not exist; make it with: venvgrid lock") from error
    except (OSError, ValueError) as error:
        raise LockError(f"{path} cannot be read: {error}; make it again with: venvgrid lock") from error
    if lock.is_edited and not accept_edited:
        raise edited(path)
    return lock


def edited(path: Path, why: str = "") -> LockError:
    """Return the error of a lock whose checksum or contents are wrong."""
    return LockError(f"{path} was edited or badly merged{why}: make it again with venvgrid lock")


def parse(content: str, path: Path) -> Lock:
    """Parse the text of a lock; raises LockError."""
    try:
        data = tomllib.loads(content)
        if data.get("format") != FORMAT:
            raise ValueError(f"its format is {data.get('format')!r}, not {FORMAT!r}")  # noqa: TRY301
        return Lock(
            digest=str(data["fits"]),
            has_checksum=bool(data.get("checksum")),
            is_edited=data.get("checksum", "") not in {"", _checksum(data)},
            cells=_strings(data.get("cells", {})),
            impossible=_strings(data.get("impossible", {})),
            open=_strings(data.get("open", {})),
            environments={name: _environment(item) for name, item in data.get("environments", {}).items()},
            frozen={name: _frozen(item) for name, item in data.get("axes", {}).items()},
            chosen=tuple(_strings(item) for item in data.get("plan", {}).get("chosen", ())),
            learnt=tuple(
                Conflict(values=_strings(item["values"]), reason=str(item["reason"]))
                for item in data.get("plan", {}).get("learnt", ())
            ),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LockError(f"{path} cannot be read: {error}; make it again with: venvgrid lock") from error


def changed(before: Lock | None, after: Lock) -> frozenset[str]:
    """Return the cells of `after` that `before` lacks, or has with other content."""
    if before is None:
        return frozenset(after.cells)
    return frozenset(
        cell
        for cell, name in after.cells.items()
        if cell not in before.cells or before.environments.get(before.cells[cell]) != after.environments.get(name)
    )


def name_of(environment: LockedEnvironment) -> str:
    """Return the name of an environment: its Python to read, and a digest of its contents."""
    contents = [[item.name, item.version, sorted(item.hashes), item.direct] for item in environment.distributions]
    digest = digests.of_json(contents, 10)
    return f"{environment.implementation}{'.'.join(environment.python.split('.')[:2]).replace('.', '_')}-{digest}"


def names_of(environment: LockedEnvironment) -> tuple[str, str]:
    """Return the names that an environment may have: of this machine, and of another platform."""
    name = name_of(environment)
    return name, f"{name}-{environment.platform}"


def _distribution(item: Distribution) -> str:
    direct = item.direct and text(item.direct)
    entries = {"name": text(item.name), "version": text(item.version), "direct": direct, "hashes": strings(item.hashes)}
    return inline(_present(entries))


def _values(values: Mapping[str, str]) -> str:
    return inline({text(name): text(value) for name, value in values.items()})


def _present(entries: Mapping[str, str]) -> dict[str, str]:
    """Return the entries that have a value."""
    return {name: value for name, value in entries.items() if value}


def _environment(data: dict[str, Any]) -> LockedEnvironment:
    return LockedEnvironment(
        python=data["python"],
        implementation=data["implementation"],
        platform=data["platform"],
        as_of=data.get("as-of", ""),
        notes=tuple(data.get("notes", ())),
        distributions=tuple(serialization.from_plain(Distribution, item) for item in data["distributions"]),
    )


def _frozen(data: dict[str, Any]) -> FrozenPolicy:
    return FrozenPolicy(policy=str(data["policy"]), values=tuple(map(str, data["values"])), pre=data.get("pre", ""))


def _strings(data: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in data.items()}
