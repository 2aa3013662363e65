"""What the files that steer a build tell before it: whether it depends on the Python, on the history, on variables.

Nothing of the project runs here. Where a file is a program, the answer is "yes" unless it is plainly declarative.
"""

from __future__ import annotations

import ast
import re
import tomllib
from contextlib import suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from venvgrid.config.config_file import read_pyproject
from venvgrid.installers.base import LOCAL
from venvgrid.model import ConfigError
from venvgrid.storage import digests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROGRAMS = ("setup.py", "hatch_build.py", "pdm_build.py", "build.py", "_custom_build.py")
DECLARATIONS = ("pyproject.toml", "setup.cfg", "MANIFEST.in", "hatch.toml")
OF_COMPILERS = ("meson.build", "CMakeLists.txt", "Cargo.toml")
# Keys whose value is a program, where it is not that of the version, which is only searched.
NAMING_PROGRAMS = frozenset(("path", "custom-hook", "script", "build"))
MAX_PROGRAMS = 200  # files that a build starts with, and that these import
# Backends that read neither the history nor anything else by themselves, if nothing of the version is dynamic.
DECLARATIVE = frozenset(("setuptools", "wheel", "flit-core", "hatchling", "uv-build", "pdm-backend"))
# Tables of pyproject.toml that have nothing to do with a build are not searched for the names of files.
OF_BUILDS = ("setuptools", "hatch", "flit", "poetry", "pdm", "scikit-build", "maturin", "meson-python", "uv")
PURE_CALLS = frozenset(("setup", "find_packages", "find_namespace_packages", "setuptools.setup"))
PURE_CALLS |= frozenset(("setuptools.find_packages", "setuptools.find_namespace_packages"))
# Variables that compilers and build backends read.
READ_BY_BUILDS = re.compile(
    r".*PRETEND_VERSION.*|(SETUPTOOLS|DISTUTILS|CMAKE|MESON|SKBUILD|MATURIN|CARGO|RUST|NPY|CYTHON|PBR|HATCH|PDM|POETRY|FLIT)"
    r"_?.*|(C|CXX|CPP|LD|F|ARCH)FLAGS|CC|CXX|LD|AR|LDSHARED|MACOSX_DEPLOYMENT_TARGET|SOURCE_DATE_EPOCH"
)
_WORD = re.compile(r"[A-Za-z0-9_.@+~/*-]+")
_QUOTED = re.compile(r"""["']([^"'\n]+)["']""")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,}")
_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import|import[ \t]+([\w., \t]+))", re.MULTILINE)


def depends_on_python(project: Path) -> bool:
    """Return whether another Python may get other metadata or another pure wheel from the same sources."""
    data = _pyproject(project)
    dynamic = set(data.get("project", {}).get("dynamic", ()))
    declared = data.get("tool", {}).get("setuptools", {}).get("dynamic", {})
    asked = {"dependencies", "optional-dependencies", "requires-python"} & dynamic - set(declared)
    cfg = (project / "setup.cfg").is_file()  # it is declarative
    return _runs_a_program(project, data) or (bool(asked) and not cfg)


def reads_history(project: Path) -> bool:
    """Return whether a build may read the version control: any but a declarative one of a static version."""
    data = _pyproject(project)
    requires = data.get("build-system", {}).get("requires", ["setuptools"])
    names = {re.split(r"[^A-Za-z0-9._-]", str(line).strip(), maxsplit=1)[0].lower() for line in requires}
    known = {re.sub(r"[._]", "-", name) for name in names} <= DECLARATIVE
    scm = data.get("tool", {}).get("pdm", {}).get("version", {})
    return not known or _runs_a_program(project, data) or (isinstance(scm, dict) and scm.get("source") == "scm")


def words(project: Path) -> frozenset[str]:
    """Return the words of the build's files that may be names of files."""
    found = {word for text in _texts(project) for word in _WORD.findall(text)}
    for text in _strings(_of_builds(_pyproject(project))):
        found.update(_WORD.findall(text))
    return frozenset(word.strip("/") for word in found)


def folders(project: Path) -> frozenset[str]:
    """Return the whole texts of the build's files that may be names of folders: "gen", but not a part of "gen is"."""
    tool = _pyproject(project).get("tool", {})
    found = [*_strings([tool.get(name, {}) for name in OF_BUILDS])]
    found += [text for program in _texts(project) for text in _QUOTED.findall(program)]
    for name in ("MANIFEST.in", "setup.cfg"):
        with suppress(OSError):
            found += (project / name).read_text(encoding="utf-8", errors="replace").split()
    return frozenset(text.removeprefix("./").strip("/") for text in found)


def variables(project: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a build may read: those of compilers and backends, and those that its files name."""
    named = {word for text in (*_texts(project), *_strings(_pyproject(project))) for word in _IDENTIFIER.findall(text)}
    return {name: value for name, value in sorted(environ.items()) if name in named or READ_BY_BUILDS.fullmatch(name)}


def local_requirements(project: Path) -> tuple[Path, ...]:
    """Return the files and folders of this machine that a build requires by `NAME @ file:`."""
    requires = _pyproject(project).get("build-system", {}).get("requires", ())
    found = (LOCAL.match(line) for line in requires if isinstance(line, str))
    return tuple(Path(unquote(match["path"])) for match in found if match)


def definition(project: Path, files: Mapping[str, str]) -> str:
    """Return the digest of the files that steer a build, and of the folders of modules; `files` has digests by path."""
    steering = {name: files.get(name, "") for name in (*PROGRAMS, *DECLARATIONS)}
    folders = {PurePath(name).parent.as_posix() for name in files if name.endswith(".py")}
    named = {name: files[name] for name in sorted(words(project) & files.keys())}
    top = {name for name in files if name.endswith(".py") and len(PurePath(name).parts) <= 2}  # noqa: PLR2004  (src/a.py)
    return digests.of_json([steering, sorted(folders), sorted(top), named])


def _runs_a_program(project: Path, data: dict[str, Any]) -> bool:
    if data.get("build-system", {}).get("backend-path") or any(_named_programs(_tables(project))):
        return True
    programs = [project / name for name in PROGRAMS if (project / name).is_file()]
    return any(path.name != "setup.py" or not _is_declarative(path) for path in programs)


def _is_declarative(path: Path) -> bool:
    """Return whether a setup.py only calls `setup` with literals."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return False
    for statement in tree.body:
        match statement:
            case ast.Import(names=names) if all(name.name == "setuptools" for name in names):
                continue
            case ast.ImportFrom(module="setuptools") | ast.ImportFrom(module="__future__"):
                continue
            case ast.Expr(value=value) if _is_literal(value):
                continue
            case ast.If(test=ast.Compare(left=ast.Name(id="__name__")), body=[ast.Expr(value=value)], orelse=[]):
                if _is_literal(value):
                    continue
            case _:
                pass
        return False
    return True


def _is_literal(node: ast.expr) -> bool:
    match node:
        case ast.Constant():
            return True
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return all(map(_is_literal, items))
        case ast.Dict(keys=keys, values=values):
            return all(item is not None and _is_literal(item) for item in (*keys, *values))
        case ast.Call(func=function, args=arguments, keywords=keywords):
            is_known = ast.unparse(function) in PURE_CALLS
            # A version or requirements that setup() gets from a plug-in may come from anywhere.
            names = {keyword.arg for keyword in keywords}
            is_plain = not names & {None, "use_scm_version", "setup_requires", "cmdclass", "ext_modules", "pbr"}
            return is_known and is_plain and all(map(_is_literal, [*arguments, *(item.value for item in keywords)]))
        case _:
            return False


def _texts(project: Path) -> Iterator[str]:
    """Yield the texts of programs and declarations besides pyproject.toml; in-tree backends count as programs."""
    found = [project / name for name in (*PROGRAMS, *_named_programs(_tables(project)))]
    for folder in _pyproject(project).get("build-system", {}).get("backend-path", ()):
        if isinstance(folder, str) and folder.strip("./"):
            found += sorted((project / folder).glob("**/*.py"))
    seen = set[Path]()
    while found and len(seen) < MAX_PROGRAMS:
        place = found.pop(0)
        if place in seen:
            continue
        seen.add(place)
        with suppress(OSError):
            text = place.read_text(encoding="utf-8", errors="replace")
            found += _used_by(text, place.parent, project)
            yield text
    for name in (*DECLARATIONS, *OF_COMPILERS):
        with suppress(OSError):
            if name != "pyproject.toml":
                yield (project / name).read_text(encoding="utf-8", errors="replace")


def _used_by(text: str, folder: Path, project: Path) -> Iterator[Path]:
    """Yield the files of the project that a program imports or names."""
    names = {name.strip().split(" ")[0] for pair in _IMPORT.findall(text) for name in "".join(pair).split(",")}
    parts = {name.strip(".").replace(".", "/") for name in names}
    files = [f"{part}{ending}" for part in sorted(parts - {""}) for ending in (".py", "/__init__.py")]
    files += sorted(word for word in _QUOTED.findall(text) if word.endswith(".py"))
    for place in dict.fromkeys((folder, project)):
        for name in files:
            with suppress(OSError, ValueError):
                if (place / name).is_file():
                    yield place / name


def _tables(project: Path) -> list[object]:
    """Return the tables of build backends, in pyproject.toml and in files of their own."""
    tool = _pyproject(project).get("tool", {})
    own: list[object] = [tool.get(name, {}) for name in OF_BUILDS]
    with suppress(OSError, ValueError):
        own.append(tomllib.loads((project / "hatch.toml").read_text(encoding="utf-8")))
    return own


def _named_programs(data: object, key: str = "") -> Iterator[str]:
    """Yield the programs that tables of build backends name: hooks and scripts."""
    if isinstance(data, str) and key in NAMING_PROGRAMS and data.endswith(".py"):
        yield data
    elif isinstance(data, dict):
        for name, value in data.items():
            if name != "version":
                yield from _named_programs(value, name)
    elif isinstance(data, list):
        for item in data:
            yield from _named_programs(item, key)


def _of_builds(data: dict[str, Any]) -> list[object]:
    tool = data.get("tool", {})
    return [data.get("project", {}), data.get("build-system", {}), *(tool.get(name, {}) for name in OF_BUILDS)]


def _strings(data: object) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield str(key)
            yield from _strings(value)
    elif isinstance(data, list):
        for item in data:
            yield from _strings(item)


def _pyproject(project: Path) -> dict[str, Any]:
    try:
        return read_pyproject(project)
    except ConfigError:
        return {}
