"""Groups variants into grids: common settings are set once, differing ones become axes. Pure."""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

from venvgrid.config.axis_values import ABSENT, LATEST
from venvgrid.migration import factoring
from venvgrid.migration.model import MAIN_NAMES, Notes, ParsedSource, Variant, VariantGroup
from venvgrid.migration.readers import commands
from venvgrid.model.names import normalise
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAX_EXCLUDES = 4
# No axis can hold them.
COMMON = (
    "constraints", "groups", "install", "resolution", "pre_releases", "command", "working_directory", "before", "named",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """The groups of a source, the main one first; notes of what differs; and what is not written, with the reasons."""

    groups: list[VariantGroup]
    notes: list[str]
    lost: list[str]
    has_main: bool = True  # False: the main environments need what a configuration cannot express


def group(source: ParsedSource, declared: Mapping[str, str]) -> Grouped:
    """Return the groups of a source. `declared` has the specifiers of the project's dependencies, by name."""
    notes = Notes(lines=dict.fromkeys(source.notes))
    named: dict[str, list[Variant]] = {}
    skipped = list(source.skipped)
    for variant in source.variants:
        named.setdefault(variant.grid, []).append(variant)
    runners = _test_runners(source.variants)
    tested = {
        name: found
        for name, some in named.items()
        if (found := _with_tests(some, runners | (_test_runners(some) if _is_main(name) else frozenset()), skipped))
    }
    main = min(
        tested,
        key=lambda name: (not _is_part_of_main(name), _is_documentation(tested[name]), not _is_main(name),
                          "test" not in name, -len(tested[name])),
        default="",
    )  # fmt: skip
    chosen: list[VariantGroup] = []
    has_main = True
    for name, some in tested.items():
        whole = _expressible(some, notes)
        plain = [item for item in some if not item.label] or some
        has_main = has_main and (name != main or any(item in whole for item in plain))
        for label, alike in _split_by_settings(whole, declared):
            made = _group(label or name or ("" if name == main else "tests-1"), alike, declared, notes)
            chosen.append(replace(made, name="") if name == main and not label else made)
        for note in itertools.chain.from_iterable(variant.notes for variant in whole):
            notes.add(note)
    if skipped:
        notes.add(f"left out, because they run no tests: {_listed(skipped, most=20)}")
    if source.unused:
        notes.add(f"left out, because they run only when asked for by name: {_listed(source.unused, most=20)}")
    chosen.sort(key=lambda item: (bool(item.name), -len(item.cells)))
    chosen = [item for item in chosen if not item.name or not _is_part(item, chosen[0])]
    return Grouped(groups=chosen, notes=list(notes.lines), lost=list(notes.lost), has_main=has_main)


def _is_part(item: VariantGroup, main: VariantGroup) -> bool:
    """Whether a grid has the settings of the main one, and none but its cells."""
    alike = replace(item, name="", cells=main.cells, may_fail=main.may_fail) == main
    return alike and all(cell in main.cells for cell in item.cells)


def _is_main(name: str) -> bool:
    return name in {"", *MAIN_NAMES}


def _is_part_of_main(name: str) -> bool:
    """Return whether a grid is the main environment, or has one of its further commands."""
    return _is_main(name.rpartition("-")[0] if name.rpartition("-")[2].isdecimal() else name)


def _is_documentation(variants: Sequence[Variant]) -> bool:
    """Return whether all commands test only examples in documents and docstrings."""
    return all(
        any("doctest" in word or word.endswith((".rst", ".md")) for word in variant.command) for variant in variants
    )


def _test_runners(variants: Sequence[Variant]) -> frozenset[str]:
    """Return the programs that run tests: pytest if any variant runs it, else that of a main grid or the commonest."""
    counted = Counter(commands.kind(item.command) for item in variants if item.command)
    tested = [kind for kind, _ in counted.most_common() if kind not in commands.NOT_TESTS]
    if "pytest" in tested:
        return frozenset({"pytest"})
    named = [commands.kind(item.command) for item in variants if item.grid in MAIN_NAMES and item.command]
    return frozenset([kind for kind in named if kind in tested][:1] or tested[:1])


def _with_tests(variants: Sequence[Variant], wanted: frozenset[str], skipped: list[str]) -> list[Variant]:
    """Return the variants that run tests; add the others to `skipped`."""
    tested = [
        variant
        for variant in variants
        if variant.command and commands.kind(variant.command) in wanted | commands.RUNNERS
    ]
    skipped += [variant.name for variant in variants if variant not in tested]
    return tested


def _expressible(variants: Sequence[Variant], notes: Notes) -> list[Variant]:
    """Return the variants that a configuration can express; the others must not be written as if they were whole."""
    by_reason: dict[str, list[str]] = {}
    for variant in variants:
        for reason in variant.missing:
            by_reason.setdefault(reason.partition(": ")[2] or reason, []).append(variant.name)
    for reason, names in by_reason.items():
        notes.lose(f"{_listed(names)}: {reason}")
    return [variant for variant in variants if not variant.missing]


def _split_by_settings(variants: Sequence[Variant], declared: Mapping[str, str]) -> list[tuple[str, Sequence[Variant]]]:
    """Split variants that differ in more than versions, unless a few axes express that; the largest has no name."""
    if not variants:
        return []
    is_uniform = len(set(map(_settings_key, variants))) == 1
    if is_uniform or _is_simple(variants, declared):
        return [("", variants)]
    groups: dict[object, list[Variant]] = {}
    for variant in variants:
        groups.setdefault(_settings_key(variant), []).append(variant)
    main, *others = sorted(
        groups.values(),
        key=lambda some: (
            -len(some),
            all(item.label for item in some),
            len(some[0].env),
            len(some[0].requires),
            len(some[0].label),
        ),
    )
    labels = _labels(main)
    return [("", main), *((_name(_labels(some), labels) or some[0].name, some) for some in others)]


def _labels(variants: Sequence[Variant]) -> list[str]:
    return list(dict.fromkeys(variant.label for variant in variants))


def _settings_key(variant: Variant) -> object:
    """Return the settings that an axis of versions cannot express."""
    versions, others = _by_name(variant.requires)
    names = frozenset(f"{name}[{','.join(sorted(item.extras))}]" for name, item in versions.items())
    settings = (tuple(sorted(variant.env.items())), frozenset(variant.extras), frozenset(variant.groups))
    commands_ = (variant.before, variant.command, variant.working_directory, tuple(sorted(variant.axes)))
    versions_ = (variant.resolution, variant.pre_releases, frozenset(variant.constraints))
    return names, others, settings, commands_, variant.install, versions_


def _name(labels: Sequence[str], others: Sequence[str]) -> str:
    """Return a name for a group: the factors that all of its labels have and the others do not, or ""."""
    if set(labels) & set(others):
        return ""
    first, *rest = [label.split("-") for label in labels]
    elsewhere = {factor for label in others for factor in label.split("-")}
    common = [factor for factor in first if all(factor in other for other in rest)]
    return "-".join(factor for factor in common if factor not in elsewhere) or "-".join(common) or labels[0]


def _is_simple(variants: Sequence[Variant], declared: Mapping[str, str]) -> bool:
    """Whether axes express the variants without many excludes, and only versions and one setting differ."""
    read = [_by_name(variant.requires) for variant in variants]
    if len({others for _, others in read}) > 1 or any(
        len({frozenset(versions[name].extras) for versions, _ in read if name in versions}) > 1
        for name in {name for versions, _ in read for name in versions}
    ):
        return False
    has_extras = {name for versions, _ in read for name, item in versions.items() if item.extras}
    if any(name not in versions for name in has_extras for versions, _ in read):
        return False
    if any(len({getattr(item, name) for item in variants}) > 1 for name in COMMON):
        return False
    whole = _group("", variants, declared, Notes())
    names = whole.cells[0] if whole.cells else {}
    values = {name: {cell[name] for cell in whole.cells} for name in names}
    settings = [name for name in names if name.startswith("env.") or name == "extras" or ABSENT in values[name]]
    excludes = factoring.factor(whole.cells).excludes
    return len(settings) <= 1 and len(excludes) <= (0 if settings else MAX_EXCLUDES)


def _group(name: str, variants: Sequence[Variant], declared: Mapping[str, str], notes: Notes) -> VariantGroup:
    requires, axes = _requirements(variants, declared)
    env, variables = _split([dict(variant.env) for variant in variants], missing="")
    extras = {variant.extras for variant in variants}
    cells, may_fail = [], []
    for number, variant in enumerate(variants):
        cell = {"python": variant.python} if any(item.python for item in variants) else {}
        cell |= {**variant.axes, **axes[number], **{f"env.{key}": value for key, value in variables[number].items()}}
        if len(extras) > 1:
            cell["extras"] = ",".join(variant.extras)
        if cell and cell not in cells:
            cells.append(cell)
        may_fail += [cell] if variant.may_fail and cell not in may_fail else []
    if any(not cell.get("python", "x") for cell in cells):
        notes.add(f"{_listed([item.name for item in variants if not item.python])}: no version of Python is named")
        cells = [cell for cell in cells if cell["python"]]
    cells.sort(key=lambda cell: _python_order(cell.get("python", "")))
    return VariantGroup(
        name=name,
        cells=tuple(cells),
        may_fail=tuple(cell for cell in may_fail if cell in cells),
        requires=tuple(requires),
        extras=next(iter(extras)) if len(extras) == 1 else (),
        env=env,
        pass_env=tuple(dict.fromkeys(item for variant in variants for item in variant.pass_env)),
        **{key: getattr(variants[0], key) for key in COMMON},
    )


def _requirements(variants: Sequence[Variant], declared: Mapping[str, str]) -> tuple[list[str], list[dict[str, str]]]:
    """Return the common requirements of variants, and the differing ones as values of axes."""
    read = [_by_name(variant.requires) for variant in variants]
    names = list(dict.fromkeys(name for versions, _ in read for name in versions))
    common, differing = [], []
    for name in names:
        asked = {str(versions.get(name)): versions.get(name) for versions, _ in read}
        one = next(item for item in asked.values() if item is not None)
        if len(asked) == 1:
            common.append(str(one))
            continue
        differing.append(name)
        if one.extras:
            common.append(f"{name}[{','.join(sorted(one.extras))}]")
    missing = {name: (declared[name] or LATEST) if name in declared else ABSENT for name in names}
    values = [{name: _value(versions.get(name), missing[name]) for name in differing} for versions, _ in read]
    others = [text for text in variants[0].requires if text in read[0][1]] if variants else []
    return [*common, *others], values


def _value(requirement: Requirement | None, missing: str) -> str:
    if requirement is None:
        return missing
    return ",".join(sorted(map(str, requirement.specifier), key=_bound)) or LATEST


def _bound(text: str) -> int:
    """Return a sort key for the bounds of a specifier: lower, upper, others."""
    return 0 if text.startswith((">", "=", "~")) else 1 if text.startswith("<") else 2


def _by_name(requirements: Iterable[str]) -> tuple[dict[str, Requirement], frozenset[str]]:
    """Split requirements into those that may be values of an axis, by name, and all others as they are written."""
    found: dict[str, Requirement] = {}
    others: list[str] = []
    for text in requirements:
        if text.startswith("-"):
            others.append(text)
            continue
        parsed = Requirement(text)
        name = normalise(parsed.name)
        if parsed.url or parsed.marker:
            others.append(text)
        elif name in found:
            found[name].specifier &= parsed.specifier
            found[name].extras |= parsed.extras
        else:
            found[name] = parsed
    return found, frozenset(others)


def _split(found: Sequence[Mapping[str, str]], missing: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Split settings into the common ones, and the differing ones of each."""
    names = list(dict.fromkeys(name for item in found for name in item))
    differing = [name for name in names if len({item.get(name) for item in found}) > 1]
    common = {name: found[0][name] for name in names if name not in differing}
    return common, [{name: item.get(name, missing) for name in differing} for item in found]


def _python_order(python: str) -> tuple[int, Version, str]:
    with suppress(InvalidVersion):
        return 0, Version(python.removesuffix("t")), python
    return 1, Version("0"), python


def _listed(names: Sequence[str], most: int = 6) -> str:
    distinct = list(dict.fromkeys(names))
    more = f" and {len(distinct) - most} more" if len(distinct) > most else ""
    return ", ".join(distinct[:most]) + more
