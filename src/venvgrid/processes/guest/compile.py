"""Compiles source files for venvgrid's cache, with the interpreter that is to import them. Python 3.8 or newer.

Standard input is JSON: {"time": seconds since the epoch, "files": [[source, target], ...]}. Each target becomes what
Python itself would write into __pycache__ for a source of that time. A source that does not compile is passed over:
distributions have such files on purpose (templates, tests of parsers).
"""

import json
import sys
from importlib._bootstrap_external import _code_to_timestamp_pyc


def main():
    """Compile what standard input names."""
    request = json.load(sys.stdin)
    for source, target in request["files"]:
        try:
            with open(source, "rb") as stream:
                text = stream.read()
            code = compile(text, source, "exec", dont_inherit=True)
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        with open(target, "wb") as stream:
            stream.write(_code_to_timestamp_pyc(code, request["time"], len(text)))


if __name__ == "__main__":
    main()
