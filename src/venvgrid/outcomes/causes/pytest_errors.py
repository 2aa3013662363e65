"""Errors of pytest and of coverage, as pytest 4.6 to 9 print them. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from venvgrid.outcomes.causes import remedies
from venvgrid.outcomes.causes.cause import Cause, compiled, excerpt, one_line, raised, traceback_to

if TYPE_CHECKING:
    from venvgrid.outcomes.causes.cause import Patterns

FILE_MISMATCH = (
    r"^import file mismatch:\nimported module u?'([^'\n]+)' has this __file__ attribute:\n\s+(.+)\n"
    r"which is not the same as the test file we want to collect:\n\s+(.+)$"
)


def file_mismatch(text: str) -> str:
    """Return pytest's message about two files that are one module in one line, or ""."""
    match = re.search(FILE_MISMATCH, text, re.MULTILINE)
    if not match:
        return ""
    one, other = (path.replace("\\", "/").split("/") for path in match.groups()[1:])
    shared = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    both = " and ".join("/".join(parts[shared:]) for parts in (one, other))
    return f"import file mismatch: {both} are both the module {match[1]}"


def _conftest(match: re.Match[str], said: str, _package: str) -> Cause:
    block = said[match.start() :].partition("\n\n")[0]
    kind, message = raised(block)
    path = match[1].replace("\\", "/")
    places = [name for name in re.findall(r"^([^\s:]+\.py):\d+: in ", block, re.MULTILINE) if path.endswith(f"/{name}")]
    where = next(iter(places), "/".join(path.split("/")[-2:]))
    hint = remedies.of_failure(message)
    return Cause(kind=kind, message=f"{message} (while importing {where})", hint=hint, excerpt=excerpt(block))


def _unrecognized(match: re.Match[str], _said: str, _package: str) -> Cause:
    program, rest = match["program"], match["rest"]
    if not re.search(r"py\.?test|__main__\.py$", program):
        return Cause(kind="usage error", message=one_line(f"{program}: unrecognized arguments: {rest}"))
    options = re.findall(r"(?:^|\s)(--?[A-Za-z][\w-]*(?:=\S*)?)", rest)
    hint = remedies.of_options(options) or "check test.command, and addopts in the settings of pytest"
    return Cause(kind="usage error", message=one_line(f"pytest does not know {', '.join(options) or rest}"), hint=hint)


def _missing_path(match: re.Match[str], _said: str, package: str) -> Cause:
    path = match[1].strip()
    message = one_line(f"pytest found no file or directory {path}")
    return Cause(kind="usage error", message=message, hint=remedies.of_path(package, path))


def _missing_test(match: re.Match[str], said: str, _package: str) -> Cause:
    root = re.search(r"^rootdir: ([^\n]+?)(?:, (?:config|ini)file: .*)?$", said, re.MULTILINE)
    test = match[1].strip().removeprefix(f"{root[1]}/" if root else "")
    file = test.partition("::")[0]
    hint = f"the tests of this file: venvgrid exec CELL pytest --collect-only -q {file} (the cells: venvgrid list)"
    return Cause(
        kind="usage error", message=one_line(f"pytest found no test {test}"), hint=hint, key="pytest found no test"
    )


def _missing_package(match: re.Match[str], _said: str, _package: str) -> Cause:
    name = match[1]
    hint = f"does the wheel ship a module {name}? A folder of tests needs __init__.py"
    return Cause(kind="usage error", message=f"pytest --pyargs found no package {name}", hint=hint)


def _missing_plugins(match: re.Match[str], _said: str, _package: str) -> Cause:
    wanted = [item.strip() for item in match[1].split(",")]
    quoted = ", ".join(f'"{item}"' for item in wanted)
    message = f"the settings of pytest require plugins that are not installed: {', '.join(wanted)}"
    return Cause(kind="usage error", message=one_line(message), hint=f"add {quoted} to install.requires")


def _unknown_setting(match: re.Match[str], _said: str, _package: str) -> Cause:
    name = match[1]
    hint = remedies.of_setting(name) or "remove it, or run without --strict-config"
    return Cause(kind="usage error", message=f"pytest does not know the setting {name}", hint=hint)


def _plugin(match: re.Match[str], said: str, _package: str) -> Cause:
    name, why = match[1], match[2]
    hint = remedies.of_failure(why)
    message = one_line(f"pytest could not import the plugin {name}: {why}")
    return Cause(kind="ImportError", message=message, hint=hint, excerpt=excerpt(traceback_to(said, match)))


def _warnings(match: re.Match[str], said: str, _package: str) -> Cause:
    block = said[match.start() :]
    kind, message = raised(block)
    told = f"pytest cannot read the filter of warnings {match[1].strip()}: {kind}: {message}".rstrip(": ")
    return Cause(kind="usage error", message=one_line(told), hint=remedies.of_failure(message))


def _usage(match: re.Match[str], _said: str, _package: str) -> Cause:
    said = match["rest"].strip()
    said = said[:-1] if said.endswith("'") and said.count("'") % 2 else said  # pytest's own slip
    return Cause(
        kind="usage error", message=one_line(f"{match['program'] or 'pytest'}: {said}"), hint=remedies.of_failure(said)
    )


def _internal(_match: re.Match[str], said: str, _package: str) -> Cause:
    lines = [line[len("INTERNALERROR>") :] for line in said.splitlines() if line.startswith("INTERNALERROR>")]
    block = "\n".join(line[1:] for line in lines)
    kind, message = raised(block)
    told = f"{message} (an internal error of pytest)" if message else "an internal error of pytest"
    return Cause(kind=kind, message=one_line(told), hint=remedies.of_failure(message), excerpt=excerpt(block))


def _testpaths(_match: re.Match[str], _said: str, package: str) -> Cause:
    message = "pytest found no files in testpaths, and no tests elsewhere"
    hint = f"correct testpaths in the settings of pytest. {remedies.inside(package)}".strip()
    return Cause(kind="no-tests", message=message, hint=hint)


def _nothing(_match: re.Match[str], said: str, package: str) -> Cause:
    names = "pytest collects test_*.py and *_test.py; python_files in its settings names others"
    hint = remedies.inside(package) or (names if "collected 0 items" in said else "")
    return Cause(kind="no-tests", message="pytest collected no tests", hint=hint)


def _gate(match: re.Match[str], _said: str, _package: str) -> Cause:
    wanted, total = match["wanted"] or match["wanted2"], match["total"] or match["total2"]
    message = f"the coverage is {total} %, and at least {wanted} % is required"
    hint = "one cell seldom covers all; without the gate: venvgrid run -- --cov-fail-under=0" if match["wanted"] else ""
    return Cause(kind="coverage", message=message, hint=hint, key="the coverage is too small")


def _mismatch(match: re.Match[str], _said: str, _package: str) -> Cause:
    message = file_mismatch(match[0])
    return Cause(kind="collection", message=message, hint=remedies.of_failure(message), key="import file mismatch")


def _collection(match: re.Match[str], said: str, _package: str) -> Cause:
    block = re.split(
        r"^(?:_{3,} ERROR collecting |={3,} |!{3,} )", said[match.end() :], maxsplit=1, flags=re.MULTILINE
    )[0]
    kind, message = raised(block)
    hint = remedies.of_failure(message)
    return Cause(kind=kind, message=f"{message} (while collecting {match[1]})", hint=hint, excerpt=excerpt(block))


BEFORE: Patterns = compiled(
    (r"^(?:ImportError|Error) while loading conftest '([^'\n]+)'\.$", _conftest),
    (r"^(?P<program>\S.*?): error: unrecognized arguments: (?P<rest>.+)$", _unrecognized),
    (r"^ERROR: (?:file or directory|file) not found: (.+)$", _missing_path),
    (r"^ERROR: not found: (.+)$", _missing_test),
    (r"^ERROR: (?:module|file) or package not found: (\S+)", _missing_package),
    (r"^ERROR: Missing required plugins: (.+)$", _missing_plugins),
    (r"^(?:ERROR: |\s+UsageError: |PytestConfigWarning: )Unknown config (?:option|ini key): (\S+)", _unknown_setting),
    (r"^ImportError: Error importing plugin \"([^\"]+)\": (.*)$", _plugin),
    (r"^ERROR: while parsing the following warning configuration:\n\n\s+(\S.*)\n", _warnings),
    (r"^(?P<program>\S.*?): error: (?P<rest>.+)$", _usage),
    (r"^ERROR(?P<program>): (?!usage: )(?P<rest>(?!.*\(\w[\w.]*\)$)\S.*)$", _usage),
    (r"^INTERNALERROR> \S", _internal),
    (FILE_MISMATCH, _mismatch),
    (r"^_{3,} ERROR collecting (\S+) _{3,}$", _collection),
    (r"PytestConfigWarning: No files were found in testpaths", _testpaths),
)
_GATE = (
    r"^(?:FAIL|ERROR:?) Required test coverage of (?P<wanted>[\d.]+)% not reached\."
    r"(?: Total coverage: (?P<total>[\d.]+)%)?"
    r"|^(?:ERROR: )?Coverage failure: total of (?P<total2>[\d.]+) is less than fail-under=(?P<wanted2>[\d.]+)"
)
NOTHING: Patterns = compiled((r"^(?:=+ )?no tests ran in ", _nothing))  # of a command that did not fail
AFTER: Patterns = compiled((_GATE, _gate))
