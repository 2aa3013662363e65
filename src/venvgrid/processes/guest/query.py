"""Prints a description of the Python that runs it, as one line of JSON between two markers.

Run by `venvgrid.interpreters.query`, as a script, with every interpreter that was found. Python 2.7 and 3.6 to 3.15,
PyPy and GraalPy, hence the old syntax. It imports the standard library only, and nothing that starts a process:
`platform.uname` does, up to Python 3.8.
"""

import sys

if __name__ == "__main__":
    # The folder of this file comes first on the path: nothing in it may shadow a module of the standard library.
    sys.path[:1] = []

import json  # noqa: E402
import os  # noqa: E402
import struct  # noqa: E402
import sysconfig  # noqa: E402

BEGIN = "<<venvgrid-python:"
END = ":venvgrid-python>>"
LEVELS = {"alpha": "a", "beta": "b", "candidate": "rc", "final": ""}


def text(value):
    """Return a path as text; Python 2.7 has bytes."""
    if isinstance(value, bytes):
        return value.decode(sys.getfilesystemencoding() or "ascii", "replace")
    return value or ""


def variable(name):
    """Return a build variable, or None if the build does not have it."""
    try:
        return sysconfig.get_config_var(name)
    except Exception:  # an installation without its build data is still an interpreter
        return None


def numbered(info):
    """Return sys.version_info, or that of an implementation, as a PEP 440 version: 3.14.0rc1."""
    level = LEVELS.get(info[3], "")
    return "%d.%d.%d" % tuple(info[:3]) + (level + str(info[4]) if level else "")


def implementation():
    """Return name and version of the implementation, as PEP 508 markers have them; Python 2.7 has neither."""
    known = getattr(sys, "implementation", None)
    if known is None:
        return "", "0"
    try:
        return known.name, numbered(known.version)
    except Exception:  # a version of another shape
        return known.name, "0"


def common_name():
    """Return platform.python_implementation()."""
    import platform

    return platform.python_implementation()


def system():
    """Return system, release, version and machine as the module platform does."""
    if hasattr(os, "uname") and sys.platform not in ("android", "ios", "cygwin") and not sys.platform.startswith("aix"):
        name = os.uname()
        return name[0], name[2], name[3], name[4]
    import platform

    return platform.system(), platform.release(), platform.version(), platform.machine()


def describe():
    """Return the whole description."""
    version = numbered(sys.version_info)
    name, name_version = implementation()
    common = common_name()
    system_name, release, system_version, machine = system()
    disabled = variable("Py_GIL_DISABLED")
    return {
        "executable": text(sys.executable),
        "version": version,
        "implementation": {"graalpython": "graalpy"}.get(name, name) or common.lower(),
        "free_threaded": bool(disabled) or "t" in getattr(sys, "abiflags", ""),
        "debug": bool(variable("Py_DEBUG")) or hasattr(sys, "gettotalrefcount"),
        "bits": struct.calcsize("P") * 8,
        "platform": sysconfig.get_platform(),
        "prefix": text(sys.prefix),
        "cache_tag": getattr(getattr(sys, "implementation", None), "cache_tag", None) or "",
        "markers": {
            "implementation_name": name,
            "implementation_version": name_version,
            "os_name": os.name,
            "platform_machine": machine,
            "platform_python_implementation": common,
            "platform_release": release,
            "platform_system": system_name,
            "platform_version": system_version,
            "python_full_version": version,
            "python_version": ".".join(version.split(".")[:2]),
            "sys_platform": sys.platform,
        },
    }


if __name__ == "__main__":
    # A banner may have been printed without an end of line.
    sys.stdout.write("\n" + BEGIN + json.dumps(describe(), sort_keys=True) + END + "\n")
