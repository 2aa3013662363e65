"""Prints facts of the Python that runs it, and of how it sees the machine, as one line of JSON between two markers.

Run by `venvgrid.app.capsules.facts`. Python 2.7 and 3.6 to 3.15, hence the old syntax.
"""

import sys

if __name__ == "__main__":
    # The folder of this file comes first on the path: nothing in it may shadow a module of the standard library.
    sys.path[:1] = []

import json  # noqa: E402
import locale  # noqa: E402
import platform  # noqa: E402
import time  # noqa: E402

BEGIN = "<<venvgrid-facts:"
END = ":venvgrid-facts>>"


def tried(ask):
    """Return what a function returns, as text, or "" if it fails."""
    try:
        found = ask()
    except Exception:  # a part of the standard library that this build does not have
        return ""
    if isinstance(found, (tuple, list)):
        found = " ".join([str(part) for part in found if part])
    if isinstance(found, bytes):
        found = found.decode("utf-8", "replace")
    return u"%s" % (found,) if found is not None else ""


def ssl_version():
    import ssl

    return ssl.OPENSSL_VERSION


def sqlite_version():
    import sqlite3

    return sqlite3.sqlite_version


def zlib_version():
    import zlib

    return getattr(zlib, "ZLIB_RUNTIME_VERSION", zlib.ZLIB_VERSION)


def current_locale():
    locale.setlocale(locale.LC_ALL, "")
    return locale.setlocale(locale.LC_ALL)


FACTS = (
    ("build", platform.python_build),
    ("compiler", platform.python_compiler),
    ("libc", platform.libc_ver),
    ("openssl", ssl_version),
    ("sqlite", sqlite_version),
    ("zlib", zlib_version),
    ("locale", current_locale),
    ("encoding", lambda: locale.getpreferredencoding(False)),
    ("filesystem-encoding", sys.getfilesystemencoding),
    ("timezone", lambda: time.tzname),
)


if __name__ == "__main__":
    sys.stdout.write("\n" + BEGIN + json.dumps(dict((name, tried(ask)) for name, ask in FACTS)) + END + "\n")
