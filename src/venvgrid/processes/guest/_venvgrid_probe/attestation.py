# -*- coding: utf-8 -*-
"""The attestation at the end of a session: interpreter, versions, and from where the code was imported."""

from __future__ import absolute_import

import os
import re
import sys

from .installed import current_witness, look
from .results import MESSAGE_CAP, TEXT, cap, to_text


def session_record(worker, variables=None):
    """Return what this process is. `variables` are those of the cell: the record has those that are otherwise here."""
    info = sys.version_info
    level = {"alpha": "a", "beta": "b", "candidate": "rc"}.get(info[3])
    implementation = getattr(sys, "implementation", None)
    return {
        "t": "session",
        "v": 1,
        "pid": os.getpid(),
        "worker": worker,
        "executable": to_text(sys.executable or ""),
        "prefix": to_text(os.path.realpath(sys.prefix)),
        "version": "%d.%d.%d" % info[:3] + ("%s%d" % (level, info[4]) if level else ""),
        "implementation": implementation.name if implementation else _old_implementation(),
        "pytest": to_text(getattr(sys.modules.get("pytest"), "__version__", "")),
        "variables": _otherwise(variables or {}),
    }


def _otherwise(variables):
    found = {}
    for name, value in variables.items():
        now = os.environ.get(name)
        if to_text(now or "") != value:
            found[name] = None if now is None else cap(to_text(now), MESSAGE_CAP)
    return found


def _old_implementation():
    import platform

    return platform.python_implementation().lower()


def attest(spec):
    look()
    project = spec.get("project") or {}
    wanted = list(spec.get("distributions") or ())
    found = _installed(set([_normal(name) for name in wanted]))
    own = set([_normal(project.get("name") or "")])
    found.update(_installed(own, [current_witness().site] if current_witness() else []) or _installed(own))
    prefix = os.path.realpath(spec.get("prefix") or sys.prefix)
    packages, origins, imported = {}, {}, []
    for name in wanted:
        version, metadata = found.get(_normal(name), ("", None))
        packages[name] = version
        origins[name], is_imported = _origin_of(name, (spec.get("modules") or {}).get(name), metadata, prefix)
        if is_imported:
            imported.append(name)
    record = {"t": "attest", "packages": packages, "origins": origins, "imported": imported, "project": None}
    if project.get("name"):
        version, metadata = found.get(_normal(project["name"]), ("", None))
        origin, is_imported = _origin_of(project["name"], project.get("modules"), metadata, prefix)
        record["project"] = {"version": version, "origin": origin, "imported": is_imported}
    return record


def _normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed(wanted, path=None):
    """Return the first copy of each distribution on sys.path, as an import would find it: name -> (version, metadata)."""
    found = {}
    for entry in sys.path if path is None else path:
        try:
            entry = entry or os.getcwd()
            names = sorted(os.listdir(entry)) if os.path.isdir(entry) else []
        except Exception:
            continue
        if entry.endswith(".egg") and "EGG-INFO" in names:
            name = _named(os.path.basename(entry))[0]
            if name in wanted:
                found.setdefault(name, _version(os.path.join(entry, "EGG-INFO")))
        for file_name in names:
            if file_name.endswith((".dist-info", ".egg-info")):
                name = _named(file_name)[0]
                if name in wanted and name not in found:
                    found[name] = _version(os.path.join(entry, file_name))
    return found


def _named(file_name):
    """Parse name and version from "foo_bar-1.0-py2.7.egg-info" and the like."""
    base = os.path.splitext(file_name)[0]
    match = re.match(r"(.+?)-(v?\d[^-]*)", base)
    return (_normal(match.group(1)), match.group(2)) if match else (_normal(base), "unknown")


def _version(metadata):
    for path in (os.path.join(metadata, "METADATA"), os.path.join(metadata, "PKG-INFO"), metadata):
        if os.path.isfile(path):
            match = re.search(r"(?mi)^Version:[ \t]*(\S+)", _read(path))
            if match:
                return match.group(1), metadata
    return _named(os.path.basename(metadata))[1], metadata


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read(1 << 24).decode("utf-8", "replace")
    except Exception:
        return u""


def _origin_of(name, modules, metadata, prefix):
    """Return where the code of a distribution came from: (file or "", was it imported). Files outside of `prefix` go first."""
    imported, names = [], _modules(name, modules, metadata)
    for module in names:
        try:
            imported += _imported(module, prefix)
        except Exception:  # tests put anything into sys.modules
            continue
    if imported:
        return sorted(imported, key=lambda path: _is_below(path, prefix))[0], True
    for module in names:
        try:
            path = _find(module)
        except Exception:
            continue
        if path:
            return _real(path), False
    return "", False


# Top-level names that many projects share, and tests have too.
COMMON = "test tests testing doc docs example examples benchmarks scripts tools utils util helpers common src setup conftest"
COMMON = set(COMMON.split())


def _modules(name, given, metadata):
    """Return the importable names of a distribution; the one that equals its own name comes first."""
    names = _recorded(metadata) if metadata and os.path.isdir(metadata) else []
    if not names:
        names = list(given or ()) or (_read(os.path.join(metadata, "top_level.txt")).split() if metadata else [])
    same = [module for module in names if _normal(module) == _normal(name)]
    names = same + [module for module in names if module not in same and module.split(".")[0] not in COMMON]
    return names or [re.sub(r"[-.]+", "_", name), re.sub(r"[-_.]+", "_", name).lower()]


def _recorded(metadata):
    """Return names from RECORD: of a namespace package ("google") the parts of the distribution ("google.cloud.x")."""
    paths = [line.split(",")[0].strip('"') for line in _read(os.path.join(metadata, "RECORD")).splitlines()]
    paths = [path for path in paths if not path.startswith(("..", "/", "__editable__"))]
    modules = [path.split("/") for path in paths if path.endswith((".py", ".so", ".pyd"))]
    packages = set([tuple(parts[:-1]) for parts in modules if parts[-1] == "__init__.py"])
    names = set()
    for parts in modules:
        for depth in range(1, len(parts)):
            if tuple(parts[:depth]) in packages:
                names.add(".".join(parts[:depth]))
                break
        else:
            names.add(".".join(parts[:-1] + [parts[-1].split(".")[0]]))
    return sorted([name for name in names if re.match(r"[^\W\d]\w*(\.[^\W\d]\w*)*$", name)])


def _imported(name, prefix):
    """Return the file of a module as a list of one, or [] if it was not imported."""
    module = sys.modules.get(name)
    path = getattr(module, "__file__", None)
    if isinstance(path, (TEXT, str)):
        return [_real(path)]
    if module is None or not getattr(module, "__path__", None):
        return []
    # A namespace package: other distributions have parts of it, so only a file outside of the environment counts.
    inner = [value for key, value in sorted(sys.modules.items()) if key.startswith(name + ".")]
    files = [getattr(value, "__file__", None) for value in inner]
    paths = [_real(path) for path in files if isinstance(path, (TEXT, str))]
    return [path for path in paths if not _is_below(path, prefix)][:1]


def _is_below(path, folder):
    return os.path.normcase(path).startswith(os.path.normcase(folder).rstrip(os.sep) + os.sep)


def _find(name):
    """Return the file that an import of a module would find, without importing it."""
    top, _, rest = name.partition(".")
    if sys.version_info[0] == 2:
        import imp

        path = imp.find_module(top)[1]
        places = [path]
    else:
        from importlib.util import find_spec

        spec = find_spec(top)
        if spec is None:
            return None
        path = spec.origin if spec.has_location else None
        places = list(spec.submodule_search_locations or ())
    if not rest:
        return path or (places and places[0])
    for place in places:
        base = os.path.join(place, *rest.split("."))
        for file in (os.path.join(base, "__init__.py"), base + ".py"):
            if os.path.isfile(file):
                return file
    return None


def _real(path):
    """Resolve links of the folder, not of the file itself: an installer may link files from its cache."""
    folder, name = os.path.split(os.path.abspath(path))
    return to_text(os.path.join(os.path.realpath(folder), name))
