"""Reads tox.ini, tox.toml and [tool.tox] of pyproject.toml: the environments of env_list, factors applied."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Callable
from configparser import Error, RawConfigParser
from dataclasses import field
from typing import TYPE_CHECKING, Any

from venvgrid.migration.model import subtable
from venvgrid.migration.readers import env_names, substitution
from venvgrid.migration.readers.substitution import Substitution
from venvgrid.model import UsageError
from venvgrid.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_OLD = {
    "setenv": "set_env", "passenv": "pass_env", "basepython": "base_python", "changedir": "change_dir",
    "envtmpdir": "env_tmp_dir", "envlogdir": "env_log_dir", "envdir": "env_dir", "toxworkdir": "work_dir",
    "whitelist_externals": "allowlist_externals", "envlist": "env_list", "use_develop": "usedevelop",
}  # fmt: skip


_IN_THE_ROOT = frozenset({"", ".", "./", "{toxinidir}", "{tox_root}", "{toxinidir}/", "{tox_root}/"})
# They return the text of a key of a section, and of a variable.
_Sources = tuple[Callable[[str, str], str | None], Callable[[str], str | None]]
_WHERE_COMMANDS_RUN = frozenset({"commands", "commands_pre", "set_env"})


@dataclass(slots=True, kw_only=True)
class ToxEnvironment:
    """The settings of one environment of tox, factors applied, as lists of lines."""

    name: str
    settings: dict[str, list[str]] = field(default_factory=dict)
    argvs: dict[str, list[list[str]]] = field(default_factory=dict)  # commands that are lists of words, by key


@dataclass(frozen=True, slots=True, kw_only=True)
class ToxFile:
    """The environments of env_list, and the core settings of a file."""

    environments: tuple[ToxEnvironment, ...]
    core: Mapping[str, str]
    unused: tuple[str, ...] = ()  # environments that env_list does not name


def read_ini(text: str, source: str) -> ToxFile:
    """Read tox.ini.

    Raises:
        UsageError: it is no INI file, or has no environments.
    """
    parser = RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#", ";"), inline_comment_prefixes=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(re.sub(r"(?m)^([\w -]+?)\s*:\s*$", r"\1 =", text))
    except Error as error:
        raise UsageError(f"{source}: no INI file that can be read: {str(error).splitlines()[0]}") from error
    sections = {
        "tox" if name == "tox:tox" else name: {_key(key): value for key, value in parser.items(name)}
        for name in parser.sections()
    }
    core = sections.get("tox", {})
    expanded = {
        full: values
        for name, values in sections.items()
        if name.startswith("testenv:")
        for full in (f"testenv:{item}" for item in env_names.listed(name.removeprefix("testenv:")))
    }
    if not core and "testenv" not in sections and not expanded:
        raise UsageError(f"{source}: it has no [tox], no [testenv] and no [testenv:NAME]")
    others = [name.removeprefix("testenv:") for name in expanded]
    names = _names(
        env_names.listed(core.get("env_list", "")), others, has_base="commands" in sections.get("testenv", {})
    )
    environments = [_ini_environment(name, sections, expanded) for name in dict.fromkeys(names)]
    unused = tuple(name for name in dict.fromkeys(others) if name not in names)
    return ToxFile(environments=tuple(environments[: env_names.MAX_ENVIRONMENTS]), core=core, unused=unused)


def _names(listed: list[str], others: list[str], *, has_base: bool) -> list[str]:
    """Return the environments that tox runs: without env_list only "py", where the base has commands."""
    if listed:
        return listed
    pythons = [name for name in others if re.fullmatch(r"py(?:py)?[23]?\.?[0-9]*(?:-.*)?", name)]
    return ["py", *pythons] if has_base else others


def _ini_environment(
    name: str, sections: Mapping[str, Mapping[str, str]], expanded: Mapping[str, Mapping[str, str]]
) -> ToxEnvironment:
    base, own = sections.get("testenv", {}), expanded.get(f"testenv:{name}", {})
    factors = env_names.of_environment(name)

    def reference(section: str, key: str) -> str | None:
        table = {**base, **own} if not section else expanded.get(section, sections.get(section, {}))
        if section.startswith("testenv:") and key not in table:
            table = base
        value = table.get(_key(key))
        return "\n".join(_lines(value, factors)) if value is not None else None

    made = ToxEnvironment(name=name)
    settings = {**base, **own}
    moved = any(line not in _IN_THE_ROOT for line in _lines(settings.get("change_dir", ""), factors))
    left = substitution.MAX_BRACES
    given = _ini_variables(settings, Substitution(reference), factors)
    for key, raw in settings.items():
        braces = _braces(key, (reference, given.get), left, moved=moved)
        filled = [_filled(line, braces, key) for line in _lines(raw, factors)]
        # A substituted text may have several lines, each with factors of its own.
        made.settings[key] = [item for line in filled for item in env_names.lines(line, factors)]
        left = braces.left
    return made


def _ini_variables(settings: Mapping[str, str], braces: Substitution, factors: set[str]) -> dict[str, str]:
    """Return the texts of the variables that an environment sets; a reference may stand for several lines."""
    lines: list[str] = []
    for line in _lines(settings.get("set_env", ""), factors):
        lines += env_names.lines(braces.substitute(line), factors) if line.startswith("{[") else [line]
    return {name.strip(): value.strip() for name, equals, value in (line.partition("=") for line in lines) if equals}


def _filled(line: str, braces: Substitution, key: str) -> str:
    """Substitute the braces of a line; in a variable its own name means that of the shell, which is not known."""
    braces.within = (line.partition("=")[0].strip(),) if key == "set_env" else ()
    return braces.substitute(line)


def _braces(key: str, sources: _Sources, left: int, *, moved: bool) -> Substitution:
    """Return the substitution for a setting; `moved`: commands do not run in the folder of the file."""
    reference, variable = sources
    if key == "change_dir":
        return Substitution(reference, variable=variable, elsewhere=substitution.TMP, left=left)
    root = substitution.PROJECT if moved and key in _WHERE_COMMANDS_RUN else "."
    return Substitution(reference, variable=variable, root=root, left=left)


def _lines(text: str, factors: set[str]) -> list[str]:
    """Return the lines whose factors match, those that end in a backslash joined: tox does it in this order."""
    return "\n".join(env_names.lines(env_names.uncommented(text), factors)).replace("\\\n", "").splitlines()


def read_toml(table: Mapping[str, Any], source: str) -> ToxFile:
    """Read tox.toml, or [tool.tox] of pyproject.toml.

    Raises:
        UsageError: tables have a wrong type, or there are no environments.
    """
    if isinstance(table.get("legacy_tox_ini"), str):
        return read_ini(table["legacy_tox_ini"], source)
    base, own = table.get("env_run_base", {}), table.get("env", {})
    if not isinstance(base, dict) or not isinstance(own, dict):
        raise UsageError(f"{source}: env_run_base and env have to be tables")
    if not base and not own:
        raise UsageError(f"{source}: it has no env_run_base and no [env.NAME]")
    listed = list(itertools.islice(_toml_names(table.get("env_list", [])), env_names.MAX_ENVIRONMENTS))
    names = _names(listed, list(own), has_base="commands" in base)
    templates = _templates(table)
    environments = [
        _toml_environment(name, {**base, **templates.get(name, {}), **subtable(own, name)}, table)
        for name in dict.fromkeys(names)
    ]
    core = {key: str(value) for key, value in table.items()}
    unused = tuple(name for name in dict.fromkeys((*own, *templates)) if name not in names)
    return ToxFile(environments=tuple(environments[: env_names.MAX_ENVIRONMENTS]), core=core, unused=unused)


def _templates(table: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the tables [env_base.NAME] by the names of the environments that their factors make."""
    found: dict[str, Mapping[str, Any]] = {}
    for base, template in subtable(table, "env_base").items():
        settings = dict(template) if isinstance(template, dict) else {}
        raw = settings.pop("factors", None)
        groups = raw if isinstance(raw, list) and raw and isinstance(raw[0], list | dict) else [raw]
        combinations = itertools.product(*(list(_toml_factors(group)) for group in groups))
        for chosen in itertools.islice(combinations, env_names.MAX_ENVIRONMENTS):
            found["-".join((base, *chosen))] = settings
    return found


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        UsageError: it is invalid.
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{source}: not valid TOML: {error}") from error


def _toml_names(raw: Any) -> Iterator[str]:
    for item in raw if isinstance(raw, list) else []:
        if isinstance(item, str):
            yield from env_names.expand(item)
        elif isinstance(item, dict) and isinstance(item.get("product"), list):
            factors = [list(_toml_factors(group)) for group in item["product"]]
            excluded = {str(name) for name in item.get("exclude", [])}
            for found in itertools.product(*factors):
                if (name := "-".join(filter(None, found))) not in excluded:
                    yield name


def _toml_factors(group: Any) -> Iterator[str]:
    if isinstance(group, list):
        yield from map(str, group)
    elif isinstance(group, dict) and isinstance(group.get("start"), int) and isinstance(group.get("stop"), int):
        yield from (f"{group.get('prefix', '')}{number}" for number in env_names.counted(group["start"], group["stop"]))


def _toml_environment(name: str, table: Mapping[str, Any], whole: Mapping[str, Any]) -> ToxEnvironment:
    made = ToxEnvironment(name=name)
    factors = env_names.of_environment(name)

    def reference(section: str, key: str) -> str | None:
        value = (subtable(whole, section) if section else table).get(key)
        return value if isinstance(value, str) else None

    def variable(name: str) -> str | None:
        given = subtable(table, "set_env") or subtable(table, "setenv")
        return "".join(_texts(given[name], factors, whole)) if name in given else None

    folder = next(_texts(table.get("change_dir", table.get("changedir", "")), factors, whole), "")
    moved, left = folder not in _IN_THE_ROOT, substitution.MAX_BRACES
    for key, raw in table.items():
        braces = _braces(_key(key), (reference, variable), left, moved=moved)

        def flat(raw: Any, braces: Substitution = braces) -> list[str]:
            return [braces.substitute(text) for text in _texts(raw, factors, whole)]

        if _key(key) in {"commands", "commands_pre"} and isinstance(raw, list):
            made.argvs[_key(key)] = [flat(command) for command in raw]
        elif _key(key) == "set_env" and isinstance(raw, dict):
            made.settings["set_env"] = [
                _filled(f"{name}={''.join(_texts(value, factors, whole))}", braces, "set_env")
                for name, value in raw.items()
            ]
        else:
            made.settings[_key(key)] = flat(raw)
        left = braces.left
    return made


def _texts(raw: Any, factors: set[str], whole: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """Yield the texts of a value, with its replacements applied."""
    if isinstance(raw, bool | int | float):
        yield str(raw).lower()
    elif isinstance(raw, str):
        yield raw
    elif isinstance(raw, list) and depth < substitution.MAX_DEPTH:
        for item in raw:
            yield from _texts(item, factors, whole, depth + 1)
    elif isinstance(raw, dict) and depth < substitution.MAX_DEPTH:
        yield from _texts(_replaced(raw, factors, whole), factors, whole, depth + 1)


def _replaced(table: Mapping[str, Any], factors: set[str], whole: Mapping[str, Any]) -> Any:
    """Return the value of a replacement of tox.toml."""
    match table.get("replace"):
        case "posargs":
            return table.get("default", [])
        case "env":
            return f"{{env:{table.get('name', '')}:{table.get('default', '')}}}"
        case "ref":
            found: Any = whole
            for step in table.get("of", []):
                found = found.get(step) if isinstance(found, dict) else None
            return found if found is not None else []
        case "if":
            condition = re.fullmatch(r"(?P<no>not )?factor\.(?P<factor>[\w.]+)", str(table.get("condition", "")))
            if condition is None:
                return substitution.UNAVAILABLE
            holds = (condition["factor"] in factors) is not bool(condition["no"])
            return table.get("then" if holds else "else", [])
        case _:
            return substitution.UNAVAILABLE


def _key(key: str) -> str:
    return _OLD.get(key.strip().replace("-", "_"), key.strip().replace("-", "_"))
