"""From variants to parts: what is the same in all of them is set once, what differs becomes an axis. Pure."""

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
from venvgrid.migration.model import MAIN, Carried, Lost, Variant, VariantGroup
from venvgrid.migration.readers import commands
from venvgrid.model.names import normalise

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

MAX_EXCLUDES = 4
SETTINGS = ("requires", "extras", "groups", "env", "command", "install", "resolution")


def parts(carried: Carried, declared: Collection[str]) -> tuple[list[VariantGroup], list[str]]:
    """Give the parts of a source, the main one first, and all that could not be carried over.

    `declared` names the distributions that the project depends on.
    """
    lost = Lost(notes=dict.fromkeys(carried.lost))
    named: dict[str, list[Variant]] = {}
    skipped = list(carried.skipped)
    for variant in carried.variants:
        named.setdefault(variant.part, []).append(variant)
    chosen = []
    wanted = _kinds(carried.variants)
    for name, some in named.items():
        tested = _that_can_be(_that_test(some, wanted, skipped), lost)
        chosen += [_part(label or name, shape, declared, lost) for label, shape in _shapes(tested, declared, lost)]
        for variant in tested:
            for note in variant.notes:
                lost.add(note)
    if skipped:
        lost.add(f"left out, because they run no tests over versions: {_some(skipped, most=20)}")
    # The one over most cells is what people mean by the tests.
    chosen.sort(key=lambda part: (part.name not in {"", *MAIN}, -len(part.cells)))
    if chosen and chosen[0].name:
        chosen[0] = replace(chosen[0], name="")
    chosen = [
        part
        for part in chosen
        if part.cells or not part.name or replace(part, name="", cells=chosen[0].cells) != chosen[0]
    ]
    return chosen, list(lost.notes)


def _kinds(variants: Sequence[Variant]) -> frozenset[str]:
    """Give the programs that run tests: pytest where anything runs it, else what most, or a part named so, run."""
    counted = Counter(commands.kind(item.command) for item in variants if item.command)
    tested = [kind for kind, _ in counted.most_common() if kind not in commands.NOT_TESTS]
    if "pytest" in tested:
        return frozenset({"pytest"})
    named = [commands.kind(item.command) for item in variants if item.part in MAIN and item.command]
    return frozenset([kind for kind in named if kind in tested][:1] or tested[:1])


def _that_test(variants: Sequence[Variant], wanted: frozenset[str], skipped: list[str]) -> list[Variant]:
    """Leave out what runs no tests."""
    tested = [variant for variant in variants if variant.command and commands.kind(variant.command) in wanted]
    skipped += [variant.name for variant in variants if variant not in tested]
    return tested


def _that_can_be(variants: Sequence[Variant], lost: Lost) -> list[Variant]:
    """Leave out variants that lack a requirement which the others do not even have."""
    everywhere = set(variants[0].missing).intersection(*(item.missing for item in variants)) if variants else set()
    kept = [variant for variant in variants if set(variant.missing) <= everywhere]
    if len(kept) < len(variants):
        lost.add(f"{_some([item.name for item in variants if item not in kept])}: what they install has no name to pin")
    return kept


def _shapes(variants: Sequence[Variant], declared: Collection[str], lost: Lost) -> list[tuple[str, Sequence[Variant]]]:
    """Part variants that differ in more than versions, unless a few axes say it all; the unnamed one is the largest."""
    if not variants:
        return []
    if len({_shape(item) for item in variants}) == 1 or _is_simple(_part("", variants, declared, Lost()), variants):
        return [("", variants)]
    labels: dict[str, list[Variant]] = {}
    for variant in variants:
        labels.setdefault(variant.label, []).append(variant)
    groups: dict[object, dict[str, list[Variant]]] = {}
    for label, some in labels.items():
        alike = _alike(some, lost)
        groups.setdefault(_shape(alike[0]), {})[label] = alike
    main, *others = sorted(groups.values(), key=lambda found: (-sum(map(len, found.values())), len(next(iter(found)))))
    return [
        ("", list(itertools.chain(*main.values()))),
        *((_name(list(found), list(main)), list(itertools.chain(*found.values()))) for found in others),
    ]


def _shape(variant: Variant) -> object:
    """Give what no axis of versions can tell apart."""
    names = frozenset(normalise(Requirement(text).name) for text in variant.requires)
    settings = (tuple(sorted(variant.env.items())), variant.extras, variant.groups, variant.command)
    return names, settings, variant.install, variant.resolution


def _alike(variants: Sequence[Variant], lost: Lost) -> list[Variant]:
    """Give those of one label the settings that most of them have, the plainest of equals."""
    counted = Counter(map(_shape, variants))
    plain = min(variants, key=lambda item: (-counted[_shape(item)], len(item.env), len(item.requires)))
    odd = [item for item in variants if _shape(item) != _shape(plain)]
    for item in odd:
        names = [name for name in SETTINGS if getattr(item, name) != getattr(plain, name)]
        lost.add(f"{item.name}: {', '.join(names)} of its own; it gets those of {plain.name}")
    return [_like(item, plain) if item in odd else item for item in variants]


def _name(labels: Sequence[str], others: Sequence[str]) -> str:
    """Name a part by the factors that all of its labels have and the others do not."""
    first, *rest = [label.split("-") for label in labels]
    elsewhere = {factor for label in others for factor in label.split("-")}
    common = [factor for factor in first if all(factor in other for other in rest)]
    return "-".join(factor for factor in common if factor not in elsewhere) or "-".join(common) or labels[0] or "plain"


def _is_simple(whole: VariantGroup, variants: Sequence[Variant]) -> bool:
    """Whether axes tell variants apart without many excludes, and nothing but versions and one setting differs."""
    names = whole.cells[0] if whole.cells else {}
    values = {name: {cell[name] for cell in whole.cells} for name in names}
    settings = [
        name for name in names if name.startswith("env.") or name == "extras" or values[name] == {ABSENT, LATEST}
    ]
    others = ("command", "install", "resolution", "groups")
    alike = all(len({getattr(item, name) for item in variants}) == 1 for name in others)
    excludes = factoring.factor(whole.cells).excludes
    return alike and len(settings) <= 1 and len(excludes) <= (0 if settings else MAX_EXCLUDES)


def _like(variant: Variant, plain: Variant) -> Variant:
    """Give a variant the settings of another one, but for its Python and the versions that it asks for."""
    versions = _by_name(variant.requires)
    requires = [str(versions.get(name, asked)) for name, asked in _by_name(plain.requires).items()]
    return replace(plain, name=variant.name, python=variant.python, axes=variant.axes, requires=tuple(requires))


def _part(name: str, variants: Sequence[Variant], declared: Collection[str], lost: Lost) -> VariantGroup:
    variants, requires, axes = _requirements(variants, declared, lost)
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
        lost.add(f"{_some([item.name for item in variants if not item.python])}: no version of Python is named")
        cells = [cell for cell in cells if cell["python"]]
    cells.sort(key=lambda cell: _python_order(cell.get("python", "")))
    return VariantGroup(
        name=name,
        cells=tuple(cells),
        may_fail=tuple(cell for cell in may_fail if cell in cells),
        requires=tuple(requires),
        constraints=_commonest("constraints", variants, lost),
        extras=next(iter(extras)) if len(extras) == 1 else (),
        groups=_commonest("groups", variants, lost),
        install=_commonest("install", variants, lost),
        resolution=_commonest("resolution", variants, lost),
        command=_commonest("command", variants, lost),
        env=env,
        pass_env=tuple(dict.fromkeys(item for variant in variants for item in variant.pass_env)),
    )


def _requirements(
    variants: Sequence[Variant], declared: Collection[str], lost: Lost
) -> tuple[list[Variant], list[str], list[dict[str, str]]]:
    """Give the variants that an axis can tell apart, what all of them require, and the rest as values of axes."""
    read = [_by_name(variant.requires) for variant in variants]
    names = list(dict.fromkeys(name for found in read for name in found))
    differing = [name for name in names if len({str(found.get(name)) for found in read}) > 1]
    kept = []
    for variant, found in zip(variants, read, strict=True):
        addresses = [name for name in differing if name in found and found[name].url]
        if addresses:
            lost.add(f"{variant.name}: {found[addresses[0]]} is an address, and no value of an axis")
        else:
            kept.append((variant, found))
    if not kept:
        return list(variants), [], [{} for _ in variants]
    common = []
    missing = {name: LATEST if name in declared else ABSENT for name in names}
    for name in names:
        asked = {str(found[name]): found[name] for _, found in kept if name in found}
        is_everywhere = all(name in found for _, found in kept)
        if len(asked) == 1 and is_everywhere:
            differing = [item for item in differing if item != name]
            common += list(asked)
        elif any(item.extras for item in asked.values()):
            extras = ",".join(sorted({extra for item in asked.values() for extra in item.extras}))
            common.append(f"{name}[{extras}]")
            missing[name] = LATEST
            if not is_everywhere:
                lost.add(f"{name}[{extras}] is installed in all cells: an axis has no extras")
    differing = [name for name in differing if any(name in found for _, found in kept)]
    values = [{name: _value(found.get(name), missing[name]) for name in differing} for _, found in kept]
    return [variant for variant, _ in kept], common, values


def _value(requirement: Requirement | None, missing: str) -> str:
    if requirement is None:
        return missing
    return ",".join(sorted(map(str, requirement.specifier), key=_bound)) or LATEST


def _bound(text: str) -> int:
    """Order the bounds of a specifier as people write them: lower, upper, others."""
    return 0 if text.startswith((">", "=", "~")) else 1 if text.startswith("<") else 2


def _by_name(requirements: Iterable[str]) -> dict[str, Requirement]:
    found: dict[str, Requirement] = {}
    for text in requirements:
        parsed = Requirement(text)
        known = found.get(normalise(parsed.name))
        if known is not None and known.marker == parsed.marker:
            parsed.specifier &= known.specifier
            parsed.extras |= known.extras
        found[normalise(parsed.name)] = parsed
    return found


def _split(found: Sequence[Mapping[str, str]], missing: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Part settings into those that are the same everywhere, and those that differ, for each."""
    names = list(dict.fromkeys(name for item in found for name in item))
    differing = [name for name in names if len({item.get(name) for item in found}) > 1]
    common = {name: found[0][name] for name in names if name not in differing}
    return common, [{name: item.get(name, missing) for name in differing} for item in found]


def _commonest(name: str, variants: Sequence[Variant], lost: Lost) -> Any:
    counted = Counter(getattr(variant, name) for variant in variants)
    best: Any = counted.most_common(1)[0][0]
    others = [variant.name for variant in variants if getattr(variant, name) != best]
    if others:
        shown = next(getattr(variant, name) for variant in variants if getattr(variant, name) != best)
        text = shown if isinstance(shown, str) else " ".join(shown)
        lost.add(f"{_some(others)}: {name} of its own ({text[:80] or 'none'}); the others' is used")
    return best


def _python_order(python: str) -> tuple[int, Version, str]:
    with suppress(InvalidVersion):
        return 0, Version(python.removesuffix("t")), python
    return 1, Version("0"), python


def _some(names: Sequence[str], most: int = 6) -> str:
    distinct = list(dict.fromkeys(names))
    more = f" and {len(distinct) - most} more" if len(distinct) > most else ""
    return ", ".join(distinct[:most]) + more
