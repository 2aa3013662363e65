"""Compiles source files to bytecode for venvgrid's package cache. Python 3.8 or newer.

Run by `venvgrid.environments.package_cache.bytecode`, as a script, with the interpreter that will import the files.
Standard input is JSON: {"time": seconds since the epoch, "files": [[source, target], ...]}. Each target becomes the
file that Python itself would write into __pycache__ for a source of that time; a third word is the name that the code
bears instead of that of the source. A source that does not compile is skipped: distributions have such files on purpose
(templates, tests of parsers).
"""

import json
import os
import sys
from importlib._bootstrap_external import _code_to_timestamp_pyc


def main():
    """Compile the files that standard input names."""
    request = json.load(sys.stdin)
    for source, target, *name in request["files"]:
        try:
            with open(source, "rb") as stream:
                text = stream.read()
            code = compile(text, name[0] if name else source, "exec", dont_inherit=True)
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        with open(target + ".part", "wb") as stream:  # on a full disk, a part is no target
            stream.write(_code_to_timestamp_pyc(code, request["time"], len(text)))
        os.replace(target + ".part", target)


if __name__ == "__main__":
    main()
