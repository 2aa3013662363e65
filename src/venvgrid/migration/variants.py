"""Groups variants into grids: common settings are set once, differing ones become axes. Pure."""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

from venvgrid.config.axis_values import ABSENT, LATEST
from venvgrid.migration import factoring
from venvgrid.migration.model import MAIN_NAMES, Notes, ParsedSource, Variant, VariantGroup
from venvgrid.migration.readers import commands
from venvgrid.model.names import normalise

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

MAX_EXCLUDES = 4
COMMON = ("constraints", "groups", "install", "resolution", "command")  # no axis can hold them
SETTINGS = ("requires", "extras", "groups", "env", "command", "install", "resolution")


def group(source: ParsedSource, declared: Collection[str]) -> tuple[list[VariantGroup], list[str]]:
    """Return the groups of a source, the main one first, and notes of what could not be carried over.

    `declared` are the names of the project's dependencies.
    """
    notes = Notes(lines=dict.fromkeys(source.notes))
    named: dict[str, list[Variant]] = {}
    skipped = list(source.skipped)
    for variant in source.variants:
        named.setdefault(variant.grid, []).append(variant)
    chosen = []
    wanted = _test_runners(source.variants)
    for name, some in named.items():
        tested = _installable(_with_tests(some, wanted, skipped), notes)
        for label, alike in _split_by_settings(tested, declared, notes):
            chosen.append(_group(label or name, alike, declared, notes))
        for note in itertools.chain.from_iterable(variant.notes for variant in tested):
            notes.add(note)
    if skipped:
        notes.add(f"left out, because they run no tests over versions: {_listed(skipped, most=20)}")
    # The largest one is most likely the main test suite.
    chosen.sort(key=lambda item: (item.name not in {"", *MAIN_NAMES}, -len(item.cells)))
    if chosen and chosen[0].name:
        chosen[0] = replace(chosen[0], name="")
    chosen = [
        item
        for item in chosen
        if item.cells or not item.name or replace(item, name="", cells=chosen[0].cells) != chosen[0]
    ]
    return chosen, list(notes.lines)


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
    tested = [variant for variant in variants if variant.command and commands.kind(variant.command) in wanted]
    skipped += [variant.name for variant in variants if variant not in tested]
    return tested


def _installable(variants: Sequence[Variant], notes: Notes) -> list[Variant]:
    """Return the variants without those that lack a requirement of their own."""
    everywhere = set(variants[0].missing).intersection(*(item.missing for item in variants)) if variants else set()
    selected = [variant for variant in variants if set(variant.missing) <= everywhere]
    if len(selected) < len(variants):
        names = _listed([item.name for item in variants if item not in selected])
        notes.add(f"{names}: what they install has no name to pin")
    return selected


def _split_by_settings(
    variants: Sequence[Variant], declared: Collection[str], notes: Notes
) -> list[tuple[str, Sequence[Variant]]]:
    """Split variants that differ in more than versions, unless a few axes express that; the largest has no name."""
    if not variants:
        return []
    is_uniform = len(set(map(_settings_key, variants))) == 1
    if is_uniform or _is_simple(_group("", variants, declared, Notes()), variants):
        return [("", variants)]
    labels: dict[str, list[Variant]] = {}
    for variant in variants:
        labels.setdefault(variant.label, []).append(variant)
    groups: dict[object, dict[str, list[Variant]]] = {}
    for label, some in labels.items():
        alike = _harmonised(some, notes)
        groups.setdefault(_settings_key(alike[0]), {})[label] = alike
    main, *others = sorted(groups.values(), key=lambda found: (-sum(map(len, found.values())), len(next(iter(found)))))
    return [
        ("", list(itertools.chain(*main.values()))),
        *((_name(list(found), list(main)), list(itertools.chain(*found.values()))) for found in others),
    ]


def _settings_key(variant: Variant) -> object:
    """Return the settings that an axis of versions cannot express."""
    names = frozenset(normalise(Requirement(text).name) for text in variant.requires)
    settings = (tuple(sorted(variant.env.items())), variant.extras, variant.groups, variant.command)
    return names, settings, variant.install, variant.resolution


def _harmonised(variants: Sequence[Variant], notes: Notes) -> list[Variant]:
    """Set the settings of all variants of a label to the most common ones, the simplest of equals."""
    counted = Counter(map(_settings_key, variants))
    plain = min(variants, key=lambda item: (-counted[_settings_key(item)], len(item.env), len(item.requires)))
    odd = [item for item in variants if _settings_key(item) != _settings_key(plain)]
    for item in odd:
        names = [name for name in SETTINGS if getattr(item, name) != getattr(plain, name)]
        notes.add(f"{item.name}: {', '.join(names)} of its own; it gets those of {plain.name}")
    return [_with_settings_of(item, plain) if item in odd else item for item in variants]


def _name(labels: Sequence[str], others: Sequence[str]) -> str:
    """Return a name for a group: the factors that all of its labels have and the others do not."""
    first, *rest = [label.split("-") for label in labels]
    elsewhere = {factor for label in others for factor in label.split("-")}
    common = [factor for factor in first if all(factor in other for other in rest)]
    return "-".join(factor for factor in common if factor not in elsewhere) or "-".join(common) or labels[0] or "plain"


def _is_simple(whole: VariantGroup, variants: Sequence[Variant]) -> bool:
    """Whether axes express the variants without many excludes, and only versions and one setting differ."""
    names = whole.cells[0] if whole.cells else {}
    values = {name: {cell[name] for cell in whole.cells} for name in names}
    settings = [
        name for name in names if name.startswith("env.") or name == "extras" or values[name] == {ABSENT, LATEST}
    ]
    others = ("command", "install", "resolution", "groups")
    alike = all(len({getattr(item, name) for item in variants}) == 1 for name in others)
    excludes = factoring.factor(whole.cells).excludes
    return alike and len(settings) <= 1 and len(excludes) <= (0 if settings else MAX_EXCLUDES)


def _with_settings_of(variant: Variant, plain: Variant) -> Variant:
    """Return a variant with the settings of another one, but its own Python and versions."""
    versions = _by_name(variant.requires)
    requires = [str(versions.get(name, asked)) for name, asked in _by_name(plain.requires).items()]
    return replace(plain, name=variant.name, python=variant.python, axes=variant.axes, requires=tuple(requires))


def _group(name: str, variants: Sequence[Variant], declared: Collection[str], notes: Notes) -> VariantGroup:
    variants, requires, axes = _requirements(variants, declared, notes)
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
        **{key: _most_common(key, variants, notes) for key in COMMON},
    )


def _requirements(
    variants: Sequence[Variant], declared: Collection[str], notes: Notes
) -> tuple[list[Variant], list[str], list[dict[str, str]]]:
    """Return the variants that axes can express, their common requirements, and the others as values of axes."""
    read = [_by_name(variant.requires) for variant in variants]
    names = list(dict.fromkeys(name for found in read for name in found))
    differing = [name for name in names if len({str(found.get(name)) for found in read}) > 1]
    selected = []
    for variant, found in zip(variants, read, strict=True):
        if addresses := [name for name in differing if name in found and found[name].url]:
            notes.add(f"{variant.name}: {found[addresses[0]]} is an address, and no value of an axis")
        else:
            selected.append((variant, found))
    if not selected:
        return list(variants), [], [{} for _ in variants]
    common = []
    missing = {name: LATEST if name in declared else ABSENT for name in names}
    for name in names:
        asked = {str(found[name]): found[name] for _, found in selected if name in found}
        is_everywhere = all(name in found for _, found in selected)
        if len(asked) == 1 and is_everywhere:
            differing = [item for item in differing if item != name]
            common += list(asked)
        elif any(item.extras for item in asked.values()):
            extras = ",".join(sorted({extra for item in asked.values() for extra in item.extras}))
            common.append(f"{name}[{extras}]")
            missing[name] = LATEST
            if not is_everywhere:
                notes.add(f"{name}[{extras}] is installed in all cells: an axis has no extras")
    differing = [name for name in differing if any(name in found for _, found in selected)]
    values = [{name: _value(found.get(name), missing[name]) for name in differing} for _, found in selected]
    return [variant for variant, _ in selected], common, values


def _value(requirement: Requirement | None, missing: str) -> str:
    if requirement is None:
        return missing
    return ",".join(sorted(map(str, requirement.specifier), key=_bound)) or LATEST


def _bound(text: str) -> int:
    """Return a sort key for the bounds of a specifier: lower, upper, others."""
    return 0 if text.startswith((">", "=", "~")) else 1 if text.startswith("<") else 2


def _by_name(requirements: Iterable[str]) -> dict[str, Requirement]:
    found: dict[str, Requirement] = {}
    for text in requirements:
        parsed = Requirement(text)
        if (known := found.get(normalise(parsed.name))) and known.marker == parsed.marker:
            parsed.specifier &= known.specifier
            parsed.extras |= known.extras
        found[normalise(parsed.name)] = parsed
    return found


def _split(found: Sequence[Mapping[str, str]], missing: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Split settings into the common ones, and the differing ones of each."""
    names = list(dict.fromkeys(name for item in found for name in item))
    differing = [name for name in names if len({item.get(name) for item in found}) > 1]
    common = {name: found[0][name] for name in names if name not in differing}
    return common, [{name: item.get(name, missing) for name in differing} for item in found]


def _most_common(name: str, variants: Sequence[Variant], notes: Notes) -> Any:
    counted = Counter(getattr(variant, name) for variant in variants)
    best: Any = counted.most_common(1)[0][0]
    if others := [variant for variant in variants if getattr(variant, name) != best]:
        example = getattr(others[0], name)
        text = example if isinstance(example, str) else " ".join(example)
        names = _listed([variant.name for variant in others])
        notes.add(f"{names}: {name} of its own ({text[:80] or 'none'}); the others' is used")
    return best


def _python_order(python: str) -> tuple[int, Version, str]:
    with suppress(InvalidVersion):
        return 0, Version(python.removesuffix("t")), python
    return 1, Version("0"), python


def _listed(names: Sequence[str], most: int = 6) -> str:
    distinct = list(dict.fromkeys(names))
    more = f" and {len(distinct) - most} more" if len(distinct) > most else ""
    return ", ".join(distinct[:most]) + more
